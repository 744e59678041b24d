"""Folding: what stands on a tape one after the other, put together as the engine takes it.

What is no bar waits for the next entry of bars. A forming entry carries what has changed since the one before it, and
is put together with it. Symbols that join or leave make another universe, and what follows has its rows. Whoever folds
the same entries, from the bus or from an archive, has the same.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from scanner_kit.bars import FIELDS, Bars, Event, Join, Leave
from scanner_kit.bus.connection import BusError
from scanner_kit.bus.entries import Fields, decode, events_of, has_a_bar
from scanner_kit.entry import check_event
from scanner_kit.errors import InvalidInput
from scanner_kit.universe import Universe

log = logging.getLogger(__name__)

BARS = ("closed", "forming")
CHANGES = ("join", "leave")
"""The kinds of entries that make another universe."""


class TapeLost(BusError):  # noqa: N818  what happened, not what went wrong in a call
    """The tape is not as this process left it: the server has lost some of it, or it was begun again."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What a reader takes from the tape: `closed` or `forming` with its bars, or `end`.

    `bars` have with them whatever waited for them, and are whole also where a forming entry carries only what changed.
    `at` is when it was appended and `delay` how long after the minute was due, in seconds; `version` is that of the
    settings in force from this entry on; `probes` passed with it. `universe` is that of its rows.
    """

    id: str
    kind: str
    bars: Bars | None
    universe: Universe
    at: float = 0.0
    delay: float = 0.0
    version: int = 0
    probes: tuple[str, ...] = ()


class Folding:
    """Takes the entries of a tape in order, from behind the closed minute `k`, with the universe that it has there."""

    def __init__(self, universe: Universe, k: int = -1, version: int = 0) -> None:
        self.universe, self.k, self.version = universe, k, version
        self._events: tuple[Event, ...] = ()
        self._probes: tuple[str, ...] = ()
        self._so_far: Bars | None = None

    def take(self, raw: Iterable[tuple[str, Fields]]) -> list[Entry]:
        """The entries that these are, by id; `TapeLost` where one is not the next."""
        found = (self._take(at, fields) for at, fields in raw)
        return [entry for entry in found if entry is not None]

    def _take(self, at: str, fields: Fields) -> Entry | None:
        kind = fields[b"kind"].decode()
        if kind == "head":
            raise TapeLost("The tape was begun again.")
        self.version = int(fields.get(b"version", self.version))
        if kind in (*BARS, "end"):
            return self._entry(at, kind, fields)
        if kind == "probe":
            self._probes += (fields[b"probe"].decode(),)
        else:
            self._heed(fields)
        return None

    def _heed(self, fields: Fields) -> None:
        universe, events = heeded(self.universe, events_of(fields), self.k + 1)
        if universe is not self.universe:
            self.universe, self._so_far = universe, None  # the next forming entry is whole
        self._events += events

    def _entry(self, at: str, kind: str, fields: Fields) -> Entry:
        bars = self._whole(decode(fields, len(self.universe))) if kind in BARS else None
        probes, self._probes = self._probes, ()
        when, delay = (float(fields.get(name, 0)) for name in (b"at", b"delay"))
        return Entry(at, kind, bars, self.universe, when, delay, self.version, probes)

    def _whole(self, bars: Bars) -> Bars:
        """The bars of an entry with the events that waited for them, and with what was there of a minute so far."""
        if bars.k != self.k + 1:
            raise TapeLost(f"The tape has k={bars.k} after k={self.k}: some of it was lost.")
        events, self._events = (*self._events, *bars.events), ()
        bars = replace(bars, events=events)
        if not bars.forming:
            self.k, self._so_far = bars.k, None
            return bars
        if self._so_far is not None:
            new = has_a_bar(bars)
            merged = {name: np.where(new, getattr(bars, name), getattr(self._so_far, name)) for name in FIELDS}
            bars = replace(bars, **merged)
        self._so_far = bars
        return bars


def heeded(universe: Universe, events: Iterable[Event], k: int) -> tuple[Universe, tuple[Event, ...]]:
    """The universe that events make from minute `k` on, and the events; one that cannot be is left out, and said."""
    kept = []
    for event in events:
        if isinstance(event, Join | Leave):
            try:
                check_event(event)
                universe = event.changed(universe, k)
            except InvalidInput as fault:
                log.warning("k=%d: %s", k, fault)
                continue
        kept.append(event)
    return universe, tuple(kept)
