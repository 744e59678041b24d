"""What a metric is, and what it is given: a number per symbol per step, measured from the day up to that step.

A metric is a frozen value. One step of it is pure: `values, next_state = metric.step(state, now)`. A real step
keeps the next state, a preview drops it. The state is a tuple of arrays with symbols last, so that a symbol
can be measured anew alone. Equal metrics are measured once.

A metric of one's own:

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Range(Metric):
...     '''The day's range in dollars. Unknown: no bar today.'''
...
...     unit = "$"
...
...     def measure(self, now):
...         return now[HighOfDay()] - now[LowOfDay()]
...
...     def needs(self):
...         return (HighOfDay(), LowOfDay())
>>> from scanner_kit.metrics.levels import HighOfDay, LowOfDay
>>> Range().name, Range()
('range', Range())
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from scanner_kit.calendar import Session
from scanner_kit.day import Day
from scanner_kit.errors import InvalidInput
from scanner_kit.naming import snake_case
from scanner_kit.universe import Bools, Facts, Floats, Universe

State = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Metric:
    """A number per symbol per step. Subclass it as a frozen dataclass and write `measure`, or `start` and `step`."""

    unit: ClassVar[str] = ""
    market: ClassVar[bool] = False
    """Whether it looks across the market of its own day; all others see one symbol at a time."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if "__hash__" not in vars(cls):  # dataclass would make one that is the same for all who have no parameters
            cls.__hash__ = Metric.__hash__  # type: ignore[method-assign]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        told = (f.name for f in fields(self) if (f.compare if f.hash is None else f.hash))
        return hash((type(self), *(getattr(self, name) for name in told)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_hash"}  # another process has another

    @property
    def name(self) -> str:
        """The name in code, files and commands."""
        return snake_case(type(self).__name__)

    @property
    def doc(self) -> str:
        """The definition."""
        return " ".join((type(self).__doc__ or "").split())

    def facts(self) -> tuple[str, ...]:
        """The names of the facts that it reads: without them it is unknown."""
        return ()

    def needs(self) -> "tuple[Metric, ...]":
        """The metrics that this one reads of the same step."""
        return ()

    def start(self, day: Day) -> State:
        """The accumulators before the first minute, arrays `(…, symbols)`: what was handed out may be one of them."""
        return ()

    def step(self, state: State, now: "Moment") -> tuple[Floats, State]:
        """The values of this step, float64 `(symbols,)`, new arrays, and the next state."""
        return self.measure(now), state

    def measure(self, now: "Moment") -> Floats:
        """The values of this step, for a metric that keeps nothing: float64 `(symbols,)`, a new array."""
        raise InvalidInput(
            f"{type(self).__name__} measures nothing. Write measure(now), or start(day) and step(state, now)."
        )

    def __repr__(self) -> str:
        told = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(told)})"


@dataclass(frozen=True, repr=False)
class Level(Metric):
    """A metric that is a price and can be broken."""

    unit: ClassVar[str] = "$"


class Moment:
    """What a metric sees at minute `k`: the bars of this minute, the day up to it, the facts, and what it needs."""

    __slots__ = ("_bars", "close", "day", "high", "k", "low", "open", "session", "values", "volume")

    def __init__(self, day: Day, k: int) -> None:
        self.day, self.k = day, k
        self.session = day.universe.day.session(k)
        self.open, self.high, self.low, self.close = day.open[k], day.high[k], day.low[k], day.close[k]
        self.volume = day.volume[k]
        self._bars: Bools | None = None
        self.values: dict[Metric, Floats] = {}

    def __getitem__(self, metric: Metric) -> Floats:
        try:
            return self.values[metric]
        except KeyError:
            raise InvalidInput(
                f"{metric!r} was read but not measured before. Name it in needs() of the metric that reads it."
            ) from None

    @property
    def bars(self) -> Bools:
        """Who traded in this minute."""
        if self._bars is None:
            self._bars = ~np.isnan(self.close)
        return self._bars

    @property
    def universe(self) -> Universe:
        """The symbols, their facts, and what the source says of itself."""
        return self.day.universe

    @property
    def facts(self) -> Facts:
        """What was known before the day."""
        return self.day.universe.facts

    @property
    def regular(self) -> bool:
        """Whether this minute is of the regular session."""
        return self.session is Session.REGULAR

    @property
    def regular_minute(self) -> int:
        """Minutes since 09:30 of this bar's start; negative before."""
        return self.k - self.universe.day.open_k

    @property
    def last_before(self) -> Floats:
        """The close of each symbol's latest bar before this minute."""
        return self.day.last[self.k - 1] if self.k else self.unknown()

    def window(self, column: str, minutes: int) -> Floats:
        """The last minutes of a column of the day, this one included, not before 04:00.

        A view `(≤ minutes, symbols)`.
        """
        rows: Floats = getattr(self.day, column)[max(0, self.k - minutes + 1) : self.k + 1]
        return rows

    def unknown(self) -> Floats:
        """A column of which nothing is known, read-only: the same one every time."""
        return self.day.unknown
