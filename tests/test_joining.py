"""Symbols that join or leave while the day runs: as if they had been there all day and silent, and no other notices."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from notation import OFF, minute, tape_of

from scanner_kit import metrics as m
from scanner_kit import scanners
from scanner_kit.bars import (
    FIELDS,
    Bars,
    Event,
    Join,
    LateBars,
    Leave,
    Tape,
    VendorHalt,
    event_of,
    told,
)
from scanner_kit.calendar import TradingDay
from scanner_kit.conditions import Condition
from scanner_kit.engine import Engine, Scan
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.isolation import IsolatingEngine
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.scanners import HodBreak, Hot, Winners
from scanner_kit.snapshot import Snapshot
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.testing import one_engine, sample_tape
from scanner_kit.testing._tapes import as_it_came, made_late, with_comings
from scanner_kit.tuning.history import History
from scanner_kit.tuning.judging import judge
from scanner_kit.tuning.kept import load_tape, save_tape
from scanner_kit.tuning.sweep import sweep
from scanner_kit.universe import Universe

NAN = float("nan")
DAY = TradingDay.of("2025-01-27")
WRONG: Any = (7,)
QUIET: tuple[float, ...] = ()
OPEN = minute("09:30")


def bars(k: int, *rows: tuple[float, ...], **more: Any) -> Bars:
    """An entry: price and volume of each symbol in order; nothing for who has no bar."""
    table = [[row[0]] * 4 + [row[1], NAN] if row else [NAN, NAN, NAN, NAN, 0, NAN] for row in rows]
    return Bars(k, *np.array(table, dtype=np.float64).T, **more)


def engine_of(*symbols: str, roster: Sequence[Scanner] = (), **known: Any) -> Engine:
    """An engine of some symbols that has taken nothing yet."""
    return Engine(Universe.of(DAY, symbols, known), roster, [m.ChangePct(), m.HighOfDay(), m.DayVolume()])


def go_on(engine: Engine, until: int) -> None:
    """Take silent minutes up to one."""
    while engine.k + 1 < until:
        engine.step(Bars.empty(engine.k + 1, len(engine.universe)))


def listed(scan: Scan, name: str) -> tuple[str, ...]:
    return scan.lists[name].symbols


# By hand


def test_who_joins_has_a_row_from_then_on_and_was_silent() -> None:
    engine = engine_of("A", "C", roster=[Winners(**OFF)], prev_close=[10.0, 10.0])
    engine.step(bars(0, (11, 100), (10, 100)))
    scan = engine.step(bars(1, QUIET, (20, 50), (12, 10), events=(Join.of("B", prev_close=10.0, name="Bee"),)))
    assert scan.snapshot.universe.symbols == ("A", "B", "C")
    assert scan.snapshot.universe.facts.name.tolist() == [None, "Bee", None]
    assert scan.snapshot[m.DayVolume()].values.tolist() == [100, 50, 110]
    assert scan.snapshot.before(m.HighOfDay()).values.tolist()[::2] == [11, 10]
    assert np.isnan(scan.snapshot.before(m.HighOfDay()).values[1]), "it has had no bar before"
    assert [(row.symbol, round(row.score)) for row in scan.rows("winners")] == [("B", 100), ("C", 20), ("A", 10)]


def test_bars_of_before_may_come_late_with_who_joins() -> None:
    engine = engine_of("A", prev_close=[10.0])
    go_on(engine, 5)
    columns = [np.array(one, dtype=float) for one in (*[[20, 30]] * 4, [7, 8], [NAN, NAN])]
    came = LateBars(np.array([1, 3]), np.array([1, 1]), *columns)
    scan = engine.step(bars(5, (10, 1), (25, 2), events=(Join.of("B", prev_close=10.0),), late=came))
    assert (scan.snapshot[m.HighOfDay()].values[1], scan.snapshot[m.DayVolume()].values[1]) == (30, 17)
    assert engine.meter.day.last[:6, 1].tolist()[1:] == [20, 20, 30, 30, 25]


def test_who_leaves_is_on_no_list_fires_nothing_and_why_says_when() -> None:
    engine = engine_of("A", "B", roster=[Winners(**OFF), HodBreak(**OFF)], prev_close=[10.0, 10.0])
    go_on(engine, OPEN)
    engine.step(bars(OPEN, (12, 100), (13, 100)))
    scan = engine.step(bars(OPEN + 1, (14, 100), (15, 100), events=(Leave.of("B"),)))
    assert (listed(scan, "winners"), [trigger.symbol for trigger in scan.triggers]) == (("A",), ["A"])
    assert scan.snapshot[m.DayVolume()].values.tolist() == [200, 100], "its bar does not count"
    assert np.isnan(scan.snapshot.close_so_far[1])
    list_, trigger = engine.why("B")
    assert str(list_.blocking[0]) == str(trigger.blocking[0]) == "in the universe left at 09:31 == yes: no"
    assert [why.selected for why in engine.why("B", OPEN)] == [True, True], "it was there then"


def test_a_question_about_a_time_before_it_joined_says_when_it_does() -> None:
    engine = engine_of("A", roster=[Winners(**OFF)])
    go_on(engine, 60)
    engine.step(bars(60, QUIET, (10, 1), events=(Join.of("B"),)))
    assert str(engine.why("B", 59)[0].blocking[0]) == "in the universe joins at 05:00 == yes: no"
    assert "universe" not in str(engine.why("B")[0])


def test_who_comes_back_was_silent_in_between() -> None:
    engine = engine_of("A", "B", roster=[Winners(**OFF)], prev_close=[10.0, 10.0])
    engine.step(bars(0, (11, 1), (12, 1)))
    engine.step(bars(1, (11, 1), (99, 1), events=(Leave.of("B"),)))
    scan = engine.step(bars(2, (11, 1), QUIET, events=(Join.of("B"),)))
    assert (listed(scan, "winners"), scan.snapshot[m.HighOfDay()].values[1]) == (("B", "A"), 12)
    assert engine.universe.away == (("B", 1, 2),)


def test_late_bars_count_by_when_they_come() -> None:
    def one(k: int, price: float) -> LateBars:
        columns = (np.array([value]) for value in (price, price, price, price, 5.0, NAN))
        return LateBars(np.array([k]), np.array([1]), *columns)

    engine = engine_of("A", "B")
    go_on(engine, 3)
    engine.step(bars(3, QUIET, QUIET, events=(Leave.of("B"),), late=one(1, 50.0)))
    assert engine.meter.day.volume[1, 1] == 0, "while it was away"
    engine.step(bars(4, QUIET, QUIET, events=(Join.of("B"),), late=one(3, 50.0)))
    assert engine.meter.day.volume[3, 1] == 5, "though it was away in that minute"


def test_who_leaves_is_compared_with_nobody() -> None:
    symbols = [f"S{i:02d}" for i in range(30)]
    usual = np.outer(np.arange(1.0, 961), np.full(30, 1000.0))
    known = {"prev_close": [10.0] * 30, "avg_volume_30d": [1e6] * 30, "usual_volume": usual}
    engines = [engine_of(*symbols, roster=[HodBreak(**OFF)], **known) for _ in range(2)]
    entries = [(10.0 + i, 1000.0 * i) for i in range(30)]
    for engine, event in zip(engines, [Leave.of(*symbols[25:]), Leave.of(symbols[0])], strict=True):
        go_on(engine, OPEN)
        engine.step(bars(OPEN, *entries))
        engine.step(bars(OPEN + 1, *((price + 1, volume) for price, volume in entries), events=(event,)))
    first, second = ({t.symbol: (t.severity, t.rank) for t in engine.triggers} for engine in engines)
    assert len(first) == 25
    assert first[symbols[24]] == (100.0, 1)
    assert first[symbols[1]][0] == 100 * 2 / 25
    assert second[symbols[1]][0] == 100 * 1 / 29, "the first had left"


def test_the_hot_list_gives_up_its_member_at_once() -> None:
    usual = np.outer(np.arange(1.0, 961), np.full(2, 1000.0))
    engine = engine_of("A", "B", roster=[Hot(**OFF, top=1)], usual_volume=usual)
    go_on(engine, OPEN)
    assert listed(engine.step(bars(OPEN, (10, 9e6), (10, 2e6))), "hot") == ("A",)
    gone = engine.step(bars(OPEN + 1, QUIET, (10, 1e6), QUIET, events=(Leave.of("A"), Join.of("AA"))))
    assert listed(gone, "hot") == ("B",)
    back = engine.step(bars(OPEN + 2, QUIET, QUIET, QUIET, events=(Join.of("A"),)))
    assert listed(back, "hot") == ("B",)
    later = [engine.step(bars(k, QUIET, QUIET, QUIET)) for k in (OPEN + 3, OPEN + 4)]
    assert listed(later[-1], "hot") == ("A",), "its score went on, as of one that is silent"


class Quiet(Scanner):
    """Speaks of who has not traded: true of everybody from the first minute on."""

    needs_bar = False
    volume = m.DayVolume()

    def trigger(self, now: Snapshot) -> Condition:
        return now[self.volume] <= 0


def test_an_edge_of_before_it_joined_is_no_fresh_one() -> None:
    # The condition has held since 04:00, as of one who was there: it speaks because it has not fired today, no sooner.
    quiet = Quiet(**OFF, cooldown=0, sessions=EVERY_SESSION)
    there, joining = engine_of("A", "B", roster=[quiet]), engine_of("A", roster=[quiet])
    go_on(there, 10)
    go_on(joining, 10)
    ours = joining.step(bars(10, QUIET, QUIET, events=(Join.of("B"),)))
    theirs = there.step(bars(10, QUIET, QUIET))
    ((key, memory),) = joining._remembered.memories.items()
    assert memory.held.tolist() == there._remembered.memories[key].held.tolist() == [True, True]
    assert [trigger.symbol for trigger in ours.triggers] == ["B"]
    assert theirs.triggers == ()


class OnlyNow(Scanner):
    """Looks at the session while it makes its verdict, so that it cannot be asked of a whole day; may stumble there."""

    needs_bar = False
    stumbles = False
    volume = m.DayVolume()

    def trigger(self, now: Snapshot) -> Condition:
        if self.stumbles and len(now) == 1:
            raise RuntimeError("stumbled")
        return now[self.volume] <= (0 if now.session == "PRE" else -1)


class Stumbles(OnlyNow):
    """Raises as soon as it is asked of one symbol alone."""

    stumbles = True


def test_who_can_be_asked_of_one_minute_only_is_asked_of_each() -> None:
    engine = engine_of("A", roster=[OnlyNow(**OFF, cooldown=0)])
    go_on(engine, 10)
    engine.step(bars(10, QUIET, QUIET, events=(Join.of("B"),)))
    [memory] = engine._remembered.memories.values()
    assert memory.held.tolist() == [True, True]


def test_who_raises_when_it_is_asked_of_who_joins_is_switched_off_alone() -> None:
    universe = Universe.of(DAY, ["A", "C"], {"prev_close": [10.0, 10.0]})
    engine = IsolatingEngine(universe, [Stumbles(**OFF), Winners(**OFF), HodBreak(**OFF)])
    go_on(engine, 10)
    scan = engine.step(bars(10, (11, 1), (12, 1), QUIET, events=(Join.of("B", prev_close=10.0),)))
    assert [str(off) for off in engine.off.values()] == ["stumbles is off since k=10: RuntimeError: stumbled"]
    assert listed(scan, "winners") == ("B", "A")


# What cannot be


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (Join.of("A"), "A symbol joins that is not of the universe; A is of it. Name others, or leave it so."),
        (Leave.of("Z"), "A symbol leaves that is of the universe; Z is not of it. Name one that is."),
        (Join(()), "A Join names one symbol or more, as the vendor spells them; found (). Write Join.of('NVDA')."),
        (Join(("N VDA",)), "A Join names one symbol or more, as the vendor spells them; found ('N VDA',). Write"),
        (Leave(WRONG), "A Leave names one symbol or more, as the vendor spells them; found (7,). Write Leave.of("),
        (Leave.of("A", "A"), "A Leave names each symbol once; found A, A. Leave out what stands twice."),
        (Join.of("N", prev_clsoe=1.0), "There is no fact 'prev_clsoe'. Did you mean 'prev_close'?"),
        (
            Join.of("N", prev_close="12"),
            "The prev_close of a symbol is a number, or None where it is unknown; found '12' for N. Mend it, or",
        ),
        (Join.of("N", sector=5.0), "The sector of a symbol is a word, or None where it is unknown; found 5.0 for N."),
        (Join.of("N", usual_volume=[1.0, 2.0]), "The usual volume of a symbol is a number for each of the 960 minutes"),
        (Join.of(["N", "O"], pdh=[1.0]), "A fact of a Join has a value for each of its 2 symbols; found 1 of pdh."),
        (Join(("N",), WRONG), "The facts of a Join are names with a value for each symbol; found 7. Write Join.of("),
    ],
)
@pytest.mark.parametrize("forming", [False, True])
def test_what_cannot_be_is_said_and_leaves_the_engine_as_it_was(event: Event, sentence: str, forming: bool) -> None:
    engine, other = (engine_of("A", "C", roster=[Winners(**OFF)], prev_close=[10.0, 10.0]) for _ in range(2))
    for one in (engine, other):
        one.step(bars(0, (11, 1), (12, 1)))
    good = Join.of("B", prev_close=3.0), Leave.of("C"), VendorHalt("B", halted=True)
    with pytest.raises((InvalidInput, UnknownName)) as fault:
        engine.step(bars(1, (11, 1), (5, 1), (12, 1), events=(*good, event), forming=forming))
    assert str(fault.value).startswith(sentence)
    assert engine.universe.symbols == ("A", "C")
    ours, theirs = (one.step(bars(1, (12, 1), (11, 5))) for one in (engine, other))
    assert (ours.lists, repr(engine.why("C"))) == (theirs.lists, repr(other.why("C")))


def test_an_entry_on_the_old_universe_is_refused_and_the_symbol_has_not_joined() -> None:
    engine = engine_of("A")
    with pytest.raises(InvalidInput, match=r"Bars have a row for each symbol of the universe \(2\)"):
        engine.step(bars(0, (10, 1), events=(Join.of("B"),)))
    assert engine.universe.symbols == ("A",)
    engine.step(bars(0, (10, 1)))


def test_who_comes_back_cannot_have_other_facts() -> None:
    engine = engine_of("A", "B", prev_close=[10.0, 10.0])
    engine.step(bars(0, QUIET, QUIET, events=(Leave.of("B"),)))
    with pytest.raises(InvalidInput, match=r"comes back has the facts that it had; found prev_close of B\."):
        engine.step(bars(1, QUIET, QUIET, events=(Join.of("B", prev_close=11.0),)))
    engine.step(bars(1, QUIET, QUIET, events=(Join.of("B", prev_close=None),)))
    assert engine.universe.facts.prev_close.tolist() == [10.0, 10.0]


def test_who_is_there_is_told_of_a_minute_and_of_many() -> None:
    universe = tape_of("04:00..04:09 A =10 x100").universe.left(10, ["A"])
    assert [universe.there(k).tolist() for k in (9, 10)] == [[True], [False]]
    assert universe.there(np.array([[9], [10]])).tolist() == [[True], [False]]


CURVES = [np.arange(960.0), np.full(960, NAN)]
SEVERAL = Join.of(["B", "A"], prev_close=[1.5, NAN], name=["Bee", None], usual_volume=CURVES)


@pytest.mark.parametrize("event", [Join.of("NVDA"), Leave.of("NVDA", "AMD"), SEVERAL])
def test_an_event_is_told_as_json_and_back(event: Event) -> None:
    assert event_of(json.loads(json.dumps(told(event), allow_nan=False))) == event


# Laws


def scanned(universe: Universe, entries: Iterable[Bars], **options: Any) -> tuple[list[str], list[Any]]:
    """Everything that an engine says of entries: triggers and lists, step by step."""
    engine = IsolatingEngine(universe, scanners.roster(), **options)
    scans = [engine.step(entry) for entry in entries]
    assert not engine.off
    return [repr(trigger) for trigger in engine.triggers], [scan.lists for scan in scans if not scan.forming]


@pytest.fixture(scope="module")
def coming() -> Tape:
    """A simulated day on which symbols join late, leave, and come back."""
    return made_late(with_comings(simulated_tape(SimulatedMarket(symbols=40, seed=5))), OPEN + 30)


def test_joining_step_by_step_is_being_there_and_silent(coming: Tape) -> None:
    assert scanned(*as_it_came(coming)) == scanned(coming.universe, coming)


def test_a_restart_at_any_minute_says_the_same(coming: Tape) -> None:
    whole = scanned(*as_it_came(coming))
    for stop in (OPEN - 21, OPEN - 20, OPEN + 5, OPEN + 6, OPEN + 40):
        universe, entries = as_it_came(coming)
        triggers, lists = scanned(universe, islice(entries, stop))
        assert (lists, triggers) == (whole[1][:stop], whole[0][: len(triggers)])


@pytest.mark.parametrize("intrabar", [False, True])
def test_a_preview_and_then_the_step_is_the_step(coming: Tape, intrabar: bool) -> None:
    def with_forming(entries: Iterator[Bars]) -> Iterator[Bars]:
        for entry in entries:  # what came with the minute comes with the minute so far, as on the bus
            silent = Bars.empty(entry.k, len(entry.close))
            if entry.events:
                yield replace(silent, forming=True, events=entry.events, instant=coming.universe.day.time(entry.k))
            yield replace(entry, events=())

    universe, entries = as_it_came(coming)
    found = scanned(universe, with_forming(entries), intrabar=intrabar)
    assert found == scanned(*as_it_came(coming), intrabar=intrabar)


def test_whole_days_say_what_the_steps_say() -> None:
    tape = with_comings(sample_tape())
    assert one_engine(*scanners.CLASSES.values(), *m.ALL, tape=tape).compared > 0


def test_tuning_knows_who_was_there(coming: Tape) -> None:
    whole = replace(coming.in_time(), late={})
    engine = Engine(whole.universe, [HodBreak(min_rvol=1.0)])
    expected = [trigger for entry in whole for trigger in engine.step(entry).triggers]
    history = History.of_tapes([whole], HodBreak().metrics())
    fired = judge(history, HodBreak(min_rvol=1.0))
    assert [(t.k, t.symbol, t.severity, t.rank) for t in expected] == [
        (k, whole.universe.symbols[row], severity, rank)
        for k, row, severity, rank in zip(fired.k, fired.row, fired.severity, fired.rank, strict=True)
    ]
    grid = sweep(history, HodBreak(), {"min_rvol": [1.0, 1.5]})
    assert grid.triggers.tolist()[0] == len(expected) > 0


def test_a_saved_tape_knows_who_was_there(coming: Tape, tmp_path: Path) -> None:
    again = load_tape(save_tape(coming, tmp_path))
    assert again.universe.away == coming.universe.away
    assert scanned(again.universe, again) == scanned(coming.universe, coming)


def test_other_symbols_notice_nothing(coming: Tape) -> None:
    universe, entries = as_it_came(coming)
    never = Engine(universe, [], m.ALL)
    engine = Engine(universe, [], m.ALL)
    stays = [symbol for symbol in universe.symbols if symbol not in {who for who, *_ in coming.universe.away}]
    theirs = [universe.row(symbol) for symbol in stays]
    whole = [coming.universe.row(symbol) for symbol in universe.symbols]
    for entry in islice(entries, OPEN + 60):
        ours = engine.step(entry).snapshot
        rows = [engine.universe.row(symbol) for symbol in stays]
        columns = {name: getattr(coming, name)[entry.k, whole] for name in FIELDS}
        late = None if entry.late is None else _of(entry.late, engine.universe, universe)
        plain = never.step(Bars(entry.k, **columns, late=late)).snapshot
        for metric in m.ALL:
            found, expected = ours.values[metric][rows], plain.values[metric][theirs]
            assert np.array_equal(found, expected, equal_nan=True), (metric, entry.k)


def _of(late: LateBars, given: Universe, few: Universe) -> LateBars:
    """Late bars of fewer symbols, in their rows."""
    names = [given.symbols[row] for row in late.row.tolist()]
    some = np.array([name in few for name in names])
    columns = {name: getattr(late, name)[some] for name in ("k", *FIELDS)}
    return LateBars(row=np.array([few.row(name) for name in names if name in few], dtype=np.intp), **columns)
