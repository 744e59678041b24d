"""The watch: notes signs of life of a desk while it runs, and says what they mean."""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from scanner_kit.bars import Bars
from scanner_kit.calendar import Session
from scanner_kit.day import Day
from scanner_kit.engine import Scan
from scanner_kit.health import Fault, Feed, Health, Listed, Process, Quote, State, assess, volume_suspects, warmth_of
from scanner_kit.metrics import Halt
from scanner_kit.metrics.activity import HALTED
from scanner_kit.run import Desk

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The wall clock, UTC."""
    return dt.datetime.now(dt.UTC)


class Watch:
    """A sink that notes when a desk's feed and engine last moved; `rows` assesses them at any time, from any thread."""

    def __init__(self, desk: Desk, feed: str, clock: Clock = utc_now) -> None:
        self.desk, self.clock = desk, clock
        began = clock()
        self.feed, self.process = Feed(feed, began, began=began), Process("engine", began, began=began)
        self.suspects: dict[str, None] = {}
        self._seen: tuple[Scan, Day] | None = None
        self._halted_since: dict[str, dt.datetime] = {}
        self._since: dict[tuple[str, State], dt.datetime] = {}
        self._fault: Fault | None = None
        self._over = False
        self._lock = threading.Lock()

    def over(self, source: Iterable[Bars]) -> Iterator[Bars]:
        """The same entries, noted when they come: if the tape moves and no step follows, the engine is stuck."""
        for bars in source:
            with self._lock:
                self.process = replace(self.process, tape=self.clock())
            yield bars

    def publish(self, scan: Scan) -> None:
        """Note a scan."""
        now, day = self.clock(), self.desk.engine.meter.day
        with self._lock:
            if self._seen is None or self._seen[1] is not day:
                self._open(day)
            last_bar = now if bool(scan.snapshot.has_bar.any()) else self.feed.last_bar
            self.feed = replace(self.feed, heartbeat=now, last_bar=last_bar)
            self.process = replace(self.process, heartbeat=now, tape=now, step=now)
            self.suspects.update(dict.fromkeys(volume_suspects(day, scan.k)))
            self._note_halts(scan)
            self._seen = scan, day

    def beat(self) -> None:
        """Note that the source and the engine are alive though they wait."""
        now = self.clock()
        with self._lock:
            self.feed, self.process = replace(self.feed, heartbeat=now), replace(self.process, heartbeat=now)

    def fail(self, fault: Exception) -> tuple[Health, ...]:
        """Note that the engine ended with an error, for good; the rows."""
        reason = f"the engine ended: {type(fault).__name__}: {fault}"
        self._fault = Fault("engine", reason, self.clock())
        return self.rows()

    def close(self) -> tuple[Health, ...]:
        """Note that the source has come to its end; the rows."""
        self.beat()
        self._over = True
        return self.rows()

    def rows(self) -> tuple[Health, ...]:
        """Health now, the worst first."""
        now = self.clock()
        with self._lock:
            rows = self._assess(now)
            self._since = {(row.subject, row.state): self._began(row, now) for row in rows}
            return tuple(replace(row, since=self._since[row.subject, row.state]) for row in rows)

    def _assess(self, now: dt.datetime) -> tuple[Health, ...]:
        faults = [] if self._fault is None else [self._fault]
        processes = [] if self._fault else [self.process]
        if self._seen is None:
            return assess(now, Session.PRE, feeds=[self.feed], processes=processes, faults=faults)
        scan, day = self._seen
        return assess(
            now,
            Session.CLOSED if self._over else scan.session,
            feeds=[self.feed],
            processes=processes,
            faults=faults,
            symbols=list(self._halts(scan)),
            warmth=warmth_of(day, scan.k, self.desk.roster),
            lists=[Listed(name, len(ranking)) for name, ranking in scan.lists.items()],
            suspects=tuple(self.suspects),
        )

    def _began(self, row: Health, now: dt.datetime) -> dt.datetime:
        return row.since or self._since.get((row.subject, row.state), now)

    def _open(self, day: Day) -> None:
        """Another day: what was noted of the last one's symbols says nothing of this one's."""
        self.suspects, self._halted_since = {}, {}
        self.feed = replace(self.feed, liquid=int(day.universe.liquid.sum()))

    def _note_halts(self, scan: Scan) -> None:
        halted = (scan.snapshot[Halt()].values == HALTED).nonzero()[0].tolist()
        symbols = [scan.snapshot.universe.symbols[row] for row in halted]
        self._halted_since = {symbol: self._halted_since.get(symbol, scan.time) for symbol in symbols}

    def _halts(self, scan: Scan) -> Iterator[Quote]:
        """The halted symbols that somebody looks at: those on a list."""
        shown = {symbol for ranking in scan.lists.values() for symbol in ranking.symbols}
        return (Quote(symbol, halted_since=since) for symbol, since in self._halted_since.items() if symbol in shown)
