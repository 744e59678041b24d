"""Symbols that join or leave a desk while its day runs: on the tape once, the same in every reader."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from desk import expected, published, scanning, wait, wait_for

from scanner_kit import scanners
from scanner_kit.bars import FIELDS, Bars, Join, Leave, Tape, VendorHalt
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.folding import Entry
from scanner_kit.bus.heads import decode_head, encode_head
from scanner_kit.bus.tape import Head, Moved, TapeLost, TapeReader, TapeWriter, set_current_day
from scanner_kit.calendar import TradingDay
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.live.archive import Archive, archive, put_back
from scanner_kit.live.feed.feeds import SimulatedFeed
from scanner_kit.live.feed.joining import change_today, join_of, put_change, rows_of_facts
from scanner_kit.live.feed.listening import InboxFeed, Listening
from scanner_kit.live.ingest import Ingest
from scanner_kit.live.lists import Lists, bars
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.testing._tapes import as_it_came, made_late, with_comings
from scanner_kit.universe import Universe

DAY = TradingDay.of("2025-06-18")
OPEN, LAST_K = DAY.open_k, 400
MARKET = SimulatedMarket(symbols=8, seed=3)


@cache
def coming() -> Tape:
    """A day on which symbols join, leave and come back, and some bars come late."""
    market = SimulatedMarket(symbols=25, seed=5, day=DAY.date)
    return made_late(with_comings(simulated_tape(market)), OPEN + 40)


class Desk:
    """Writes that day on a bus as it came: what changes the universe as entries of their own."""

    def __init__(self, bus: Bus) -> None:
        self.head, self.entries = as_it_came(coming())
        self.writer, self.universe = TapeWriter(bus, DAY), TapeWriter(bus, DAY, "universe")
        self.writer.open(Head(self.head))
        set_current_day(bus, DAY)

    def write(self, last: int, *, forming: bool = False) -> "Desk":
        """Append the minutes through `last`; with `forming`, after each change what has come of the minute so far."""
        while self.writer.k < last:
            entry = next(self.entries)
            for event in entry.events:
                assert isinstance(event, Join | Leave)
                self.writer.changes += 1
                assert self.universe.universe(self.writer.changes, event, at=1.0)
            if forming and entry.events:
                so_far = Bars.empty(entry.k, len(entry.close))
                self.writer.forming(replace(so_far, forming=True, instant=DAY.time(entry.k)), at=1000.0 + entry.k)
            self.writer.closed(replace(entry, events=()), at=1000.0 + entry.k)
        return self


def said(universe: Universe, entries: Any) -> Any:
    """What an engine makes of entries: triggers, and the lists of every minute."""
    engine = Engine(universe, scanners.roster())
    lists = [engine.step(entry).lists for entry in entries]
    return [repr(trigger) for trigger in engine.triggers], lists


def bars_of(entries: Any) -> Iterator[Bars]:
    return (entry.bars for entry in entries if entry.bars is not None)


# The tape


def test_whoever_reads_the_tape_says_what_the_day_says(a_bus: Bus) -> None:
    Desk(a_bus).write(LAST_K)
    reader = TapeReader(a_bus, DAY)
    whole = said(coming().universe, (coming().bars(k) for k in range(LAST_K + 1)))
    assert said(reader.head().universe, bars_of(reader.recover())) == whole
    assert reader.universe.symbols == coming().universe.symbols
    assert sorted(reader.universe.away) == sorted(coming().universe.away)


def test_wherever_a_reader_begins_rows_mean_the_same(a_bus: Bus) -> None:
    Desk(a_bus).write(OPEN + 8)
    whole = list(TapeReader(a_bus, DAY).recover())
    for at in (OPEN - 22, OPEN - 21, OPEN - 20, OPEN - 17, OPEN + 4, OPEN + 5, OPEN + 6):
        found = TapeReader(a_bus, DAY).read(whole[at].id, most=1)[0]
        assert told(found) == told(whole[at + 1])


def told(entry: Entry) -> Any:
    assert entry.bars is not None
    return entry.id, entry.bars.events, entry.bars.close.tobytes(), entry.universe.symbols, entry.universe.away


def test_bars_of_the_universe_before_are_refused_and_so_is_a_change_out_of_turn(a_bus: Bus) -> None:
    desk = Desk(a_bus).write(1)
    assert put_change(a_bus, DAY, Join.of("NEW")) == 1
    with pytest.raises(Moved, match="has changed 1 times; found an entry of another"):
        desk.write(2)
    writer = TapeWriter(a_bus, DAY, "universe")
    assert writer.universe(1, Leave.of("NEW"), at=0.0) is False, "somebody was first"
    with pytest.raises(Moved):
        writer.universe(3, Leave.of("NEW"), at=0.0)
    universe, writer.changes = TapeReader(a_bus, DAY).stands()
    desk.writer.changes = writer.changes
    desk.writer.closed(Bars.empty(2, len(universe)), at=0.0)
    *_, last = TapeReader(a_bus, DAY).recover()
    assert last.bars is not None
    assert (last.bars.events, last.universe.row("NEW")) == ((Join.of("NEW"),), universe.row("NEW"))


def test_a_tape_that_has_lost_a_change_of_its_universe_is_lost(a_bus: Bus) -> None:
    Desk(a_bus).write(1)
    put_change(a_bus, DAY, Join.of("NEW"))
    newest: Any = a_bus.redis.xrevrange(a_bus.keys.tape(DAY.date), count=1)
    a_bus.redis.xdel(a_bus.keys.tape(DAY.date), newest[0][0])
    with pytest.raises(TapeLost, match="has lost change 1 of its universe"):
        TapeReader(a_bus, DAY).stands()


def test_of_two_who_change_it_at_once_both_are_there(a_bus: Bus) -> None:
    Desk(a_bus).write(1)
    many = [f"X{i}" for i in range(8)]
    threads = [threading.Thread(target=put_change, args=[a_bus, DAY, Join.of(symbol)]) for symbol in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(many) <= set(TapeReader(a_bus, DAY).universe.symbols)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (Leave.of("NOBODY"), "A symbol leaves that is of the universe; NOBODY is not of it."),
        (Join.of("A B"), "A Join names one symbol or more, as the vendor spells them; found ('A B',)."),
        (Join.of("NEW", usual_volume=[1.0]), "The usual volume of a symbol is a number for each of the 960 minutes"),
    ],
)
def test_what_cannot_be_is_said_and_is_not_on_the_tape(a_bus: Bus, change: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match="No tape is being written on the bus"):
        change_today(a_bus, change)
    desk = Desk(a_bus).write(1)
    with pytest.raises(InvalidInput) as fault:
        change_today(a_bus, change)
    assert str(fault.value).startswith(sentence)
    symbol = desk.head.symbols[0]
    with pytest.raises(InvalidInput, match=f"A symbol joins that is not of the universe; {symbol} is of it"):
        change_today(a_bus, Join.of(symbol))
    desk.writer.end(at=0.0)
    with pytest.raises(InvalidInput, match="Symbols join or leave while a day runs; 2025-06-18 is over"):
        change_today(a_bus, Leave.of(symbol))
    assert TapeReader(a_bus, DAY).stands()[1] == 0


def test_an_entry_that_cannot_be_heeded_is_left_out_by_every_reader(a_bus: Bus) -> None:
    desk = Desk(a_bus).write(1)
    assert desk.universe.universe(1, Join.of(desk.head.symbols[0]), at=0.0), "written by hand"
    desk.writer.changes = 1
    desk.writer.closed(Bars.empty(2, len(desk.head)), at=0.0)
    *_, last = TapeReader(a_bus, DAY).recover()
    assert last.bars is not None
    assert (last.bars.events, last.universe.symbols) == ((), desk.head.symbols)


def test_forming_entries_begin_anew_when_somebody_joins(a_bus: Bus) -> None:
    desk = Desk(a_bus).write(1)
    size = len(desk.head)

    def part(row: int, size: int) -> Bars:
        columns = {name: np.full(size, np.nan) for name in FIELDS}
        for column in columns.values():
            column[row] = 5.0
        return Bars(2, **columns, forming=True, instant=DAY.time(1))  # type: ignore[arg-type]

    desk.writer.forming(part(0, size), at=0.0)
    desk.writer.changes = put_change(a_bus, DAY, Join.of("!FIRST"))
    desk.writer.forming(part(1, size + 1), at=0.0)
    *_, last = TapeReader(a_bus, DAY).recover()
    assert last.bars is not None
    assert np.flatnonzero(last.bars.close == 5.0).tolist() == [1], "what came before is not whole any more"


def test_the_head_of_a_day_with_changes_is_kept() -> None:
    head = decode_head(encode_head(Head(coming().universe)))
    assert head.universe.away == coming().universe.away


def test_lists_of_symbols_know_who_joined(a_bus: Bus) -> None:
    Desk(a_bus).write(LAST_K).writer.end(at=0.0)
    Lists(a_bus, DAY).run(threading.Event())
    tape = coming().in_time()
    for symbol in {who for who, *_ in tape.universe.away}:
        closes = tape.close[: LAST_K + 1, tape.universe.row(symbol)]
        assert bars(symbol, DAY.date, bus=a_bus)["close"].tolist() == closes[np.isfinite(closes)].tolist()


# The archive


def test_a_day_is_archived_and_put_back_as_it_was(a_bus: Bus, tmp_path: Path) -> None:
    desk = Desk(a_bus).write(OPEN - 30)
    vendor, soon = TapeWriter(a_bus, DAY, "vendor"), coming().universe.away[0][0]
    vendor.halt(1, [VendorHalt(soon, halted=True)], at=0.0)  # of one who is not there yet: nobody heeds it
    desk.write(LAST_K).writer.end(at=0.0)
    given = list(TapeReader(a_bus, DAY).recover())
    archive(a_bus, DAY, tmp_path)
    kept = Archive(tmp_path).tape(DAY)
    assert sorted(kept.universe.away) == sorted(coming().universe.away)
    whole = said(coming().universe, (coming().bars(k) for k in range(LAST_K + 1)))
    assert said(kept.universe, (kept.bars(k) for k in range(LAST_K + 1))) == whole
    assert Archive(tmp_path).settled(DAY).late == {}
    a_bus.redis.delete(*a_bus.redis.keys(f"*{a_bus.keys.prefix}*"))
    put_back(a_bus, Archive(tmp_path), DAY, follow=True)
    again = list(TapeReader(a_bus, DAY).recover())
    assert [told(entry)[1:] for entry in again if entry.bars] == [told(entry)[1:] for entry in given if entry.bars]
    found = [len(bars(who, bus=a_bus)) for who, first, _ in coming().universe.away if not first]
    assert sum(found) > 0


# The processes


@pytest.mark.parametrize("forming", [False, True])
def test_what_is_published_is_what_the_day_says_though_the_engine_is_restarted(a_bus: Bus, forming: bool) -> None:
    desk = Desk(a_bus)
    for last in (OPEN - 21, OPEN - 18, OPEN + 5, OPEN + 31, LAST_K):
        with scanning(a_bus):
            desk.write(last, forming=forming)
            wait_for(a_bus, DAY, last)
        desk.write(min(last + 1, LAST_K), forming=forming)
    assert published(a_bus, DAY) == expected(coming(), LAST_K)


def test_one_who_stands_by_takes_over_with_who_joined(a_bus: Bus) -> None:
    desk = Desk(a_bus).write(OPEN - 25)
    with scanning(a_bus, lease_seconds=1.0) as first:
        wait(lambda: first.leads)
        with scanning(a_bus, lease_seconds=1.0) as second:
            wait(lambda: second.state == "standby")
            desk.write(OPEN + 10)
            wait_for(a_bus, DAY, OPEN + 10)
            first.over.set()
            wait(lambda: second.leads)
            desk.write(LAST_K)
            wait_for(a_bus, DAY, LAST_K)
    assert published(a_bus, DAY) == expected(coming(), LAST_K)


def test_a_day_that_is_played_goes_on_with_who_joined_and_without_who_left(a_bus: Bus) -> None:
    market = SimulatedMarket(symbols=6, seed=2)
    over, days = threading.Event(), SimulatedFeed(market)
    first = next(days.days())
    gone = market.names()[0]

    def play(until: threading.Event) -> threading.Thread:
        work = Ingest(a_bus, SimulatedFeed(market), speed=3000.0, forming_seconds=0.005, days=1)
        thread = threading.Thread(target=work.run, args=[until], daemon=True)
        thread.start()
        return thread

    thread = play(over)
    reader = TapeReader(a_bus, first)
    wait(lambda: a_bus.redis.exists(a_bus.keys.today) and reader.bus.redis.xlen(a_bus.keys.tape(first.date)) > 20)
    change_today(a_bus, Join.of("!FIRST", prev_close=10.0))
    change_today(a_bus, Leave.of(gone))
    came = TapeWriter(a_bus, first)
    stands = came.go_on() or 0
    wait(lambda: (came.go_on() or 0) > stands + 3)
    over.set()
    thread.join(60)
    again = threading.Event()
    thread = play(again)
    wait(lambda: came.go_on() is not None and came.over, 120)
    again.set()
    thread.join(60)
    whole, rows = simulated_tape(market), slice(1, None)
    entries = list(TapeReader(a_bus, first).recover())
    closed = [entry.bars for entry in entries if entry.kind == "closed" and entry.bars is not None]
    for k, one in enumerate(closed):
        own = one.close[rows] if len(one.close) > len(whole.universe) else one.close
        assert np.array_equal(own, whole.close[k], equal_nan=True), "its bars are on the tape, and do not count"
    assert entries[-1].universe.symbols == ("!FIRST", *whole.universe.symbols)
    engine = Engine(whole.universe, scanners.roster())
    for one in closed:
        engine.step(one)
    [(_, since, until)] = [span for span in engine.universe.away if span[0] == gone]
    assert until == first.minutes
    assert not [trigger for trigger in engine.triggers if trigger.symbol == gone and trigger.k >= since]


# The inbox


def frame_of(first: int, end: int, symbols: Any) -> pd.DataFrame:
    frame = MARKET.frame()
    k = ((frame["ts"] - frame["ts"].dt.normalize()).dt.total_seconds() // 60 - 8 * 60).astype(int)
    found: pd.DataFrame = frame[(k >= first) & (k < end) & frame["symbol"].isin(symbols)]
    return found


def json_of(frame: pd.DataFrame) -> bytes:
    given = frame.assign(ts=frame["ts"].astype("datetime64[ms, UTC]").astype("int64"))
    return json.dumps(given[["symbol", "ts", *FIELDS[:5]]].to_dict("records")).encode()


def has_closed(bus: Bus, k: int) -> bool:
    closed = TapeWriter(bus, DAY).go_on()
    return closed is not None and closed >= k


def listen(bus: Bus, over: threading.Event) -> Listening:
    daily = MARKET.daily()
    known = daily[daily["symbol"] != MARKET.names()[2]]
    work = Listening(bus, InboxFeed(daily=known, day=DAY, ordered=True))
    work.run(over)
    return work


@pytest.mark.parametrize("stops", [(), (1,), (2, 3)])
def test_a_vendor_has_a_symbol_join_with_its_day_so_far_and_leave(a_bus: Bus, stops: tuple[int, ...]) -> None:
    """`stops`: after which entry the ingest is ended and another goes on."""
    joins, others = MARKET.names()[2], [name for name in MARKET.names() if name != MARKET.names()[2]]
    entries: list[Any] = [
        {"json": json_of(frame_of(OPEN, OPEN + 30, [*others, joins]))},  # of one who is not there nothing is taken
        {
            "join": json.dumps([{"symbol": joins, "prev_close": 50.0}]),
            "json": json_of(frame_of(OPEN, OPEN + 30, [joins])),
        },
        {"json": json_of(frame_of(OPEN + 30, OPEN + 60, [*others, joins])), "join": "[5]"},
        {"leave": json.dumps([others[0]]), "join": json.dumps([joins])},
        {"json": json_of(frame_of(OPEN + 60, OPEN + 90, [*others, joins])), "end": str(DAY.date)},
    ]
    for at, entry in enumerate(entries):
        a_bus.redis.xadd(a_bus.keys.inbox, entry)
        if at in stops:
            over = threading.Event()
            thread = threading.Thread(target=listen, args=[a_bus, over], daemon=True)
            thread.start()
            wait(partial(has_closed, a_bus, OPEN + (28 if at < 2 else 58)))
            over.set()
            thread.join(60)
    work = listen(a_bus, threading.Event())
    found = list(TapeReader(a_bus, DAY).recover())
    engine = Engine(found[0].universe if not stops else TapeReader(a_bus, DAY).head().universe, [])
    for bars_ in bars_of(found):
        engine.step(bars_)
    tape, row = simulated_tape(MARKET), engine.universe.row(joins)
    ours, theirs = engine.meter.day.close[:, row], tape.close[:, tape.universe.row(joins)]
    assert np.isfinite(theirs[OPEN : OPEN + 30]).sum() > 5
    assert np.array_equal(ours[OPEN : OPEN + 90], theirs[OPEN : OPEN + 90], equal_nan=True)
    assert engine.universe.facts.prev_close[row] == 50.0
    [(_, since, until)] = [span for span in engine.universe.away if span[0] == others[0]]
    assert (since >= OPEN + 58, until) == (True, DAY.minutes)
    left = engine.meter.day.close[since:, engine.universe.row(others[0])]
    assert not np.isfinite(left[:-1]).any()
    if not stops:
        counted = work.counted()
        assert counted["unreadable"] == 1, "5 is no symbol"
        assert counted["refused"] == 1, "who is there cannot join again"
        assert counted["unknown_symbol"] == len(frame_of(OPEN, OPEN + 30, [joins])) + len(
            frame_of(OPEN + 60, OPEN + 90, [others[0]])
        )


# Facts from files


def test_facts_come_from_a_file(tmp_path: Path) -> None:
    rows = [{"symbol": "NA", "prev_close": 10.5, "sector": "Energy"}, {"symbol": "B", "prev_close": None}]
    expected_ = Join.of(["B", "NA", "C"], prev_close=[None, 10.5, None], sector=[None, "Energy", None])
    frame = pd.DataFrame(rows)
    (tmp_path / "facts.json").write_text(json.dumps(rows))
    frame.to_csv(tmp_path / "facts.csv", index=False)
    frame.to_parquet(tmp_path / "facts.parquet")
    for name in ("facts.json", "facts.csv", "facts.parquet"):
        assert join_of(rows_of_facts(tmp_path / name), ["B", "NA", "C"]) == expected_, name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Facts come from a file of JSON, CSV or Parquet; "),
        ("{}", "Facts are a list of objects, one a symbol; "),
        ("[3]", "A row of facts names its symbol; found 3. Write {'symbol': 'NVDA', …}."),
        ('[{"prev_close": 3}]', "A row of facts names its symbol; found {'prev_close': 3}."),
    ],
)
def test_a_file_that_holds_no_facts_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(InvalidInput) as fault:
        join_of(rows_of_facts(tmp_path / "facts.json"))
    assert str(fault.value).startswith(sentence)
