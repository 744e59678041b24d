"""The ingest: a feed's days on the tape at their pace, whoever ends and whoever comes next."""

import importlib
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scanner_kit as sk
from scanner_kit.bars import FIELDS, Bars, LateBars, Tape
from scanner_kit.bus.beats import Beat
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.tape import Entry, Head, TapeReader, TapeWriter, current_day
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.live.archive import Archive
from scanner_kit.live.feed.feeds import FileFeed, SimulatedFeed
from scanner_kit.live.ingest import Ingest, ingest
from scanner_kit.live.lists import Lists, bars
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape

FAST: dict[str, Any] = {"speed": 1e9, "days": 1}
DAY = TradingDay.of("2025-06-18")


@cache
def market() -> SimulatedMarket:
    return SimulatedMarket(symbols=8, seed=3)


@cache
def tape() -> Tape:
    return simulated_tape(market())


def entries(bus: Bus, day: TradingDay = DAY) -> list[Entry]:
    return list(TapeReader(bus, day).recover())


def assert_whole_day(bus: Bus, given: Tape) -> None:
    """Every minute of the tape once and in order, its end, and no other entry of bars."""
    *steps, last = entries(bus, given.universe.day)
    assert [(entry.kind, entry.bars and entry.bars.k) for entry in steps] == [("closed", k) for k in range(len(given))]
    assert last.kind == "end"
    for entry in steps:
        assert entry.bars is not None
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(entry.bars, name), getattr(given, name)[entry.bars.k])


class Until:
    """An event that is set when the tape has come to a minute: an ingest that ends in the middle."""

    def __init__(self, bus: Bus, k: int) -> None:
        self.over = threading.Event()
        self._bus, self._k = bus, k
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        writer = TapeWriter(self._bus, DAY)
        while (writer.go_on() or -1) < self._k:
            time.sleep(0.002)
        self.over.set()


def test_a_day_is_on_the_tape_minute_by_minute(a_bus: Bus) -> None:
    work = Ingest(a_bus, SimulatedFeed(market()), **FAST, in_force=lambda: (3, {"hot": {"top": 3}}))
    work.run(threading.Event())
    assert_whole_day(a_bus, tape())
    head = TapeReader(a_bus, DAY).head()
    assert (head.version, head.thresholds, head.source) == (3, {"hot": {"top": 3}}, "simulated: 8 symbols, seed 3")
    assert (work.finished, work.state, current_day(a_bus)) == (True, "running", DAY)
    assert not a_bus.redis.exists(a_bus.keys.ingest)


def test_who_comes_next_goes_on_where_the_tape_ends(a_bus: Bus) -> None:
    for k in (5, 100, 400):
        until = Until(a_bus, k)
        Ingest(a_bus, SimulatedFeed(market()), **FAST).run(until.over)
    began = TapeReader(a_bus, DAY).head().pace
    Ingest(a_bus, SimulatedFeed(market()), **FAST).run(threading.Event())
    assert_whole_day(a_bus, tape())
    assert TapeReader(a_bus, DAY).head().pace == began


def test_the_days_follow_one_another(a_bus: Bus) -> None:
    Ingest(a_bus, SimulatedFeed(market()), speed=1e9, days=2).run(threading.Event())
    after = SimulatedMarket(symbols=8, seed=3, day=TradingDay.after(DAY.date).date)
    assert_whole_day(a_bus, tape())
    assert_whole_day(a_bus, simulated_tape(after))
    assert current_day(a_bus) == TradingDay.of(after.day)


def test_files_are_played_once(a_bus: Bus) -> None:
    files = TapeSource(market().frame(), daily=market().daily())
    work = Ingest(a_bus, FileFeed(files), speed=1e9)
    work.run(threading.Event())
    assert work.finished
    assert work.facts()["session"] == "CLOSED", "a day that was played to its end is not one whose feed is silent"
    assert_whole_day(a_bus, files.tape(DAY))


def test_another_feeds_day_is_not_gone_on_with(a_bus: Bus) -> None:
    until = Until(a_bus, 3)
    Ingest(a_bus, SimulatedFeed(market()), **FAST).run(until.over)
    files = FileFeed(TapeSource(market().frame(), daily=market().daily()))
    with pytest.raises(InvalidInput, match=r"is of another feed, 'simulated: 8 symbols, seed 3'; found 'files'"):
        Ingest(a_bus, files, **FAST).run(threading.Event())


