"""The ingest of a live feed: bars come when they come, and a minute is closed when its time has passed.

A minute closes at its end plus a grace, by this machine's clock, or, where the feed keeps the order of minutes, as soon
as a bar of a later one has come. What comes for it after that is late, and goes with the next. A day that is not of
this clock (`day` given) closes by order alone, and ends when the inbox says so.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from scanner_kit.bars import Bars, Join, Leave
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.tape import Head, TapeReader, TapeWriter
from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.archive import Archive
from scanner_kit.live.feed.backlog import dropped
from scanner_kit.live.feed.coming import universe_of
from scanner_kit.live.feed.entering import Entering
from scanner_kit.live.feed.feeds import Feed
from scanner_kit.live.feed.inbox import Inbox
from scanner_kit.live.feed.joining import put_change
from scanner_kit.live.ingest import Ingest
from scanner_kit.sources._files import Given
from scanner_kit.sources.within import changed
from scanner_kit.universe import Universe

log = logging.getLogger("scanner_kit.live")

GRACE_SECONDS = 2.0
EARLY_SECONDS = 1800.0
"""How long before its first minute a day's tape is begun."""
LOOK_SECONDS = 0.25


class InboxFeed:
    """The inbox of the bus as a feed; what is known of its symbols comes from the archive and from files of rows.

    `ordered`: the feed never gives a bar of an earlier minute after one of a later. `day`: the one day to take, by
    order alone; else each trading day of the clock. `source` is what `Universe` takes beside symbols and facts.
    """

    source = "redis: the inbox"
    made_up = False

    def __init__(
        self,
        archive: Archive | None = None,
        daily: Given | Sequence[Given] | None = None,
        reference: Given | None = None,
        *,
        ordered: bool = False,
        fills: bool = False,
        day: TradingDay | None = None,
        clock: Callable[[], float] = time.time,
        **source: Any,
    ) -> None:
        if day is not None and not ordered:
            raise InvalidInput(
                f"A day that is not of this clock ends its minutes by their order; found {day.date} of a feed that "
                "keeps none. Say ordered=True."
            )
        self.archive, self.daily, self.reference = archive, daily, reference
        self.ordered, self.fills, self.day, self.clock, self.said = ordered, fills, day, clock, source

    def days(self, since: TradingDay | None = None) -> Iterator[TradingDay]:
        """The day, or the trading days from the clock's on, each when it is its turn."""
        if self.day is not None:
            yield self.day
            return
        while True:
            now = dt.datetime.fromtimestamp(self.clock(), NEW_YORK)
            day = TradingDay.after(now.date() - dt.timedelta(days=1))
            if self.clock() > day.time(day.minutes - 1).timestamp() + GRACE_SECONDS:
                day = TradingDay.after(day.date)
            yield day

    def universe(self, day: TradingDay) -> Universe:
        """The symbols that have a past, and their facts."""
        return universe_of(day, self.archive, self.daily, self.reference, **self.said)

    def minutes(self, universe: Universe) -> "InboxFeed":
        """Itself: its minutes come as they come."""
        return self

    def closed(self, k: int) -> Bars:
        """Nothing is known of a minute beforehand."""
        raise InvalidInput("The minutes of a live feed cannot be asked for. Use Listening.")

    def forming(self, k: int, share: float, instant: dt.datetime) -> Bars | None:
        """Nothing is known of a minute beforehand."""
        return None


