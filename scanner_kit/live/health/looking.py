"""Looking at a desk: what its bus, its processes and this machine say of themselves, as `Signs`."""

import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from scanner_kit.bus.beats import LEAST_FREE, Beat, read_beats, read_notes
from scanner_kit.bus.connection import Bus, reason_of
from scanner_kit.health import NO_HEARTBEAT, Fault, Health
from scanner_kit.live.feed.backlog import backlog_of
from scanner_kit.live.health.signs import EXPECTED, DeskHealth, Signs, present

PROBE_SECONDS = 60
LOOK_AROUND_EVERY = 5.0
"""Seconds between two looks for processes under other prefixes: that walks over all keys."""


class Look:
    """Looks at the desk of a bus, as often as it is asked; a bus that does not answer is a sign too.

    >>> from scanner_kit.live.server import bus_of
    >>> from scanner_kit.settings import read_settings
    >>> print(Look(bus_of(read_settings())).health())  # doctest: +SKIP
    """

    def __init__(
        self,
        bus: Bus,
        state: Path | None = None,
        *,
        expected: tuple[str, ...] = EXPECTED,
        patient: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bus, self.state, self.clock = bus, state, clock
        self._judge = DeskHealth(expected, patient)
        self._host = socket.gethostname()
        self._probe = bus.keys.probe(f"health:{self._host}")
        self._may_write, self._lock = True, threading.Lock()
        self._offset, self._looked = 0.0, float("-inf")
        self._beats: tuple[Beat, ...] = ()
        self._elsewhere: tuple[Beat, ...] = ()
        self._inbox: tuple[Fault, ...] = ()

    def health(self) -> tuple[Health, ...]:
        """Health now, the worst first."""
        with self._lock:
            return self.judged(self.signs())

    def judged(self, signs: Signs) -> tuple[Health, ...]:
        """Health by these signs, the worst first."""
        return self._judge.rows(signs)

    def told(self) -> tuple[tuple[Health, ...], list[dict[str, Any]]]:
        """Health now, and the processes as plain values: for a board.

        Of a process that is gone only while nobody has replaced it.
        """
        rows = self.health()
        return rows, [vars(beat) for beat in present(self._beats, self.clock() - self._offset)]

    def signs(self) -> Signs:
        """What is seen now."""
        reached, trouble, memory = True, None, (0.0, 0.0)
        try:
            self._read()
            memory = self._memory()
            self._write()
        except redis.RedisError as fault:
            trouble = reason_of(fault) or f"it refuses us: {fault}"
            code = getattr(fault, "status_code", None)
            lost = isinstance(fault, redis.ConnectionError | redis.TimeoutError) and not code
            reached = not lost
        return Signs(
            now=self.clock() - self._offset,
            beats=self._beats,
            reached=reached,
            trouble=trouble,
            how=self.bus.how,
            url=self.bus.url,
            prefix=self.bus.keys.prefix,
            host=self._host,
            offset=self._offset,
            strangers=self._strangers(),
            faults=(*self._disk(), *self._inbox),
            memory=memory,
        )

    def _read(self) -> None:
        before = self.clock()
        seconds, micro = self.bus.redis.time()
        self._offset = (before + self.clock()) / 2 - (seconds + micro / 1e6)
        self._beats = read_beats(self.bus)
        if before - self._looked >= LOOK_AROUND_EVERY:
            self._looked = before
            self._elsewhere, self._inbox = self._look_around(), self._look_in()

    def _memory(self) -> tuple[float, float]:
        """Bytes used, and the most that may be; nothing where the server does not say."""
        try:
            said: Any = self.bus.redis.info("memory")
        except redis.ResponseError:
            return 0.0, 0.0
        return float(said.get("used_memory", 0)), float(said.get("maxmemory", 0))

    def _write(self) -> None:
        """Write something, as the processes have to; who may only read leaves that to others."""
        if not self._may_write:
            return
        try:
            self.bus.redis.hset(self._probe, "at", str(self.clock()))
            self.bus.redis.expire(self._probe, PROBE_SECONDS)
        except redis.exceptions.NoPermissionError:
            self._may_write = False

    def _look_around(self) -> tuple[Beat, ...]:
        """Processes that beat on this server now under another prefix, of roles that are missing under ours."""
        now = self.clock() - self._offset
        here = {beat.role for beat in self._beats if now - beat.at < NO_HEARTBEAT and not beat.ended}
        found: list[Beat] = []
        if here.issuperset(EXPECTED):
            return ()
        for key in self.bus.redis.scan_iter(match="{*}:beats", count=1000, _type="HASH"):
            if key.decode() != self.bus.keys.beats:
                texts: Any = self.bus.redis.hvals(key)
                found += map(Beat.of, texts)
        alive = [beat for beat in found if now - beat.at < NO_HEARTBEAT and not beat.ended]
        return tuple(beat for beat in alive if beat.role not in here)

    def _look_in(self) -> tuple[Fault, ...]:
        """What is wrong with the inbox; who may not look there leaves that to others."""
        try:
            reason = backlog_of(self.bus).reason
        except redis.exceptions.NoPermissionError:
            return ()
        return () if reason is None else (Fault("inbox", reason),)

    def _strangers(self) -> tuple[Beat, ...]:
        """Those, and the processes of this machine and state folder that use another bus or prefix.

        Where an ingest and an engine meet, they are a desk of their own, and no strangers to this one.
        """
        ours = self.bus.keys.prefix, self.bus.url
        notes = read_notes(self.state) if self.state else ()
        known = {beat.id: beat for beat in (*self._elsewhere, *notes) if (beat.prefix, beat.redis) != ours}
        roles: dict[tuple[str, str], set[str]] = {}
        for beat in known.values():
            roles.setdefault((beat.prefix, beat.redis), set()).add(beat.role)
        return tuple(beat for beat in known.values() if not {"ingest", "engine"} <= roles[beat.prefix, beat.redis])

    def _disk(self) -> tuple[Fault, ...]:
        if self.state is None or not self.state.is_dir():
            return ()
        free = shutil.disk_usage(self.state).free
        if free >= LEAST_FREE:
            return ()
        return (Fault(f"disk of {self._host}", f"it is full: {free >> 20} MB are free at {self.state}"),)
