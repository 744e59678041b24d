"""Heartbeats: what every process of a desk says of itself, once a second.

A beat is a field of one hash, named role, host and process number. Its instants are by the server's clock, so that
those of several machines can be compared; by how much the process's own clock differs is in the beat too.

What a process says beyond that are its `Facts`. They may lack anything: what is not said is not judged.
"""

import json
import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import redis

from scanner_kit.bus.connection import Bus, reason_of
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.errors import InvalidInput

log = logging.getLogger(__name__)

Role = Literal["ingest", "engine", "jobs", "store", "serve"]
Facts = Mapping[str, Any]
"""Fields of `Beat` that only the process knows: state, last_tape, figures, … Instants are its own `time.time()`."""

EVERY = 1.0
LEAST_FREE = 200 << 20
"""Bytes that must be free where a process writes: with less its disk counts as full."""
INSTANTS = ("began", "last_tape", "last_step", "last_bar")
SWEEP_EVERY = 3600.0
PROCESSES = "processes"
"""The folder, in the state folder, where processes of this machine leave a note of the bus that they use."""


@dataclass(frozen=True)
class Trouble:
    """A resource that fails a process: disk full, store locked. `since` by the server's clock."""

    resource: str
    reason: str
    since: float | None = None


@dataclass(frozen=True)
class Beat:
    """What a process said last. Instants are seconds since 1970 by the server's clock.

    `state`: starting, recovering, leading, standby, running or stopped; or failing, as its supervisor says of one that
    ends whenever it is started. `offset`: own clock − the server's, in seconds. `version`: of the settings in force,
    since `version_at`. `last_tape`, `last_step`, `last_bar`: when there was something new to work on, when work was
    last done, when a bar last came. `delays`: arrival − minute's end of the last steps, in seconds.
    `session`: of a day that is played; a live feed says none. `liquid`: how many liquid symbols are followed. `warmth`:
    fact, symbols that lack it, symbols with a bar today. `lists`: how many are on each. `halts`: since when, by symbol.
    `silent`: symbols of which a probe of the vendor has newer bars, for how many minutes, and the shares usual in them.
    """

    role: str
    id: str
    host: str = ""
    pid: int = 0
    began: float = 0.0
    at: float = 0.0
    offset: float = 0.0
    state: str = "running"
    version: int | None = None
    version_at: float | None = None
    prefix: str = ""
    redis: str = ""
    label: str = ""
    session: str | None = None
    last_tape: float | None = None
    last_step: float | None = None
    last_bar: float | None = None
    delays: tuple[float, ...] = ()
    vendor_delayed: bool = False
    liquid: int = 0
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    faults: tuple[Trouble, ...] = ()
    warmth: tuple[tuple[str, int, int], ...] = ()
    lists: Mapping[str, int] = field(default_factory=dict, hash=False)
    halts: Mapping[str, float] = field(default_factory=dict, hash=False)
    suspects: tuple[str, ...] = ()
    silent: tuple[tuple[str, float, float], ...] = ()

    @property
    def name(self) -> str:
        """Role and place: `engine on desk1 (process 4711)`."""
        return f"{self.role} on {self.host} (process {self.pid})"

    @property
    def ended(self) -> bool:
        """Whether it is known to have ended: it said so itself, or its supervisor does."""
        return self.state in ("stopped", "failing")

    def text(self) -> str:
        """As it is written on the bus: JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, text: str | bytes) -> "Beat":
        """A beat as it was written; fields of a newer version are left out.

        >>> beat = Beat("engine", "engine:desk1:7", faults=(Trouble("store", "it is locked"),), delays=(1.5,))
        >>> Beat.of(beat.text()) == beat
        True
        """
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in json.loads(text).items() if name in known}
        troubles = {one.name for one in fields(Trouble)}
        for name, made in (
            ("faults", lambda one: Trouble(**{key: value for key, value in one.items() if key in troubles})),
            ("warmth", tuple),
            ("silent", tuple),
            ("delays", float),
            ("suspects", str),
        ):
            given[name] = tuple(made(one) for one in given.get(name, ()))
        return cls(**given)


SAID = {one.name for one in fields(Beat)} - {"role", "id", "host", "pid", "at", "offset", "prefix", "redis"}
"""What `Facts` may hold."""


def read_beats(bus: Bus) -> tuple[Beat, ...]:
    """The last beat of each process, by role, host and number."""
    found: Mapping[bytes, bytes] = bus.redis.hgetall(bus.keys.beats)  # type: ignore[assignment]
    beats = (Beat.of(text) for _, text in sorted(found.items()))
    return tuple(beats)


def read_notes(state: Path) -> tuple[Beat, ...]:
    """What processes of this machine that live now noted of themselves, whatever bus they use."""
    found = []
    for path in sorted((state / PROCESSES).glob("*.json")):
        try:
            if time.time() - path.stat().st_mtime < 6 * EVERY:
                found.append(Beat.of(path.read_bytes()))
        except (OSError, ValueError):
            continue  # removed, or not yet written, while we looked
    return tuple(found)


def say_failing(bus: Bus, role: str, pid: int, lived: float, reason: str) -> None:
    """Say for a process that ends whenever it is started, and cannot say it itself; nothing where the bus is away."""
    host = socket.gethostname()
    try:
        seconds, micro = bus.redis.time()
        at = seconds + micro / 1e6
        said: dict[str, Any] = {"state": "failing", "faults": (Trouble(role, reason),), "began": at - lived, "at": at}
        place: dict[str, Any] = {"prefix": bus.keys.prefix, "redis": bus.url}
        beat = Beat(role, f"{role}:{host}:failing", host, pid, **said, **place)
        bus.redis.hset(bus.keys.beats, beat.id, beat.text())
        bus.redis.expire(bus.keys.beats, KEPT_SECONDS)
    except redis.RedisError as fault:
        log.warning("health is not told that %s fails: %s", role, reason_of(fault) or fault)


class Beating:
    """Says once a second how a process is, until the block ends; whatever happens, the work goes on.

    `facts` is asked from a thread of its own before each beat. With a state folder, a note is left there too for the
    neighbours of this machine, and its disk is watched.
    """

    def __init__(
        self,
        bus: Bus,
        role: Role,
        facts: Callable[[], Facts] = dict,
        *,
        state: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bus, self.role, self.state = bus, role, state
        self.host, self.pid = socket.gethostname(), os.getpid()
        self.id = f"{role}:{self.host}:{self.pid}"
        self.offset = 0.0
        self.silent = False
        """Whether the last beat did not reach the bus."""
        self._unnoted = False
        self._version: int | None = None
        self._version_at: float | None = None
        self._facts, self._clock, self._began = facts, clock, clock()
        self._over, self._swept = threading.Event(), 0.0
        self._since: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"scanner_kit {role} beats")

    def __enter__(self) -> "Beating":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._try(lambda: self._say("stopped"))
        if self._note is not None:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    def beat(self, at: float, said: str | None = None) -> Beat:
        """The beat of an instant of the server's clock; `said` is the state whatever the facts say."""
        given = dict(self._asked())
        troubles = [Trouble(**one) if isinstance(one, dict) else one for one in given.pop("faults", ())]
        troubles += self._disk()
        for name in INSTANTS:
            if given.get(name) is not None:
                given[name] = given[name] - self.offset
        given["halts"] = {symbol: since - self.offset for symbol, since in given.get("halts", {}).items()}
        given.setdefault("began", self._began - self.offset)
        if said:
            given["state"] = said
        own = {"role": self.role, "id": self.id, "host": self.host, "pid": self.pid, "at": at, "offset": self.offset}
        place = {"prefix": self.bus.keys.prefix, "redis": self.bus.url}
        given["delays"] = tuple(given.get("delays", ()))
        if given.get("version") != self._version:
            self._version, self._version_at = given.get("version"), at
        given["version_at"] = self._version_at
        return Beat(**{**given, **own, **place}, faults=self._lasting(troubles, at))

    def _run(self) -> None:
        while not self._over.is_set():
            self._try(self._say)
            self._over.wait(EVERY)

    def _say(self, said: str | None = None) -> None:
        self._leave_note()
        before = self._clock()
        seconds, micro = self.bus.redis.time()
        at = seconds + micro / 1e6
        self.offset = (before + self._clock()) / 2 - at
        with self.bus.redis.pipeline(transaction=False) as pipe:
            pipe.hset(self.bus.keys.beats, self.id, self.beat(at, said).text())
            pipe.expire(self.bus.keys.beats, KEPT_SECONDS)
            pipe.execute()
        if at - self._swept > SWEEP_EVERY:
            self._swept = at
            self._sweep(at)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (redis.RedisError, OSError) as fault:
            if not self.silent:
                log.warning("no heartbeat: %s", (isinstance(fault, redis.RedisError) and reason_of(fault)) or fault)
            self.silent = True
        else:
            self.silent = False

    def _asked(self) -> Facts:
        try:
            given = self._facts()
            unknown = sorted(set(given) - SAID)
            if unknown:
                raise InvalidInput(f"A beat has no {unknown[0]!r}. Known: {', '.join(sorted(SAID))}.")
        except Exception as fault:  # the beat says so, and so does health; the work does not end for it
            return {"faults": [Trouble(f"heartbeat of {self.role}", f"it cannot say how it is: {fault!r}")]}
        return given

    def _disk(self) -> list[Trouble]:
        if self.state is None or not self.state.is_dir():
            return []
        free = shutil.disk_usage(self.state).free
        if free >= LEAST_FREE:
            return []
        return [Trouble(f"disk of {self.host}", f"it is full: {free >> 20} MB are free at {self.state}")]

    def _lasting(self, troubles: list[Trouble], at: float) -> tuple[Trouble, ...]:
        """The troubles, each since it was first seen, or since when the process says."""
        self._since = {one.resource: self._since.get(one.resource, at) for one in troubles}
        return tuple(
            Trouble(
                one.resource, one.reason, self._since[one.resource] if one.since is None else one.since - self.offset
            )
            for one in troubles
        )

    @property
    def _note(self) -> Path | None:
        return None if self.state is None else self.state / PROCESSES / f"{self.role}-{self.pid}.json"

    def _leave_note(self) -> None:
        """Leave the note for the neighbours; where the folder cannot be written they do without."""
        if self._note is None:
            return
        try:
            self._note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._note.exists():
                os.utime(self._note)
            else:
                keys, url = self.bus.keys, self.bus.url
                note = Beat(self.role, self.id, self.host, self.pid, self._began, prefix=keys.prefix, redis=url)
                self._note.write_text(note.text(), encoding="utf-8")
        except OSError as fault:
            if not self._unnoted:
                log.warning("no note for the neighbours of this machine: %s", fault)
            self._unnoted = True
        else:
            self._unnoted = False

    def _sweep(self, at: float) -> None:
        """Remove beats of processes that are gone for longer than a key is kept."""
        gone = [beat.id for beat in read_beats(self.bus) if at - beat.at > KEPT_SECONDS]
        if gone:
            self.bus.redis.hdel(self.bus.keys.beats, *gone)
