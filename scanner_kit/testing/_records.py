"""What metrics and scanners said over a tape, as a record to compare: a law is two ways of asking that must agree."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scanner_kit.bars import Bars, Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.columns import values_of
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.conditions import Condition, full
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import Meter, in_order, measure_day
from scanner_kit.metrics import Last, Metric
from scanner_kit.ranking import Ranking
from scanner_kit.scanner import Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.testing._state import anew
from scanner_kit.testing._tapes import as_it_came
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Bools, Floats, Universe
from scanner_kit.whole_day import judge_day
from scanner_kit.widening import Widening

Checkable = Metric | AnyScanner | type[Metric] | type[Scanner]
Key = tuple[str, str]
"""Who said it, and what: `("hod_break", "selected")`."""
VALUES, SELECTED, SCORE = "value", "selected", "score"
NAMING = ("symbols", "exclude")
"""The gates that name symbols."""


class Broken(Exception):  # noqa: N818 - it carries what was found; LawBroken is what is raised
    """A law does not hold: who broke it, at which minute (−1: none), and how that showed.

    Where it is a number or an answer for one symbol, also which (`what`, `symbol`), what it is and what it was to be.
    """

    def __init__(
        self, who: str, k: int, shown: str, *, what: str = "", symbol: str = "", found: str = "", expected: str = ""
    ) -> None:
        super().__init__(shown)
        self.who, self.k, self.shown = who, k, shown
        self.what, self.symbol, self.found, self.expected = what, symbol, found, expected


@dataclass(frozen=True)
class Subject:
    """The metrics and scanners that are checked together; the metrics of the scanners are among them."""

    metrics: tuple[Metric, ...]
    scanners: tuple[AnyScanner, ...]

    @classmethod
    def of(cls, things: Iterable[Checkable]) -> "Subject":
        """Classes become instances with their defaults; `InvalidInput` for what is neither metric nor scanner."""
        made: list[Any] = [thing() if isinstance(thing, type) else thing for thing in things]
        for thing in made:
            if not isinstance(thing, Metric | Scanner | Composite):
                raise InvalidInput(
                    f"Laws are checked on metrics and scanners; found {thing!r}. "
                    "Give a subclass of Metric or Scanner, or an instance."
                )
        scanners = tuple(thing for thing in made if not isinstance(thing, Metric))
        own = (metric for scanner in scanners for metric in scanner.metrics())
        return cls(tuple(dict.fromkeys((*(t for t in made if isinstance(t, Metric)), *own))), scanners)

    @cached_property
    def labels(self) -> dict[Metric, str]:
        """What each metric is called in a record: its repr before it was asked anything."""
        return {metric: repr(metric) for metric in self.metrics}

    def only(self, who: str) -> "Subject":
        """The one of that name alone; all where nobody has it."""
        metrics: list[Checkable] = [metric for metric, label in self.labels.items() if label == who]
        named = metrics or [scanner for scanner in self.scanners if scanner.name == who]
        return Subject.of(named[:1]) if named else self

    def renamed(self, names: Mapping[str, str]) -> "Subject":
        """The same where symbols have other names: the gates that name some go along."""
        return Subject(self.metrics, tuple(_renamed(scanner, names) for scanner in self.scanners))

    def anew(self) -> "Subject":
        """The same as objects that were never asked anything, called by the same labels."""
        fresh = Subject(tuple(map(anew, self.metrics)), tuple(map(anew, self.scanners)))
        fresh.__dict__["labels"] = dict(zip(fresh.metrics, self.labels.values(), strict=True))
        return fresh

    @cached_property
    def market(self) -> frozenset[str]:
        """Those that look across the market of their day, themselves or through what they need."""
        metrics = {label: (metric,) for metric, label in self.labels.items()}
        asked: dict[str, tuple[Metric, ...]] = {
            **metrics,
            **{scanner.name: scanner.metrics() for scanner in self.scanners},
        }
        return frozenset(who for who, used in asked.items() if any(metric.market for metric in in_order(used)))

    def __str__(self) -> str:
        told = [repr(scanner) for scanner in self.scanners] or list(self.labels.values())
        return told[0] if len(told) == 1 else f"{len(told)} of them"


def _renamed(scanner: AnyScanner, names: Mapping[str, str]) -> AnyScanner:
    named = {key: value for key, value in scanner.settings().items() if key.rpartition(".")[2] in NAMING and value}
    if not named:
        return scanner
    return scanner.with_settings(**{key: [names.get(one, one) for one in value] for key, value in named.items()})


@dataclass(frozen=True, eq=False)
class Record:
    """All that was said over a tape: columns float64 `(minutes, symbols)`, triggers, and the lists of each step."""

    universe: Universe
    columns: Mapping[Key, Floats]
    triggers: tuple[Trigger, ...]
    lists: tuple[Mapping[str, Ranking], ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return sum(column.size for column in self.columns.values())


@dataclass(frozen=True, eq=False)
class Case:
    """A subject and a tape, with what was said of it in the two plain ways, found once."""

    subject: Subject
    tape: Tape = field(repr=False)

    @cached_property
    def steps(self) -> Record:
        """What is said step by step."""
        return stepped(self.subject, self.tape.universe, self.tape)

    @cached_property
    def day(self) -> Snapshot:
        """The whole day, measured at once."""
        return measured(self.subject, self.tape)

    @cached_property
    def whole(self) -> Record:
        """What is said of whole-day arrays."""
        return recorded(self.subject, self.day)

    def on(self, tape: Tape) -> "Case":
        """The same subject on another tape."""
        return Case(self.subject, tape)


def stepped(
    subject: Subject, universe: Universe, entries: Iterable[Bars], ask: Callable[[Engine], None] | None = None
) -> Record:
    """What is said when a new engine takes the entries one after the other, and is asked questions in between."""
    rows: dict[int, Mapping[Key, Floats]] = {}
    lists: list[Mapping[str, Ranking]] = []
    triggers: list[Trigger] = []
    watched = watched_minutes(subject, universe.day)
    for now, said, fired in steps_of(subject, universe, entries, ask):
        if not now.forming:
            lists.append(said)
            if watched[now.k]:
                rows[now.k] = columns_of(subject, now)
        triggers.extend(fired)
    return Record(universe, _stacked(rows, len(lists)), tuple(triggers), tuple(lists))


def came(subject: Subject, tape: Tape) -> Record:
    """What is said on a day on which symbols join and leave, as its entries come; NaN of who has not joined yet."""
    (head, entries), size = as_it_came(tape), len(tape.universe)
    engine, watched = Engine(head, subject.scanners, subject.metrics), watched_minutes(subject, head.day)
    columns: dict[Key, Floats] = {}
    lists = []
    for bars in entries:
        scan = engine.step(bars)
        lists.append(scan.lists)
        rows = Widening.of(engine.universe.symbols, tape.universe.symbols).rows
        for key, values in columns_of(subject, scan.snapshot).items() if watched[scan.k] else ():
            columns.setdefault(key, np.full((len(tape), size), np.nan))[scan.k, rows] = values
    return Record(tape.universe, columns, tuple(engine.triggers), tuple(lists))


def watched_minutes(subject: Subject, day: TradingDay) -> Bools:
    """The minutes that are recorded: all; of scanners, whose answers are many, every sixth until near the open."""
    k = np.arange(day.minutes)
    return np.asarray((k >= day.open_k - 30) | (k % 6 == 0) | (not subject.scanners))


def _stacked(rows: Mapping[int, Mapping[Key, Floats]], minutes: int) -> dict[Key, Floats]:
    """Columns of some minutes as `(minutes, symbols)`; NaN in those that were not recorded."""
    ks = list(rows)
    columns = {}
    for key in rows[0] if rows else ():
        columns[key] = np.full((minutes, rows[0][key].size), np.nan)
        columns[key][ks] = [rows[k][key] for k in ks]
    return columns


Step = tuple[Snapshot, Mapping[str, Ranking], tuple[Trigger, ...]]


def steps_of(
    subject: Subject, universe: Universe, entries: Iterable[Bars], ask: Callable[[Engine], None] | None = None
) -> Iterator[Step]:
    """The snapshot, lists and triggers of every entry, by an engine; by a meter alone where there is no scanner."""
    if not subject.scanners:
        yield from ((now, {}, ()) for now in _measured_steps(subject, universe, entries))
        return
    engine = Engine(universe, subject.scanners, subject.metrics)
    for bars in entries:
        scan = engine.step(bars)
        yield scan.snapshot, scan.lists, scan.triggers
        if ask is not None:
            ask(engine)


def _measured_steps(subject: Subject, universe: Universe, entries: Iterable[Bars]) -> Iterator[Snapshot]:
    meter = Meter(universe, subject.metrics)
    for bars in entries:
        with np.errstate(all="ignore"):
            now = meter.preview(bars) if bars.forming else meter.step(bars)
        yield now


def measured(subject: Subject, tape: Tape) -> Snapshot:
    """The whole day of a tape at once."""
    return measure_day(tape, (*subject.metrics, Last()) if subject.scanners else subject.metrics)


def recorded(subject: Subject, day: Snapshot) -> Record:
    """What is said of a day's snapshot as arrays `(minutes, symbols)`."""
    watched = watched_minutes(subject, day.universe.day)[:, None]
    columns = {key: np.where(watched, values, np.nan) for key, values in columns_of(subject, day).items()}
    return Record(day.universe, columns, judge_day(day, subject.scanners) if subject.scanners else ())


