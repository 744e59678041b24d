"""What the processes of a desk did, for the audit: that they began and ended, and which engine scanned which day.

It is told by their heartbeats, so however they were started; what is in the audit already is not told again.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from scanner_kit.bus.beats import Beat
from scanner_kit.calendar import TradingDay
from scanner_kit.store import Store

BEGAN, ENDED, GONE, SCANS = "began", "ended", "gone", "scans"
GONE_SECONDS = 30.0
"""Without a heartbeat for so long, a process is gone."""
SAME_SECONDS = 5.0
"""By so much the beginning of one process may differ from beat to beat: clocks are compared anew each time."""
LOOKED_BACK = 1_000


class Doings:
    """Writes what processes do into the audit of a store, once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._began: dict[str, float] = {}
        self._running: set[str] = set()
        self._scans: dict[str, str] = {}
        for row in reversed(store.audit.page(size=LOOKED_BACK).rows):
            self._remember(str(row["who"]), str(row["what"]), dict(row["detail"]))

    def take(self, beats: Iterable[Beat], day: TradingDay | None) -> None:
        """Take the heartbeats as they are now; `day` is the one that is scanned."""
        there = sorted(beats, key=lambda beat: beat.at)
        for beat in there:
            if abs(beat.began - self._began.get(beat.id, float("-inf"))) > SAME_SECONDS:
                self._write(beat.id, BEGAN, {"at": _text(beat.began)})
            over = ENDED if beat.ended else GONE if there[-1].at - beat.at > GONE_SECONDS else None
            if over and beat.id in self._running:
                self._write(beat.id, over, {"at": _text(beat.at)})
            if day is not None and beat.state == "leading" and self._scans.get(beat.id) != str(day.date) and not over:
                self._write(beat.id, SCANS, {"day": str(day.date), "version": beat.version})

    def _write(self, who: str, what: str, detail: dict[str, Any]) -> None:
        self._store.audit.write(who, what, detail)
        self._remember(who, what, detail)

    def _remember(self, who: str, what: str, detail: dict[str, Any]) -> None:
        if what == BEGAN:
            self._began[who] = dt.datetime.fromisoformat(detail["at"]).timestamp()
            self._running.add(who)
        elif what in (ENDED, GONE):
            self._running.discard(who)
        elif what == SCANS:
            self._scans[who] = detail["day"]


def _text(instant: float) -> str:
    return dt.datetime.fromtimestamp(instant, dt.UTC).isoformat(timespec="seconds")
