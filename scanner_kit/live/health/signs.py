"""From what was seen of a desk to rows of health: who is down, stuck, at odds with its neighbours, or only quiet.

Nothing is asked here: `live.health.looking` sees, and hands over `Signs`. Instants are by the clock of the bus.

1. Processes are judged by their last beats. One that was started after another had gone takes its place; while another
   of its role is at work, one that is missing is a standby less, and that is said, and no fault.
2. While the bus takes nothing, no beat can come: processes are then judged as they stood before.
3. What may hold for a moment between two beats (no engine leads, two lead, another version) is said once it lasts.
4. `since` is when a row came to its state, whoever looks how often.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

from scanner_kit.bus.beats import Beat
from scanner_kit.calendar import NEW_YORK, Session, TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.health import (
    NO_HEARTBEAT,
    WORST_FIRST,
    Fault,
    Feed,
    Health,
    Listed,
    Process,
    Quote,
    State,
    Warmth,
    assess,
    clock_fault,
)

EXPECTED = ("ingest", "engine", "store")
"""The roles that a desk cannot do without."""
MOVES = {"engine": "ingest", "store": "engine"}
"""Whose work a role waits for; a store that stands by has none to do."""
LASTS, NEW_VERSION_LASTS = 8.0, 90.0
"""Seconds after which leadership, or another version than the neighbours', is no longer a passing thing."""
STARTED_AT_ONCE = 2.0
"""By so many seconds may a last beat be after the next start, as the clocks of two machines tell them."""
UNDONE = 5.0
"""Seconds for which an entry may wait before it counts as one that moved the tape."""
MUCH_MEMORY = 0.7
WAS_ENDED = "it was ended, and not started again"
HOW = {
    "configured": "the configured server answers",
    "private": "the private server answers",
    "demo": "DEMO: a stand-in serves, which keeps nothing",
}


@dataclass(frozen=True)
class Signs:
    """What was seen of a desk at an instant.

    `now` is the clock of the bus, as far as it is known. `reached`: whether it answered. `trouble`: why it takes
    nothing. `offset`: the looker's clock − that of the bus, in seconds. `strangers`: processes that beat elsewhere.
    `memory`: bytes used and the most that may be, 0 where no limit is known.
    """

    now: float
    beats: tuple[Beat, ...] = ()
    reached: bool = True
    trouble: str | None = None
    how: str = "private"
    url: str = ""
    prefix: str = ""
    host: str = ""
    offset: float = 0.0
    strangers: tuple[Beat, ...] = ()
    faults: tuple[Fault, ...] = ()
    memory: tuple[float, float] = (0.0, 0.0)


