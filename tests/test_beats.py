"""Heartbeats: once a second by the server's clock, whatever happens to bus or work; old ones are removed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.wire import wire
from scanner_kit.bus import beats
from scanner_kit.bus.beats import Beat, Beating, Trouble, read_beats, read_notes
from scanner_kit.bus.connection import Bus, connect
from scanner_kit.bus.keys import KEPT_SECONDS

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
BEATS = st.builds(
    Beat,
    role=st.sampled_from(["ingest", "engine"]),
    id=st.text(),
    at=NUMBERS,
    version=st.none() | st.integers(0, 99),
    delays=st.lists(NUMBERS).map(tuple),
    figures=st.dictionaries(st.text(), NUMBERS),
    faults=st.lists(st.builds(Trouble, st.text(), st.text(), st.none() | NUMBERS)).map(tuple),
    warmth=st.lists(st.tuples(st.text(), st.integers(0), st.integers(0))).map(tuple),
    suspects=st.lists(st.text()).map(tuple),
)


def until(known: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := known()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
    return found


@settings(max_examples=50)
@given(BEATS)
def test_a_beat_is_read_as_it_was_written(beat: Beat) -> None:
    assert Beat.of(beat.text()) == beat


def test_fields_of_a_newer_version_are_left_out() -> None:
    text = json.dumps(
        {"role": "engine", "id": "e", "mood": "good", "faults": [{"resource": "a", "reason": "b", "c": 1}]}
    )
    assert Beat.of(text) == Beat("engine", "e", faults=(Trouble("a", "b"),))


def test_a_process_says_what_it_is_and_in_the_end_that_it_stopped(any_bus: Bus, tmp_path: Path) -> None:
    facts = {"state": "leading", "version": 3, "delays": [1.5, 2], "figures": {"step_ms": 2.0}, "lists": {"hot": 5}}
    with Beating(any_bus, "engine", lambda: facts, state=tmp_path) as beating:
        [beat] = until(lambda: read_beats(any_bus))
        assert (beat.role, beat.id, beat.state, beat.version) == ("engine", beating.id, "leading", 3)
        assert (beat.prefix, beat.redis) == (any_bus.keys.prefix, any_bus.url)
        assert (beat.delays, beat.figures, beat.lists) == ((1.5, 2.0), {"step_ms": 2.0}, {"hot": 5})
        assert abs(beat.at - time.time()) < 1
        assert abs(beat.offset) < 0.1
        assert [(note.id, note.prefix) for note in read_notes(tmp_path)] == [(beat.id, beat.prefix)]
        later = until(lambda: next((one for one in read_beats(any_bus) if one.at > beat.at), None))
        assert later.began == pytest.approx(beat.began, abs=0.1)
    assert [one.state for one in read_beats(any_bus)] == ["stopped"]
    assert read_notes(tmp_path) == ()
    assert 0 < any_bus.redis.ttl(any_bus.keys.beats) <= KEPT_SECONDS


def test_instants_are_by_the_servers_clock(a_bus: Bus) -> None:
    def ahead() -> float:
        return time.time() + 100.0

    beating = Beating(
        a_bus, "ingest", lambda: {"last_bar": ahead(), "faults": [Trouble("feed", "odd", ahead())]}, clock=ahead
    )
    with beating:
        [beat] = until(lambda: read_beats(a_bus))
    assert beat.offset == pytest.approx(100.0, abs=0.5)
    for instant in (beat.at, beat.began, beat.last_bar, beat.faults[0].since):
        assert instant == pytest.approx(time.time(), abs=5)


def test_facts_that_fail_are_a_fault_in_the_beat(a_bus: Bus) -> None:
    with Beating(a_bus, "store", lambda: 1 / 0):  # type: ignore[arg-type, return-value]
        [beat] = until(lambda: read_beats(a_bus))
    assert [(one.resource, one.reason) for one in beat.faults] == [
        ("heartbeat of store", "it cannot say how it is: ZeroDivisionError('division by zero')")
    ]
    with Beating(a_bus, "serve", lambda: {"stat": "running"}):
        beat = until(lambda: next((one for one in read_beats(a_bus) if one.role == "serve"), None))
    assert "A beat has no 'stat'. Known: " in beat.faults[0].reason


def test_a_trouble_is_since_it_was_first_seen(a_bus: Bus) -> None:
    said = [Trouble("store", "locked by 1")]
    beating = Beating(a_bus, "store", lambda: {"faults": said})
    assert [beating.beat(10.0).faults, beating.beat(20.0).faults] == [(Trouble("store", "locked by 1", 10.0),)] * 2
    said.append(Trouble("vendor", "away"))
    assert beating.beat(30.0).faults == (Trouble("store", "locked by 1", 10.0), Trouble("vendor", "away", 30.0))
    said.pop(0)
    beating.beat(40.0)
    said.append(Trouble("store", "locked by 2"))
    assert beating.beat(50.0).faults == (Trouble("vendor", "away", 30.0), Trouble("store", "locked by 2", 50.0))


def test_a_full_disk_is_a_trouble_of_its_own(a_bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Beating(a_bus, "store", state=tmp_path).beat(1.0).faults == ()
    monkeypatch.setattr(beats, "LEAST_FREE", 1 << 62)
    [trouble] = Beating(a_bus, "store", state=tmp_path).beat(1.0).faults
    assert trouble.resource.startswith("disk of ")
    assert f"MB are free at {tmp_path}" in trouble.reason


def test_it_beats_again_once_the_bus_is_back(a_bus: Bus, tmp_path: Path) -> None:
    path = Path(a_bus.redis.connection_pool.connection_kwargs["path"])
    with wire(tmp_path / "w.sock", path) as between, connect(between.url, a_bus.keys.prefix) as wired:
        beating = Beating(wired, "engine")
        with beating:
            [first] = until(lambda: read_beats(a_bus))
            between.part()
            until(lambda: beating.silent)
            between.join()
            until(lambda: read_beats(a_bus)[0].at > first.at + 1)


def test_beats_of_processes_long_gone_are_removed(a_bus: Bus) -> None:
    now = time.time()
    for name, age in (("old", KEPT_SECONDS + 60), ("new", KEPT_SECONDS - 60)):
        a_bus.redis.hset(a_bus.keys.beats, name, Beat("engine", name, at=now - age).text())
    with Beating(a_bus, "serve") as beating:
        until(lambda: {one.id for one in read_beats(a_bus)} == {"new", beating.id})


def test_a_state_folder_that_cannot_be_written_does_not_silence_a_process(a_bus: Bus, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with Beating(a_bus, "engine", state=tmp_path / "state"):
        beat = until(lambda: read_beats(a_bus))[0]
        assert (beat.role, beat.faults) == ("engine", ())
    assert read_beats(a_bus)[0].state == "stopped"
