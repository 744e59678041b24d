"""The supervisor: starts the processes of a desk on one machine, and starts again whichever ends by itself.

1. Every station is started as a process of its own, which ends when the supervisor does, however that ends.
2. A station that ends is started again: at once the first time, then after ever longer waits, up to `LONGEST_WAIT`.
3. A station that ends soon after its first start, saying that it was given something wrong (exit status 1 or 2), ends
   all: so it is seen at once. One that was at work before is started again whatever it says, and who runs the desk is
   told each time that it ended soon after its start. A fault of its own is another status (`process.FAULT`).
4. At the end each gets SIGTERM, the last of the chain first, and SIGKILL after `GRACE` seconds.
"""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scanner_kit.errors import InvalidInput
from scanner_kit.live.process import told_status

log = logging.getLogger(__name__)

POLL, GRACE = 0.1, 10.0
FIRST_WAIT, LONGEST_WAIT, SETTLED = 0.25, 8.0, 60.0
WRONG = (1, 2)
"""What commands end with that were given something wrong."""
SOON = 10.0
Failing = Callable[[str, int, float, str], None]


@dataclass(frozen=True)
class Station:
    """A process of the desk: its name, and the command that runs it."""

    name: str
    command: tuple[str, ...]


@dataclass
class _Watched:
    """A station at work: its process, when that was started, and when it may be started again."""

    station: Station
    clock: Callable[[], float]
    failing: "Failing"
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0
    due: float = 0.0
    wait: float = 0.0
    restarts: int = 0

    def start(self) -> None:
        """Start it; what it reads is held open until this process ends."""
        self.process = subprocess.Popen(self.station.command, stdin=subprocess.PIPE, start_new_session=True)
        self.began = self.clock()

    def look(self) -> None:
        """Note that it ended, and start it again when that is due."""
        if self.process is None:
            if self.clock() >= self.due:
                self.restarts += 1
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        lived, pid = self.clock() - self.began, self.process.pid
        self._close()
        if status in WRONG and lived < SOON and not self.restarts:
            raise InvalidInput(f"{self.station.name} cannot work: it says why above (exit status {status}).")
        self.wait = 0.0 if lived >= SETTLED else min(max(FIRST_WAIT, 2 * self.wait), LONGEST_WAIT)
        self.due = self.clock() + (0.0 if not self.restarts else self.wait)
        told = f"ended with {told_status(status)} after {lived:.0f} s"
        log.warning("%s %s; it is started again", self.station.name, told)
        if status and self.restarts and lived < SOON:
            self.failing(self.station.name, pid, lived, f"{told}, and does so whenever it is started: its log says why")

    def end(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_for_end(self, until: float) -> None:
        """Wait until it has ended; what has not by then is killed."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - self.clock()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not end within %.0f s: killed", self.station.name, GRACE)
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


@dataclass
class Supervisor:
    """Runs stations, in the order of the chain, until it is told to end.

    >>> import sys
    >>> over = threading.Event()
    >>> desk = Supervisor([Station("sleeper", (sys.executable, "-c", "input()"))])
    >>> desk.start()
    >>> desk.end()
    >>> desk.processes
    {}
    """

    stations: Sequence[Station]
    clock: Callable[[], float] = time.monotonic
    failing: Failing = lambda *_: None
    """Called with name, process number, seconds lived and reason of what ends soon after it was started again."""
    _watched: list[_Watched] = field(default_factory=list, repr=False)

    @property
    def processes(self) -> dict[str, int]:
        """The process number of each station that is at work."""
        return {one.station.name: one.process.pid for one in self._watched if one.process is not None}

    def start(self) -> None:
        """Start every station."""
        self._watched = [_Watched(station, self.clock, self.failing) for station in self.stations]
        for one in self._watched:
            one.start()

    def look(self) -> None:
        """Start again what has ended; `InvalidInput` where that would be of no use."""
        for one in self._watched:
            one.look()

    def end(self) -> None:
        """End every station, the last of the chain first."""
        until = self.clock() + GRACE
        for one in reversed(self._watched):
            one.end()
        for one in reversed(self._watched):
            one.wait_for_end(until)
        self._watched = []

    def run(self, over: threading.Event) -> None:
        """Start everything, keep it at work until `over` is set, and end it."""
        self.start()
        try:
            while not over.wait(POLL):
                self.look()
        finally:
            self.end()
