"""The supervisor: what ends is started again, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanner_kit.bus.connection import BusError
from scanner_kit.errors import InvalidInput
from scanner_kit.live.process import FAULT, process
from scanner_kit.live.supervisor import Station, Supervisor

PATIENCE = 30.0

WORKER = """
    import sys, pathlib
    from scanner_kit.live.process import process
    with process("worker", with_parent=True) as over:
        pathlib.Path(sys.argv[1]).write_text("at work")
        over.wait()
        pathlib.Path(sys.argv[1]).write_text("ended")
"""
DESK = """
    import sys, threading
    from scanner_kit.live.supervisor import Station, Supervisor
    Supervisor([Station("worker", (sys.executable, "-c", sys.argv[1], sys.argv[2]))]).run(threading.Event())
"""


def worker(note: Path) -> Station:
    return Station("worker", (sys.executable, "-c", textwrap.dedent(WORKER), str(note)))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.02)


def says(note: Path, text: str) -> Callable[[], bool]:
    return lambda: note.exists() and note.read_text() == text


@contextmanager
def at_work(desk: Supervisor) -> Iterator[None]:
    desk.start()
    try:
        yield
    finally:
        desk.end()


def test_a_killed_station_is_started_again(tmp_path: Path) -> None:
    note = tmp_path / "note"
    desk = Supervisor([worker(note)])
    with at_work(desk):
        until(says(note, "at work"))
        first = desk.processes["worker"]
        note.unlink()
        os.kill(first, signal.SIGKILL)

        def again() -> bool:
            desk.look()
            return says(note, "at work")()

        until(again)
        assert desk.processes["worker"] != first


def test_stations_end_cleanly_with_the_desk(tmp_path: Path) -> None:
    note = tmp_path / "note"
    desk = Supervisor([worker(note)])
    with at_work(desk):
        until(says(note, "at work"))
    assert note.read_text() == "ended"
    assert desk.processes == {}


def test_stations_end_cleanly_when_the_desk_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    command = [sys.executable, "-c", textwrap.dedent(DESK), textwrap.dedent(WORKER), str(note)]
    with subprocess.Popen(command) as desk:
        until(says(note, "at work"))
        desk.kill()
    until(says(note, "ended"))


def test_a_station_that_was_given_something_wrong_ends_the_desk() -> None:
    desk = Supervisor([Station("engine", (sys.executable, "-c", "raise SystemExit(2)"))])
    with pytest.raises(InvalidInput, match=r"engine cannot work: .* \(exit status 2\)"):
        desk.run(threading.Event())


def test_what_fails_when_it_is_started_again_is_named_and_tried_again(tmp_path: Path) -> None:
    broken, note, now = tmp_path / "broken", tmp_path / "note", [0.0]
    script = (
        "import pathlib, sys; b, n = map(pathlib.Path, sys.argv[1:]); b.exists() and sys.exit(1); n.touch(); input()"
    )
    told: list[tuple[object, ...]] = []
    station = Station("engine", (sys.executable, "-c", script, str(broken), str(note)))
    desk = Supervisor([station], clock=lambda: now[0], failing=lambda *how: told.append(how))

    def look(holds: Callable[[], bool]) -> Callable[[], bool]:
        def looked() -> bool:
            now[0] += 0.01
            desk.look()
            return holds()

        return looked

    with at_work(desk):
        until(note.exists)
        broken.touch()
        note.unlink()
        os.kill(desk.processes["engine"], signal.SIGKILL)
        until(look(lambda: len(told) == 2))
        assert [how[0] for how in told] == ["engine", "engine"]
        assert str(told[0][3]).startswith("ended with exit status 1 after ")
        broken.unlink()
        until(look(note.exists))


def test_waits_between_restarts_grow() -> None:
    now = [0.0]
    desk = Supervisor([Station("engine", (sys.executable, "-c", "raise SystemExit(70)"))], clock=lambda: now[0])
    with at_work(desk):
        waits = []

        def ended() -> bool:
            desk.look()
            return "engine" not in desk.processes

        for _ in range(4):
            until(ended)
            began = now[0]
            desk.look()
            while "engine" not in desk.processes:
                now[0] += 0.125
                desk.look()
            waits.append(now[0] - began)
    assert waits == [0.0, 0.5, 1.0, 2.0]


def test_a_fault_of_ours_ends_a_process_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, process("engine"):
        raise BusError("The bus does not answer.")
    assert ended.value.code == FAULT
    said = capfd.readouterr().err
    assert "ended by a fault: The bus does not answer." in said
    assert "Traceback" not in said
