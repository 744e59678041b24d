"""Settings while a desk runs: one truth, on the tape once, in force from the next step, and the same in a replay."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from unreliable import Killable

from scanner_kit import scanners
from scanner_kit.bars import Bars, SettingsChange, Tape
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.tape import Head, TapeReader, TapeWriter, set_current_day
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.live.changing import DeskSettings
from scanner_kit.settings import Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.store import StaleEdit, Store, open_store
from scanner_kit.triggers import Trigger

NAMES = ["hod_break", "winners"]
LOOSE: dict[str, Any] = {"min_rvol": 0.1, "min_dollar_volume": [1, 1]}


@cache
def tape() -> Tape:
    return simulated_tape(SimulatedMarket(symbols=12, seed=3))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.sqlite") as store:
        yield store


def begun(bus: Bus, **more: Any) -> TapeWriter:
    writer = TapeWriter(bus, tape().universe.day)
    writer.open(Head(tape().universe, **more))
    set_current_day(bus, tape().universe.day)
    return writer


def close(writer: TapeWriter, until: int) -> None:
    for k in range(writer.k + 1, until):
        writer.closed(tape().bars(k), at=1000.0 + k)


def replayed(bus: Bus) -> tuple[list[Trigger], list[int]]:
    """What the engine says of the tape as it is on the bus now, and the version of every step."""
    engine, versions = Engine(tape().universe, scanners.roster(NAMES)), []
    for entry in TapeReader(bus, tape().universe.day).recover():
        assert entry.bars is not None
        engine.step(entry.bars)
        versions.append(entry.version)
    return engine.triggers, versions


def stepped(changes: dict[int, SettingsChange], until: int) -> list[Trigger]:
    """What the engine says of the same bars, where it is given the changes itself."""
    engine = Engine(tape().universe, scanners.roster(NAMES))
    for k in range(until):
        bars: Bars = tape().bars(k)
        engine.step(replace(bars, events=(*bars.events, changes[k])) if k in changes else bars)
    return engine.triggers


def test_a_replay_with_the_settings_history_gives_the_same_triggers(a_bus: Bus, store: Store) -> None:
    writer = begun(a_bus)
    close(writer, 380)
    first = DeskSettings(store, a_bus).change(0, {"hod_break": LOOSE}, "ann", "too quiet")
    close(writer, 420)
    second = DeskSettings(store, a_bus).change(1, {"hod_break": {"min_price": 20}}, "bob")
    close(writer, 460)
    third = DeskSettings(store, a_bus).bring_back(0, "ann")
    close(writer, 500)
    again, versions = replayed(a_bus)
    assert versions == [0] * 380 + [1] * 40 + [2] * 40 + [3] * 40
    defaults = SettingsChange.of(hod_break=scanners.HodBreak().settings()).numbered(3)
    events = {
        380: DeskSettings(store, a_bus).event_of(first),
        420: DeskSettings(store, a_bus).event_of(second),
        460: defaults,
    }
    assert [trigger.identity for trigger in again] == [trigger.identity for trigger in stepped(events, 500)]
    assert len({trigger.settings for trigger in again}) > 1
    assert again != stepped({}, 500)
    assert third.thresholds == {}


def test_thresholds_that_are_no_more_get_their_defaults(a_bus: Bus, store: Store) -> None:
    DeskSettings(store, a_bus).change(0, {"hod_break": LOOSE}, "ann")
    gone = dict(DeskSettings(store, a_bus).event_of(DeskSettings(store, a_bus).bring_back(0, "ann")).values)
    hod = scanners.HodBreak()
    assert dict(gone["hod_break"]) == {"min_rvol": hod.min_rvol, "min_dollar_volume": hod.min_dollar_volume}


def test_what_cannot_be_is_refused_whole(a_bus: Bus, store: Store) -> None:
    begun(a_bus)
    for wrong, sentence in (
        ({"winners": {"top": 5}, "hod_break": {"min_rvol": -1}}, "min_rvol"),
        ({"winners": {"top": 5, "tpo": 5}}, "winners has no threshold 'tpo'. Did you mean 'top'?"),
        ({"winer": {"top": 5}}, "winer"),
    ):
        with pytest.raises(InvalidInput) as told:
            DeskSettings(store, a_bus).change(0, wrong, "ann")
        assert sentence in str(told.value)
    assert store.versions.now().n == 0
    DeskSettings(store, a_bus).change(0, {"winners": {"top": 5}}, "ann")
    with pytest.raises(StaleEdit):
        DeskSettings(store, a_bus).change(0, {"winners": {"top": 6}}, "bob")
    assert a_bus.redis.hget(a_bus.keys.writers(tape().universe.day.date), "settings") == b"1"


def test_none_unsets_as_in_a_settings_file(a_bus: Bus, store: Store) -> None:
    assert DeskSettings(store, a_bus).change(0, {"hod_break": {"max_price": "none"}}, "ann").thresholds[
        "hod_break"
    ] == {"max_price": None}


def test_a_version_that_could_not_be_put_on_the_tape_is_put_there_later_and_once(tmp_path: Path, store: Store) -> None:
    server = Killable(tmp_path)
    try:
        writer = begun(server.bus)
        close(writer, 2)
        DeskSettings(store, server.bus).change(0, {"winners": {"top": 3}}, "ann")
        time.sleep(1.2)  # its file is written once a second
        server.kill()
        second = DeskSettings(store, server.bus).change(1, {"winners": {"top": 4}}, "ann")
        assert store.versions.now() == second
        server.start()
        persist(server.bus.redis.ping, threading.Event())  # it still loads its file
        assert [DeskSettings(store, server.bus).put_on_tape(), DeskSettings(store, server.bus).put_on_tape()] == [1, 0]
        close(writer, 4)
        assert replayed(server.bus)[1] == [0, 0, 2, 2]
        events = [entry.bars.events for entry in TapeReader(server.bus, tape().universe.day).recover() if entry.bars]
        assert [event.version for each in events for event in each if isinstance(event, SettingsChange)] == [1, 2]
    finally:
        server.close()


def test_a_day_that_begins_later_has_it_in_its_head(a_bus: Bus, store: Store) -> None:
    assert DeskSettings(store, a_bus).put_on_tape() == 0
    version = DeskSettings(store, a_bus).change(0, {"winners": {"top": 3}}, "ann")
    writer = begun(a_bus, version=version.n, thresholds=version.thresholds)
    assert DeskSettings(store, a_bus).put_on_tape() == 0
    close(writer, 2)
    assert replayed(a_bus)[1] == [1, 1]


def test_a_settings_file_is_taken_once(a_bus: Bus, store: Store) -> None:
    file = Settings.of({"scanners": {"winners": {"top": 3}}})
    assert [DeskSettings(store, a_bus).take_file(file, "up").n for _ in range(3)] == [1, 1, 1]
    DeskSettings(store, a_bus).change(1, {"winners": {"top": 4}}, "ann")
    assert DeskSettings(store, a_bus).take_file(file, "up").n == 2


def test_a_store_that_is_new_to_a_day_goes_on_where_the_tape_stands(a_bus: Bus, store: Store, tmp_path: Path) -> None:
    writer = begun(a_bus)
    close(writer, 2)
    first = DeskSettings(store, a_bus)
    first.change(0, {"winners": {"top": 3}}, "ann")
    first.change(1, {"hod_break": {"min_price": 20}}, "ann")
    close(writer, 4)
    with open_store(tmp_path / "another.db") as other:
        another = DeskSettings(other, a_bus)
        assert another.put_on_tape() == another.put_on_tape() == 0
        now = other.versions.now()
        assert (now.n, now.thresholds) == (2, {"winners": {"top": 3}, "hod_break": {"min_price": 20}})
        assert another.change(2, {"winners": {"top": 4}}, "bob").n == 3
    close(writer, 6)
    assert replayed(a_bus)[1] == [0, 0, 2, 2, 3, 3]


def test_settings_of_own_scanners_are_versions_too(a_bus: Bus, store: Store) -> None:
    own = DeskSettings(store, a_bus, ["own_scanners:Falling"])
    begun(a_bus)
    changed = own.change(0, {"falling": {"min_fall": 0.2}}, "ann")
    assert next(one for one in own.roster(1) if one.name == "falling").settings()["min_fall"] == 0.2
    assert dict(own.event_of(own.bring_back(0, "ann")).values) == {"falling": (("min_fall", 1.0),)}
    assert dict(own.event_of(changed).values) == {"falling": (("min_fall", 0.2),)}
    with pytest.raises(InvalidInput, match=r"Falling has no parameter 'min_fal'. Did you mean 'min_fall'"):
        own.change(2, {"falling": {"min_fal": 0.2}}, "ann")
    with pytest.raises(InvalidInput, match=r"There is no scanner 'faling'. Did you mean 'falling'"):
        own.change(2, {"faling": {"min_fall": 0.2}}, "ann")
    with pytest.raises(InvalidInput, match=r"There is no scanner 'falling'.*no_such_module"):
        DeskSettings(store, a_bus, ["no_such_module:Falling"]).change(2, {"falling": {"min_fall": 0.2}}, "ann")
    assert store.versions.now().n == 2
    taken = Settings.of({"scanners": {"falling": {"min_fall": 0.3}}, "live": {"scanners": ["own_scanners:Falling"]}})
    assert own.take_file(taken, "up").thresholds == {"falling": {"min_fall": 0.3}}
