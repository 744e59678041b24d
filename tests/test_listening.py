"""Bars that come through the inbox: checked, gathered by minute, late when they are, and on the tape once."""

import json
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scanner_kit.bars import FIELDS, Tape
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.tape import Entry, TapeReader, TapeWriter
from scanner_kit.calendar import TradingDay
from scanner_kit.entry import Rows
from scanner_kit.errors import InvalidInput
from scanner_kit.live.feed.entering import Entering
from scanner_kit.live.feed.inbox import Inbox, put, rows_of
from scanner_kit.live.feed.listening import InboxFeed, Listening
from scanner_kit.live.health.looking import Look
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.universe import Universe

DAY = TradingDay.of("2025-06-18")
MARKET = SimulatedMarket(symbols=8, seed=3)
NAN = float("nan")


@cache
def daily() -> pd.DataFrame:
    return MARKET.daily()


def feed(**more: Any) -> InboxFeed:
    return InboxFeed(daily=daily(), day=DAY, ordered=True, **more)


def entries(bus: Bus) -> list[Entry]:
    return list(TapeReader(bus, DAY).recover())


def put_day(bus: Bus, first: int = 0, end: int = 960) -> None:
    """A simulated day, minute by minute."""
    frame = MARKET.frame()
    k = ((frame["ts"] - frame["ts"].dt.normalize()).dt.total_seconds() // 60 - 8 * 60).astype(int)
    for minute in range(first, end):
        some = frame[k == minute]
        if len(some):
            put(bus, some)


@cache
def expected() -> Tape:
    return simulated_tape(MARKET)


def assert_whole_day(bus: Bus) -> None:
    *steps, last = entries(bus)
    assert [entry.bars.k for entry in steps if entry.bars] == list(range(960))
    assert last.kind == "end"
    there = [expected().universe.row(symbol) for symbol in TapeReader(bus, DAY).universe.symbols]
    for entry in steps:
        assert entry.bars is not None
        assert entry.bars.late is None
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(entry.bars, name), getattr(expected(), name)[entry.bars.k, there])


def test_a_day_that_comes_in_order_is_the_day(a_bus: Bus) -> None:
    put_day(a_bus)
    a_bus.redis.xadd(a_bus.keys.inbox, {"end": str(DAY.date)})
    work = Listening(a_bus, feed())
    work.run(threading.Event())
    assert work.finished
    assert_whole_day(a_bus)
    assert a_bus.redis.xlen(a_bus.keys.inbox) <= 1
    assert 0 < a_bus.redis.ttl(a_bus.keys.inbox) <= 48 * 3600


def test_who_comes_next_takes_nothing_twice_and_leaves_nothing_out(a_bus: Bus) -> None:
    for until in (300, 500, 960):
        put_day(a_bus, {300: 0, 500: 300, 960: 500}[until], until)
        over = threading.Event()
        thread = threading.Thread(target=Listening(a_bus, feed()).run, args=[over])
        thread.start()
        if until == 960:
            a_bus.redis.xadd(a_bus.keys.inbox, {"end": str(DAY.date)})
            thread.join(60)
        while until != 960 and (TapeWriter(a_bus, DAY).go_on() or 0) < until - 20:
            time.sleep(0.01)
        over.set()
        thread.join(20)
    assert_whole_day(a_bus)


def minute(k: int, *rows: tuple[str, float], volume: float = 100.0) -> bytes:
    at = int(DAY.start.astype("datetime64[ms]").astype(int)) + 60_000 * k
    told = [{"s": s, "t": at, "o": p, "h": p, "l": p, "c": p, "v": volume} for s, p in rows]
    return json.dumps(told).encode()


