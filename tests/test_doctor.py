"""The doctor: the first thing broken and its remedy; a probe that is timed all the way to the screen."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from desks import START, beat, signs

from scanner_kit.bus.beats import Beating, Trouble
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.tape import Head, TapeReader, TapeWriter, set_current_day
from scanner_kit.health import STATIONS
from scanner_kit.live.health.doctor import PROBED, Report, diagnose, examine, send_probe
from scanner_kit.live.health.signs import DeskHealth, Signs
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

NOW = START + 200
ALL = ("ingest", "engine", "store", "serve")


def report(seen: Signs, *, has_tape: bool = True) -> Report:
    return examine(seen, DeskHealth(ALL, patient=False).rows(seen), has_tape, {})


def test_what_is_red_for_one_reason_stands_together() -> None:
    lists = dict.fromkeys(("a", "b", "c", "d", "e"), 1)
    silent = signs(NOW, engine={"lists": lists, "at": NOW - 9})
    [found] = [finding for finding in report(silent).findings if finding.station == "lists"]
    assert found.told == "list a, list b, list c and 2 more: it rests on engine: no heartbeat for 9 s"


def test_a_symbol_that_is_halted_is_named() -> None:
    halted = signs(NOW, engine={"halts": {"NVDA": NOW - 60}})
    [bars] = [finding for finding in report(halted).findings if finding.station == "bars"]
    assert bars.works
    assert bars.told.startswith("NVDA: halted, or silent as in a halt")


def test_a_desk_at_work_works() -> None:
    found = report(signs(NOW))
    assert [finding.station for finding in found.findings] == list(STATIONS)
    assert (found.broken, found.status) == (None, 0)
    assert str(found).endswith("Everything works.")
    assert json.loads(json.dumps(found.facts()))["works"] is True


@pytest.mark.parametrize(
    ("seen", "station", "told"),
    [
        (signs(NOW, trouble="it is full"), "bus", "unix:///r.sock: it is full"),
        (signs(NOW, trouble="it cannot be reached: refused", reached=False), "bus", "it cannot be reached: refused"),
        (signs(NOW, offset=9.0), "bus", "clock of desk1: the clock is off by +9.0 s"),
        (signs(NOW, store={"faults": (Trouble("disk of desk1", "it is full"),)}), "bus", "disk of desk1: it is full"),
        (signs(NOW, without=("ingest",)), "tape", "ingest: no heartbeat yet"),
        (signs(NOW, ingest={"at": NOW - 9}), "tape", "ingest: no heartbeat for 9 s"),
        (signs(NOW, ingest={"last_bar": NOW - 200}), "bars", "feed IBKR: no bar of any symbol for 200 s"),
        (signs(NOW, engine={"at": NOW - 9}), "engine", "engine: no heartbeat for 9 s"),
        (signs(NOW, engine={"last_step": NOW - 100}), "engine", "engine: the tape moves, but no step for 100 s"),
        (signs(NOW, beat("engine", NOW, host="desk2")), "engine", "engine lead: two lead: "),
        (signs(NOW, engine={"faults": (Trouble("publishing", "refused"),)}), "lists", "publishing: refused"),
        (signs(NOW, engine={"lists": {}}), "lists", "nothing was published yet"),
        (signs(NOW, store={"at": NOW - 9}), "store", "store: no heartbeat for 9 s"),
        (signs(NOW, store={"faults": (Trouble("store", "locked"),)}), "store", "store: locked"),
        (signs(NOW, without=("serve",)), "serve", "serve: no heartbeat yet"),
    ],
)
def test_the_first_thing_broken_is_said_with_its_remedy(seen: Signs, station: str, told: str) -> None:
    found = report(seen)
    assert found.broken is not None
    assert (found.broken.station, found.status) == (station, 1)
    assert told in found.broken.told
    assert str(found).endswith(f"Broken first: {station}. {found.broken.remedy}")
    assert found.broken.remedy
    assert found.facts()["broken"] == station


def test_what_stands_before_a_broken_station_works() -> None:
    found = report(signs(NOW, engine={"at": NOW - 9}))
    works = {finding.station: finding.works for finding in found.findings}
    assert works == {station: station not in ("engine", "lists") for station in STATIONS}


def test_without_a_tape_that_is_broken_though_all_processes_beat() -> None:
    broken = report(signs(NOW), has_tape=False).broken
    assert broken is not None
    assert (broken.station, broken.told) == ("tape", "no day's tape was begun")


def test_a_wrong_url_is_the_first_thing_broken(tmp_path: Path) -> None:
    found = diagnose(Settings(live=LiveSettings(redis="redis://u:secret@127.0.0.1:1", state=str(tmp_path))))
    assert found.status == 1
    assert found.broken is not None
    assert re.match(r"The bus at redis://u:\*\*\*@127\.0\.0\.1:1 does not answer", found.broken.told)


def test_without_a_private_server_that_is_said_and_none_is_started(tmp_path: Path) -> None:
    broken = diagnose(Settings(live=LiveSettings(state=str(tmp_path)))).broken
    assert broken is not None
    assert (broken.station, broken.told) == (
        "bus",
        f"No desk is running: no private server answers in {str(tmp_path)!r}. Start it with scanner-kit up, or set "
        "SCANNER_KIT_REDIS_URL.",
    )
    assert list(tmp_path.iterdir()) == []


def begun(bus: Bus) -> TapeWriter:
    tape = simulated_tape(SimulatedMarket(symbols=3, seed=1))
    writer = TapeWriter(bus, tape.universe.day)
    writer.open(Head(tape.universe))
    writer.closed(tape.bars(0), at=time.time())
    set_current_day(bus, tape.universe.day)
    return writer


def test_a_real_desk_is_walked(a_bus: Bus, tmp_path: Path) -> None:
    settings = Settings(live=LiveSettings(redis=a_bus.url, prefix=a_bus.keys.prefix, state=str(tmp_path)))
    empty = diagnose(settings, between_looks=0.1).broken
    assert empty is not None
    assert empty.station == "tape"
    day = begun(a_bus).day.date
    fresh: Callable[[], Any] = lambda: {"last_bar": time.time(), "session": "REGULAR", "label": "SIMULATED"}  # noqa: E731
    leads: Callable[[], Any] = lambda: {"state": "leading", "lists": {"hot": 1}}  # noqa: E731
    with Beating(a_bus, "ingest", fresh), Beating(a_bus, "engine", leads), Beating(a_bus, "store"):
        found = until_beats(settings, 3)
        assert found.broken is not None
        assert found.broken.station == "serve"
        assert f"{day}, " in str(found)
        with Beating(a_bus, "serve"):
            assert until_beats(settings, 4).status == 0


def until_beats(settings: Settings, works: int) -> Report:
    """The report once the first beats are there."""
    for _ in range(50):
        found = diagnose(settings, between_looks=0.1)
        if sum(one.works for one in found.findings) >= works + 3:
            return found
    raise AssertionError(str(found))


@contextmanager
def stations(bus: Bus, *names: str, browsers: int = 1) -> Iterator[None]:
    """What follows the tape and stamps each probe, in place of those stations."""
    writer, over = begun(bus), threading.Event()

    def follow() -> None:
        for entry in TapeReader(bus, writer.day).follow("0-0", over):
            for probe in entry.probes:
                for name in names:
                    bus.redis.hset(bus.keys.probe(probe), name, time.time())

    def close() -> None:
        tape = simulated_tape(SimulatedMarket(symbols=3, seed=1))
        while not over.wait(0.2):
            writer.closed(tape.bars(writer.k + 1), at=time.time())

    threads = [threading.Thread(target=work) for work in (follow, close)]
    with Beating(bus, "serve", lambda: {"figures": {"browsers": browsers}}):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def test_a_probe_is_timed_at_every_station(any_bus: Bus) -> None:
    with stations(any_bus, *PROBED[1:]):
        probe = send_probe(any_bus, threading.Event(), seconds=20)
    assert list(probe.passed) == list(PROBED)
    assert (probe.stopped, probe.status) == (None, 0)
    assert list(probe.passed.values()) == sorted(probe.passed.values())
    assert str(probe).endswith("It went all the way.")


def test_without_a_browser_a_probe_says_so(a_bus: Bus) -> None:
    with stations(a_bus, "engine", "store", "serve", browsers=0):
        probe = send_probe(a_bus, threading.Event(), seconds=20)
    assert (probe.stopped, probe.status) == ("no browser is open", 0)


def test_a_probe_that_comes_no_further_says_where(a_bus: Bus) -> None:
    with stations(a_bus, "engine"):
        probe = send_probe(a_bus, threading.Event(), seconds=1.5)
    assert probe.status == 1
    assert probe.stopped is not None
    assert probe.stopped.startswith("the store has not seen it after ")
    assert list(probe.passed) == ["tape", "engine"]


def test_without_a_tape_no_probe_is_sent(a_bus: Bus) -> None:
    probe = send_probe(a_bus, threading.Event())
    assert (probe.status, probe.stopped) == (1, "no day's tape was begun, so that nothing can be sent")
