"""How soon an engine that was killed in the middle of the afternoon is back and publishing: 10,000 symbols, at 15:00.

Run by `make bench`. The tape of the day stands on a private server; the engine's process is started, recovers from it,
and publishes the steps that nobody had published. Counted from the start of the process, imports included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.report import Figure, verdict
from scanner_kit.bus.board import BoardReader
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.heads import Head, Pace
from scanner_kit.bus.tape import TapeWriter, set_current_day
from scanner_kit.live import server
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

AT_15 = 660
LEFT = 5
"""The steps that nobody had published when the engine died."""
BUDGET = 5.0
PATIENCE = 300.0

Run = dict[str, float]


def main() -> None:
    """Measure each size, and write recovery.md and recovery.json."""
    given, began = report.options(__doc__ or ""), report.busy()
    found = {str(size): measure(size, 1 if given.quick else 4) for size in given.sizes}
    data = {"machine": report.machine(), "busy": began, "found": found}
    report.write("recovery", page(data), data, figures(data), given.results)


def measure(symbols: int, rounds: int) -> list[Run]:
    """The times of recoveries, one after the other; the first has to compile what no process of this machine has."""
    with tempfile.TemporaryDirectory(prefix="back") as folder:
        settings = Settings(live=LiveSettings(state=folder))
        with server.kept_up(settings), server.bus_of(settings) as bus:
            day = play(bus, symbols)
            recover(bus, Path(folder))
            return [again(bus, Path(folder), day) for _ in range(rounds)]


def play(bus: Bus, symbols: int) -> str:
    """Put the day through 15:00 on the tape."""
    tape = simulated_tape(SimulatedMarket(symbols=symbols))
    writer = TapeWriter(bus, tape.universe.day)
    writer.open(Head(tape.universe, Pace(time.time(), 1e9)))
    for k in range(AT_15 + 1):
        writer.closed(tape.bars(k), time.time())
    set_current_day(bus, tape.universe.day)
    return str(tape.universe.day.date)


def again(bus: Bus, folder: Path, day: str) -> Run:
    """Forget that the last steps were published, and recover."""
    stream = bus.keys.scans(day)
    newest: Any = bus.redis.xrevrange(stream, count=LEFT + 1)
    for entry, _ in newest[:LEFT]:
        bus.redis.xdel(stream, entry)
    stood = newest[LEFT][1]
    bus.redis.hset(bus.keys.board, mapping={"entry": f"{day} {stood[b'entry'].decode()}", "n": stood[b"n"]})
    return recover(bus, folder)


def recover(bus: Bus, folder: Path) -> Run:
    """Start an engine, wait until the day is published through 15:00, and end it."""
    stands = bus.redis.hget(bus.keys.board, "entry")
    began, first = time.perf_counter(), 0.0
    command = [sys.executable, "-m", "scanner_kit", "engine", "--with-parent"]
    given = {**os.environ, "SCANNER_KIT_STATE": str(folder)}
    with subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as engine:
        while True:
            spent = time.perf_counter() - began
            assert spent < PATIENCE, "the engine does not come back"
            assert engine.poll() is None, "the engine has ended"
            if not first and bus.redis.hget(bus.keys.board, "entry") != stands:
                first = spent
            if first and published(bus) >= AT_15:
                break
            time.sleep(0.005)
        engine.terminate()
    return {"first": first, "all": spent}


def published(bus: Bus) -> int:
    """The minute of the step that was published last."""
    step = BoardReader(bus).whole()
    return -1 if step is None else step.k


def page(data: dict[str, Any]) -> str:
    """What was found, as a page of Markdown."""
    rows = [
        (f"{int(size):,}", *(told(runs, name) for name in ("first", "all"))) for size, runs in data["found"].items()
    ]
    lines = [
        "# Recovery",
        "",
        "An engine is started at 15:00 of a simulated day whose tape is on the bus; the five steps before were not yet",
        "published. From the start of its process, imports included: the best of the rounds, and the worst.",
        "",
        report.table(("symbols", "first step published", "all published"), rows),
        "",
        f"{data['machine']}; {data['busy']}.",
    ]
    return "\n".join(lines) + "\n"


def told(runs: list[Run], name: str) -> str:
    """The best of the rounds, and the worst."""
    times = [run[name] for run in runs]
    return f"{min(times):.2f} ({max(times):.2f}) s"


def figures(data: dict[str, Any]) -> list[Figure]:
    """The row of the README."""
    size, runs = list(data["found"].items())[-1]
    best = min(run["first"] for run in runs)
    what = f"an engine killed at 15:00 publishes again, {int(size):,} symbols, imports included"
    return [Figure(what, f"{BUDGET:g} s", told(runs, "first"), verdict(best, BUDGET))]


if __name__ == "__main__":
    main()
