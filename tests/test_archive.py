"""The archive: a day's tape as files, from which everything can be read, played and put on a bus again."""

import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from scanner_kit.bars import FIELDS, LateBars, SettingsChange, Tape, VendorHalt
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.tape import Entry, Head, Pace, TapeReader, TapeWriter, current_day
from scanner_kit.cli import app
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.facts import daily_rows_of
from scanner_kit.live.archive import Archive, archive, put_back
from scanner_kit.live.feed.feeds import SimulatedFeed
from scanner_kit.live.ingest import Ingest
from scanner_kit.live.lists import bars as bars_of
from scanner_kit.live.replaying import ArchivedDays
from scanner_kit.measuring import measure
from scanner_kit.replay import Tables, Unkept, replay
from scanner_kit.results import Found, Result
from scanner_kit.scanners import HodBreak, Hot
from scanner_kit.seal import seal_of, seal_of_tape
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.tables import trigger_table

LOOSE: dict[str, Any] = {"min_rvol": None, "min_dollar_volume": None}


@cache
def tape() -> Tape:
    return simulated_tape(SimulatedMarket(symbols=9, seed=3))


DAY = tape().universe.day


def late(k: int, row: int, price: float) -> LateBars:
    column = np.array([price])
    return LateBars(np.array([k]), np.array([row]), column, column, column, column, np.array([9e3]), column * np.nan)


def put_on(bus: Bus, until: int = 960) -> None:
    """A day with everything on it that a tape can have."""
    writer = TapeWriter(bus, DAY)
    writer.open(Head(tape().universe, Pace(5.0, 60.0, 3), 2, {"hot": {"top": 4}}, "it"))
    settings, vendor, probe = (TapeWriter(bus, DAY, name) for name in ("settings", "vendor", "probe"))
    for k in range(until):
        bars = tape().bars(k)
        if k in (340, 350):
            so_far = replace(bars, volume=np.floor(bars.volume / 2), forming=True, instant=DAY.time(k - 1))
            writer.forming(so_far, at=1.0)
        if k == 360:
            settings.settings(SettingsChange.of(hod_break={"min_rvol": 1.5}).numbered(3), at=2.0)
            vendor.halt(7, [VendorHalt(tape().universe.symbols[1], halted=True)], at=2.0)
            probe.probe(1, "p", at=2.0)
        if k == 370:
            found = (Found(tape().universe.symbols[3], 1 / 3, True, "Raised", {"age": 2.0}),)
            assert TapeWriter(bus, DAY, "scan:news").result(1, Result("news", DAY.time(369), found), at=2.0)
        if k in (400, 420):
            bars = replace(bars, late=late(k - 30, 2, 1.25 * k))
        writer.closed(bars, at=100.0 + k, delay=0.25)
    if until == 960:
        writer.end(at=5000.0)


def assert_entries(found: list[Entry], given: list[Entry]) -> None:
    assert len(found) == len(given)
    for one, other in zip(found, given, strict=True):
        assert (one.kind, one.at, one.delay, one.version, one.probes) == (
            other.kind, other.at, other.delay, other.version, other.probes,
        )  # fmt: skip
        if other.bars is None:
            assert one.bars is None
            continue
        assert one.bars is not None
        assert (one.bars.k, one.bars.events, one.bars.instant) == (other.bars.k, other.bars.events, other.bars.instant)
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(one.bars, name), getattr(other.bars, name))
        assert (one.bars.late is None) == (other.bars.late is None)
        if other.bars.late is not None and one.bars.late is not None:
            np.testing.assert_array_equal(one.bars.late.close, other.bars.late.close)