def test_what_is_late_repeated_or_wrong_is_told_apart(a_bus: Bus) -> None:
    first, second = MARKET.names()[:2]
    for told in (
        minute(0, (first, 1.0), (second, 2.0)),
        minute(1, (first, 1.1)),
        minute(2, (first, 1.2), ("NOBODY", 5.0)),
        minute(0, (first, 1.0)),
        minute(0, (first, 1.5)),
        b"no json",
        minute(3, (first, -4.0)),
        minute(-5, (first, 4.0)),
        minute(4, (second, 2.2)),
    ):
        a_bus.redis.xadd(a_bus.keys.inbox, {"json": told})
    a_bus.redis.xadd(a_bus.keys.inbox, {"end": str(DAY.date)})
    work = Listening(a_bus, feed())
    work.run(threading.Event())
    counts = {kind: n for kind, n in work.counted().items() if n}
    assert counts == {
        "unknown_symbol": 1, "repeated": 1, "replaced": 1, "late": 1, "unreadable": 1, "bad_price": 1, "outside_day": 1,
    }  # fmt: skip
    steps = [entry.bars for entry in entries(a_bus) if entry.bars]
    row = TapeReader(a_bus, DAY).universe.row(first)
    assert [steps[k].close[row] for k in range(3)] == [1.0, 1.1, 1.2]
    late = [(bars.k, bars.late.k.tolist(), bars.late.close.tolist()) for bars in steps if bars.late is not None]
    assert late == [(2, [0], [1.5])]
    assert work.facts()["figures"]["bad_price"] == 1.0


def test_bars_of_another_day_are_refused_by_kind_and_those_of_a_later_one_named(a_bus: Bus) -> None:
    first = MARKET.names()[0]
    for k in (0, -1440 + 400, 2880, 2881, 1):
        a_bus.redis.xadd(a_bus.keys.inbox, {"json": minute(k, (first, 1.0))})
    a_bus.redis.xadd(a_bus.keys.inbox, {"end": str(DAY.date)})
    work = Listening(a_bus, feed())
    work.run(threading.Event())
    assert (work.counted()["earlier_day"], work.counted()["later_day"]) == (1.0, 2.0)
    told = [fault["reason"] for fault in work.facts()["faults"]]
    assert told == [
        "2 bars up to 2025-06-20 are refused: --day 2025-06-18 takes that day alone. Put its end, or leave --day out"
    ]


# What waits in the inbox


