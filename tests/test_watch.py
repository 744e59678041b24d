"""The watch: what it notes of a desk at work, and what it says of it, on a clock that the test moves."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from scanner_kit.bars import Bars, Tape, VendorHalt
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Engine, Scan
from scanner_kit.health import Health, State
from scanner_kit.run import Desk, run
from scanner_kit.scanners import HaltResume, HighVolume, Winners
from scanner_kit.testing import sample_tape
from scanner_kit.universe import Universe
from scanner_kit.watch import Watch, utc_now

NINE = dt.datetime(2025, 1, 27, 14, 0, tzinfo=dt.UTC)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: dt.datetime = NINE

    def __call__(self) -> dt.datetime:
        return self.now

    def on(self, seconds: float) -> dt.datetime:
        self.now += dt.timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def tape() -> Tape:
    return sample_tape(symbols=13)


def watch_of(tape: Tape, clock: Clock) -> Watch:
    lists = [Winners(min_dollar_volume=0.0), HighVolume(min_rvol=1e6), HaltResume()]
    return Watch(Desk(Engine(tape.universe, lists)), "tape", clock)


def row(watch: Watch, subject: str) -> Health:
    return next(row for row in watch.rows() if row.subject == subject)


def states(watch: Watch) -> dict[str, State]:
    return {row.subject: row.state for row in watch.rows()}


def scans(watch: Watch, tape: Tape, upto: int) -> Iterator[Scan]:
    for k in range(watch.desk.engine.k + 1, upto):
        scan = watch.desk.step(tape.bars(k))
        watch.publish(scan)
        yield scan


def take(watch: Watch, tape: Tape, upto: int) -> Scan:
    *_, last = scans(watch, tape, upto)
    return last


def test_before_the_first_step_all_is_well_and_waits(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    assert states(watch) == {"engine": State.LIVE, "feed tape": State.LIVE}
    assert row(watch, "feed tape").reason == "waiting for the first bar"
    assert row(watch, "engine").reason == "no step yet"


def test_without_a_beat_it_is_down_after_six_seconds(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 10)
    clock.on(5.9)
    assert states(watch)["engine"] is State.LIVE
    clock.on(0.1)
    assert states(watch)["engine"] is states(watch)["feed tape"] is states(watch)["list winners"] is State.DOWN
    watch.beat()
    assert states(watch)["engine"] is State.LIVE


def test_a_list_is_quiet_or_live(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    scan = take(watch, tape, 345)
    assert len(scan.lists["winners"]) > 0
    assert states(watch)["list winners"] is State.LIVE
    assert states(watch)["list high_volume"] is State.QUIET


def test_an_entry_that_came_without_a_step_after_it_is_an_engine_that_is_stuck(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 10)
    came = watch.over([tape.bars(10)])
    clock.on(60)
    assert next(iter(came)).k == 10
    clock.on(29)
    watch.beat()
    assert states(watch)["engine"] is State.LIVE
    clock.on(1)
    watch.beat()
    assert row(watch, "engine").reason == "the tape moves, but no step for 90 s"
    take(watch, tape, 11)
    assert states(watch)["engine"] is State.LIVE


def test_a_source_that_falls_silent_is_no_stuck_engine(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 345)
    clock.on(200)
    watch.beat()
    assert states(watch)["engine"] is State.LIVE
    assert row(watch, "feed tape").state is State.STALE
    assert row(watch, "feed tape").reason == "no bar of any symbol for 200 s"


def test_steps_without_a_bar_are_no_bars(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 340)
    for k in range(340, 343):
        clock.on(60)
        watch.publish(watch.desk.step(Bars.empty(k, len(tape.universe))))
    assert states(watch)["feed tape"] is State.STALE
    clock.on(1)
    take(watch, tape, 344)
    assert states(watch)["feed tape"] is State.LIVE


def test_since_is_when_a_state_began(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 345)
    began = clock.now
    assert row(watch, "list winners").since == row(watch, "engine").since == began
    clock.on(3)
    assert row(watch, "list winners").since == began
    clock.on(4)
    down = row(watch, "engine")
    assert (down.state, down.since) == (State.DOWN, began)  # the last beat
    watch.beat()
    assert row(watch, "engine").since == clock.now


def test_a_fault_is_seen_and_stays(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 345)
    rows = watch.fail(ValueError("a < b"))
    assert (rows[0].subject, rows[0].state, rows[0].since) == ("engine", State.FAULT, clock.now)
    assert rows[0].reason == "the engine ended: ValueError: a < b"
    assert [row.subject for row in rows].count("engine") == 1
    assert states(watch)["list winners"] is State.FAULT
    clock.on(1)
    watch.beat()
    assert watch.rows()[0].state is State.FAULT


def test_the_end_of_a_source_is_a_closed_market(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 345)
    clock.on(60)
    found = {row.subject: row.state for row in watch.close()}
    assert found["engine"] is found["feed tape"] is found["list winners"] is State.CLOSED


def test_a_halted_symbol_is_said_while_it_is_on_a_list(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    listed = take(watch, tape, 345).lists["winners"].symbols
    symbol = next(symbol for symbol in listed if tape.volume[347, tape.universe.row(symbol)] > 0)
    halt = watch.desk.step(replace(tape.bars(345), events=(VendorHalt(symbol, True),)))
    watch.publish(halt)
    watch.publish(watch.desk.step(tape.bars(346)))
    assert (row(watch, symbol).state, row(watch, symbol).since) == (State.HALTED, halt.time)
    watch.publish(watch.desk.step(replace(tape.bars(347), events=(VendorHalt(symbol, False),))))
    assert symbol not in states(watch)


def test_another_day_begins_without_what_was_noted_of_the_last(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 400)
    watch.suspects["S00"] = None
    short = Universe.of(TradingDay.of("2024-11-29"), ["NVDA"])
    watch.desk.begin(lambda roster: Engine(short, roster))
    assert "volume_suspect" in states(watch)  # until its first step
    watch.publish(watch.desk.step(Bars.empty(0, 1)))
    assert "volume_suspect" not in states(watch)
    assert watch.feed.liquid == 0


def test_a_suspect_volume_is_said(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    take(watch, tape, 340)
    bars = tape.bars(340)
    average = tape.universe.facts.avg_volume_30d
    at = next(row for row in range(len(average)) if bars.volume[row] > 0 and average[row] > 0)
    volume = bars.volume.copy()
    volume[at] = 0.2 * average[at]
    watch.publish(watch.desk.step(replace(bars, volume=volume)))
    assert tape.universe.symbols[at] in row(watch, "volume_suspect").reason


def test_the_watch_is_a_sink_of_the_loop(tape: Tape, clock: Clock) -> None:
    watch = watch_of(tape, clock)
    assert run(watch.over(tape.bars(k) for k in range(5)), watch.desk, (watch,)) == 5
    assert watch.process.step == watch.process.tape == NINE


def test_the_wall_clock_is_aware() -> None:
    assert utc_now().tzinfo is dt.UTC