@dataclass
class DeskHealth:
    """Judges signs as they come, and remembers since when each row is what it is.

    `patient`: what may be a passing thing is said only once it lasts; who looks but twice is not.

    >>> row = DeskHealth(expected=("engine",)).rows(Signs(1e9))[0]
    >>> row.subject, row.state, row.reason
    ('engine', <State.DOWN: 'DOWN'>, 'no heartbeat yet')
    """

    expected: tuple[str, ...] = EXPECTED
    patient: bool = True
    _away: float | None = field(default=None, repr=False)
    """When the bus last was as it should be; None while it is."""
    _gap: tuple[float, float] | None = field(default=None, repr=False)
    """From when to when it last was not."""
    _held: dict[object, float] = field(default_factory=dict, repr=False)
    _rows: dict[tuple[str, State], dt.datetime] = field(default_factory=dict, repr=False)
    _good: float | None = field(default=None, repr=False)

    def rows(self, signs: Signs) -> tuple[Health, ...]:
        """Health now, the worst first."""
        self._note_bus(signs)
        at = signs.now if self._away is None else self._away
        there = present([self._over_the_gap(beat) for beat in signs.beats], at)
        alive = [beat for beat in there if _alive(beat, at)]
        spare = [beat for beat in there if _is_spare(beat, alive)]
        shown = [beat for beat in there if beat not in spare]
        engine = _speaker(shown, at)
        feeds = [_feed(beat, at) for beat in shown if beat.role == "ingest" and beat.state != "standby"]
        processes = {beat.id: self._process(beat, shown, at) for beat in shown}
        faults = [*self._bus_faults(signs), *signs.faults, *self._faults(signs, alive, at)]
        session, now = session_of(shown, at), _instant(at)
        rows = assess(
            now,
            session,
            feeds=feeds,
            processes=processes.values(),
            faults=faults,
            symbols=_symbols(alive, engine),
            warmth=[Warmth(*one) for one in engine.warmth] if engine else (),
            suspects=engine.suspects if engine else (),
        )
        if engine is not None:  # a list rests on what makes it: it is none the worse for a store that is down
            chain = [processes[engine.id], *self._bus_process(signs)]
            lists = [Listed(name, rows) for name, rows in engine.lists.items()]
            resting = assess(now, session, feeds=feeds, processes=chain, faults=self._bus_faults(signs), lists=lists)
            rows += tuple(row for row in resting if row.subject.startswith("list "))
        names = {_name(beat, shown): beat for beat in shown}
        told = [_told(row, names.get(row.subject)) for row in rows]
        told += [self._bus_row(signs), *self._missing(shown, signs.beats), *_standbys(spare, alive)]
        return tuple(sorted(self._lasting(told, signs.now), key=lambda row: (WORST_FIRST[row.state], row.subject)))

    # The bus

    def _note_bus(self, signs: Signs) -> None:
        if signs.trouble is None:
            if self._away is not None:
                self._gap, self._away = (self._away, signs.now), None
            self._good = signs.now
        elif self._away is None:
            self._away = signs.now if self._good is None else self._good

    def _over_the_gap(self, beat: Beat) -> Beat:
        """The beat; of one that could not beat for want of a bus, as if it had when that was back."""
        if self._gap is None or beat.ended or beat.at < self._gap[0] - NO_HEARTBEAT:
            return beat
        return replace(beat, at=max(beat.at, self._gap[1]))

    def _bus_faults(self, signs: Signs) -> Iterator[Fault]:
        if signs.reached and signs.trouble is not None and self._away is not None:
            yield Fault("Redis", f"{signs.trouble}, and takes nothing", _instant(self._away))

    def _bus_process(self, signs: Signs) -> Iterator[Process]:
        if not signs.reached and self._away is not None and signs.now - self._away >= NO_HEARTBEAT:
            yield Process("bus", _instant(self._away - NO_HEARTBEAT))

    def _bus_row(self, signs: Signs) -> Health:
        if not signs.reached and self._away is not None:
            silent = signs.now - self._away
            state = State.DOWN if silent >= NO_HEARTBEAT else State.LIVE
            told = f"no answer for {silent:.0f} s: {signs.trouble}"
            return Health("bus", state, told, _instant(self._away), {"seconds": silent})
        used, most = signs.memory
        share = f", {100 * used / most:.0f} % of its memory is used" if most and used >= MUCH_MEMORY * most else ""
        return Health("bus", State.LIVE, HOW[signs.how] + share, None, {"bytes": used, "most": most} if used else {})

    # The processes

    def _process(self, beat: Beat, shown: list[Beat], at: float) -> Process:
        """Signs of a process: what moves the tape of an engine is the ingest, of a store the engine."""
        moves = None if beat.role == "store" and beat.state == "standby" else MOVES.get(beat.role)
        moved = [one.last_tape if moves == "ingest" else one.last_step for one in shown if one.role == moves]
        tape = max((one for one in (beat.last_tape, *moved) if one is not None), default=None)
        waits = moves is not None and tape is not None and (beat.last_step is None or tape > beat.last_step)
        if not self._lasts(("undone", beat.id), waits, at, UNDONE):
            tape = beat.last_step
        name, instants = _name(beat, shown), map(_maybe, (tape, beat.last_step, beat.began))
        return Process(name, _instant(beat.at), *instants)

    def _missing(self, shown: list[Beat], beats: Iterable[Beat]) -> Iterator[Health]:
        known = {beat.role for beat in beats}
        for role in self.expected:
            if all(beat.role != role for beat in shown):
                yield Health(role, State.DOWN, WAS_ENDED if role in known else "no heartbeat yet")

    def _faults(self, signs: Signs, alive: list[Beat], at: float) -> Iterator[Fault]:
        said = {one.resource: one for beat in reversed(alive) for one in beat.faults}
        yield from (Fault(one.resource, one.reason, _maybe(one.since)) for one in said.values())
        yield from _clocks(signs, alive)
        yield from _strangers(signs)
        for role in EXPECTED:
            yield from self._leaders(role, [beat for beat in alive if beat.role == role], at)
        yield from self._versions([beat for beat in alive if beat.version is not None], at)

    def _leaders(self, role: str, alive: list[Beat], at: float) -> Iterator[Fault]:
        leading = [beat.name for beat in alive if beat.state in ("leading", "running")]
        if self._lasts((role, "two"), len(leading) > 1, at, LASTS):
            yield Fault(f"{role} lead", f"two lead: {' and '.join(leading)}. End one of them")
        idle = bool(alive) and all(beat.state == "standby" for beat in alive)
        if self._lasts((role, "none"), idle, at, LASTS):
            yield Fault(f"{role} lead", f"none leads: {', '.join(beat.name for beat in alive)} stand by")

    def _versions(self, known: list[Beat], at: float) -> Iterator[Fault]:
        """Who has taken a step since the newest version was there, and not under it. An ingest says its day's first."""
        newest = max((beat.version or 0 for beat in known), default=0)
        came = [beat.version_at for beat in known if beat.version == newest and beat.version_at is not None]
        there = min([self._held.setdefault(("newest", newest), at), *came])
        passing = not self.patient and at - there < NEW_VERSION_LASTS
        for beat in known:
            stepped = (at if beat.last_step is None else beat.last_step) > there + UNDONE
            behind = beat.role != "ingest" and beat.version != newest and stepped
            if self._lasts(("version", beat.id), behind and not passing, at, NEW_VERSION_LASTS):
                told = f"{beat.name} works under version {beat.version} of the settings, its neighbours under {newest}"
                yield Fault(f"settings of {beat.role}", f"{told}. Start it again")

    # Time

    def _lasts(self, what: object, holds: bool, at: float, seconds: float) -> bool:
        """Whether something has held for so long by now."""
        if not holds:
            self._held.pop(what, None)
            return False
        return at - self._held.setdefault(what, at) >= seconds or not self.patient

    def _lasting(self, rows: Iterable[Health], now: float) -> list[Health]:
        """The rows, each since it came to its state."""
        lasting = [
            replace(row, since=self._rows.get((row.subject, row.state)) or row.since or _instant(now)) for row in rows
        ]
        self._rows = {(row.subject, row.state): row.since for row in lasting if row.since is not None}
        return lasting


