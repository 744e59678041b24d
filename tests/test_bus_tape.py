"""The tape on a real server: nothing twice, nothing lost, and whoever reads it back gives the engine the same day."""

import contextlib
import datetime as dt
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unreliable import Killable, Lossy

from scanner_kit import scanners
from scanner_kit.bars import FIELDS, Bars, LateBars, SettingsChange, Tape, VendorHalt
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.tape import (
    Entry,
    Fenced,
    Head,
    Pace,
    TapeLost,
    TapeReader,
    TapeWriter,
    current_day,
    set_current_day,
    wait_for_day,
)
from scanner_kit.engine import Engine
from scanner_kit.seal import seal_of
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.tables import ListRows, trigger_table

LOOSE = {"min_rvol": None, "min_dollar_volume": None}


@cache
def tape() -> Tape:
    return simulated_tape(SimulatedMarket(symbols=12, seed=3))


def head(**more: Any) -> Head:
    return Head(tape().universe, **more)


def begun(bus: Bus, until: int = 0, **more: Any) -> TapeWriter:
    writer = TapeWriter(bus, tape().universe.day)
    writer.open(head(**more))
    for k in range(until):
        writer.closed(tape().bars(k), at=1000.0 + k, delay=0.5)
    return writer


def reader(bus: Bus) -> TapeReader:
    return TapeReader(bus, tape().universe.day)


def forming(k: int, *rows: int, price: float = 2.0) -> Bars:
    """The minute so far, of the symbols in some rows alone."""
    whole = Bars.empty(k, len(tape().universe))
    columns = {name: getattr(whole, name).copy() for name in FIELDS}
    for name in FIELDS:
        columns[name][list(rows)] = price
    return Bars(k, **columns, forming=True, instant=tape().universe.day.time(k - 1))


def assert_bars(found: Bars | None, given: Bars) -> None:
    assert found is not None
    assert (found.k, found.forming, found.events, found.instant) == (
        given.k,
        given.forming,
        given.events,
        given.instant,
    )
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))


def test_a_tape_begins_with_its_head_and_only_once(a_bus: Bus) -> None:
    writer = begun(a_bus, pace=Pace(5.0), version=4, source="simulated")
    assert (writer.k, writer.over) == (-1, False)
    writer.closed(tape().bars(0), at=1.0)
    assert TapeWriter(a_bus, tape().universe.day).open(head(version=9)) == 0
    found = reader(a_bus).head()
    assert (found.version, found.pace, found.source) == (4, Pace(5.0), "simulated")
    assert found.universe.symbols == tape().universe.symbols
    np.testing.assert_array_equal(found.universe.facts.usual_volume, tape().universe.facts.usual_volume)


def test_what_is_read_is_what_was_appended(a_bus: Bus) -> None:
    writer = begun(a_bus, until=3)
    writer.end(at=9.0)
    *entries, last = reader(a_bus).recover()
    assert [(entry.kind, entry.at, entry.delay) for entry in entries] == [("closed", 1000.0 + k, 0.5) for k in range(3)]
    for k, entry in enumerate(entries):
        assert_bars(entry.bars, tape().bars(k))
    assert (last.kind, last.bars, last.at) == ("end", None, 9.0)
    assert TapeWriter(a_bus, tape().universe.day).go_on() == 2


def test_a_writer_that_starts_again_goes_on_where_the_tape_ends(a_bus: Bus) -> None:
    writer = TapeWriter(a_bus, tape().universe.day)
    assert writer.go_on() is None
    begun(a_bus, until=2).forming(forming(2, 1), at=0.0)
    assert writer.go_on() == 1
    writer.closed(tape().bars(2), at=0.0)
    assert [entry.bars.k for entry in reader(a_bus).recover() if entry.bars] == [0, 1, 2, 2]


def test_what_is_appended_again_is_there_once(a_bus: Bus) -> None:
    writer = begun(a_bus, until=2)
    before = writer._n
    for _ in range(2):
        writer._n = before
        writer.closed(tape().bars(2), at=0.0)
    assert (writer._n, writer.k) == (before + 1, 2)
    assert [entry.bars.k for entry in reader(a_bus).recover() if entry.bars] == [0, 1, 2]


