"""Is an edge left, or did one only look long enough? Every setting looked at counts as a try.

A `Register` remembers each setting that was looked at, with its result on every day. `Register.luck` asks how often the
best of them would look as good if none had an edge, and says it in a line; `Register.overfitting` gives PBO beside it,
for information. The two tests are those of `scanner_kit.tuning.reality`.
"""

import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.tuning.reality import Overfitting, RealityCheck, days_by_settings, overfitting, reality_check
from scanner_kit.universe import Floats

LEVEL = 0.05


@dataclass(frozen=True)
class Try:
    """One setting of one scanner at one horizon, and its result on each day of the register.

    `sums`: result in R after costs, added up over the day's triggers that have one; `counts`: how many those are.
    `InvalidInput` where they do not fit together, or are not numbers.

    >>> Try("gap_and_go", "3f2a", "30m", sums=[0.5, 0.0, -1.5], counts=[3, 0, 1]).mean_r
    -0.25
    """

    scanner: str
    settings: str
    horizon: str
    sums: Sequence[float]
    counts: Sequence[int]

    def __post_init__(self) -> None:
        sums, counts = np.asarray(self.sums, dtype=np.float64), np.asarray(self.counts)
        days_by_settings(sums[:, None], counts[:, None])
        object.__setattr__(self, "sums", tuple(sums.tolist()))
        object.__setattr__(self, "counts", tuple(int(count) for count in counts))

    @classmethod
    def of(cls, answer: Answer, horizon: str) -> Self:
        """What somebody saw who was given an answer, at the horizon that was looked at."""
        sums, counts = answer.by_day(horizon)
        return cls(answer.fired.speaker.name, answer.settings_id, horizon, sums.tolist(), counts.tolist())

    @classmethod
    def each_of(cls, answer: Answer) -> tuple[Self, ...]:
        """The same for who saw it at all horizons side by side, as the lab shows it: a try at each."""
        return tuple(cls.of(answer, horizon) for horizon in HORIZONS)

    @property
    def mean_r(self) -> float:
        """Mean result of a trigger, in R; NaN without one."""
        return sum(self.sums) / sum(self.counts) if sum(self.counts) else math.nan


@dataclass(frozen=True)
class Luck:
    """What a register says: the check over all of its tries, and which of them is the best."""

    settings: int
    horizons: int
    check: RealityCheck
    best: Try | None

    @property
    def edge(self) -> bool | None:
        """Whether an edge is left at p < 0.05; None where it is not known."""
        return None if math.isnan(self.check.p) else self.check.p < LEVEL

    @property
    def verdict(self) -> str:
        """The same in words."""
        return {None: "unknown", True: f"an edge is left at p < {LEVEL:g}", False: "no edge"}[self.edge]

    @property
    def line(self) -> str:
        """The one plain line.

        >>> Register([dt.date(2025, 6, 2)]).luck().line
        'No setting looked at yet'
        """
        if not self.settings:
            return "No setting looked at yet"
        looked = f"{_counted(self.settings, 'setting')} looked at"
        if self.horizons > 1:
            looked += f", {'each ' if self.settings > 1 else ''}at {self.horizons} horizons"
        if self.check.days < self.check.needed:
            days = _counted(self.check.days, "day")
            return f"{looked}, over {days}: too few to tell luck from an edge ({self.check.needed} are needed)"
        if self.edge is None:
            told = "it has" if self.settings == 1 else "none has"
            return f"{looked}; {told} triggers on {self.check.needed} days: too few to tell luck from an edge"
        who = "it" if self.check.settings == 1 else "the best of them"
        return f"{looked}; {who} would look this good by luck {_percent(self.check.p)} of the time"