@pytest.mark.parametrize(("symbols", "speed"), [(9, 1e9), (8, 1e8)])
def test_another_simulated_market_or_pace_begins_a_day_that_is_free(a_bus: Bus, symbols: int, speed: float) -> None:
    until = Until(a_bus, 3)
    Ingest(a_bus, SimulatedFeed(market()), **FAST).run(until.over)
    stood = len(entries(a_bus))
    Ingest(a_bus, SimulatedFeed(SimulatedMarket(symbols=symbols, seed=3)), speed=speed, days=1).run(threading.Event())
    assert current_day(a_bus) == TradingDay.after(DAY.date)
    assert len(entries(a_bus)) == stood


def test_of_two_one_works_and_the_other_takes_over(a_bus: Bus) -> None:
    first, second = (Ingest(a_bus, SimulatedFeed(market()), speed=3000.0, start_k=900, days=1) for _ in range(2))
    end_first, end_second = Until(a_bus, 920), threading.Event()
    threads = [
        threading.Thread(target=work.run, args=[over]) for work, over in ((first, end_first.over), (second, end_second))
    ]
    threads[0].start()
    while first.state != "running":
        time.sleep(0.01)
    threads[1].start()
    threads[0].join(30)
    standing_by = second.state
    threads[1].join(30)
    assert (first.finished, second.finished) == (False, True)
    assert standing_by in ("standby", "recovering", "running")
    assert_whole_day(a_bus, tape())


def test_a_tape_that_the_server_lost_is_begun_again(a_bus: Bus) -> None:
    work = Ingest(a_bus, SimulatedFeed(market()), speed=6000.0, start_k=300, days=1)
    thread = threading.Thread(target=work.run, args=[threading.Event()])
    thread.start()
    while work.facts()["figures"]["k"] < 400:
        time.sleep(0.005)
    for key in a_bus.redis.scan_iter(f"*{a_bus.keys.prefix}*"):
        a_bus.redis.delete(key)
    thread.join(60)
    assert_whole_day(a_bus, tape())


def test_minutes_are_in_time_and_say_how_late_they_are(a_bus: Bus) -> None:
    work = Ingest(a_bus, SimulatedFeed(market()), speed=600.0, start_k=955, days=1)
    work.run(threading.Event())
    *steps, _ = entries(a_bus)
    head = TapeReader(a_bus, DAY).head()
    for entry in steps[955:]:
        assert entry.bars is not None
        assert head.due(entry.bars.k) <= entry.at
        assert entry.delay == pytest.approx(entry.at - head.due(entry.bars.k), abs=1e-3)
    facts = work.facts()
    assert (facts["label"], facts["session"], facts["figures"]["k"]) == ("simulated", "CLOSED", 959.0)
    assert len(facts["delays"]) == 5
    assert facts["last_tape"] == facts["last_step"] == steps[-1].at


def test_the_minute_so_far_is_on_the_tape(a_bus: Bus) -> None:
    Ingest(a_bus, SimulatedFeed(market()), speed=60.0, start_k=958, days=1, forming_seconds=0.1).run(threading.Event())
    found = entries(a_bus)
    forming = [entry.bars for entry in found if entry.kind == "forming" and entry.bars]
    assert [entry.bars.k for entry in found if entry.kind == "closed" and entry.bars] == list(range(960))
    assert {so_far.k for so_far in forming} <= {958, 959}
    for so_far in forming:
        assert so_far.instant is not None
        assert DAY.time(so_far.k - 1) < so_far.instant < DAY.time(so_far.k)
        there = ~np.isnan(so_far.close)
        assert there.any()
        assert (so_far.high[there] <= tape().high[so_far.k][there]).all()
        assert (so_far.volume <= tape().volume[so_far.k]).all()


