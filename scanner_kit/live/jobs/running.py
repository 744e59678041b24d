"""Jobs: runs the scheduled scanners of a desk, each in a process of its own, and puts their results on the tape.

1. The tape is the clock: a scan is due by the last minute that is closed on it. What was missed is made up for once.
2. A scan is tried again after a while where it fails, and after so many in a row that failed it is switched off until
   somebody switches it on. One scanner's fault, or its hanging, is its own: each has its thread and its process.
3. A result is appended under the minute for which it was due, as that writer's number: whoever is ended in between, or
   runs beside another, puts nothing there twice. Symbols that it adds join before it.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scanner_kit.bus.beats import Beating, Trouble
from scanner_kit.bus.board import BoardReader
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.tape import TapeLost, TapeReader, TapeWriter, current_day, wait_for_day
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.live.feed.joining import join_of, put_change
from scanner_kit.live.jobs.child import Answer, Child, Made, Order, ScanFault
from scanner_kit.live.rosters import roster_of
from scanner_kit.metrics import Metric
from scanner_kit.results import Result
from scanner_kit.scheduled import ScheduledScanner, scheduled_in, symbol_of
from scanner_kit.tuning.named import named
from scanner_kit.universe import Universe

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
KEPT_SECONDS = 30 * 24 * 3600
"""How long what is kept of a scanner outlives its last scan."""


def run(
    bus: Bus,
    over: threading.Event,
    *,
    scanners: Sequence[str] = (),
    state: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run the scheduled scanners among the user's own, named as `module:Scanner`, day after day until `over`."""
    jobs = Jobs(bus, over, scanners, clock=clock)
    with Beating(bus, "jobs", jobs.facts, state=state, clock=clock):
        jobs.run()


def scheduled_of(own: Sequence[str]) -> dict[str, str]:
    """The scheduled scanners that these texts name, by name: which text. What cannot be imported is left out."""
    found: dict[str, str] = {}
    for text in own:
        try:
            thing = named(text)
        except InvalidInput:
            continue  # the engine says so
        for name in () if isinstance(thing, Metric) else scheduled_in([thing]):
            found.setdefault(name, text)
    return found


@dataclass(frozen=True)
class Kept:
    """What is kept of a scheduled scanner on the bus: why it is off and since when, failures in a row, its state."""

    off: str = ""
    since: float = 0.0
    failures: int = 0
    state: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, bus: Bus, name: str) -> "Kept":
        """That of the scanner of a name."""
        found: Any = bus.redis.hgetall(bus.keys.job(name))
        told = {key.decode(): value.decode() for key, value in found.items()}
        since, failures = float(told.get("since", 0)), int(told.get("failures", 0))
        return cls(told.get("off", ""), since, failures, json.loads(told.get("state", "{}")))


def keep(bus: Bus, name: str, **what: Any) -> None:
    """Keep something of a scanner: text, number, or what JSON can hold."""
    plain: dict[Any, Any] = {
        key: json.dumps(value) if isinstance(value, Mapping) else str(value) for key, value in what.items()
    }
    with bus.redis.pipeline() as pipe:
        pipe.hset(bus.keys.job(name), mapping=plain)
        pipe.expire(bus.keys.job(name), KEPT_SECONDS)
        pipe.execute()


def switch_on(bus: Bus, name: str, known: Sequence[str]) -> bool:
    """Switch a scanner on again; whether it was off."""
    if name not in known:
        raise UnknownName.of("There is no scheduled scanner", name, known)
    bus.redis.hdel(bus.keys.job(name), "since", "failures")
    return bool(bus.redis.hdel(bus.keys.job(name), "off"))


class Jobs:
    """The scheduled scanners at work, a thread each."""

    def __init__(
        self, bus: Bus, over: threading.Event, own: Sequence[str] = (), *, clock: Callable[[], float] = time.time
    ) -> None:
        self.bus, self.over, self.clock = bus, over, clock
        self.jobs: tuple[Job, ...] = ()
        self._own = own

    def run(self) -> None:
        """Run what is due, day after day."""
        day: TradingDay | None = None
        while (day := wait_for_day(self.bus, self.over, day)) is not None:
            self._run(day)

    def facts(self) -> dict[str, Any]:
        """What its beat says."""
        jobs = self.jobs
        figures = {what: sum(getattr(job, what) for job in jobs) for what in ("scans", "failed")}
        off = [Trouble(f"scan {job.name}", job.off, job.since) for job in jobs if job.off]
        last = max((job.last for job in jobs if job.last is not None), default=None)
        state = "running" if jobs else "starting"
        return {"state": state, "last_step": last, "figures": {"scanners": len(jobs), **figures}, "faults": off}

    def _run(self, day: TradingDay) -> None:
        head = None
        while head is None and not self.over.is_set():
            try:
                head = persist(TapeReader(self.bus, day).head, self.over)
            except TapeLost:  # its ingest begins it again
                self.over.wait(LOOK_SECONDS)
        if head is None:
            return
        texts, roster = scheduled_of(self._own), scheduled_in(roster_of(head.thresholds, self._own)[0])
        self.jobs = tuple(
            Job(self.bus, texts[name], scanner, head.universe, self.clock) for name, scanner in roster.items()
        )
        ended = threading.Event()
        threads = [threading.Thread(target=job.run, args=[ended], name=f"scan {job.name}") for job in self.jobs]
        for thread in threads:
            thread.start()
        while not self.over.wait(LOOK_SECONDS) and persist(partial(current_day, self.bus), self.over) == day:
            pass
        ended.set()
        for thread in threads:
            thread.join()