def present(beats: Iterable[Beat], at: float) -> list[Beat]:
    """The beats that speak for a process: of those that are gone only the ones whose place nobody has taken.

    Who is started takes the place of one that had gone before, of its own host if there is one. Who was ended is missed
    only where no other of its role is at work.
    """
    found = []
    for _, of_role in groupby(sorted(beats, key=lambda beat: (beat.role, beat.began)), lambda beat: beat.role):
        alive, gone = list[Beat](), list[Beat]()
        for beat in of_role:
            before = [one for one in gone if one.at - STARTED_AT_ONCE <= beat.began]
            if before:
                gone.remove(max(before, key=partial(_closeness, beat)))
            (alive if _alive(beat, at) else gone).append(beat)
        ended = [beat for beat in gone if beat.state == "stopped"]
        there = alive + [beat for beat in gone if beat not in ended]
        found += there if there or beat.role in ("jobs", "serve") else ended[-1:]
    return sorted(found, key=lambda beat: (beat.role, beat.id))


def session_of(beats: Iterable[Beat], at: float) -> Session:
    """The session: of the day that is played, or was when its ingest was heard last; else of the clock."""
    ingests = [beat for beat in beats if beat.role == "ingest" and beat.state != "standby"]
    last = max(ingests, key=lambda beat: (_alive(beat, at), beat.session is not None, beat.at), default=None)
    if last is not None and last.session is not None:
        return Session(last.session)
    now = _instant(at)
    try:
        day = TradingDay.of(now.astimezone(NEW_YORK).date())
    except InvalidInput:  # no trading day
        return Session.CLOSED
    return day.session(day.minute_of(now))


def _alive(beat: Beat, at: float) -> bool:
    return not beat.ended and at - beat.at < NO_HEARTBEAT


def _speaker(shown: list[Beat], at: float) -> Beat | None:
    """The engine whose lists stand: who leads, else who was heard last."""
    engines = [beat for beat in shown if beat.role == "engine" and beat.state != "standby"]
    return max(engines, key=lambda beat: (_alive(beat, at), beat.state == "leading", beat.at), default=None)