@pytest.mark.parametrize("k", [0, 1, 3])
def test_a_minute_that_is_not_the_next_is_refused(a_bus: Bus, k: int) -> None:
    writer = begun(a_bus, until=2)
    for bars in (tape().bars(k), forming(k, 1)):
        with pytest.raises(TapeLost, match="goes on after k=1"):
            writer._bars(bars, 0.0, 0.0)
    assert [entry.bars.k for entry in reader(a_bus).recover() if entry.bars] == [0, 1]


def test_nothing_follows_the_end(a_bus: Bus) -> None:
    writer = begun(a_bus, until=2)
    writer.end(at=0.0)
    with pytest.raises(TapeLost):
        writer.closed(tape().bars(2), at=0.0)


def test_who_has_lost_the_lease_writes_nothing(a_bus: Bus) -> None:
    a_bus.redis.set(a_bus.keys.ingest, "first:1")
    writer = TapeWriter(a_bus, tape().universe.day, token="first:1")
    writer.open(head())
    writer.closed(tape().bars(0), at=0.0)
    a_bus.redis.set(a_bus.keys.ingest, "second:2")
    with pytest.raises(Fenced, match="Another ingest writes the tape"):
        writer.closed(tape().bars(1), at=0.0)
    with pytest.raises(Fenced):
        TapeWriter(a_bus, tape().universe.day, token="first:1").open(head())
    other = TapeWriter(a_bus, tape().universe.day, token="second:2")
    assert other.go_on() == 0
    other.closed(tape().bars(1), at=0.0)
    assert [entry.bars.k for entry in reader(a_bus).recover() if entry.bars] == [0, 1]


def test_events_wait_for_the_next_entry_of_bars_and_bring_their_version(a_bus: Bus) -> None:
    writer, day = begun(a_bus, until=1, version=1), tape().universe.day
    change = SettingsChange.of(hod_break={"min_rvol": 2.0}).numbered(2)
    halt = VendorHalt(tape().universe.symbols[0], halted=True)
    TapeWriter(a_bus, day, "settings").settings(change, at=0.0)
    TapeWriter(a_bus, day, "vendor").halt(1, [halt], at=0.0)
    TapeWriter(a_bus, day, "probe").probe(1, "p1", at=0.0)
    writer.closed(replace(tape().bars(1), events=(VendorHalt("B", halted=False),)), at=0.0)
    writer.closed(tape().bars(2), at=0.0)
    found = [(e.version, e.bars.events if e.bars else (), e.probes) for e in reader(a_bus).recover()]
    assert found == [
        (1, (), ()),
        (2, (change, halt, VendorHalt("B", halted=False)), ("p1",)),
        (2, (), ()),
    ]


def test_a_version_of_the_settings_is_on_the_tape_once_and_none_that_the_head_has(a_bus: Bus) -> None:
    writer = begun(a_bus, until=1, version=3)
    settings = TapeWriter(a_bus, tape().universe.day, "settings")
    for version in (2, 3, 5, 4, 5):
        settings.settings(SettingsChange.of(hot={"top": version}).numbered(version), at=0.0)
    writer.closed(tape().bars(1), at=0.0)
    *_, last = reader(a_bus).recover()
    assert last.bars is not None
    assert [event.version for event in last.bars.events if isinstance(event, SettingsChange)] == [5]


def test_nothing_is_put_on_a_tape_that_has_not_begun(a_bus: Bus) -> None:
    writer = TapeWriter(a_bus, tape().universe.day, "vendor")
    with pytest.raises(TapeLost, match="There is no tape of 2025-06-18 on the bus"):
        writer.halt(1, [VendorHalt("A", halted=True)], at=0.0)
    with pytest.raises(TapeLost, match="There is no tape of 2025-06-18 on the bus"):
        reader(a_bus).head()


def test_forming_entries_carry_what_changed_and_are_read_whole(a_bus: Bus) -> None:
    writer = begun(a_bus, until=1)
    writer.forming(forming(1, 0, 1, price=2.0), at=0.0)
    writer.forming(forming(1, 1, 2, price=3.0), at=0.0)
    writer.closed(tape().bars(1), at=0.0)
    writer.forming(forming(2, 5, price=4.0), at=0.0)
    entries = list(reader(a_bus).recover())
    assert [entry.kind for entry in entries] == ["closed", "forming", "forming", "closed", "forming"]
    closes = [entry.bars.close[:6].tolist() for entry in entries if entry.bars and entry.bars.forming]
    np.testing.assert_array_equal(closes, [[2, 2, *[np.nan] * 4], [2, 3, 3, *[np.nan] * 3], [*[np.nan] * 5, 4]])
    assert_bars(entries[3].bars, tape().bars(1))


