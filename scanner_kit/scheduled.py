"""Scheduled scanners: any code at all, run on a schedule, whose results are a list and triggers like any other.

1. `scan(context)` runs in a process of its own, when its `Schedule` says so, and gives a `ScanResult`.
2. That is put on the tape as a `Result`, in force from the next step on, until there is another.
3. In the roster it is an ordinary scanner over what was reported: gates, thresholds, order, edge, cooldown, severity
   and reasons are those of every scanner. Who reads the tape again has the same, and runs none of that code.

>>> import param
>>> class Squeeze(ScheduledScanner):
...     '''Heavily shorted, by a file of one's own.'''
...
...     schedule = Schedule(every=15, before_open=(10,))
...     figures = ("short_pct",)
...     min_short = param.Number(20.0, bounds=(0, 100), doc="Percent of the float that is short.")
...
...     def select(self, now):
...         return [*super().select(now), now[self.figure("short_pct")] >= self.min_short]
...
...     def scan(self, context):
...         return ScanResult([Found("GME", 31.0, fires=True, figures={"short_pct": 24.0})])
>>> Squeeze().name, [metric.name for metric in Squeeze().metrics()][:3]
('squeeze', ['squeeze_score', 'squeeze_found', 'squeeze_fires'])
"""

import datetime as dt
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from scanner_kit import metrics as m
from scanner_kit.calendar import TradingDay
from scanner_kit.columns import Column
from scanner_kit.composition import AnyScanner, sides_of
from scanner_kit.conditions import Condition
from scanner_kit.errors import InvalidInput, UnknownName, short
from scanner_kit.metrics.reported import Reported
from scanner_kit.ranking import Published
from scanner_kit.results import FIRES, FOUND, SCORE, Found, Result, checked
from scanner_kit.scanner import EVERY_SESSION, Keys, Scanner
from scanner_kit.schedule import Schedule
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Facts

OUTSIDE = ("setup", "scan", "teardown")
"""What of it is run outside the engine."""


@dataclass(frozen=True)
class ScanResult:
    """What a scan gives: what was found, and symbols that join the universe where they are not of it yet.

    `adds` names these, or has a mapping with `symbol` and facts by name for each: what is not said is not known.

    >>> ScanResult([Found("NVDA", float("nan"))])
    Traceback (most recent call last):
    ...
    scanner_kit.errors.InvalidInput: The score of NVDA is a known number; found nan. Leave the symbol out.
    """

    found: Sequence[Found] = ()
    adds: Sequence[str | Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        adds: Any = self.adds
        listed = isinstance(adds, Iterable) and not isinstance(adds, str | Mapping)
        if not listed or not all(symbol_of(one) for one in adds):
            raise InvalidInput(f"A result adds symbols; found {short(adds)}. Write adds=['NVDA'].")
        object.__setattr__(self, "found", checked(self.found))
        object.__setattr__(self, "adds", tuple(adds))


def symbol_of(added: Any) -> str:
    """The symbol that a row of `adds` names; nothing where it names none."""
    symbol = added.get("symbol") if isinstance(added, Mapping) else added
    return symbol if isinstance(symbol, str) else ""


@dataclass(frozen=True, eq=False)
class Context:
    """What a scan may read. `now` is the last minute's end on the tape (UTC), whatever the wall clock says.

    `facts` are of the `symbols`, in their order, without the usual volume. `lists` are those published last, by name.
    `state` is the scanner's own: what it puts there, as JSON can hold it, is there again at its next scan, restarts
    included. `log` is a logger of the standard library.
    """

    day: TradingDay
    now: dt.datetime
    symbols: tuple[str, ...]
    facts: Facts
    lists: Mapping[str, Published] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    log: Any = None


class ScheduledScanner(Scanner):
    """Any code as a scanner: subclass it, and write `scan`; `setup` and `teardown` where there is something to hold.

    `schedule` says when it runs. A scan that takes longer than `timeout` seconds is ended. One that fails is tried
    `retries` times more; after `failures` scans in a row that failed all the same it is switched off. `figures` are
    names of numbers of its own beside the score.
    """

    sessions = EVERY_SESSION

    schedule: ClassVar[Schedule] = Schedule()
    timeout: ClassVar[float] = 30.0
    retries: ClassVar[int] = 2
    failures: ClassVar[int] = 3
    figures: ClassVar[tuple[str, ...]] = ()

    # What runs outside, in a process of its own

    def setup(self, context: Context) -> None:
        """Called once before the first scan of a process."""

    def scan(self, context: Context) -> ScanResult:
        """Look outside, and say what was found."""
        raise InvalidInput(f"{type(self).__name__} scans nothing. Write scan(context), which gives a ScanResult.")

    def teardown(self, context: Context) -> None:
        """Called once after the last scan of a process that was not killed."""

    # What the engine makes of it

    @property
    def score(self) -> m.Metric:
        """The score of its last result."""
        return Reported(self.name, SCORE)

    @property
    def found(self) -> m.Metric:
        """Whether it is in its last result."""
        return Reported(self.name, FOUND)

    @property
    def fires(self) -> m.Metric:
        """Whether its last result fires."""
        return Reported(self.name, FIRES)

    def figure(self, name: str) -> m.Metric:
        """A figure of its own."""
        if name not in self.figures:
            raise UnknownName.of(f"{self.name} has no figure", name, self.figures)
        return Reported(self.name, name)

    def select(self, now: Snapshot) -> Iterable[Condition]:  # noqa: D102
        return [now[self.found].equals(1.0)]

    def rank(self, now: Snapshot) -> Column | Keys:  # noqa: D102
        return now[self.score]

    def trigger(self, now: Snapshot) -> Condition | Mapping[str, Condition] | None:  # noqa: D102
        return now[self.fires].equals(1.0)

    def metrics(self) -> tuple[m.Metric, ...]:
        """Every metric that it uses, its figures among them."""
        own = (self.score, self.found, self.fires, *(self.figure(name) for name in self.figures))
        return tuple(dict.fromkeys((*own, *super().metrics())))

    @property
    def listed(self) -> bool:
        """It has a list, and speaks up."""
        return True

    def result(self, given: Any, time: dt.datetime, known: Container[str]) -> Result:
        """What a scan gave, as it goes on the tape; `known` are the symbols that are scanned, beside those it adds.

        `InvalidInput` where it is no result, has a figure that the scanner does not name, or a symbol that nobody
        scans.
        """
        if not isinstance(given, ScanResult):
            raise InvalidInput(f"{type(self).__name__}.scan gives a ScanResult; found {short(given)}. Return one.")
        for one in given.found:
            for name in one.figures:
                if name not in self.figures:
                    raise UnknownName.of(f"{type(self).__name__}.figures do not name", name, self.figures)
        added = set(map(symbol_of, given.adds))
        unknown = [one.symbol for one in given.found if one.symbol not in known and one.symbol not in added]
        if unknown:
            raise InvalidInput(
                f"A result is of symbols that are scanned today, or that it adds; found {short(unknown)}. Leave them "
                f"out, or name them in adds."
            )
        return Result(self.name, time, tuple(given.found))


def scheduled_in(scanners: Iterable[AnyScanner]) -> dict[str, ScheduledScanner]:
    """The scheduled scanners of a roster by name, those that stand in an `&` or `|` among them."""
    parts = (part for scanner in scanners for side in sides_of(scanner) for part in side.scanners())
    return {part.name: part for part in parts if isinstance(part, ScheduledScanner)}