class Job:
    """One scheduled scanner on one day: when it is due, its process, and what became of its scans."""

    def __init__(
        self, bus: Bus, text: str, scanner: ScheduledScanner, universe: Universe, clock: Callable[[], float] = time.time
    ) -> None:
        self.bus, self.scanner, self.day, self.clock = bus, scanner, universe.day, clock
        self.name, self.writer = scanner.name, f"scan:{scanner.name}"
        self.scans = self.failed = 0
        self.off = ""
        """Why it is switched off; empty while it is not."""
        self.since: float | None = None
        self.last: float | None = None
        self._child = Child(Made(text, self.name, scanner.settings(), universe.day), scanner.timeout)
        self._reader, self._stands = TapeReader(bus, self.day), (universe, 0)
        self._tape = TapeWriter(bus, self.day, self.writer)
        self._minutes = scanner.schedule.minutes(self.day)
        self._tried = 0
        """The number of the scan that was tried last: of a minute of the day, one more than that."""

    def run(self, over: threading.Event) -> None:
        """Scan whenever that is due, until `over`; its process ends with it."""
        try:
            while not over.is_set():
                try:
                    due = persist(self._due, over)
                    if due is not None:
                        self._scan(*due, over)
                        continue
                except TapeLost as fault:  # its ingest begins it again
                    log.warning("scan %s: %s", self.name, fault)
                over.wait(LOOK_SECONDS)
        except Exception:
            log.exception("scan %s is at an end for today", self.name)
            self.off, self.since = "its runner ended by a fault: see the log", self.clock()
        finally:
            self._child.end()

    def _due(self) -> tuple[int, int] | None:
        """The minute for which it is due, and the last that is closed; None while it is not."""
        found: Any = self.bus.redis.hmget(self.bus.keys.writers(self.day.date), ["closed", self.writer, "ended"])
        closed, done, ended = found
        kept = Kept.read(self.bus, self.name)
        self.off, self.since = kept.off, kept.since or None
        if closed is None or ended is not None or kept.off:
            return None
        now = int(closed) + 1
        if self._tried > now + 1:  # the tape was begun again
            self._tried = 0
        due = [minute for minute in self._minutes if max(int(done or 0), self._tried) <= minute <= now]
        return (due[-1], int(closed)) if due and now else None

    def _scan(self, minute: int, closed: int, over: threading.Event) -> None:
        """Scan, again and again where it fails; what comes of it is put on the tape or counted."""
        began, why, wait, self._tried = time.monotonic(), "", FIRST_WAIT, minute + 1
        for again in range(self.scanner.retries + 1):
            try:
                answer = self._found(closed, over)
            except (ScanFault, InvalidInput, OSError) as fault:
                why = str(fault)
                if over.is_set():
                    return
                log.warning("scan %s failed, try %d: %s", self.name, again + 1, why)
                if again < self.scanner.retries and over.wait(wait):
                    return
                wait = min(2 * wait, LONGEST_WAIT)
            else:
                persist(partial(self._put, answer.result, minute + 1), over, what="the tape")
                self._keep(over, failures=0, state=answer.state)
                self.scans, self.last = self.scans + 1, self.clock()
                log.info("scan %s found %d in %.1f s", self.name, len(answer.result.found), time.monotonic() - began)
                return
        self.failed += 1
        self._failed(why, over)

    def _found(self, closed: int, over: threading.Event) -> Answer:
        """What came of one try; the symbols that it adds have joined."""
        board = persist(BoardReader(self.bus).whole, over)
        kept = persist(partial(Kept.read, self.bus, self.name), over) or Kept()
        lists = {} if board is None else board.lists
        order = Order(self.day.time(closed), lists, kept.state or {})
        answer = self._child.scan(order, persist(self._universe, over) or self._stands[0], over)
        persist(partial(self._join, answer.adds), over)
        return answer

    def _universe(self) -> Universe:
        """The universe as the tape has it."""
        self._stands = self._reader.stands(since=self._stands)
        return self._stands[0]

    def _join(self, adds: Sequence[Any]) -> None:
        """Have the symbols join that are not of the universe; another may be faster with some of them."""
        before: Universe | None = None
        while new := [one for one in adds if not self._is_there(symbol_of(one))]:
            try:
                put_change(self.bus, self.day, join_of(new), self.clock)
            except InvalidInput:
                if self._stands[0] is before:
                    raise
            before = self._stands[0]

    def _is_there(self, symbol: str) -> bool:
        """Whether a symbol is of the universe by now, from whichever minute on, and has not left it."""
        universe = self._universe()
        return symbol in universe and bool(universe.there(self.day.minutes - 1)[universe.row(symbol)])

    def _put(self, result: Result, n: int) -> None:
        if not self._tape.result(n, result, self.clock()):
            log.warning("the result of scan %s is on the tape already, or the tape is full", self.name)

    def _failed(self, why: str, over: threading.Event) -> None:
        """Count a scan that failed with all its tries; at the last one allowed switch it off."""
        failures = (persist(partial(Kept.read, self.bus, self.name), over) or Kept()).failures + 1
        more: dict[str, Any] = {}
        if failures >= self.scanner.failures:
            told = f"switched off after {failures} scans in a row that failed: {why.rstrip('.')}"
            more = {"off": f"{told}. On again: scanner-kit jobs on {self.name}", "since": self.clock()}
            log.error("scan %s is %s", self.name, told)
        self._keep(over, failures=failures, **more)

    def _keep(self, over: threading.Event, **what: Any) -> None:
        persist(partial(keep, self.bus, self.name, **what), over)