def _symbols(alive: list[Beat], engine: Beat | None) -> Iterator[Quote]:
    """Who is halted, and who is silent: a symbol of which the vendor has newer bars is not halted."""
    silent = {symbol: (beat, minutes, shares) for beat in alive for symbol, minutes, shares in beat.silent}
    halts = engine.halts if engine else {}
    yield from (Quote(symbol, _instant(since)) for symbol, since in halts.items() if symbol not in silent)
    for symbol, (beat, minutes, shares) in silent.items():
        last = _instant(beat.at - 60 * minutes)
        yield Quote(symbol, None, minutes, shares, newer_bars=True, last_bar=last)


def _closeness(begun: Beat, gone: Beat) -> tuple[bool, float]:
    """How near who has gone was to who then began: on its host, and how late."""
    return gone.host == begun.host, gone.at


def _is_spare(gone: Beat, alive: list[Beat]) -> bool:
    """Whether a process that is gone is one that others do without: another does its work. Pages have users each."""
    return gone not in alive and gone.role != "serve" and any(beat.role == gone.role for beat in alive)


def _standbys(spare: list[Beat], alive: list[Beat]) -> Iterator[Health]:
    """That there are fewer standbys than there were."""
    for role in dict.fromkeys(beat.role for beat in spare):
        first, *others = sorted((beat for beat in spare if beat.role == role), key=lambda beat: beat.at)
        left = sum(beat.role == role for beat in alive) - 1
        how = "no standby" if not left else f"{1 + len(others)} fewer to stand by"
        why = first.faults[0].reason if first.state == "failing" else "is gone, and none was started in its place"
        told = f"{how} since {_instant(first.at):%H:%M} UTC: {first.name} {why}"
        yield Health(f"{role} standby", State.LIVE, told, _instant(first.at))


def _name(beat: Beat, shown: list[Beat]) -> str:
    """The role alone where one process has it, or leads in it."""
    others = [one for one in shown if one.role == beat.role]
    leads = beat.state == "leading" and sum(one.state == "leading" for one in others) == 1
    return beat.role if len(others) == 1 or leads else beat.name


def _feed(beat: Beat, at: float) -> Feed:
    heartbeat = min(beat.at, at - NO_HEARTBEAT) if beat.ended else beat.at
    return Feed(
        beat.label or "of bars",
        _instant(heartbeat),
        _maybe(beat.last_bar),
        beat.delays,
        beat.vendor_delayed,
        beat.liquid,
        _instant(beat.began),
    )


def _told(row: Health, beat: Beat | None) -> Health:
    """The row of a process, in words for what it does."""
    if beat is None:
        return row
    if beat.state == "stopped":
        return replace(row, state=State.DOWN, reason=WAS_ENDED, since=_instant(beat.at))
    if beat.state == "failing":
        return replace(row, state=State.DOWN, reason=f"it {beat.faults[0].reason}", since=_instant(beat.at))
    if row.state not in (State.LIVE, State.CLOSED):
        return row
    words = {"standby": "stands by", "recovering": "reads the day so far", "starting": "starts"}.get(beat.state)
    if words is None and beat.role in ("ingest", "jobs", "serve"):
        words = "at work"
    return replace(row, reason=words) if words else row


def _clocks(signs: Signs, alive: list[Beat]) -> Iterator[Fault]:
    known = [(beat.host, beat.offset) for beat in alive] + [(signs.host, signs.offset)] * bool(signs.host)
    for host in sorted({host for host, _ in known}):
        offset = max((one for where, one in known if where == host), key=abs)
        fault = clock_fault(offset)
        if fault:
            yield Fault(f"clock of {host}", f"{fault.reason} against the clock of the bus")


def _strangers(signs: Signs) -> Iterator[Fault]:
    for beat in signs.strangers:
        differs = [
            f"{what} {theirs!r} where its neighbours use {ours!r}"
            for what, theirs, ours in (("prefix", beat.prefix, signs.prefix), ("bus", beat.redis, signs.url))
            if theirs != ours
        ]
        yield Fault(
            f"bus of {beat.role}", f"{beat.name} uses the {' and the '.join(differs)}. Start it under one settings file"
        )


def _instant(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _maybe(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else _instant(seconds)