def columns_of(subject: Subject, now: Snapshot) -> dict[Key, Floats]:
    """Every number and every answer of a snapshot; answers are 1 for yes, 0 for no, NaN for unknown."""
    columns: dict[Key, Floats] = {(label, VALUES): now[metric].values for metric, label in subject.labels.items()}
    with np.errstate(all="ignore"):
        for scanner in subject.scanners:
            columns.update(answers(scanner, now))
    return columns


def answers(scanner: AnyScanner, now: Snapshot) -> dict[Key, Floats]:
    """What a scanner makes of a snapshot, by what it is."""
    verdict, name = scanner.verdict(now), scanner.name
    told: dict[str, Any] = {SELECTED: truth(verdict.selected, now)}
    told |= {f"{SCORE} {i}" if i else SCORE: column.values for i, (column, _) in enumerate(verdict.keys)}
    for kind, said in verdict.kinds.items():
        told |= {
            kind: truth(said.condition, now),
            f"{kind} level": values_of(said.level),
            f"{kind} side": values_of(said.side),
        }
    return {
        (name, what): np.broadcast_to(np.asarray(values, dtype=np.float64), now.shape) for what, values in told.items()
    }


def truth(condition: Condition, now: Snapshot) -> Floats:
    """1 where a condition holds, 0 where it does not, NaN where it is unknown."""
    true, false = full(condition.true, now.shape), full(condition.false, now.shape)
    return np.where(true, 1.0, np.where(false, 0.0, np.nan))


