"""Health: is it quiet, or broken? A pure function from signs of life to rows, the worst first.

Nothing is asked here: who watches hands over what was seen (`Feed`, `Process`, `Fault`, …) and the time, and
gets a row for each with its state, reason, since when, and the figures it rests on.

>>> from datetime import UTC, datetime, timedelta
>>> now = datetime(2025, 1, 27, 15, 0, tzinfo=UTC)
>>> seen = Process("engine", heartbeat=now - timedelta(seconds=9), tape=now, step=now)
>>> row = assess(now, Session.REGULAR, processes=[seen])[0]
>>> row.state, row.colour, row.reason
(<State.DOWN: 'DOWN'>, 'red', 'no heartbeat for 9 s')
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import TypeVar

import numpy as np

from scanner_kit.calendar import Session
from scanner_kit.composition import AnyScanner
from scanner_kit.day import Day
from scanner_kit.errors import must_be
from scanner_kit.meter import in_order
from scanner_kit.universe import Universe

T = TypeVar("T")
NO_HEARTBEAT, NO_STEP, NO_BAR = 6.0, 90.0, 180.0
CLOCK_OFF, DELAYED_BY, DELAYED_OVER = 2.0, 10.0, 5
ENOUGH_LIQUID = 50
STATIONS = ("bus", "tape", "bars", "engine", "lists", "store", "serve")
"""The chain: the way of a bar to the screen."""
BELONGS = {
    "bus": ("bus", "Redis", "disk", "clock"),
    "tape": ("tape", "ingest", "archive"),
    "bars": ("bars", "feed", "fact", "vendor", "volume_suspect", "inbox"),
    "engine": ("engine", "jobs"),
    "lists": ("lists", "list", "publishing", "scan"),
}
"""Whose rows belong to a station, by their first word; to the others what bears their name."""
SUSPECT_SHARE, SHOWN = 0.1, 8


class State(StrEnum):
    """What can be said of a row, the worst first."""

    DOWN = "DOWN"
    STUCK = "STUCK"
    FAULT = "FAULT"
    STALE = "STALE"
    DELAYED = "DELAYED"
    HALTED = "HALTED"
    WARMING = "WARMING"
    CLOSED = "CLOSED"
    QUIET = "QUIET"
    LIVE = "LIVE"


WORST_FIRST = {state: place for place, state in enumerate(State)}
GREEN, AMBER = (State.LIVE, State.QUIET, State.CLOSED), (State.WARMING, State.DELAYED, State.HALTED)


@dataclass(frozen=True)
class Health:
    """One row: a feed, a process, a list, a symbol or a resource, with its state, reason, since when and figures."""

    subject: str
    state: State
    reason: str
    since: dt.datetime | None = None
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def colour(self) -> str:
        """green, amber or red."""
        if self.state in GREEN:
            return "green"
        return "amber" if self.state in AMBER else "red"


@dataclass(frozen=True)
class Feed:
    """Signs of a feed: its heartbeat, its last bar of any symbol, and by how many seconds the latest bars were late."""

    name: str
    heartbeat: dt.datetime
    last_bar: dt.datetime | None = None
    delays: Sequence[float] = ()
    vendor_delayed: bool = False
    liquid: int = 0
    began: dt.datetime | None = None


@dataclass(frozen=True)
class Process:
    """Signs of a process: its heartbeat, when the tape last moved, when it last took a step, and when it began."""

    name: str
    heartbeat: dt.datetime
    tape: dt.datetime | None = None
    step: dt.datetime | None = None
    began: dt.datetime | None = None


@dataclass(frozen=True)
class Fault:
    """A resource that fails: disk full, Redis full, store locked, a clock that is off by more than 2 s."""

    resource: str
    reason: str
    since: dt.datetime | None = None


@dataclass(frozen=True)
class Quote:
    """Signs of a symbol: halted since when.

    Or silent for how many minutes where so many shares were usual, and whether a probe has newer bars.
    """

    symbol: str
    halted_since: dt.datetime | None = None
    silent_minutes: float = 0.0
    usual_shares: float = 0.0
    newer_bars: bool = False
    last_bar: dt.datetime | None = None


@dataclass(frozen=True)
class Warmth:
    """Of how many symbols with a bar today a fact is unknown that an enabled scanner uses."""

    fact: str
    unknown: int
    symbols: int


@dataclass(frozen=True)
class Listed:
    """A list and how many are on it."""

    name: str
    rows: int
    since: dt.datetime | None = None


def assess(
    now: dt.datetime,
    session: Session,
    *,
    feeds: Iterable[Feed] = (),
    processes: Iterable[Process] = (),
    faults: Iterable[Fault] = (),
    symbols: Iterable[Quote] = (),
    warmth: Iterable[Warmth] = (),
    lists: Iterable[Listed] = (),
    suspects: Sequence[str] = (),
) -> tuple[Health, ...]:
    """A row for each thing that was seen, the worst first, then by subject. All instants are aware, on one clock."""
    must_be(dt.datetime, now, "Health is assessed at an instant", "Give an aware one.")
    must_be(Session, session, "Health is assessed in a session", "Give, say, Session.REGULAR.")
    feeds, processes, faults = _all(Feed, feeds), _all(Process, processes), _all(Fault, faults)
    symbols, warmth, lists = _all(Quote, symbols), _all(Warmth, warmth), _all(Listed, lists)
    suspects = _all(str, suspects)
    rows = [_feed(feed, now, session) for feed in feeds]
    rows += [_process(process, now, session) for process in processes]
    rows += [Health(fault.resource, State.FAULT, fault.reason, fault.since) for fault in faults]
    broken = min((row for row in rows if row.colour == "red"), key=lambda row: WORST_FIRST[row.state], default=None)
    rows += [row for quote in symbols for row in _symbol(quote)]
    rows += [row for fact in warmth for row in _fact(fact)]
    rows += [_suspects(suspects)] if suspects else []
    rows += [_list(listed, session, broken) for listed in lists]
    return tuple(sorted(rows, key=lambda row: (WORST_FIRST[row.state], row.subject)))


def _all(kind: type[T], seen: Iterable[T]) -> tuple[T, ...]:
    rule, remedy = f"What is assessed as {kind.__name__} is a list of these", "Write [] for none."
    must_be(Iterable, seen, rule, remedy)
    there = tuple(seen)
    for one in there:
        must_be(kind, one, rule, remedy)
    return there


def clock_fault(offset: float, since: dt.datetime | None = None) -> Fault | None:
    """The fault of a clock that is off by more than 2 s; None for one that is right."""
    return Fault("clock", f"the clock is off by {offset:+.1f} s", since) if abs(offset) > CLOCK_OFF else None


def warmth_of(day: Day, k: int, scanners: Iterable[AnyScanner]) -> tuple[Warmth, ...]:
    """How many symbols with a bar today lack each fact that a scanner of the roster uses."""
    traded = day.bars_seen[k] > 0
    facts = dict.fromkeys(
        fact for scanner in scanners for metric in in_order(scanner.metrics()) for fact in metric.facts()
    )
    return tuple(
        Warmth(fact, int(np.count_nonzero(_unknown(day.universe, fact, k) & traded)), int(traded.sum()))
        for fact in facts
    )


def station_of(subject: str) -> str:
    """The station of the chain that a row belongs to; nothing for a symbol.

    >>> [station_of(subject) for subject in ("feed IBKR", "list hot", "settings of store", "disk of desk1", "ingest")]
    ['bars', 'lists', 'store', 'bus', 'tape']
    >>> station_of("engine lead"), station_of("NVDA")
    ('engine', '')
    """
    first, _, rest = subject.partition(" ")
    if first in ("settings", "heartbeat", "bus") and rest.startswith("of "):
        first = rest.removeprefix("of ").partition(" ")[0]
    return next((station for station in STATIONS if first in BELONGS.get(station, (station,))), "")


def volume_suspects(day: Day, k: int) -> tuple[str, ...]:
    """Symbols whose bar of minute `k` has more than 10 % of their average daily volume.

    The opening and closing minutes are not asked.
    """
    calendar = day.universe.day
    if k in (calendar.open_k, calendar.close_k - 1, calendar.close_k):
        return ()
    suspect = day.volume[k] > SUSPECT_SHARE * day.universe.facts.avg_volume_30d
    return tuple(day.universe.symbols[row] for row in np.flatnonzero(suspect).tolist())


def _unknown(universe: Universe, fact: str, k: int) -> np.ndarray:
    values = getattr(universe.facts, fact)
    return np.asarray(np.isnan(values[k] if fact == "usual_volume" else values))


def _feed(feed: Feed, now: dt.datetime, session: Session) -> Health:
    silent = _seconds(now, feed.heartbeat)
    subject = f"feed {feed.name}"
    if silent >= NO_HEARTBEAT:
        return Health(subject, State.DOWN, f"no heartbeat for {silent:.0f} s", feed.heartbeat, {"seconds": silent})
    if session is Session.CLOSED:
        return Health(subject, State.CLOSED, "the market is closed")
    since_bar = _seconds(now, feed.last_bar or feed.began)
    if since_bar >= NO_BAR and (session is Session.REGULAR or feed.liquid >= ENOUGH_LIQUID):
        told = "no bar of any symbol yet" if feed.last_bar is None else f"no bar of any symbol for {since_bar:.0f} s"
        return Health(subject, State.STALE, told, feed.last_bar or feed.began, _told(since_bar))
    return _delayed(feed, subject) or Health(subject, State.LIVE, _last_bar(feed, since_bar), None, _told(since_bar))


def _delayed(feed: Feed, subject: str) -> Health | None:
    late = median(feed.delays[-DELAYED_OVER:]) if feed.delays else 0.0
    if feed.vendor_delayed:
        return Health(
            subject, State.DELAYED, "the vendor says that its data is delayed", feed.last_bar, {"seconds": late}
        )
    if late > DELAYED_BY:
        return Health(
            subject, State.DELAYED, f"bars come {late:.0f} s after their minute's end", feed.last_bar, {"seconds": late}
        )
    return None


def _last_bar(feed: Feed, seconds: float) -> str:
    return "waiting for the first bar" if feed.last_bar is None else f"a bar {seconds:.0f} s ago"


def _process(process: Process, now: dt.datetime, session: Session) -> Health:
    silent, idle = _seconds(now, process.heartbeat), _seconds(now, process.step or process.began)
    if silent >= NO_HEARTBEAT:
        return Health(
            process.name, State.DOWN, f"no heartbeat for {silent:.0f} s", process.heartbeat, {"seconds": silent}
        )
    moved = process.tape is not None and (process.step is None or process.tape > process.step)
    if moved and idle >= NO_STEP:
        told = "no step yet" if process.step is None else f"no step for {idle:.0f} s"
        return Health(
            process.name, State.STUCK, f"the tape moves, but {told}", process.step or process.began, _told(idle)
        )
    if session is Session.CLOSED:
        return Health(process.name, State.CLOSED, "the market is closed")
    told = "no step yet" if process.step is None else f"a step {idle:.0f} s ago"
    return Health(process.name, State.LIVE, told, None, _told(idle))


def _symbol(quote: Quote) -> Iterator[Health]:
    if quote.halted_since is not None:
        yield Health(quote.symbol, State.HALTED, "halted, or silent as in a halt", quote.halted_since)
    elif quote.newer_bars and quote.usual_shares > 0:
        reason = (
            f"silent for {quote.silent_minutes:.0f} min, {quote.usual_shares:,.0f} shares are usual, "
            f"and the vendor has newer bars"
        )
        yield Health(
            quote.symbol,
            State.STALE,
            reason,
            quote.last_bar,
            {"minutes": quote.silent_minutes, "shares": quote.usual_shares},
        )


def _fact(warmth: Warmth) -> Iterator[Health]:
    if warmth.symbols and 2 * warmth.unknown > warmth.symbols:
        percent = 100.0 * warmth.unknown / warmth.symbols
        reason = f"{warmth.fact} is unknown for {percent:.0f} % of the {warmth.symbols:,} symbols with a bar today"
        yield Health(
            f"fact {warmth.fact}", State.WARMING, reason, None, {"unknown": warmth.unknown, "symbols": warmth.symbols}
        )


def _suspects(symbols: Sequence[str]) -> Health:
    shown = ", ".join(symbols[:SHOWN]) + (f" and {len(symbols) - SHOWN:,} more" if len(symbols) > SHOWN else "")
    reason = f"in a minute more than 10 % of a usual day's volume: {shown}"
    return Health("volume_suspect", State.LIVE, reason, None, {"symbols": len(symbols)})


def _list(listed: Listed, session: Session, broken: Health | None) -> Health:
    subject = f"list {listed.name}"
    if session is Session.CLOSED:
        return Health(subject, State.CLOSED, "the market is closed", listed.since)
    if broken is not None:
        return Health(subject, broken.state, f"it rests on {broken.subject}: {broken.reason}", broken.since)
    if listed.rows:
        return Health(subject, State.LIVE, f"{listed.rows} on it", listed.since, {"rows": listed.rows})
    return Health(subject, State.QUIET, "all works and nothing qualifies", listed.since, {"rows": 0})


def _seconds(now: dt.datetime, then: dt.datetime | None) -> float:
    return float("inf") if then is None else (now - then).total_seconds()


def _told(seconds: float) -> dict[str, float]:
    return {"seconds": seconds} if seconds < float("inf") else {}
