"""The owner of a private server: a process that starts it, starts it again when it dies, and ends it cleanly.

1. One owner per state folder: it holds `owner.lock`; another ends at once, or waits for its turn (`--wait`).
2. The server itself holds `server.lock`, which it inherited: while one lives, though it may hang, no second is started
   on the same files. One that an owner left behind is taken over.
3. One that dies is started again: its file is synced every second, so that what it had answered is there again.

`python -m scanner_kit.live.owner FOLDER` is what `scanner_kit.live.server` and the supervisor run.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from scanner_kit.bus.connection import BusError
from scanner_kit.errors import ScannerKitError
from scanner_kit.live.process import until_alone
from scanner_kit.live.server import Place, answers, locked, programs, shut_down

log = logging.getLogger(__name__)

LOOK, LOCK_SECONDS, STARTS_WITHIN, GRACE = 0.2, 0.5, 20.0, 10.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
MOST_MEMORY = 2 << 30

CONFIG = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory {memory}
maxmemory-policy noeviction
lazyfree-lazy-expire yes
databases 1
daemonize no
logfile {log}
loglevel warning
"""


class Server(Protocol):
    """A private server at work."""

    def lives(self) -> bool: ...  # noqa: D102

    def end(self) -> None: ...  # noqa: D102


def own(state: Path, server: str | None, over: threading.Event, *, wait: bool = False) -> bool:
    """Keep the private server of a state folder at work until `over` is set, and end it.

    False where another owns it; with `wait` its end is waited for.

    Raises
    ------
    BusError
        The server does not come up the first time.
    """
    place = Place(state)
    place.make()
    with place.lock.open("a+", encoding="utf-8") as lock:
        until = time.monotonic() + LOCK_SECONDS  # who only looks whether there is an owner holds it for a moment
        while not locked(lock):
            if (not wait and time.monotonic() > until) or over.wait(0.05):
                return False
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _keep(place, server, over)
    return True


def _keep(place: Place, server: str | None, over: threading.Event) -> None:
    kept, pause = _begin(place, server, over), FIRST_WAIT
    try:
        while not over.wait(LOOK) and place.lock.exists():  # a folder that was removed needs no server
            if kept.lives():
                pause = FIRST_WAIT
                continue
            log.warning("the private server ended by itself; it is started again")
            try:
                kept = _begin(place, server, over)
            except BusError as fault:
                log.warning("%s", fault)
                over.wait(pause)
                pause = min(2 * pause, LONGEST_WAIT)
    finally:
        kept.end()


def _begin(place: Place, server: str | None, over: threading.Event) -> Server:
    """The server that runs, left behind by another owner, or one started now."""
    if answers(place.url) and place.said().get("how") == "private":
        return LeftBehind(place)
    program = next(programs(place.state, server), None)
    return Demo(place) if program is None else Started(place, program, over)


class Started:
    """A server of ours: a Redis or Valkey, our child."""

    def __init__(self, place: Place, program: str, over: threading.Event) -> None:
        self.url = place.url
        place.say(self.url, "private", program)
        config = place.folder / "redis.conf"
        config.write_text(_config(place), encoding="utf-8")
        with (place.folder / "server.lock").open("a") as lock:
            while not locked(lock):  # one that hangs still has the files
                if over.wait(LOOK):
                    raise BusError("Another server still has the files of the private server, and does not answer.")
            self.process = subprocess.Popen([program, str(config)], pass_fds=[lock.fileno()], stdin=subprocess.DEVNULL)
        until = time.monotonic() + STARTS_WITHIN
        while not answers(self.url):
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise BusError(f"{program} does not come up: {place.last_line()}.")
            time.sleep(0.01)
        log.info("private server %s, process %d", program, self.process.pid)

    def lives(self) -> bool:
        """Whether its process does."""
        return self.process.poll() is None

    def end(self) -> None:
        """End it cleanly: what it was told is on disk."""
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class LeftBehind:
    """A server whose owner was killed: not our child, but on our files and our socket."""

    def __init__(self, place: Place) -> None:
        self.url = place.url
        log.info("took over the private server that runs")

    def lives(self) -> bool:
        """Whether it answers."""
        return answers(self.url)

    def end(self) -> None:
        """End it cleanly."""
        shut_down(self.url)


class Demo:
    """A stand-in in Python, in this process: it keeps nothing."""

    def __init__(self, place: Place) -> None:
        from scanner_kit.live.standin import StandIn

        self.server = StandIn.at(place)
        threading.Thread(target=self.server.serve_forever, daemon=True, name="scanner_kit demo bus").start()
        log.warning("DEMO: no valkey-server or redis-server was found; a stand-in serves, which keeps nothing")

    def lives(self) -> bool:
        """It lives as long as this process."""
        return True

    def end(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


def _config(place: Place) -> str:
    paths = {"socket": place.socket, "folder": place.folder, "log": place.log}
    quoted = {name: json.dumps(str(path), ensure_ascii=False) for name, path in paths.items()}
    return CONFIG.format(**quoted, memory=_memory())


def _memory() -> int:
    """Bytes that the server may use: at most half of the machine's."""
    try:
        return min(MOST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    except (AttributeError, ValueError, OSError):
        return MOST_MEMORY


def main(arguments: Sequence[str] | None = None) -> int:
    """Own a private server until SIGTERM; with `--wait` also until standard input ends."""
    parser = argparse.ArgumentParser(prog="scanner_kit.live.owner", description=main.__doc__)
    parser.add_argument("state", type=Path, help="the state folder")
    parser.add_argument("--server", help="the program, or 'demo'")
    parser.add_argument("--wait", action="store_true", help="wait where another owns it, and end with standard input")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s bus: %(message)s", datefmt="%H:%M:%S")
    over = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: over.set())
    if given.wait:
        threading.Thread(target=until_alone, args=[over], daemon=True).start()
    try:
        own(given.state, given.server, over, wait=given.wait)
    except ScannerKitError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
