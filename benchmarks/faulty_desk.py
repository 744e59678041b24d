"""A desk of real processes in a folder of its own, and what those who look at it see.

The server of the bus and its owner, an ingest, an engine, a store and the pages are processes that `Desk` starts and
ends. Two look: a process that asks `Look`, and one who asks the pages at `/api/health`; `Eyes` notes what both see.
"""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faulty import LOOK_SECONDS, STUCK, Told
from scanner_kit.bus.connection import Bus, connect
from scanner_kit.live.server import running

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120.0
SEERS = ("Look", "/api/health")


@dataclass(frozen=True)
class Row:
    """A row of health as somebody saw it, and when by the monotonic clock."""

    at: float
    subject: str
    state: str
    colour: str
    reason: str


@dataclass
class Eyes:
    """What each who looks saw, in order: an instant, and the rows."""

    seen: dict[str, list[tuple[float, list[Row]]]] = field(default_factory=lambda: {seer: [] for seer in SEERS})

    def note(self, seer: str, rows: Sequence[Sequence[str]]) -> None:
        """Note what somebody sees now."""
        at = time.monotonic()
        self.seen[seer].append((at, [Row(at, *map(str, row)) for row in rows]))

    def matching(self, seer: str, since: float, subject: str, state: str, reason: str) -> list[Row]:
        """The rows seen since then that are as described: subject and reason are patterns."""
        fits = [row for at, rows in self.seen[seer] if at >= since for row in rows]
        return [
            row
            for row in fits
            if row.state == state and re.fullmatch(subject, row.subject) and re.search(reason, row.reason)
        ]

    def red(self, since: float) -> set[str]:
        """What was red beside lists since then, of more than two looks."""
        count: dict[str, int] = {}
        for seer in SEERS:
            for at, rows in self.seen[seer]:
                for row in rows if at >= since else ():
                    if row.colour == "red" and not row.subject.startswith("list "):
                        name = f"{row.subject} {row.state}"
                        count[name] = count.get(name, 0) + 1
        return {name for name, times in count.items() if times > 4}

    def calm(self, since: float) -> bool:
        """Whether each of them saw something since then, and nothing of it was red."""
        late = [[row for at, rows in self.seen[seer] if at >= since for row in rows] for seer in SEERS]
        return all(late) and not any(row.colour == "red" for rows in late for row in rows)


# The desk


class Desk:
    """The processes of a desk in a folder of its own, which ends with the block.

    `shifter` is what shifts clocks: of all processes (`shift` given, seconds), or of one that is started with a shift.
    """

    def __init__(
        self, folder: Path, shifter: Path | None = None, shift: float | None = None, **environment: str
    ) -> None:
        self.folder, self.shifter, self.told, self.eyes = folder, shifter, Told(folder / "told"), Eyes()
        self.state = folder / "state"
        for made in (self.state, self.told.folder):
            made.mkdir(parents=True)
        (folder / "faulty_scanners.py").write_text(STUCK)
        drop = ("SCANNER_KIT_REDIS_URL", "SCANNER_KIT_PREFIX", "SCANNER_KIT_STORE_URL", "SCANNER_KIT_SETTINGS")
        self.environment = {name: word for name, word in os.environ.items() if name not in drop}
        self.environment |= {
            "SCANNER_KIT_STATE": str(self.state),
            "FAULTY": str(self.told.folder),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder))),
            **environment,
        }
        if shift is not None:
            self.environment |= self.clock("all", shift)
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        self.port = _free_port()
        self.bus: Bus
        self._over = threading.Event()

    def clock(self, name: str, shift: float) -> dict[str, str]:
        """The environment of a process whose clock is off by what a file says."""
        path = self.folder / f"{name}.clock"
        self.shift(name, shift)
        return {"LD_PRELOAD": str(self.shifter), "FAULTY_CLOCK": str(path)}

    def shift(self, name: str, seconds: float) -> None:
        """Set a clock off by so much, from now on."""
        with (self.folder / f"{name}.clock").open("r+b" if (self.folder / f"{name}.clock").exists() else "wb") as file:
            file.write(struct.pack("d", seconds))

    def __enter__(self) -> "Desk":
        self.start("owner", "-m", "scanner_kit.live.owner", str(self.state), "--wait")
        url, how = until(lambda: running(self.state), "the bus")
        self.bus = connect(url, how=how)
        return self

    def look(self) -> None:
        """Start those who look."""
        self.start("look", "-m", "benchmarks.faulty", "look", stdout=subprocess.PIPE)
        for work in (self._look, self._ask):
            threading.Thread(target=work, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for name in reversed(list(self.processes)):
            self.end(name)
        self.bus.close()

    def start(self, name: str, *words: str, stdout: Any = subprocess.DEVNULL, **environment: str) -> None:
        """Start a process; `words` are for Python."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words],
                env={**self.environment, **environment},
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=log,
                cwd=ROOT,
            )

    def command(self, name: str, *words: str, **environment: str) -> None:
        """Start a command of scanner-kit."""
        self.start(name, "-m", "scanner_kit", *words, "--with-parent", **environment)

    def serve(self) -> None:
        """Start the pages."""
        self.command("serve", "serve", f"--port={self.port}")

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> float:
        """End a process, and wait for that; when it was."""
        one = self.processes.pop(name)
        one.send_signal(how)
        try:
            one.wait(20)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
        return time.monotonic()

    def _look(self) -> None:
        for line in self.processes["look"].stdout or ():
            self.eyes.note(SEERS[0], json.loads(line))

    def _ask(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError, ValueError):
                self.eyes.note(SEERS[1], asked(f"http://127.0.0.1:{self.port}/api/health"))


def asked(address: str) -> list[list[str]]:
    """The rows that the pages tell a machine."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            text = answer.read()
    except urllib.error.HTTPError as broken:
        if broken.code != 503:
            raise
        text = broken.read()
    return [[row["subject"], row["state"], row["colour"], row["reason"]] for row in json.loads(text)["rows"]]


def until(holds: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait for something to be so; what it gave."""
    end = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < end, f"waited {patience:g} s for {what}"
        time.sleep(0.1)
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
