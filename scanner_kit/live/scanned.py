"""A day as the engine scans it from the tape on the bus, and what it made that may not have been published yet."""

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scanner_kit.answers import chart_metrics
from scanner_kit.bus.plain import Announced, lists_of
from scanner_kit.bus.steps import Step
from scanner_kit.bus.tape import FIRST, Entry, TapeReader, place_of
from scanner_kit.engine import Scan
from scanner_kit.health import volume_suspects, warmth_of
from scanner_kit.isolation import IsolatingEngine
from scanner_kit.live.rosters import roster_of
from scanner_kit.metrics import Halt
from scanner_kit.metrics.activity import HALTED
from scanner_kit.run import Desk

KEPT_DELAYS = 5
NOT_KEPT = "the day's tape was begun without it: triggers fire at the end of their minutes until the next day"


@dataclass(frozen=True)
class Known:
    """What a beat says of the day: plain values, made once a step, so that who asks never waits for the engine."""

    session: str | None = None
    warmth: tuple[tuple[str, int, int], ...] = ()
    lists: Any = None
    halts: Any = None
    suspects: tuple[str, ...] = ()


class DayScanned:
    """One day's tape, taken by an engine of its own.

    `made` holds the steps that are not known to be published, in order; entries through `done` were published before
    this engine came, and are only taken.
    """

    def __init__(self, reader: TapeReader, done: str, own: Sequence[str] = (), *, intrabar: bool = False) -> None:
        head = reader.head()
        roster, self.faults = roster_of(head.thresholds, own)
        self.reader, self.day, self.head = reader, reader.day, head
        if intrabar and not head.keeps_forming:  # after a restart it could not tell what has fired
            self.faults["intrabar"] = NOT_KEPT
        within = intrabar and head.keeps_forming
        self.desk = Desk(IsolatingEngine(head.universe, roster, chart_metrics(), intrabar=within))
        self.made: deque[Step] = deque()
        self.last, self.ended, self.version = FIRST, False, head.version
        self.known, self.delays = Known(), deque[float](maxlen=KEPT_DELAYS)
        self.last_bar: float | None = None
        self.seconds = deque[float](maxlen=60)
        """How long the last steps took."""
        self._done, self._probes = done, tuple[str, ...]()
        self._halted: dict[str, dt.datetime] = {}
        self._suspects: dict[str, None] = {}

    @property
    def engine(self) -> IsolatingEngine:
        """The engine of the day."""
        assert isinstance(self.desk.engine, IsolatingEngine)
        return self.desk.engine

    @property
    def troubles(self) -> dict[str, str]:
        """What does not work today, and why."""
        return self.faults | {off.what: off.reason for off in self.engine.off.values()}

    def take(self, entries: Sequence[Entry], clock: Callable[[], float] = time.perf_counter) -> None:
        """Take entries in order. A minute so far that something already follows is passed over, unless it may fire."""
        for entry, following in zip(entries, [*entries[1:], None], strict=True):
            self.version, self._probes = entry.version, (*self._probes, *entry.probes)
            if entry.bars is None:
                self.ended = True
            elif entry.bars.forming and not self.engine.intrabar and (following or self._is_done(entry)):
                with self.desk.still() as engine:
                    engine.pass_over(entry.bars)
            else:
                began = clock()
                self._keep(entry, self.desk.step(entry.bars))
                self.seconds.append(clock() - began)
            self.last = entry.id

    def forget(self, done: str) -> None:
        """What was made of the entries through that id is published."""
        self._done = max(self._done, done, key=place_of)
        while self.made and place_of(self.made[0].entry) <= place_of(done):
            self.made.popleft()

    def _is_done(self, entry: Entry) -> bool:
        return place_of(entry.id) <= place_of(self._done)

    def _keep(self, entry: Entry, scan: Scan) -> None:
        if not scan.forming:
            self._note(entry, scan)
        if self._is_done(entry):
            self._probes = ()
            return
        probes, self._probes = self._probes, ()
        self.made.append(
            Step(
                self.day.date,
                entry.id,
                scan.k,
                scan.time,
                scan.session,
                scan.forming,
                entry.version,
                lists_of(scan),
                tuple(map(Announced, scan.triggers)),
                due=entry.at - entry.delay,
                probes=probes,
            )
        )

    def _note(self, entry: Entry, scan: Scan) -> None:
        """Note what tells how the feed is: delays, bars, halts and what is suspect."""
        self.delays.append(entry.delay)
        if bool(scan.snapshot.has_bar.any()):
            self.last_bar = entry.at
        halted = (scan.snapshot[Halt()].values == HALTED).nonzero()[0].tolist()
        symbols = [scan.snapshot.universe.symbols[row] for row in halted]
        self._halted = {symbol: self._halted.get(symbol, scan.time) for symbol in symbols}
        self._suspects.update(dict.fromkeys(volume_suspects(self.engine.meter.day, scan.k)))

    def look(self) -> None:
        """Bring what is `known` of the day up to date."""
        scan = self.engine.scan
        if scan is None:
            return
        shown = {symbol for ranking in scan.lists.values() for symbol in ranking.symbols}
        halts = {symbol: since.timestamp() for symbol, since in self._halted.items() if symbol in shown}
        warmth = warmth_of(self.engine.meter.day, scan.k, self.desk.roster)
        self.known = Known(
            None if self.head.pace is None else str(scan.session),
            tuple((one.fact, one.unknown, one.symbols) for one in warmth),
            {name: len(ranking) for name, ranking in scan.lists.items()},
            halts,
            tuple(self._suspects),
        )

    def figures(self) -> dict[str, float]:
        """Figures for a beat: how far it is, and how long steps take (ms)."""
        taken = sorted(self.seconds)
        long = {"step_ms": taken[len(taken) // 2], "slowest_ms": taken[-1]} if taken else {}
        return {
            "k": self.engine.k,
            "symbols": int(self.engine.universe.there(max(self.engine.k, 0)).sum()),
            "triggers": len(self.engine.triggers),
            "waiting": len(self.made),
            **{name: round(1000 * seconds, 2) for name, seconds in long.items()},
        }