# Comparing


def compare(
    expected: Record,
    found: Record,
    how: str,
    first: int = 0,
    last: int | None = None,
    keep: Callable[[Key], bool] = lambda key: True,
) -> int:
    """How many numbers of minutes first…last agree bit for bit.

    `Broken` names the earliest that does not, and `how` it came to be.
    """
    end = min(len(next(iter(r.columns.values()), ())) for r in (expected, found)) if last is None else last + 1
    worst: tuple[int, int, Key] | None = None
    counted = 0
    for key in filter(keep, expected.columns):
        differs = bits(expected.columns[key][first:end]) != bits(found.columns[key][first:end])
        counted += differs.size
        if differs.any():
            k, row = (int(i) for i in np.argwhere(differs)[0])
            worst = min(worst or (k + first, row, key), (k + first, row, key))
    if worst is not None:
        raise _difference(expected, found, how, *worst)
    return counted


def compare_triggers(
    expected: Record, found: Record, how: str, first: int = 0, last: int = 10**6, told: Callable[[Trigger], Any] = repr
) -> int:
    """How many triggers of minutes first…last are the same; `Broken` names the earliest that only one of them has."""
    ours, theirs = ([t for t in record.triggers if first <= t.k <= last] for record in (expected, found))
    known, given = ({told(t) for t in ours}, {told(t) for t in theirs})
    odd = [(t, "does not fire") for t in ours if told(t) not in given] + [
        (t, "fires") for t in theirs if told(t) not in known
    ]
    if odd:
        t, does = min(odd, key=lambda one: one[0].k)
        said = f"{t.scanner} ({t.kind}, level {t.level:g}, rank {t.rank}) {does} for {t.symbol}"
        shown_so = f"{said} at {instant(expected.universe, t.k)} {how}"
        other = {"fires": "does not fire", "does not fire": "fires"}[does]
        raise Broken(t.scanner, t.k, shown_so, what=t.kind, symbol=t.symbol, found=does, expected=other)
    if len(ours) != len(theirs):
        raise Broken(theirs[0].scanner, theirs[0].k, f"{len(theirs)} triggers, not {len(ours)}, {how}")
    return len(ours)


def compare_lists(expected: Record, found: Record, how: str) -> int:
    """How many lists are the same, step by step."""
    for k, (ours, theirs) in enumerate(zip(expected.lists, found.lists, strict=False)):
        for name, ranking in ours.items():
            if ranking != theirs[name]:
                at, found_symbols = instant(expected.universe, k), theirs[name].symbols
                raise Broken(name, k, f"the list {name} at {at} is {found_symbols}, not {ranking.symbols}, {how}")
    return sum(map(len, expected.lists))


def compare_all(expected: Record, found: Record, how: str) -> int:
    """Columns, triggers and lists."""
    return compare(expected, found, how) + compare_triggers(expected, found, how) + compare_lists(expected, found, how)


def bits(values: Floats) -> np.ndarray:
    """Numbers as they are stored, every NaN alike."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


def instant(universe: Universe, k: int) -> str:
    """A step as people read it."""
    return f"k={k} ({universe.day.session(k)})"


def place(universe: Universe, k: int, row: int) -> str:
    """A symbol at a step as people read it."""
    return f"{universe.symbols[row]} at {instant(universe, k)}"


def _difference(expected: Record, found: Record, how: str, k: int, row: int, key: Key) -> Broken:
    who, what = key
    old, new = (record.columns[key][k, row] for record in (expected, found))
    is_now, was = shown(new, what), shown(old, what)
    told = f"{what} of {who} for {place(expected.universe, k, row)} is {is_now}, not {was}, {how}"
    return Broken(who, k, told, what=what, symbol=expected.universe.symbols[row], found=is_now, expected=was)


def shown(value: float, what: str) -> str:
    """A number, or an answer, as people read it."""
    if np.isnan(value):
        return "unknown"
    if what == VALUES or what.startswith(SCORE) or what.endswith((" level", " side")):
        return repr(float(value))
    return "yes" if value else "no"