def test_a_day_that_ended_replaces_a_part_of_it_with_more_entries(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    whole = list(TapeReader(a_bus, DAY).raw())
    forming = next(fields for _, fields in whole if fields[b"kind"] == b"forming")
    there = Archive(tmp_path)
    there.put([*whole[:-1], *((f"9{n}-0", forming) for n in range(20))])
    assert not there.has_ended(DAY)
    there.put(whole)
    assert there.has_ended(DAY)
    assert [at for at, _ in there.entries(DAY)] == [at for at, _ in whole]


def test_a_day_that_is_put_back_is_as_it_was(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    given = list(TapeReader(a_bus, DAY).recover())
    head = TapeReader(a_bus, DAY).head()
    path = archive(a_bus, DAY, tmp_path)
    assert path == tmp_path / "2025-06-18.parquet"
    for key in (a_bus.keys.tape(DAY.date), a_bus.keys.writers(DAY.date)):
        a_bus.redis.delete(key)
    put_back(a_bus, Archive(tmp_path), DAY, follow=True)
    again = TapeReader(a_bus, DAY)
    assert_entries(list(again.recover()), given)
    assert (again.head().pace, again.head().version, again.head().source) == (head.pace, head.version, head.source)
    assert seal_of_tape(Tape.empty(again.universe)) == seal_of_tape(Tape.empty(head.universe))
    assert current_day(a_bus) == DAY
    symbol = tape().universe.symbols[2]
    assert 500.0 in bars_of(symbol, DAY.date, bus=a_bus)["close"].tolist()
    with pytest.raises(InvalidInput, match="has a tape of 2025-06-18 already"):
        put_back(a_bus, Archive(tmp_path), DAY)


def test_the_file_of_bars_is_one_as_any_other_with_late_ones_in_their_minutes(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    path = archive(a_bus, DAY, tmp_path)
    files = TapeSource(path)
    found, row = files.tape(DAY), tape().universe.row
    expected = {name: getattr(tape(), name).copy() for name in FIELDS}
    for k in (370, 390):
        for name in FIELDS:
            expected[name][k, 2] = {"volume": 9e3, "vwap": np.nan}.get(name, 1.25 * (k + 30))
    there = [row(symbol) for symbol in found.universe.symbols]
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), expected[name][:, there])
    daily = pq.read_table(tmp_path / "daily" / "2025-06-18.parquet")
    derived = daily_rows_of(files.admitted)
    assert daily["symbol"].to_pylist() == [derived.names[i] for i in derived.symbol]
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(daily[name].to_numpy(), derived.columns[name])


def test_an_archived_day_is_scanned_as_it_was(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    archive(a_bus, DAY, tmp_path)
    there, roster = Archive(tmp_path), [HodBreak(**LOOSE), Hot()]
    live = Engine(TapeReader(a_bus, DAY).universe, roster)
    for entry in TapeReader(a_bus, DAY).recover():
        if entry.bars:
            live.step(entry.bars)
    again = Engine(there.tape(DAY).universe, roster)
    for bars in there.tape(DAY):
        again.step(bars)
    assert live.triggers
    assert seal_of(trigger_table(again.triggers)) == seal_of(trigger_table(live.triggers))
    assert there.days == (DAY,)
    assert replay(there, Unkept(), scanners=roster).triggers == {"hod_break": len(live.triggers)}


def test_an_archived_day_is_replayed_under_the_settings_that_were_in_force(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    path, roster = archive(a_bus, DAY, tmp_path), [HodBreak(**LOOSE), Hot()]
    live = Engine(TapeReader(a_bus, DAY).universe, [HodBreak(**LOOSE), Hot(top=4)])
    for entry in TapeReader(a_bus, DAY).recover():
        if entry.bars:
            live.step(entry.bars)
    for files in ([path], [tmp_path]):
        days = ArchivedDays.among(files, ["hod_break", "hot"], history=True)
        assert days is not None
        tables = Tables()
        assert replay(days, tables, scanners=roster).triggers == {"hod_break": len(live.triggers)}
        assert tables["lists"]["rank"].to_numpy().max() == 4
        assert tables["triggers"]["settings"].to_pylist() == [trigger.settings for trigger in live.triggers]
    own = ArchivedDays.among([path], ["hod_break", "hot"], history=False)
    assert own is not None
    tables = Tables()
    replay(own, tables, scanners=roster)
    assert tables["lists"]["rank"].to_numpy().max() > 4
    assert set(tables["triggers"]["settings"].to_pylist()) == {live.triggers[0].settings}
    assert ArchivedDays.among([tmp_path / "daily" / "2025-06-18.parquet"], [], history=True) is None


def test_the_command_replays_an_archived_day_as_it_was(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    path = archive(a_bus, DAY, tmp_path)
    done = CliRunner().invoke(app, ["replay", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    hot = pq.read_table(tmp_path / "out" / "lists.parquet", filters=[("list", "==", "hot")])
    assert max(hot["rank"].to_pylist()) <= 4


def test_the_lab_measures_archived_days(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus)
    path = archive(a_bus, DAY, tmp_path)
    settled, files = Archive(tmp_path).settled(DAY), TapeSource(path).tape(DAY)
    for name in FIELDS:
        there = [tape().universe.row(symbol) for symbol in files.universe.symbols]
        np.testing.assert_array_equal(getattr(settled, name)[:, there], getattr(files, name))
    assert settled.events.keys() == {360, 370}
    history = measure([settled], scanners=[HodBreak(**LOOSE)], cache=False, progress=False)
    assert [day.universe.day for day in history.days] == [DAY]
    assert len(history) == len(measure(path, scanners=[HodBreak(**LOOSE)], cache=False, progress=False))


def test_a_day_is_written_once(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus, until=5)
    path = archive(a_bus, DAY, tmp_path)
    before = path.stat().st_mtime_ns
    assert (archive(a_bus, DAY, tmp_path), path.stat().st_mtime_ns) == (path, before)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["2025-06-18.parquet", "2025-06-18.tape", "daily"]


def test_a_day_that_was_exported_before_its_end_is_written_whole_after_it(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus, until=5)
    archive(a_bus, DAY, tmp_path)
    assert not Archive(tmp_path).has_ended(DAY)
    a_bus.redis.flushall()
    put_on(a_bus)
    archive(a_bus, DAY, tmp_path)
    assert Archive(tmp_path).has_ended(DAY)
    assert [entry for entry, _ in Archive(tmp_path).entries(DAY)] == [at for at, _ in TapeReader(a_bus, DAY).raw()]
    assert np.isfinite(Archive(tmp_path).tape(DAY).close[400:]).any()


def test_a_day_that_the_bus_has_not_cannot_be_archived(a_bus: Bus, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"The bus has no tape of 2025-06-18 under '.*'. Name a day that it has."):
        archive(a_bus, DAY, tmp_path)


def test_what_cannot_be_written_leaves_nothing(a_bus: Bus, tmp_path: Path) -> None:
    put_on(a_bus, until=2)
    (tmp_path / "daily").write_text("in the way")
    with pytest.raises(InvalidInput, match=r"The archive of 2025-06-18 goes to .*, which cannot be written: .*exists"):
        archive(a_bus, DAY, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["daily"]
    with pytest.raises(InvalidInput, match="has no day 2025-06-18; its last: none"):
        Archive(tmp_path).tape(DAY)


def test_the_ingest_archives_a_day_that_has_ended(a_bus: Bus, tmp_path: Path) -> None:
    feed = SimulatedFeed(SimulatedMarket(symbols=9, seed=3))
    Ingest(a_bus, feed, speed=1e9, days=1, archive=tmp_path).run(threading.Event())
    there = Archive(tmp_path)
    assert there.days == (DAY,)
    assert seal_of_tape(there.tape(DAY)) == seal_of_tape(tape())
    there.bars(DAY.date).unlink()
    Ingest(a_bus, feed, speed=1e9, days=1, archive=tmp_path).run(threading.Event())
    assert DAY in there


def test_a_disk_that_is_full_does_not_end_the_ingest(a_bus: Bus, tmp_path: Path) -> None:
    (tmp_path / "daily").write_text("in the way")
    work = Ingest(a_bus, SimulatedFeed(SimulatedMarket(symbols=9, seed=3)), speed=1e9, days=1, archive=tmp_path)
    work.run(threading.Event())
    assert work.finished
    [fault] = work.facts()["faults"]
    assert (fault["resource"], "cannot be written" in fault["reason"]) == ("archive", True)