@pytest.mark.parametrize("keeps", [True, False])
def test_minutes_so_far_stay_while_there_is_room(a_bus: Bus, keeps: bool) -> None:
    writer = begun(a_bus, until=1, keeps_forming=keeps)
    writer.forming(forming(1, 0), at=0.0)
    writer.closed(tape().bars(1), at=0.0)
    assert [entry.kind for entry in reader(a_bus).recover()] == ["closed", "forming", "closed"]


def test_minutes_so_far_go_when_their_minute_closes_where_there_is_no_room(
    any_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner_kit.bus.tape.MOST_FORMING", -1)
    writer, day = begun(any_bus, until=1, keeps_forming=False), tape().universe.day
    live = reader(any_bus)
    assert not live.head().keeps_forming
    for row in (0, 1):
        writer.forming(forming(1, row), at=0.0)
    first = live.read(most=2)
    for again in range(2):
        writer._n -= again  # an answer that was lost
        writer.closed(tape().bars(1), at=0.0)
    assert [entry.kind for entry in first + live.read(first[-1].id)] == ["closed", "forming", "closed"]
    assert [entry.kind for entry in reader(any_bus).recover()] == ["closed", "closed"]
    assert [entry.kind for entry in reader(any_bus).read(first[-1].id)] == ["closed"], (
        "of who stood at one that is gone"
    )
    writer.forming(forming(2, 0), at=0.0)
    change = SettingsChange.of(hot={"top": 2}).numbered(2)
    TapeWriter(any_bus, day, "settings").settings(change, at=0.0)
    for row in (1, 2):
        writer.forming(forming(2, row), at=0.0)
    writer.closed(tape().bars(2), at=0.0)
    found = list(reader(any_bus).recover())
    assert [entry.kind for entry in found] == ["closed", "closed", "forming", "closed"]
    assert [entry.bars.events for entry in found if entry.bars] == [(), (), (change,), ()], "in force from where it was"


def test_minutes_so_far_that_stay_are_bounded_in_bytes(a_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner_kit.bus.tape.MOST_FORMING", 5_000)
    writer = begun(a_bus, until=1)
    taken = 0
    while not writer.full:
        writer.forming(forming(1, 0, 1), at=0.0)
        taken += not writer.full
    assert 0 < taken < 20
    writer.closed(tape().bars(1), at=0.0)
    assert not writer.full
    kinds = [entry.kind for entry in reader(a_bus).recover()]
    assert kinds == ["closed", *["forming"] * taken, "closed"]


@pytest.fixture
def mixed(a_bus: Bus) -> Bus:
    """A tape with entries of every kind."""
    writer, day = begun(a_bus), tape().universe.day
    settings, vendor = TapeWriter(a_bus, day, "settings"), TapeWriter(a_bus, day, "vendor")
    for k in range(12):
        if k % 3 == 1:
            writer.forming(forming(k, k), at=0.0)
            settings.settings(SettingsChange.of(hot={"top": k}).numbered(k), at=0.0)
            vendor.halt(k, [VendorHalt(tape().universe.symbols[0], halted=k % 2 == 0)], at=0.0)
            writer.forming(forming(k, k - 1), at=0.0)
        writer.closed(tape().bars(k), at=float(k))
        if k % 4 == 0:
            vendor.halt(100 + k, [VendorHalt(tape().universe.symbols[1], halted=True)], at=0.0)
    writer.end(at=0.0)
    return a_bus


def told(entries: Iterable[Entry]) -> list[Any]:
    return [
        (e.id, e.kind, e.at, e.version, e.bars and (e.bars.k, e.bars.events, e.bars.close.tobytes())) for e in entries
    ]


def test_wherever_a_reader_begins_it_reads_the_same(mixed: Bus) -> None:
    whole = list(reader(mixed).recover())
    assert [entry.bars.k for entry in whole if entry.kind == "closed" and entry.bars] == list(range(12))
    for at, entry in enumerate(whole):
        fresh, found = reader(mixed), []
        after = entry.id
        while some := fresh.read(after, most=3):
            found += some
            after = some[-1].id
        assert told(found) == told(whole[at + 1 :])


def test_a_reader_may_be_sent_back_and_forth(mixed: Bus) -> None:
    whole, one = list(reader(mixed).recover()), reader(mixed)
    for at in (5, 2, 9, 0):
        found = told(one.read(whole[at].id, most=4))
        assert found
        assert found == told(whole[at + 1 : at + 1 + len(found)])
    assert told(one.recover()) == told(whole)


def test_a_reader_follows_what_comes(a_bus: Bus) -> None:
    writer, over = begun(a_bus, until=2), threading.Event()
    one = reader(a_bus)
    *_, last = one.recover()
    found: list[Entry] = []

    def follow() -> None:
        for entry in one.follow(last.id, over):
            found.append(entry)
            if entry.kind == "end":
                over.set()

    thread = threading.Thread(target=follow)
    thread.start()
    for k in range(2, 6):
        writer.closed(tape().bars(k), at=0.0)
    writer.end(at=0.0)
    thread.join(10)
    assert [entry.bars.k for entry in found if entry.bars] == [2, 3, 4, 5]
    assert found[-1].kind == "end"


def test_a_reader_of_a_tape_that_was_lost_and_begun_again_says_so(a_bus: Bus) -> None:
    begun(a_bus, until=3)
    one = reader(a_bus)
    *_, last = one.recover()
    a_bus.redis.delete(a_bus.keys.tape("2025-06-18"), a_bus.keys.writers("2025-06-18"))
    begun(a_bus, until=1)
    with pytest.raises(TapeLost, match="begun again"):
        one.read(last.id)
    with pytest.raises(TapeLost, match="There is no tape of 2025-06-20"):
        TapeReader(a_bus, type(one.day).after(one.day.date)).head()


def test_every_key_of_a_tape_expires(mixed: Bus) -> None:
    for key in (mixed.keys.tape("2025-06-18"), mixed.keys.writers("2025-06-18")):
        assert 47 * 3600 < mixed.redis.ttl(key) <= 48 * 3600


def test_the_day_that_is_written_is_found(a_bus: Bus) -> None:
    day, over = tape().universe.day, threading.Event()
    assert current_day(a_bus) is None
    set_current_day(a_bus, day)
    assert (current_day(a_bus), wait_for_day(a_bus, over)) == (day, day)
    over.set()
    assert wait_for_day(a_bus, over, other_than=day) is None


def test_it_is_the_same_on_every_kind_of_server(any_bus: Bus) -> None:
    writer, day = begun(any_bus, until=2, version=1), tape().universe.day
    change = SettingsChange.of(hot={"top": 2}).numbered(2)
    TapeWriter(any_bus, day, "settings").settings(change, at=0.0)
    writer.forming(forming(2, 1), at=0.0)
    for again in range(2):
        writer._n -= again
        writer.closed(tape().bars(2), at=0.0)
    with pytest.raises(TapeLost):
        writer.closed(tape().bars(5), at=0.0)
    whole = list(reader(any_bus).recover())
    assert [(entry.kind, entry.version) for entry in whole] == [
        ("closed", 1), ("closed", 1), ("forming", 2), ("closed", 2),
    ]  # fmt: skip
    assert told(reader(any_bus).read(whole[1].id)) == told(whole[2:])
    assert reader(any_bus).read(whole[3].id, wait=0.01) == []


# The same scans


def roster() -> list[Any]:
    return [scanners.HodBreak(**LOOSE), scanners.HaltResume(), scanners.Winners(**LOOSE), scanners.Hot()]


def seals(universe: Any, steps: Iterable[Bars], *, intrabar: bool = True) -> tuple[str, str, int]:
    engine, lists = Engine(universe, roster(), intrabar=intrabar), ListRows()
    for bars in steps:
        scan = engine.step(bars)
        if not scan.forming:
            lists.take(scan)
    return seal_of(trigger_table(engine.triggers)), seal_of(lists.table(universe.day)), len(engine.triggers)


def test_a_day_read_back_gives_the_same_scans(a_bus: Bus) -> None:
    universe = tape().universe
    price, shares, none = np.full(2, 3.5), np.full(2, 1e4), np.full(2, np.nan)
    late = LateBars(np.array([3, 400]), np.array([1, 2]), price, price, price, price, shares, none)
    changed = SettingsChange.of(hod_break={"cooldown": 0.0}).numbered(1)
    halt = VendorHalt(universe.symbols[3], halted=True)
    entries = []
    for bars in tape():
        if bars.k == 420:
            so_far = replace(bars, forming=True, instant=universe.day.time(419), volume=bars.volume / 2)
            entries += [so_far, replace(bars, late=late)]
        elif bars.k in (450, 500):
            entries.append(replace(bars, events=(changed,) if bars.k == 450 else (halt,)))
        else:
            entries.append(bars)
    writer = TapeWriter(a_bus, universe.day)
    writer.open(Head(universe))
    for bars in entries:
        writer.forming(bars, at=0.0) if bars.forming else writer.closed(bars, at=0.0)
    found = reader(a_bus)
    read = seals(found.head().universe, [entry.bars for entry in found.recover() if entry.bars])
    assert read == seals(universe, entries)
    assert read[2] > 0
    assert read[0] != seals(universe, tape())[0]


def test_who_comes_later_has_the_same_scans_without_the_minutes_so_far_that_went(
    a_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner_kit.bus.tape.MOST_FORMING", -1)
    universe = tape().universe
    writer, live = TapeWriter(a_bus, universe.day), reader(a_bus)
    settings, vendor = TapeWriter(a_bus, universe.day, "settings"), TapeWriter(a_bus, universe.day, "vendor")
    writer.open(Head(universe, keeps_forming=False))
    seen, after = [], "0-0"
    for bars in tape():
        if bars.k in range(400, 460):
            for share in (3, 2):
                instant = universe.day.time(bars.k - 1) + dt.timedelta(seconds=60 // share)
                writer.forming(replace(bars, forming=True, instant=instant, volume=bars.volume // share), at=0.0)
                seen += live.read(after)
                after = seen[-1].id
                if bars.k in (410, 440) and share == 3:
                    halted = VendorHalt(universe.symbols[2], halted=bars.k == 410)
                    settings.settings(SettingsChange.of(hod_break={"cooldown": 0.0}).numbered(bars.k), at=0.0)
                    vendor.halt(bars.k, [halted], at=0.0)
        writer.closed(bars, at=0.0)
        seen += live.read(after)
        after = seen[-1].id
    there = list(reader(a_bus).recover())
    assert (len(seen), len(there)) == (960 + 120, 960 + 2)
    made = seals(universe, [entry.bars for entry in there if entry.bars], intrabar=False)
    assert made == seals(universe, [entry.bars for entry in seen if entry.bars], intrabar=False)
    assert made[2] > 0


# A server that goes away


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Killable]:
    with contextlib.closing(Killable(tmp_path)) as server:
        yield server


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[Lossy]:
    with contextlib.closing(Killable(tmp_path)) as server, contextlib.closing(Lossy(server.socket, tmp_path)) as line:
        yield line


def test_writer_and_reader_outlive_a_server_that_is_killed(killable: Killable) -> None:
    over, found = threading.Event(), []
    writer = begun(killable.bus, until=1)

    def follow() -> None:
        for entry in reader(killable.bus).follow("0-0", over):
            found.append(entry)
            if entry.kind == "end":
                return

    thread = threading.Thread(target=follow)
    thread.start()
    for k in range(1, 200):
        if k in (50, 120):
            killable.kill()
            threading.Timer(0.3, killable.start).start()
        bars = tape().bars(k)
        persist(lambda bars=bars: writer.closed(bars, at=0.0), over)  # type: ignore[misc]
    persist(lambda: writer.end(at=0.0), over)
    thread.join(20)
    over.set()
    assert [entry.bars.k for entry in found if entry.bars] == list(range(200))
    assert [entry.bars.k for entry in reader(killable.bus).recover() if entry.bars] == list(range(200))


def test_an_answer_that_is_lost_puts_nothing_there_twice(lossy: Lossy) -> None:
    over = threading.Event()
    writer = begun(lossy.bus)
    for k in range(30):
        lossy.lose_answers = k % 7 == 3
        persist(lambda k=k: writer.closed(tape().bars(k), at=0.0), over)  # type: ignore[misc]
    assert lossy.lost == 4
    assert [entry.bars.k for entry in reader(lossy.bus).recover() if entry.bars] == list(range(30))
