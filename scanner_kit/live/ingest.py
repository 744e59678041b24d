"""The ingest: days of a feed onto the tape, minute by minute, at their pace.

1. It waits for the lease: of two ingests of one desk, one works (`_lead`).
2. It goes on with the day whose tape is being written if that is its feed's, else it begins the next (`_days`).
3. A day's head is put on the bus once; who goes on takes universe and pace from there (`_open`).
4. Each minute is appended when it is due, those that are overdue at once (`_play`); meanwhile the minute so far,
   where the feed knows it, with what has changed.
5. Where symbols have joined or left meanwhile, what was to be appended is put on the universe that they make
   (`_append`).
6. Beside it the lists of single symbols are brought up to date (`scanner_kit.live.lists`), and a feed that can be asked
   is asked for symbols that are silent (`scanner_kit.live.feed.silence`).

It may end anywhere: whoever comes next goes on after the last minute that is closed on the tape.
"""

import datetime as dt
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scanner_kit.bars import Bars
from scanner_kit.bus.beats import Beating
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.lease import RENEW_SECONDS, SECONDS, Lease
from scanner_kit.bus.tape import (
    Fenced,
    Head,
    Moved,
    Pace,
    TapeLost,
    TapeReader,
    TapeWriter,
    current_day,
    set_current_day,
)
from scanner_kit.calendar import Session, TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.archive import archive
from scanner_kit.live.feed.feeds import Feed, Minutes
from scanner_kit.live.feed.silence import Asked, Silence
from scanner_kit.live.lists import Lists
from scanner_kit.live.memory import give_back
from scanner_kit.sources.within import changed
from scanner_kit.universe import Universe
from scanner_kit.widening import Widening

log = logging.getLogger("scanner_kit.live")

Thresholds = Mapping[str, Mapping[str, Any]]
FORMING_SECONDS = 5.0
STEPS_TOLD = 5
FULL = {
    "resource": "tape",
    "reason": "it takes no minute so far any more: those that stay fill it. Minutes still close",
}