def test_minutes_so_far_go_once_closed_where_nothing_fires_on_them_and_there_is_no_room(
    a_bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner_kit.bus.tape.MOST_FORMING", -1)
    options: dict[str, Any] = {"start_k": 958, "days": 1, "forming_seconds": 0.1, "keeps_forming": False}
    Ingest(a_bus, SimulatedFeed(market()), speed=60.0, archive=tmp_path, **options).run(threading.Event())
    assert [entry.kind for entry in entries(a_bus)] == [*["closed"] * 960, "end"]
    assert not Archive(tmp_path).head(DAY).keeps_forming


def test_what_is_played_to_its_end_stays_alive(a_bus: Bus) -> None:
    over = threading.Event()
    thread = threading.Thread(target=lambda: ingest(a_bus, SimulatedFeed(market()), over=over, **FAST))
    thread.start()
    while (writer := TapeWriter(a_bus, DAY)).go_on() != 959 or not writer.over:
        time.sleep(0.01)
    while beat(a_bus).state != "running":  # a beat comes once a second
        time.sleep(0.01)
    assert beat(a_bus).role == "ingest"
    assert thread.is_alive()
    over.set()
    thread.join(20)
    assert beat(a_bus).state == "stopped"


def beat(bus: Bus) -> Beat:
    [text] = bus.redis.hgetall(bus.keys.beats).values()
    return Beat.of(text)


# The lists of single symbols


@pytest.fixture
def played(a_bus: Bus) -> Bus:
    """A whole day, played."""
    Ingest(a_bus, SimulatedFeed(market()), **FAST).run(threading.Event())
    return a_bus


def test_the_bars_of_a_symbol_are_there_for_people(played: Bus) -> None:
    frame = market().frame().set_index("ts")
    for symbol in market().names()[:3]:
        found = bars(symbol, bus=played)
        expected = frame[frame["symbol"] == symbol].drop(columns="symbol")
        assert str(found.index.dtype).endswith("America/New_York]")
        assert found.index.tolist() == expected.index.tolist()
        pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
        assert 0 < played.redis.ttl(played.keys.bars(DAY.date, symbol)) <= 48 * 3600


def test_lists_that_were_left_after_the_end_of_their_day_are_finished(played: Bus) -> None:
    symbol, last = market().names()[0], entries(played)[100].id
    whole = bars(symbol, bus=played)
    played.redis.ltrim(played.keys.bars(DAY.date, symbol), 0, 4)
    played.redis.hset(played.keys.writers(DAY.date), "lists", last)
    Ingest(played, SimulatedFeed(market()), **FAST).run(threading.Event())
    pd.testing.assert_frame_equal(bars(symbol, bus=played).tail(100), whole.tail(100))


def test_a_notebook_asks_the_package() -> None:
    assert callable(sk.bars)
    assert importlib.import_module("scanner_kit.bars").Tape is Tape
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'symbol'"):
        sk.bars()  # type: ignore[call-arg]


def test_what_is_not_there_is_said(played: Bus) -> None:
    with pytest.raises(InvalidInput, match="There is no tape of 2025-01-27 on the bus"):
        bars("AAPL", "2025-01-27", bus=played)
    with pytest.raises(UnknownName, match="has no symbol 'NOBODY'"):
        bars("NOBODY", bus=played)


def test_before_a_tape_is_written_that_is_said(a_bus: Bus) -> None:
    with pytest.raises(InvalidInput, match="No tape is being written"):
        bars("AAPL", bus=a_bus)


def test_late_bars_take_their_place_and_nothing_is_there_twice(any_bus: Bus) -> None:
    universe = tape().universe
    writer = TapeWriter(any_bus, DAY)
    writer.open(Head(universe))

    def step(k: int, price: float = np.nan, late: LateBars | None = None) -> None:
        column = np.full(len(universe), np.nan)
        column[0] = price
        volume = np.zeros(len(universe))
        volume[0] = 0.0 if np.isnan(price) else 10.0
        writer.closed(Bars(k, column, column, column, column, volume, column, late=late), at=0.0)

    def late(k: int, price: float) -> LateBars:
        column = np.array([price])
        return LateBars(np.array([k]), np.array([0]), column, column, column, column, np.array([7.0]), column)

    for k, price in enumerate([1.0, np.nan, 3.0, np.nan, 5.0]):
        step(k, price)
    step(5, late=late(2, 3.5))
    step(6, late=late(3, 4.0))
    step(7, price=8.0)
    lists = Lists(any_bus, DAY)
    for _ in range(2):
        lists.take(entries(any_bus))
    found = bars(universe.symbols[0], DAY.date, bus=any_bus)
    minutes = [DAY.minute_of(at) for at in found.index.to_list()]
    assert list(zip(minutes, found["close"], found["volume"], strict=True)) == [
        (0, 1.0, 10.0), (2, 3.5, 7.0), (3, 4.0, 7.0), (4, 5.0, 10.0), (7, 8.0, 10.0),
    ]  # fmt: skip
    assert lists.stands() == entries(any_bus)[-1].id