class Listening(Ingest):
    """The ingest of an `InboxFeed`; options as of `Ingest`, where they fit a live feed."""

    feed: InboxFeed

    def __init__(self, bus: Bus, feed: InboxFeed, *, grace: float = GRACE_SECONDS, **options: Any) -> None:
        super().__init__(bus, feed, clock=feed.clock, **options)
        self.grace = grace
        self._entered: Entering | None = None
        self._inbox: Inbox | None = None

    def facts(self) -> dict[str, Any]:
        """What its heartbeat says of it: also what of the inbox it never had, and what it refuses."""
        facts = super().facts()
        facts["faults"] = [*facts["faults"], *self._lacks()]
        return facts

    def _lacks(self) -> Iterator[dict[str, Any]]:
        """What was dropped before it came here, and that bars of a later day come while one day alone is taken."""
        inbox, entering = self._inbox, self._entered
        if inbox is not None and inbox.lost:
            yield {"resource": f"inbox on {inbox.day.date}", "reason": dropped(inbox.lost)}
        if self.feed.day is not None and entering is not None and entering.counts["later_day"]:
            n, later = entering.counts["later_day"], entering.later
            told = f"{n:,} bars up to {later} are refused: --day {self.feed.day.date} takes that day alone"
            yield {"resource": "feed of the inbox", "reason": f"{told}. Put its end, or leave --day out"}

    def counted(self) -> dict[str, float]:
        """How many bars met each check on entry."""
        return {} if self._entered is None else {kind: float(n) for kind, n in self._entered.counts.items()}

    def _head_of(self, day: TradingDay) -> Head:
        if self._head is not None and self._head.universe.day == day:
            return self._head
        version, thresholds = self.in_force()
        return Head(self.feed.universe(day), None, version, thresholds, self.feed.source, self.keeps_forming)

    def _day(self, day: TradingDay, over: threading.Event) -> None:
        if self.feed.day is None:
            opens = float(day.start.astype(np.int64)) - EARLY_SECONDS
            while self.clock() < opens and not over.wait(min(1.0, opens - self.clock())):
                pass
        if not over.is_set():
            super()._day(day, over)

    def _play(self, writer: TapeWriter, head: Head, minutes: Any, over: threading.Event) -> None:
        day, inbox = writer.day, Inbox(self.bus, writer.day)
        self._inbox = inbox
        entering = self._entering(head.universe)
        self._follow(writer, entering, over)
        shown: tuple[Bars | None, float] = (None, 0.0)
        while not over.is_set() and not writer.over:
            k, universe = writer.k, entering.universe
            came = persist(partial(inbox.read, self._wait_for(day, k + 1)), over) or ()
            self._follow(writer, entering, over)
            for at, fields in came:
                for change in inbox.changes(fields):
                    self._change(writer, entering, change, over)
                inbox.came(at, entering.take(inbox.bars(fields)))
                self._go_on(writer, entering, inbox, over)
            entering.counts["unreadable"] = inbox.unreadable
            self._go_on(writer, entering, inbox, over)
            if over.is_set():
                return
            if writer.k + 1 == day.minutes:
                persist(partial(writer.end, at=self.clock()), over)
            else:
                the_same = writer.k == k and entering.universe is universe
                shown = self._show(writer, entering, shown if the_same else (None, self.clock()), over)

    def _entering(self, universe: Universe) -> Entering:
        """What has come, as the tape has it."""
        entering = Entering(universe, fills=self.feed.fills)
        for entry in TapeReader(self.bus, universe.day).recover():
            if entry.universe is not entering.universe:
                entering.grow(entry.universe)
            if entry.kind == "closed" and entry.bars is not None:
                entering.remember(entry.bars)
        self._entered = entering
        return entering

    def _follow(self, writer: TapeWriter, entering: Entering, over: threading.Event) -> None:
        """Take note of who has joined or left: of whom bars are taken, and in which rows."""
        self._catch_up(writer, over)
        if entering.universe is not self._standing[0]:
            entering.grow(self._standing[0])

    def _change(self, writer: TapeWriter, entering: Entering, change: Join | Leave, over: threading.Event) -> None:
        """Have symbols join or leave, as the inbox says; what cannot be is counted, and said."""
        try:
            persist(partial(put_change, self.bus, writer.day, change, self.clock), over)
        except InvalidInput as fault:
            log.warning("inbox: %s", fault)
            entering.counts["refused"] += 1
        self._follow(writer, entering, over)

    def _go_on(self, writer: TapeWriter, entering: Entering, inbox: Inbox, over: threading.Event) -> None:
        """Close every minute that has passed: after each entry, so that how many come at once makes no difference."""
        while not over.is_set() and writer.k + 1 < writer.day.minutes and self._has_passed(writer, entering, inbox):
            self._close(writer, entering, inbox, over)

    def _wait_for(self, day: TradingDay, k: int) -> float:
        if self.feed.day is not None or k >= day.minutes:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.001, day.time(k).timestamp() + self.grace - self.clock()))

    def _has_passed(self, writer: TapeWriter, entering: Entering, inbox: Inbox) -> bool:
        if inbox.ended or (self.feed.ordered and entering.newest > writer.k + 1):
            return True
        return self.feed.day is None and self.clock() >= writer.day.time(writer.k + 1).timestamp() + self.grace

    def _close(self, writer: TapeWriter, entering: Entering, inbox: Inbox, over: threading.Event) -> None:
        k, now = writer.k + 1, self.clock()
        universe, bars, ended = entering.universe, entering.close(k), writer.day.time(k).timestamp()
        delay = 0.0 if self.feed.day is not None else now - ended
        self._append(partial(writer.closed, at=now, delay=delay), writer, bars, universe, over)
        if not over.is_set():
            self._note(bars, now, delay)
            persist(partial(inbox.closed, k), over)

    def _show(
        self, writer: TapeWriter, entering: Entering, shown: tuple[Bars | None, float], over: threading.Event
    ) -> tuple[Bars | None, float]:
        """Put the minute so far on the tape, where it is time to and something has come."""
        before, last = shown
        k, now = writer.k + 1, self.clock()
        within = now < writer.day.time(k).timestamp()
        if self.feed.day is not None or not within or not 0 < self.forming_seconds <= now - last:
            return shown
        universe, so_far = entering.universe, entering.so_far(k, dt.datetime.fromtimestamp(now, dt.UTC))
        if so_far is None or not np.isfinite((part := changed(so_far, before)).close).any():
            return shown
        done = self._append(partial(writer.forming, at=now), writer, part, universe, over, again=False)
        return (so_far if done else None), now


def ingest_of(bus: Bus, feed: Feed, *, speed: float = 60.0, start_k: int = 0, **options: Any) -> Ingest:
    """The ingest that a feed needs; speed and start are of days that are played."""
    if isinstance(feed, InboxFeed):
        return Listening(bus, feed, **options)
    return Ingest(bus, feed, speed=speed, start_k=start_k, **options)
