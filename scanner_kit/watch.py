"""The watch: notes signs of life of a desk while it runs, and says what they mean."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace

from scanner_kit.calendar import Session
from scanner_kit.engine import Scan
from scanner_kit.health import Fault, Feed, Health, Listed, Process, Quote, assess, volume_suspects, warmth_of
from scanner_kit.metrics import Halt
from scanner_kit.metrics.activity import HALTED
from scanner_kit.run import Desk

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The wall clock, UTC."""
    return dt.datetime.now(dt.UTC)


class Watch:
    """A sink that notes when a desk's feed and engine last moved; `rows` assesses them at any time."""

    def __init__(self, desk: Desk, feed: str, clock: Clock = utc_now) -> None:
        self.desk, self.clock = desk, clock
        began = clock()
        self.feed = Feed(feed, began, liquid=int(desk.engine.universe.liquid.sum()))
        self.process = Process("engine", began)
        self.suspects: dict[str, None] = {}
        self._scan: Scan | None = None
        self._halted_since: dict[str, dt.datetime] = {}

    def publish(self, scan: Scan) -> None:
        """Note a scan."""
        now = self.clock()
        if bool(scan.snapshot.has_bar.any()):
            self.feed = replace(self.feed, last_bar=now)
        self.feed = replace(self.feed, heartbeat=now)
        self.process = replace(self.process, heartbeat=now, tape=now, step=now)
        self.suspects.update(dict.fromkeys(volume_suspects(self.desk.engine.meter.day, scan.k)))
        self._note_halts(scan)
        self._scan = scan

    def beat(self) -> None:
        """Note that the source and the engine are alive though they wait."""
        now = self.clock()
        self.feed, self.process = replace(self.feed, heartbeat=now), replace(self.process, heartbeat=now)

    def fail(self, fault: Exception) -> tuple[Health, ...]:
        """The rows when the engine ended with an error."""
        reason = f"the engine ended: {type(fault).__name__}: {fault}"
        return assess(self.clock(), Session.REGULAR, faults=[Fault("engine", reason, self.clock())])

    def rows(self) -> tuple[Health, ...]:
        """Health now, the worst first."""
        now, scan = self.clock(), self._scan
        if scan is None:
            return assess(now, Session.CLOSED, feeds=[self.feed], processes=[self.process])
        warmth = warmth_of(self.desk.engine.meter.day, scan.k, self.desk.roster)
        lists = [Listed(name, len(ranking)) for name, ranking in scan.lists.items()]
        watched = {"feeds": [self.feed], "processes": [self.process], "symbols": list(self._halts(scan))}
        return assess(now, scan.session, warmth=warmth, lists=lists, **watched)  # type: ignore[arg-type]

    def _note_halts(self, scan: Scan) -> None:
        halted = (scan.snapshot[Halt()].values == HALTED).nonzero()[0].tolist()
        symbols = [scan.snapshot.universe.symbols[row] for row in halted]
        self._halted_since = {symbol: self._halted_since.get(symbol, scan.time) for symbol in symbols}

    def _halts(self, scan: Scan) -> Iterator[Quote]:
        """The halted symbols that somebody looks at: those on a list."""
        shown = {symbol for ranking in scan.lists.values() for symbol in ranking.symbols}
        return (Quote(symbol, halted_since=since) for symbol, since in self._halted_since.items() if symbol in shown)
