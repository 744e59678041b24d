"""Wrong use, and the exact sentence that it is answered with: thing, rule, what was found, remedy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import param
import pytest
from notation import OFF, scanned, tape_of

from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.bars import FIELDS, Bars, Tape
from scanner_kit.calendar import Session, TradingDay
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.meter import in_order, measure_day
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import GapAndGo, HodBreak, Hot, OrbBreakUp, Winners
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.universe import Facts, Universe

DAY = TradingDay.of("2025-01-27")
Wrong = Callable[[], Any]


def asks(question: Callable[[Snapshot], Any]) -> Wrong:
    """A question asked of a snapshot in which only `last` and what every list shows was measured."""
    return lambda: question(scanned(tape_of("04:00 A =10 x1\n04:00 B =10 x1"), [], 2)[1][-1].snapshot)


class Equals(Scanner):
    """A comparison with == asks whether two columns are one object."""

    def select(self, now: Snapshot) -> list[Any]:
        return [now[m.Last()] == 10]  # type: ignore[comparison-overlap]


class Speaks(Scanner):
    """Speaks a number."""

    def trigger(self, now: Snapshot) -> Any:
        return {"one": 1}


class Alone(Scanner):
    """Gives one condition where a list belongs."""

    def select(self, now: Snapshot) -> Any:
        return now[m.Last()] > 10


class Truths(Scanner):
    """Asks for the session as Python does, which gives one truth."""

    def select(self, now: Snapshot) -> list[Any]:
        return [now.session is Session.PRE]


class Forgets(Scanner):
    """Returns nothing."""

    def select(self, now: Snapshot) -> Any: ...


class RanksByMetric(Scanner):
    """Gives a metric where a column belongs."""

    def rank(self, now: Snapshot) -> Any:
        return m.Last()


class Sided(Scanner):
    """Has an array for a side."""

    def trigger(self, now: Snapshot) -> Any:
        return now[m.Last()] > 10

    def side(self, now: Snapshot) -> Any:
        return np.ones(300)


ROSTER = "A roster is a list of scanners; found {}. Write, say, [HodBreak()]."


def engine_of(*roster: Any) -> Engine:
    return Engine(Universe.of(DAY, ["A"]), roster)


def stepped_once() -> Engine:
    engine = engine_of()
    engine.step(Bars.empty(0, 1))
    return engine


def tape_with(column: Any) -> Tape:
    columns: dict[str, Any] = dict.fromkeys(FIELDS, column)
    return Tape(Universe.of(DAY, ["A"]), **columns)


def judged(scanner: Scanner) -> Wrong:
    return asks(scanner.verdict)


@dataclass(frozen=True, repr=False)
class Ping(m.Metric):
    """Needs pong."""

    def needs(self) -> tuple[m.Metric, ...]:
        return (Pong(),)


@dataclass(frozen=True, repr=False)
class Pong(m.Metric):
    """Needs ping."""

    def needs(self) -> tuple[m.Metric, ...]:
        return (Ping(),)


@dataclass(frozen=True, repr=False)
class Whole(m.Metric):
    """Gives integers."""

    def measure(self, now: m.Moment) -> Any:
        return np.zeros(len(now.universe), dtype=np.int64)


@dataclass(frozen=True, repr=False)
class Reads(m.Metric):
    """Reads what it does not need."""

    def measure(self, now: m.Moment) -> Any:
        return now[m.Vwap()]


@dataclass(frozen=True, repr=False)
class Nothing(m.Metric):
    """Measures nothing."""


def measured(metric: m.Metric) -> Wrong:
    return lambda: scanned(tape_of("04:00 A =10 x1"), [], 1, [metric])


def assigned(name: str, value: Any, scanner: type[Scanner] = HodBreak) -> Wrong:
    return lambda: setattr(scanner(), name, value)


def updated(**values: Any) -> Wrong:
    return lambda: HodBreak().param.update(**values)


def subclassed(**body: Any) -> Wrong:
    return lambda: type("Mine", (HodBreak,), body)


FINITE = "is a finite number; found {}. Leave a limit unset with None."
TRUTH = "{} is a number; found {}. Write the number."
COMPARE = "Compare a column with a number or another column; for equality write column.equals(…)."
ONE_TRUTH = (
    "A condition is yes, no or unknown for each symbol, not one truth. Combine conditions with &, | and ~ and "
    "compare once at a time."
)

SENTENCES: list[tuple[str, Wrong, str]] = [
    # Thresholds
    (
        "an unknown threshold",
        lambda: GapAndGo(min_gpa=5),
        "GapAndGo has no parameter 'min_gpa'. Did you mean 'min_gap'?",
    ),
    ("an unknown attribute", assigned("min_rvl", 5), "HodBreak has no parameter 'min_rvl'. Did you mean 'min_rvol'?"),
    (
        "an unknown threshold of a copy",
        lambda: HodBreak().with_settings(topp=5),
        "HodBreak has no parameter 'topp'. Did you mean 'top'?",
    ),
    ("NaN", lambda: HodBreak(min_rvol=math.nan), f"HodBreak.min_rvol {FINITE.format('nan')}"),
    ("infinity", lambda: HodBreak(max_price=math.inf), f"HodBreak.max_price {FINITE.format('inf')}"),
    ("infinity set later", assigned("max_price", math.inf), f"HodBreak.max_price {FINITE.format('inf')}"),
    (
        "NaN in a pair",
        lambda: HodBreak(min_dollar_volume=(1, math.nan)),
        f"HodBreak.min_dollar_volume {FINITE.format('(1, nan)')}",
    ),
    ("True for a number", lambda: HodBreak(min_rvol=True), TRUTH.format("HodBreak.min_rvol", True)),
    ("True set later", assigned("min_rvol", True), TRUTH.format("HodBreak.min_rvol", True)),
    ("True for a whole number", lambda: Hot(top=True), TRUTH.format("Hot.top", True)),
    ("False for a pair", lambda: HodBreak(min_dollar_volume=False), TRUTH.format("HodBreak.min_dollar_volume", False)),
    ("True in an update", updated(min_price=True), TRUTH.format("HodBreak.min_price", True)),
    (
        "too small",
        lambda: HodBreak(min_rvol=-1),
        "HodBreak: Number parameter 'HodBreak.min_rvol' must be at least 0, not -1.",
    ),
    (
        "too small, set later",
        assigned("min_rvol", -1),
        "Number parameter 'HodBreak.min_rvol' must be at least 0, not -1.",
    ),
    (
        "too large",
        lambda: OrbBreakUp(minutes=121),
        "OrbBreakUp: Integer parameter 'OrbBreakUp.minutes' must be at most 120, not 121.",
    ),
    (
        "at an open bound",
        lambda: HodBreak(risk=0),
        "HodBreak: Number parameter 'Scanner.risk' must be greater than 0, not 0.",
    ),
    (
        "a text for a number",
        lambda: HodBreak(min_rvol="3"),
        "HodBreak: Number parameter 'HodBreak.min_rvol' only takes numeric values, not <class 'str'>.",
    ),
    (
        "a fraction of a row",
        lambda: Hot(top=2.5),
        "Hot: Integer parameter 'Hot.top' must be an integer, not <class 'float'>.",
    ),
    (
        "no limit where one must be",
        lambda: HodBreak(cooldown=None),
        "HodBreak: Number parameter 'Scanner.cooldown' only takes numeric values, not <class 'NoneType'>.",
    ),
    (
        "three dollar volumes",
        lambda: HodBreak(min_dollar_volume=(1, 2, 3)),
        "HodBreak: PerSession parameter 'min_dollar_volume' must be a number or a pair of "
        "numbers (in PRE, after) from 0 up, not (1, 2, 3).",
    ),
    (
        "negative dollars",
        lambda: HodBreak(min_dollar_volume=-1),
        "HodBreak: PerSession parameter 'min_dollar_volume' must be a number or a pair of "
        "numbers (in PRE, after) from 0 up, not (-1, -1).",
    ),
    (
        "an unknown session",
        lambda: Winners(sessions=["PREE"]),
        "Winners: ListSelector parameter 'Category.sessions' does not accept 'PREE'; valid "
        "options include: '[PRE, REGULAR, POST]'",
    ),
    (
        "one session without a list",
        lambda: HodBreak(sessions="PRE"),
        "HodBreak: ListSelector parameter 'Scanner.sessions' only takes list types, not 'PRE'.",
    ),
    (
        "a word without a list",
        lambda: HodBreak(sectors="Energy"),
        "HodBreak: List parameter 'Scanner.sectors' must be a list, not an object of <class 'str'>.",
    ),
    (
        "an unknown way to break",
        lambda: HodBreak(breakout="high"),
        "HodBreak: Selector parameter 'Break.breakout' does not accept 'high'; valid options include: '[wick, close]'",
    ),
    (
        "a default that is not allowed",
        subclassed(min_rvol=-1),
        "Mine: Number parameter 'Mine.min_rvol' must be at least 0, not -1.",
    ),
    ("a default that is a truth", subclassed(top=True), TRUTH.format("Mine.top", True)),
    # Conditions
    ("and", asks(lambda now: (now[m.Last()] > 1) and (now[m.Last()] < 2)), ONE_TRUTH),
    ("not", asks(lambda now: not now[m.Last()] > 1), ONE_TRUTH),
    ("a chain", asks(lambda now: 1 < now[m.Last()] < 2), ONE_TRUTH),
    ("a name for a roster", lambda: Engine(Universe.of(DAY, ["A"]), "hod_break"), ROSTER.format("'hod_break'")),  # type: ignore[arg-type]
    ("a class for a roster", lambda: Engine(Universe.of(DAY, ["A"]), HodBreak), ROSTER.format(HodBreak)),  # type: ignore[arg-type]
    (
        "a tape for a universe",
        lambda: Engine(tape_of("04:00 A =10")),  # type: ignore[arg-type]
        "An engine scans a Universe; found <Tape of 2025-01-27, 1 symbols>. Give that of a tape: tape.universe.",
    ),
    (
        "a tape for a step",
        lambda: engine_of().step(tape_of("04:00 A =10")),  # type: ignore[arg-type]
        "A step takes the Bars of one minute; found <Tape of 2025-01-27, 1 symbols>. Write: for bars in tape.",
    ),
    (
        "why before the first step",
        lambda: engine_of().why("A"),
        "A question is about a step that was taken; found none yet. Step the engine first.",
    ),
    (
        "a condition without brackets",
        judged(Alone()),
        "Alone.select gives a list of conditions; found <Comparison: last > 10> alone. Return them in brackets, an "
        "empty list for none.",
    ),
    (
        "no conditions at all",
        judged(Forgets()),
        "Forgets.select gives a list of conditions; found None alone. Return them in brackets, an empty list for none.",
    ),
    (
        "a metric for a column",
        judged(RanksByMetric()),
        "RanksByMetric.rank gives a column, or a tuple of (column, whether its largest comes first); found Last(). "
        "Return, say, now[self.rvol].",
    ),
    (
        "an array for a side",
        judged(Sided()),
        f"Sided.side gives +1, −1 or a column of them; found array([{'1., ' * 48}1…. Make a column with "
        "now.choose(condition, 1, -1).",
    ),
    (
        "the session of a whole day",
        lambda: measure_day(tape_of("04:00 A =10"), []).session,
        "A session is of one minute; found a whole day. Ask now.in_sessions((Session.PRE,)), a condition.",
    ),
    (
        "a metric that is not measured",
        asks(lambda now: now[m.Rsi()]),
        "Rsi() was not measured. Make it an attribute of the scanner that asks for it, or name it to the engine.",
    ),
    (
        "a metric that was not measured before",
        asks(lambda now: now.before(m.Vwap())),
        "Vwap() was not measured. Make it an attribute of the scanner that asks for it, or name it to the engine.",
    ),
    (
        "a fact that there is not",
        asks(lambda now: now.fact("prev_clos")),
        "There is no numeric fact 'prev_clos'. Did you mean 'prev_close'?",
    ),
    (
        "a condition that means nothing",
        lambda: Condition().true,
        "Condition has no `true`. Write what it means to hold.",
    ),
    ("==", judged(Equals(**OFF)), f"Equals.select gives conditions; found False. {COMPARE}"),
    ("a number that speaks", judged(Speaks(**OFF)), f"Speaks.trigger gives conditions; found 1. {COMPARE}"),
    ("a truth", judged(Truths(**OFF)), f"Truths.select gives conditions; found True. {COMPARE}"),
    (
        "a condition that keeps what it found first",
        lambda: type("Mine", (Condition,), {"true": cached_property(lambda self: np.ones(1, dtype=np.bool_))}),
        "Mine.true is computed anew at every step; found a cached_property, which keeps that of the first. Write "
        "@lazy, from scanner_kit.conditions.",
    ),
    # Metrics
    (
        "needs in a circle",
        lambda: in_order([Ping()]),
        "Metrics cannot need each other in a circle: Ping() → Pong() → Ping(). Take one out of needs().",
    ),
    (
        "integers",
        measured(Whole()),
        "Whole() gives a float64 for each symbol, shape (1,); found int64 (1,). Return one number a symbol.",
    ),
    (
        "what was not needed",
        measured(Reads()),
        "Vwap() was read but not measured before. Name it in needs() of the metric that reads it.",
    ),
    (
        "a metric without a measure",
        measured(Nothing()),
        "Nothing measures nothing. Write measure(now), or start(day) and step(state, now).",
    ),
    ("an unknown metric", lambda: m.by_name("rvol_todd"), "There is no metric 'rvol_todd'. Did you mean 'rvol_tod'?"),
    ("an unknown fact", lambda: m.Fact("pdhh"), "There is no numeric fact 'pdhh'. Did you mean 'pdh'?"),
    # Rosters
    (
        "an unknown scanner",
        lambda: scanners.roster(["hod_brake"]),
        "There is no scanner 'hod_brake'. Did you mean 'hod_break'?",
    ),
    (
        "a name twice",
        lambda: engine_of(HodBreak(), HodBreak(top=5)),
        "A scanner's name is unique in the roster; found twice: hod_break. Name a variant "
        "with name='…' or .named('…').",
    ),
    (
        "a class",
        lambda: engine_of(HodBreak),
        "A roster holds scanners; found <class 'scanner_kit.scanners.breaks.HodBreak'>. Give "
        "instances, such as HodBreak(), or scanners.roster(['hod_break']).",
    ),
    (
        "a text",
        lambda: engine_of("hot"),
        "A roster holds scanners; found 'hot'. Give instances, such as HodBreak(), or scanners.roster(['hod_break']).",
    ),
    # The simulated market
    (
        "no symbols",
        lambda: SimulatedMarket(symbols=0),
        "SimulatedMarket.symbols is a whole number from 1 to 20,000; found 0. "
        "Say how many symbols are traded, like 500.",
    ),
    (
        "half a symbol",
        lambda: SimulatedMarket(symbols=2.5),
        "SimulatedMarket.symbols is a whole number from 1 to 20,000; found 2.5. "
        "Say how many symbols are traded, like 500.",
    ),
    (
        "a truth for a seed",
        lambda: SimulatedMarket(seed=True),
        "SimulatedMarket.seed is a whole number from 0 on; found True. Give another one, like 7.",
    ),
    (
        "a text for a day",
        lambda: SimulatedMarket(day="2025-06-18"),
        "SimulatedMarket.day is a date from 1994-01-03 to 2040-12-31; found '2025-06-18'. "
        "Write it like datetime.date(2025, 6, 18).",
    ),
    (
        "an unknown parameter of the market",
        lambda: SimulatedMarket(symbol=5),
        "SimulatedMarket has no parameter 'symbol'. Did you mean 'symbols'?",
    ),
    (
        "a seed of the market that is set afterwards",
        lambda: setattr(SimulatedMarket(), "seed", -1),
        "SimulatedMarket.seed is a whole number from 0 on; found -1. Give another one, like 7.",
    ),
    # Universe, days and tapes
    (
        "a symbol twice",
        lambda: Universe.of(DAY, ["A", "A"]),
        "The symbols of a Universe are unique and sorted; found others. Build it with Universe.of(day, symbols).",
    ),
    (
        "no share",
        lambda: Universe.of(DAY, ["A"], share_of_market=0.0),
        "share_of_market is above 0 and at most 1; found 0.0. IEX alone is 0.03.",
    ),
    (
        "an unknown symbol",
        lambda: Universe.of(DAY, ["AAPL"]).row("APPL"),
        "The universe of 2025-01-27 has no symbol 'APPL'. Did you mean 'AAPL'?",
    ),
    (
        "an unknown fact of a symbol",
        lambda: Facts.of(1, 960, prev_closs=np.ones(1)),
        "There is no fact 'prev_closs'. Did you mean 'prev_close'?",
    ),
    (
        "facts of another length",
        lambda: Universe.of(DAY, ["A", "B"], {"pdh": [1.0]}),
        "A fact has an entry for each of the 2 symbols; found pdh of shape (1,). Write NaN "
        "(None for a word) where it is unknown.",
    ),
    (
        "a weekend",
        lambda: TradingDay.of("2025-01-26"),
        "2025-01-26 is no trading day of XNYS (a weekend, a holiday, or outside 1993-01-01 to "
        "2040-12-31). Nearest: 2025-01-24 and 2025-01-27.",
    ),
    (
        "no date",
        lambda: TradingDay.of("27.1.2025"),
        "A day is a date like 2025-01-27; found '27.1.2025'. Write it as YYYY-MM-DD.",
    ),
    (
        "a tape of another day",
        lambda: tape_with(np.zeros((780, 1))),
        "Tape.open is (minutes, symbols) = (960, 1); found (780, 1). Give one row a minute from 04:00 on.",
    ),
    (
        "a minute left out",
        lambda: Engine(Universe.of(DAY, ["A"])).step(Bars.empty(3, 1)),
        "A day has one step for every minute, one after the other: expected k=0; found 3. "
        "Give Bars.empty for a silent minute.",
    ),
    (
        "a symbol too many",
        lambda: Engine(Universe.of(DAY, ["A"])).step(Bars.empty(0, 2)),
        "Bars have a row for each symbol of the universe (1); found open of shape (2,). "
        "Build them on the same Universe.",
    ),
    (
        "a question about tomorrow",
        lambda: stepped_once().why("A", 5),
        "A question is about a step that was taken, k=0…0; found k=5. Give a time from 04:01 "
        "New York up to the last step.",
    ),
]


@pytest.mark.parametrize(("wrong", "sentence"), [case[1:] for case in SENTENCES], ids=[case[0] for case in SENTENCES])
def test_wrong_use_is_answered_with_a_sentence(wrong: Wrong, sentence: str) -> None:
    with pytest.raises(ValueError) as fault:  # noqa: PT011 (the whole sentence is compared)
        wrong()
    assert " ".join(str(fault.value).split()) == sentence


@pytest.mark.parametrize(("wrong", "sentence"), [case[1:] for case in SENTENCES if "later" not in case[0]])
def test_what_is_raised_on_purpose_is_of_the_kit(wrong: Wrong, sentence: str) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def test_a_name_that_nothing_resembles_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(UnknownName, match=r"^There is no scanner 'zzz'\. Known: anomalies, breakout_20d, gap_and_go, "):
        scanners.roster(["zzz"])


def test_what_is_refused_leaves_the_scanner_as_it_was() -> None:
    scanner = HodBreak(min_rvol=4)
    wrong: Any
    for wrong in (-1, True, math.inf, "x"):
        with pytest.raises(ValueError, match="min_rvol"):
            scanner.min_rvol = wrong
    assert (scanner.min_rvol, scanner.gates.min_rvol, scanner) == (4, 4, scanner)
    assert repr(scanner) == "HodBreak(min_rvol=4)"


def test_repr_shows_what_differs_from_the_default_alone() -> None:
    assert [repr(cls()) for cls in scanners.CLASSES.values()] == [
        f"{cls.__name__}()" for cls in scanners.CLASSES.values()
    ]
    assert repr(HodBreak(name="fast", cooldown=5)) == "HodBreak(name='fast', cooldown=5)"
    assert repr(m.Surge()) == "Surge()"
    assert repr(m.Surge(minutes=5)) == "Surge(minutes=5)"


def test_a_default_of_a_class_body_is_a_parameter_like_any_other() -> None:
    class Mine(HodBreak):
        """Mine."""

        min_rvol = 7
        sessions = [Session.PRE]  # noqa: RUF012 (Param copies it)
        min_dollar_volume = 5
        extra = param.Number(1, bounds=(0, 2), doc="Extra.")

    seen: list[Any] = []
    mine = Mine()
    mine.param.watch(lambda event: seen.append((event.old, event.new)), "min_rvol")
    mine.min_rvol = 8
    assert seen == [(7, 8)]
    assert (Mine.param["min_rvol"].default, HodBreak.param["min_rvol"].default, Scanner.param["min_rvol"].default) == (
        7,
        3,
        None,
    )
    assert mine.gates.min_dollar_volume == (5, 5)
    assert (mine.gates.sessions, HodBreak().gates.sessions) == ((Session.PRE,), (Session.REGULAR,))


@pytest.mark.parametrize(
    ("one", "other"),
    [({"min_rvol": 3}, {"min_rvol": 3.0}), ({"min_dollar_volume": 5}, {"min_dollar_volume": [5.0, 5]})],
)
def test_equal_thresholds_have_one_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert HodBreak(**one).settings_id == HodBreak(**other).settings_id
    assert HodBreak(**one).settings_id != HodBreak(**one, top=3).settings_id
    assert HodBreak().settings_id != scanners.LodBreak().settings_id
    assert HodBreak().settings_id == HodBreak(name="other").settings_id