def test_what_is_put_is_bounded_in_number_and_in_age(a_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner_kit.live.feed.inbox.MOST", 50)
    frame = MARKET.frame().head(1)
    a_bus.redis.xadd(a_bus.keys.inbox, {"json": b"old"}, id="1-1")
    for _ in range(400):
        put(a_bus, frame)
    assert a_bus.redis.xlen(a_bus.keys.inbox) <= 150, "a bound that is kept roughly"
    oldest: Any = a_bus.redis.xrange(a_bus.keys.inbox, count=1)
    assert oldest[0][0] != b"1-1"
    assert 0 < a_bus.redis.ttl(a_bus.keys.inbox) <= 48 * 3600


def test_what_nobody_takes_is_named_and_what_is_dropped_untaken_is_never_silent(
    a_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner_kit.live.feed.backlog.MOST", 30)
    look, first = Look(a_bus, expected=()), MARKET.names()[0]

    def said() -> list[str]:
        look._looked = float("-inf")  # it looks there now and then
        return [row.reason for row in look.health() if row.subject == "inbox"]

    def come(since: int, until: int, **bound: Any) -> None:
        for k in range(since, until):
            a_bus.redis.xadd(a_bus.keys.inbox, {"json": minute(k, (first, 1.0 + k))}, **bound)

    def take(until: int) -> Listening:
        over, work = threading.Event(), Listening(a_bus, feed())
        thread = threading.Thread(target=work.run, args=[over])
        thread.start()
        while (TapeWriter(a_bus, DAY).go_on() or 0) < until:
            time.sleep(0.01)
        over.set()
        thread.join(20)
        return work

    come(0, 40)
    assert said() == ["40 entries wait, more than the 30 that it is made for: no ingest takes them"]
    assert take(38).facts()["faults"] == []
    assert said() == []
    waits = int(a_bus.redis.xlen(a_bus.keys.inbox))
    come(40, 60, maxlen=5, approximate=False)
    dropped = f"{waits + 15} entries were dropped before an ingest took them"
    assert said() == [dropped]
    assert take(58).facts()["faults"] == [{"resource": "inbox on 2025-06-18", "reason": dropped}]
    assert said() == [], "the ingest says it"


class Clock:
    """A clock of the test's own: a moment of the day, that goes on as fast as the test wants."""

    def __init__(self, k: int, second: float, speed: float) -> None:
        self._from, self._speed, self._began = DAY.time(k - 1).timestamp() + second, speed, time.monotonic()

    def __call__(self) -> float:
        return self._from + self._speed * (time.monotonic() - self._began)


def test_by_the_clock_a_minute_closes_after_its_grace_and_forms_before(a_bus: Bus) -> None:
    first = MARKET.names()[0]
    clock, over = Clock(2, 5.0, speed=20.0), threading.Event()
    live = InboxFeed(daily=daily(), clock=clock)
    work = Listening(a_bus, live, forming_seconds=10.0)
    thread = threading.Thread(target=work.run, args=[over])
    thread.start()
    for price in (1.0, 1.5, 2.0):
        a_bus.redis.xadd(a_bus.keys.inbox, {"json": minute(2, (first, price))})
        time.sleep(0.7)
    while (TapeWriter(a_bus, DAY).go_on() or 0) < 3:
        time.sleep(0.01)
    over.set()
    thread.join(20)
    found = entries(a_bus)
    row = TapeReader(a_bus, DAY).universe.row(first)
    closed = [entry for entry in found if entry.kind == "closed" and entry.bars]
    assert [entry.bars.k for entry in closed if entry.bars] == list(range(len(closed)))
    assert closed[2].bars is not None
    assert closed[2].bars.close[row] == 2.0
    assert closed[2].at >= DAY.time(2).timestamp() + 2.0
    assert closed[2].delay == pytest.approx(closed[2].at - DAY.time(2).timestamp())
    forming = [entry.bars for entry in found if entry.kind == "forming" and entry.bars]
    assert forming
    assert {bars.k for bars in forming} == {2}
    assert all(DAY.time(1) < bars.instant < DAY.time(2) for bars in forming if bars.instant)
    assert TapeReader(a_bus, DAY).head().pace is None


def test_the_days_of_a_clock() -> None:
    def on(text: str) -> str:
        at = pd.Timestamp(text, tz="America/New_York").timestamp()
        return str(next(InboxFeed(clock=lambda: at).days()).date)

    assert [on(text) for text in ("2025-06-18 02:00", "2025-06-18 19:59", "2025-06-18 20:01", "2025-06-21 12:00")] == [
        "2025-06-18", "2025-06-18", "2025-06-20", "2025-06-23",
    ]  # fmt: skip


def test_a_day_by_order_needs_a_feed_that_keeps_it() -> None:
    with pytest.raises(InvalidInput, match="Say ordered=True"):
        InboxFeed(day=DAY)


# Rows and their checks


@pytest.mark.parametrize(
    "told",
    [
        {"symbol": ["A"], "ts": ["2025-06-18T08:00Z"], "open": [1], "high": [1], "low": [1], "close": [1], "v": [5]},
        {"s": ["A"], "t": [1750233600000], "o": [1], "h": [1], "l": [1], "c": [1], "v": [5]},
        [{"s": "A", "t": "2025-06-18T04:00:30-04:00", "o": 1, "h": 1, "l": 1, "c": 1, "v": 5, "vw": 1.0}],
    ],
)  # fmt: skip
def test_bars_are_written_as_json_in_several_ways(told: Any) -> None:
    rows = rows_of({b"json": json.dumps(told).encode()})
    assert (rows.names, rows.minute.tolist(), rows.volume.tolist()) == (("A",), [1750233600 // 60], [5.0])


@pytest.mark.parametrize(
    "fields", [{}, {b"json": b"{"}, {b"json": b"[1]"}, {b"arrow": b"x"}, {b"json": b'[{"s": "A"}]'}]
)
def test_what_is_no_bar_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(InvalidInput):
        rows_of(fields)


def test_bars_that_were_on_the_tape_before_are_known_again(tmp_path: Path) -> None:
    universe = Universe.of(DAY, ["A", "B"])
    start = int(DAY.start.astype("datetime64[m]").astype(int))
    price = [1.0, 2.0]
    rows = Rows.of(["A", "B"], [start] * 2, price, price, price, price, [5, 0])
    first, again = Entering(universe), Entering(universe)
    assert first.take(rows) == 0
    again.remember(first.close(0))
    again.take(rows)
    assert (again.counts, again.close(1).late) == ({"repeated": 2}, None)


def test_the_end_of_another_day_ends_nothing(a_bus: Bus) -> None:
    inbox = Inbox(a_bus, DAY)
    inbox.bars({b"end": b"2025-01-02"})
    assert (inbox.ended, inbox.unreadable) == (False, 0)
    inbox.bars({b"end": str(DAY.date).encode()})
    assert inbox.ended