class Register:
    """Every setting that was looked at over some days. Adding gives a new register; a setting seen again is no new try.

    >>> looked = Register([dt.date(2025, 6, 2), dt.date(2025, 6, 3)])
    >>> looked = looked.add(Try("gap_and_go", "3f2a", "30m", [0.4, -1.1], [3, 1]))
    >>> looked = looked.add(Try("gap_and_go", "3f2a", "30m", [0.4, -1.1], [3, 1]))
    >>> looked.luck().line
    '1 setting looked at, over 2 days: too few to tell luck from an edge (10 are needed)'

    Other days are another register. A scanner that was rewritten under its old name has other results: another try.
    """

    def __init__(self, days: Iterable[dt.date], tries: Iterable[Try] = ()) -> None:
        self.days = tuple(days)
        if list(self.days) != sorted(set(self.days)):
            raise InvalidInput("A register's days are different and in order; found others. Sort them.")
        self._tries = dict.fromkeys(self._checked(tries))

    def __repr__(self) -> str:
        return f"<Register: {_counted(self.settings, 'setting')} over {_counted(len(self.days), 'day')}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Register) and (self.days, self.tries) == (other.days, other.tries)

    def __hash__(self) -> int:
        return hash((self.days, self.tries))

    @property
    def tries(self) -> tuple[Try, ...]:
        """What was looked at, in that order."""
        return tuple(self._tries)

    @property
    def settings(self) -> int:
        """How many settings were looked at, at whatever horizon."""
        return len({(one.scanner, one.settings) for one in self._tries})

    def add(self, *tries: Try) -> Self:
        """The register with further tries; those it has are not added again. `InvalidInput` for other days."""
        grown = type(self)(self.days)
        grown._tries = self._tries | dict.fromkeys(self._checked(tries))
        return grown

    def luck(self, *, seed: int = 0, resamples: int = 2_000, mean_block: float = 1.0) -> Luck:
        """Whether an edge is left after all that was looked at; the arguments are those of `reality_check`.

        `mean_block` is the mean length in days of what is drawn: 1 where days are independent. Longer blocks need more
        days: those of four days 15, and far more to find an edge.
        """
        check = reality_check(*self._table(), seed=seed, resamples=resamples, mean_block=mean_block)
        best = None if check.best is None else self.tries[check.best]
        return Luck(self.settings, len({one.horizon for one in self._tries}), check, best)

    def overfitting(self, *, blocks: int = 16) -> Overfitting:
        """PBO over all that was looked at, for information; see the function of that name."""
        return overfitting(*self._table(), blocks=blocks)

    def _checked(self, tries: Iterable[Try]) -> Iterator[Try]:
        for one in tries:
            if len(one.sums) != len(self.days):
                raise InvalidInput(
                    f"A try has a result for each day of its register, {len(self.days)}; found {len(one.sums)}."
                    " Judge the setting over the register's days, or begin another register."
                )
            yield one

    def _table(self) -> tuple[Floats, Floats]:
        """Sums and counts, days × tries."""
        shape = (len(self._tries), len(self.days))
        sums, counts = ([getattr(one, name) for one in self._tries] for name in ("sums", "counts"))
        return np.array(sums, dtype=np.float64).reshape(shape).T, np.array(counts, dtype=np.float64).reshape(shape).T

    def save(self, path: str | Path) -> None:
        """Write it as JSON, whole or not at all."""
        path = Path(path)
        told = {"days": [day.isoformat() for day in self.days], "tries": [asdict(one) for one in self.tries]}
        draft = path.with_name(path.name + ".part")
        draft.write_text(json.dumps(told) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What `save` wrote; `InvalidInput` for a file that is none."""
        try:
            told: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(map(dt.date.fromisoformat, told["days"]), [Try(**one) for one in told["tries"]])
        except (TypeError, KeyError, ValueError) as fault:
            raise InvalidInput(
                f"A register is a file that Register.save wrote; found {Path(path).name}: {fault}. Name another file."
            ) from fault


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    """61 %, 4.9 %, less than 0.1 %; what is below 5 % never reads as 5."""
    if share < 0.001:
        return "less than 0.1 %"
    if share >= 0.1:
        return f"{math.floor(100 * share + 0.5)} %"
    return f"{math.floor(1000 * share) / 10:g} %"
