"""Scanning: the engine as a process. The tape of the day comes in; what it makes of each entry goes out, once each.

1. `_next_day` waits for a day; one that was left before its end comes first.
2. The tape so far is taken at full speed (`_recover`); what was published before is not published again.
3. Who holds the lease publishes every step (`_publish`). Who does not keeps what it made until it was published by the
   one that leads, and takes over where that one stopped (`_lead`).
4. Questions are answered between two steps, from a thread of their own.

A tape or a board that is not as this process left it is taken from its head again: there is no other way back. Nothing
is renewed but between two steps, so that an engine that is stuck does not lead.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scanner_kit import answers
from scanner_kit.bus.asking import HISTORY, Question, Questions, answering
from scanner_kit.bus.beats import Beating, Trouble
from scanner_kit.bus.connection import Bus, once, persist
from scanner_kit.bus.lease import SECONDS, Lease
from scanner_kit.bus.probes import stamp
from scanner_kit.bus.publishing import Answer, Publisher
from scanner_kit.bus.tape import FIRST, Entry, TapeLost, TapeReader, current_day, place_of
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.memory import give_back
from scanner_kit.live.scanned import DayScanned

log = logging.getLogger(__name__)

RENEWALS, TRIES = 3, 10
"""How often a lease is renewed while it lasts; how often another tries for it in that time."""
WAIT_SECONDS, SOON = 1.0, 0.1
MOST_DAYS, MOST_LOSSES = 10, 3
"""So many trading days back a day is looked for that was left before its end; so often it may be lost again."""


def scan(
    bus: Bus,
    over: threading.Event,
    *,
    scanners: Sequence[str] = (),
    intrabar: bool = False,
    state: Path | None = None,
    lease_seconds: float = SECONDS,
    clock: Callable[[], float] = time.time,
) -> None:
    """Scan day after day until `over`, and publish while this engine leads.

    Parameters
    ----------
    scanners
        The user's own, as `module:Scanner`, beside the built-in ones.
    intrabar
        Whether triggers fire on forming steps too.
    state
        The state folder, where neighbours find a note of this process.
    lease_seconds
        After how long another takes over from an engine that does not move.
    clock
        The wall clock, s UTC.
    """
    scanning = Scanning(bus, over, scanners, intrabar=intrabar, lease_seconds=lease_seconds, clock=clock)
    with Beating(bus, "engine", scanning.facts, state=state, clock=clock):
        scanning.run()


class Scanning:
    """An engine at work: which day, in which state, and what it has published."""

    def __init__(
        self,
        bus: Bus,
        over: threading.Event,
        scanners: Sequence[str] = (),
        *,
        intrabar: bool = False,
        lease_seconds: float = SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bus, self.over, self.clock = bus, over, clock
        self.lease = Lease(bus, owner="engine", seconds=lease_seconds)
        self.publisher = Publisher(bus, self.lease, clock)
        self.today: DayScanned | None = None
        self.published = 0
        self.last_tape: float | None = None
        self.last_step: float | None = None
        self._own, self._intrabar = scanners, intrabar
        self._recovered = False
        self._number, self._until, self._again = 0, 0.0, 0.0
        self._refused = ""
        self._lost: Counter[TradingDay] = Counter()
        self._said: set[str] = set()

    @property
    def state(self) -> str:
        """starting, recovering, leading or standby."""
        if self.today is None:
            return "starting"
        if not self._recovered:
            return "recovering"
        return "leading" if self.leads else "standby"

    @property
    def leads(self) -> bool:
        """Whether it holds the lease, as far as it knows."""
        return self._number > 0 and time.monotonic() < self._until

    def run(self) -> None:
        """Scan day after day until `over`."""
        asked = threading.Thread(
            target=answering,
            args=[Questions(self.bus), self.answer, lambda: self.leads, self.over],
            daemon=True,
            name="scanner_kit answers",
        )
        asked.start()
        try:
            while (day := self._next_day()) is not None:
                self._scan(day)
        finally:
            self._resign()
        asked.join(timeout=2 * WAIT_SECONDS)

    def answer(self, question: Question) -> Any:
        """The answer to a question, between two steps."""
        if self.today is None:
            raise InvalidInput("The engine has no day yet. Ask again when it has.")
        if question.what == HISTORY:
            return answers.history(self.today.desk, question.symbol)
        return answers.explain(self.today.desk, question.symbol, question.k)

    def facts(self) -> dict[str, Any]:
        """What its beat says; it never waits for a step."""
        told: dict[str, Any] = {"state": self.state, "last_tape": self.last_tape, "last_step": self.last_step}
        today = self.today
        if today is None:
            return told
        known = today.known
        return {
            **told,
            "version": today.version,
            "label": today.head.universe.label,
            "session": known.session,
            "last_bar": today.last_bar,
            "delays": tuple(today.delays),
            "liquid": int(today.engine.universe.liquid.sum()),
            "figures": {**today.figures(), "published": self.published},
            "faults": [Trouble(what, why) for what, why in self._troubles(today).items()],
            "warmth": known.warmth,
            "lists": known.lists or {},
            "halts": known.halts or {},
            "suspects": known.suspects,
        }

    def _troubles(self, today: DayScanned) -> dict[str, str]:
        return today.troubles | ({"publishing": f"of the bus, {self._refused}"} if self._refused else {})

    # A day

    def _scan(self, day: TradingDay) -> None:
        """Scan a day until another is to be scanned."""
        self._recovered = False
        try:
            work = persist(lambda: self._begin(day), self.over)
            if work is None:
                return
            self._recover(work)
            while not self.over.is_set():
                if not self._turn(work) and self._is_finished(work):
                    return
                self._lead(work)
                self._publish(work)
        except TapeLost as fault:
            log.warning("%s", fault)
            self._number = 0
            self._lost[day] += 1
            self.over.wait(SOON)

    def _begin(self, day: TradingDay) -> DayScanned:
        self.today = None
        give_back()
        self.today = DayScanned(TapeReader(self.bus, day), self._progress(day), self._own, intrabar=self._intrabar)
        return self.today

    def _recover(self, work: DayScanned) -> None:
        """Take the tape so far; the next entries are read while those before are taken."""
        began = time.monotonic()
        with ThreadPoolExecutor(1, "scanner_kit tape") as ahead:
            coming = ahead.submit(self._read, work, work.last, 0.0)
            while entries := coming.result():
                coming = ahead.submit(self._read, work, entries[-1].id, 0.0)
                self._take(work, entries)
        self._recovered = True
        work.look()
        log.info("%s recovered through k=%d in %.1f s", work.day.date, work.engine.k, time.monotonic() - began)

    def _turn(self, work: DayScanned) -> bool:
        """Take what is next on the tape; whether there was something."""
        wait = 0.0 if self.leads and work.made else SOON if work.ended else WAIT_SECONDS
        entries = self._read(work, work.last, min(wait, max(SOON, self._again - time.monotonic())))
        if entries:
            self._take(work, entries)
            work.look()
        return bool(entries)

    def _read(self, work: DayScanned, after: str, wait: float) -> list[Entry]:
        return persist(lambda: work.reader.read(after, wait=wait), self.over, what="the tape") or []

    def _take(self, work: DayScanned, entries: Sequence[Entry]) -> None:
        self.last_tape = self.clock()
        work.take(entries)
        self.last_step = self.clock()
        self._say(work)

    def _say(self, work: DayScanned) -> None:
        """Log what does not work, once."""
        for what, why in work.troubles.items():
            if f"{work.day.date} {what}" not in self._said:
                self._said.add(f"{work.day.date} {what}")
                log.error("%s is off: %s", what, why)

    def _is_finished(self, work: DayScanned) -> bool:
        """Whether all of a day is published, and another is to be scanned."""
        today = persist(lambda: current_day(self.bus), self.over)
        return not work.made and today is not None and today != work.day

    # Leading

    def _lead(self, work: DayScanned) -> None:
        """Renew the lease or try for it, now and then; who takes over publishes what nobody has."""
        now = time.monotonic()
        if now < self._again:
            return
        self._again = now + SOON
        with once() as lost:
            number = self.lease.hold()
            if number != self._number or not number:
                self._number = 0
                if number:
                    self.publisher.take_over()
                work.forget(self._progress(work.day))
        if lost:
            return  # reading the tape waits until the bus is there again
        if number != self._number:
            log.info("leads under number %d, %d steps to publish", number, len(work.made))
        self._number, self._until = number, now + self.lease.seconds
        self._again = now + self.lease.seconds / (RENEWALS if number else TRIES)

    def _publish(self, work: DayScanned) -> None:
        """Publish what was made, in order, as long as this engine leads."""
        while work.made and self._number and not self.over.is_set():
            step = work.made[0]
            with once() as refused:
                answer = self.publisher.publish(step)
                self._stamp(step.probes)
            self._note(refused)
            if refused:
                self.over.wait(SOON)
                return
            if answer is Answer.MOVED:
                raise TapeLost(f"The board is not at {self.publisher.place!r}, where this engine left it.")
            if answer is Answer.FENCED:
                log.warning("leads no more: the lease was lost")
                self._number, self._again = 0, 0.0
                return
            work.made.popleft()
            self.published += 1
            self._lead(work)

    def _note(self, refused: Sequence[str]) -> None:
        """Note, and log once, why nothing can be published."""
        if refused and not self._refused:
            log.warning("cannot publish: of the bus, %s", refused[0])
        self._refused = refused[0] if refused else ""

    def _stamp(self, probes: Sequence[str]) -> None:
        """Say on each probe when it passed here."""
        for probe in probes:
            stamp(self.bus, probe, "engine", self.clock())

    def _resign(self) -> None:
        with once() as lost:
            self.lease.give_back()
        if lost:
            log.warning("the lease could not be given back; another leads within %.0f s", self.lease.seconds)
        self._number = 0

    # Which day

    def _next_day(self) -> TradingDay | None:
        """The day to scan: one that was left before its end, else today's; None once it is over."""
        while not self.over.is_set():
            today = persist(lambda: current_day(self.bus), self.over)
            if today is not None:
                left = persist(lambda: self._left(today), self.over)  # noqa: B023  called at once
                return left or today
            self.over.wait(SOON)
        return None

    def _left(self, today: TradingDay) -> TradingDay | None:
        """The oldest day, from the one on the board to today's, of which something is not published."""
        told: Any = self.bus.redis.hget(self.bus.keys.board, "day")
        if told is None:
            return None
        day = TradingDay.of(told.decode())
        for _ in range(MOST_DAYS):
            if day.date >= today.date:
                return None
            if self._lost[day] < MOST_LOSSES and self._is_left(day):
                return day
            day = TradingDay.after(day.date)
        return None

    def _is_left(self, day: TradingDay) -> bool:
        entries: Any = self.bus.redis.xrevrange(self.bus.keys.tape(day.date), count=8)
        steps = (entry.decode() for entry, fields in entries if fields[b"kind"] in (b"closed", b"forming"))
        last = next(steps, None)
        return last is not None and place_of(last) > place_of(self._progress(day))

    def _progress(self, day: TradingDay) -> str:
        """The entry of a day's tape that was published last."""
        last: Any = self.bus.redis.xrevrange(self.bus.keys.scans(day.date), count=1)
        return last[0][1][b"entry"].decode() if last else FIRST