class Ingest:
    """Plays the days of a feed onto the bus: the minutes before `start_k` at once, then `speed` times as fast.

    `forming_seconds`: how often, by the wall clock, the minute so far is put on the tape; 0 for never. `in_force`
    gives version and thresholds for the head of a day that begins. `days`: how many at most. `archive`: the folder for
    days that have ended. `keeps_forming`: minutes so far all stay on the tapes of days that begin: `intrabar`.
    """

    def __init__(
        self,
        bus: Bus,
        feed: Feed,
        *,
        speed: float = 60.0,
        start_k: int = 0,
        forming_seconds: float = FORMING_SECONDS,
        in_force: Callable[[], tuple[int, Thresholds]] = lambda: (0, {}),
        days: int | None = None,
        archive: Path | None = None,
        keeps_forming: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keeps_forming = keeps_forming
        self._writer: TapeWriter | None = None
        self.bus, self.feed, self.clock, self.days, self.archive = bus, feed, clock, days, archive
        self._faults: list[dict[str, Any]] = []
        self.speed, self.start_k, self.forming_seconds, self.in_force = speed, start_k, forming_seconds, in_force
        Pace(0.0, speed, start_k)
        self.state = "starting"
        self.finished = False
        """Whether all days of the feed are on the tape."""
        self._lease = Lease(bus, bus.keys.ingest, bus.keys.fence, owner="ingest")
        self._head: Head | None = None
        self._k = -1
        self._delays: deque[float] = deque(maxlen=STEPS_TOLD)
        self._instants: dict[str, float] = {}
        self._silence: Silence | None = None
        self._standing: tuple[Universe, int]
        """The universe that entries are of, and how many changes made it."""

    def run(self, over: threading.Event) -> None:
        """Work until `over`, or until the last day is on the tape."""
        with self._lease.renewing():
            while not over.is_set() and not self.finished:
                if not self._lead(over):
                    break
                try:
                    self._work(over)
                except (Fenced, TapeLost) as fault:
                    log.warning("%s", fault)

    def facts(self) -> dict[str, Any]:
        """What its heartbeat says of it."""
        head, silence = self._head, self._silence
        figures = {"k": float(self._k), "bars": self._instants.get("bars", 0.0), **self.counted()}
        facts: dict[str, Any] = {"state": self.state, "delays": list(self._delays), "figures": figures}
        full = [FULL] if self._writer is not None and self._writer.full else []
        facts["faults"] = [*self._faults, *(silence.faults() if silence else ()), *full]
        facts["silent"] = silence.found() if silence else ()
        facts |= {
            name: self._instants[name] for name in ("last_tape", "last_step", "last_bar") if name in self._instants
        }
        if head is not None:
            day = head.universe.day
            facts |= {
                "label": head.universe.label or head.source,
                "version": head.version,
                "session": None if head.pace is None else str(self._session(day)),
                "liquid": int(head.universe.liquid.sum()),
            }
        return facts

    def _session(self, day: TradingDay) -> Session:
        """The session that is played; none where the last day has been."""
        return Session.CLOSED if self.finished else day.session(max(self._k, 0))

    def counted(self) -> dict[str, float]:
        """How many bars met each check on entry: of what is played, none."""
        return {}

    def _lead(self, over: threading.Event) -> bool:
        """Wait for the lease; False once `over` is set."""
        while not over.is_set():
            if persist(self._lease.hold, over):
                return True
            self.state = "standby"
            over.wait(RENEW_SECONDS / 3)
        return False

    def _work(self, over: threading.Event) -> None:
        for day in itertools.islice(self._days(over), self.days):
            if over.is_set():
                return
            self._day(day, over)
        self.finished = not over.is_set()

    def _days(self, over: threading.Event) -> Iterator[TradingDay]:
        """The feed's days from the one that is being written on, if it is the feed's own, at this pace."""
        today = persist(partial(current_day, self.bus), over)
        if today is not None and self._ours(today, over):
            return self.feed.days(today)
        if self.feed.made_up:
            return (day for day in self.feed.days() if self._is_free(day, over))
        return self.feed.days()

    def _is_free(self, day: TradingDay, over: threading.Event) -> bool:
        return persist(TapeWriter(self.bus, day).go_on, over) is None

    def _ours(self, day: TradingDay, over: threading.Event) -> bool:
        try:
            head = persist(TapeReader(self.bus, day).head, over)
        except TapeLost:
            return any(one == day for one in self.feed.days(day))
        if head is None or head.source != self.feed.source:
            return False
        return not self.feed.made_up or head.pace is None or head.pace.speed == self.speed

    def _day(self, day: TradingDay, over: threading.Event) -> None:
        self.state = "recovering"
        writer = TapeWriter(self.bus, day, token=self._lease.token)
        head = self._open(writer, over)
        if head is not None:
            Lists(self.bus, day).finish(over) if writer.over else self._begin(writer, head, over)
        if writer.over:
            self._put_away(day, over)
        give_back()

    def _begin(self, writer: TapeWriter, head: Head, over: threading.Event) -> None:
        minutes = self.feed.minutes(head.universe)
        persist(partial(set_current_day, self.bus, writer.day), over)
        self._head, self._k, self.state, self._writer = head, writer.k, "running", writer
        self._standing = head.universe, 0
        self._catch_up(writer, over)
        log.info("%s: %s goes on after k=%d", self.feed.source, writer.day.date, writer.k)
        if head.pace is not None and head.pace.speed != self.speed:
            log.warning("%s goes on as it began, %g times as fast as the clock", writer.day.date, head.pace.speed)
        self._silence = Silence(head.universe, minutes, writer.k) if isinstance(minutes, Asked) else None
        try:
            with _beside(Lists(self.bus, writer.day), over), self._silence or nullcontext():
                self._play(writer, head, minutes, over)
        finally:
            self._silence = None

    def _put_away(self, day: TradingDay, over: threading.Event) -> None:
        """Archive a day that has ended; what stands in the way of it does not stand in the way of the next day."""
        if self.archive is None:
            return
        try:
            persist(partial(archive, self.bus, day, self.archive), over)
            self._faults = []
        except InvalidInput as fault:
            log.error("%s", fault)
            self._faults = [{"resource": "archive", "reason": str(fault)}]

    def _open(self, writer: TapeWriter, over: threading.Event) -> Head | None:
        """The head of a day's tape: found there, or put there; `InvalidInput` where it is of another feed."""
        there = persist(writer.go_on, over)
        if over.is_set():
            return None
        if there is None:
            persist(partial(writer.open, self._head_of(writer.day)), over)
        head = persist(TapeReader(self.bus, writer.day).head, over)
        if head is not None and head.source != self.feed.source:
            raise InvalidInput(
                f"The tape of {writer.day.date} on the bus is of another feed, {head.source!r}; found "
                f"{self.feed.source!r}. Choose another prefix or day, or wait: it is kept for 48 hours."
            )
        return head

    def _head_of(self, day: TradingDay) -> Head:
        """The head of a day that begins; of one whose tape the server has lost, the same as before."""
        if self._head is not None and self._head.universe.day == day:
            return self._head
        universe = self.feed.universe(day)
        version, thresholds = self.in_force()
        pace = Pace(self.clock(), self.speed, self.start_k)
        return Head(universe, pace, version, thresholds, self.feed.source, self.keeps_forming)

    def _play(self, writer: TapeWriter, head: Head, minutes: Minutes, over: threading.Event) -> None:
        for k in range(writer.k + 1, head.universe.day.minutes):
            if not self._wait(writer, head, minutes, k, over):
                return
            bars, now = minutes.closed(k), self.clock()
            self._append(partial(writer.closed, at=now, delay=now - head.due(k)), writer, bars, head.universe, over)
            if over.is_set():
                return
            self._note(bars, now, now - head.due(k))
        persist(partial(writer.end, at=self.clock()), over)

    def _wait(self, writer: TapeWriter, head: Head, minutes: Minutes, k: int, over: threading.Event) -> bool:
        """Until minute `k` is due, with its forming entries; False once `over` is set."""
        begun, due = head.due(k - 1) if k else head.due(k), head.due(k)
        shown: Bars | None = None
        for at in _instants(begun, due, self.forming_seconds):
            if over.wait(max(0.0, at - self.clock())):
                return False
            if at == due:
                break
            share = (self.clock() - begun) / (due - begun)
            if share >= 1.0:
                continue
            instant = head.universe.day.time(k) - dt.timedelta(milliseconds=int(60_000 * (1.0 - share)))
            so_far = minutes.forming(k, share, instant)
            if so_far is not None and np.isfinite((part := changed(so_far, shown)).close).any():
                put = partial(writer.forming, at=self.clock())
                shown = so_far if self._append(put, writer, part, head.universe, over, again=False) else None
                self._instants["last_tape"] = self.clock()
        return not over.is_set()

    def _append(
        self,
        put: Callable[[Bars], None],
        writer: TapeWriter,
        bars: Bars,
        universe: Universe,
        over: threading.Event,
        *,
        again: bool = True,
    ) -> bool:
        """Append bars that are of that universe, on the one that the tape has; whether it was done.

        With `again` it is done in the end. A forming entry that has only what changed is not: the next has all.
        """
        while not over.is_set():
            stands = self._standing[0]
            whole = bars if stands is universe else bars.onto(Widening.of(universe.symbols, stands.symbols))
            try:
                persist(partial(put, whole), over)
                return True
            except Moved:
                self._catch_up(writer, over)
            if not again:
                break
        return False

    def _catch_up(self, writer: TapeWriter, over: threading.Event) -> None:
        """Take note of who has joined or left."""
        reader = TapeReader(self.bus, writer.day)
        stands = persist(partial(reader.stands, since=self._standing), over)
        if stands is not None:
            self._standing, writer.changes = stands, stands[1]

    def _note(self, bars: Bars, now: float, delay: float) -> None:
        some = int(np.isfinite(bars.close).sum())
        self._k = bars.k
        self._delays.append(max(0.0, delay))
        self._instants |= {"last_tape": now, "last_step": now, "bars": self._instants.get("bars", 0.0) + some}
        if some:
            self._instants["last_bar"] = now
        if self._silence is not None:
            self._silence.note(bars)


def ingest(bus: Bus, feed: Feed, *, over: threading.Event, state: Path | None = None, **options: Any) -> Ingest:
    """Play a feed onto the bus until `over`, with a heartbeat; what is played to its end stays alive until then.

    `state` is the state folder; `options` are those of `Ingest`.
    """
    work = Ingest(bus, feed, **options)
    with Beating(bus, "ingest", work.facts, state=state):
        work.run(over)
        over.wait()
    return work


def _instants(begun: float, due: float, every: float) -> Iterator[float]:
    """When the minute so far is looked at, and last when it closes."""
    at = begun + every
    while every > 0 and at < due:
        yield at
        at += every
    yield due


@contextmanager
def _beside(lists: Lists, over: threading.Event) -> Iterator[None]:
    """The lists brought up to date in a thread of their own, to the end of the day or as far as they came."""
    stop = threading.Event()

    def run() -> None:
        try:
            lists.run(stop)
        except TapeLost as fault:
            log.warning("%s", fault)

    thread = threading.Thread(target=run, daemon=True, name="scanner_kit lists")
    thread.start()
    try:
        yield
        if not over.is_set():
            thread.join(60)
    finally:
        stop.set()
        thread.join(SECONDS)
