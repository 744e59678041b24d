"""The doctor: walks the chain bus → tape → bars → engine → lists → store → serve, and says what is broken first.

Whatever stands behind a broken station suffers from it, so the first one is the one to mend; each has its remedy. A
probe goes the same way and is timed: it is an entry of the tape that changes nothing and is stamped wherever it passes.
"""

import secrets
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus, BusError, reason_of
from scanner_kit.bus.probes import passage, stamp
from scanner_kit.bus.tape import TapeWriter, current_day
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.health import NO_HEARTBEAT, STATIONS, Health, station_of
from scanner_kit.live.health.looking import Look
from scanner_kit.live.health.signs import Signs
from scanner_kit.live.server import bus_there

if TYPE_CHECKING:
    from scanner_kit.settings import Settings

PROBED = ("tape", "engine", "store", "serve", "screen")
BETWEEN_LOOKS = 1.5
NAMED = 3
"""How many names stand before one reason."""
PROBE_SECONDS, SCREEN_SECONDS = 75.0, 5.0
"""How long a probe is waited for: it goes with the next minute; how long for a screen once a page has it."""
REMEDIES = {
    "bus": "Start it, make room, or mend its disk or the clock; of a private one see redis.log in the state folder.",
    "tape": "Start scanner-kit ingest, or scanner-kit up for everything.",
    "bars": "See the log of the ingest, and whether the vendor is reached and subscribed.",
    "engine": "Start scanner-kit engine, or end the one that hangs: another takes over with nothing lost. "
    "What runs scheduled scanners is scanner-kit jobs.",
    "lists": "A scan that is off: scanner-kit jobs on NAME. Else see the log of the engine: it publishes nothing.",
    "store": "Start scanner-kit store; where its disk is full or the database locked, mend that: it catches up.",
    "serve": "Start scanner-kit serve.",
}


@dataclass(frozen=True)
class Finding:
    """A station of the chain: whether it works, what was found there, and what mends it."""

    station: str
    works: bool
    told: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """What the doctor found, in the order of the chain."""

    findings: tuple[Finding, ...]

    @property
    def broken(self) -> Finding | None:
        """The first station that does not work."""
        return next((finding for finding in self.findings if not finding.works), None)

    @property
    def status(self) -> int:
        """The exit status: 0 where everything works, else 1."""
        return 0 if self.broken is None else 1

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        stations = [
            {"station": one.station, "works": one.works, "told": one.told, "remedy": one.remedy}
            for one in self.findings
        ]
        return {"works": self.broken is None, "broken": self.broken and self.broken.station, "stations": stations}

    def __str__(self) -> str:
        lines = [f"{one.station:<7} {'works ' if one.works else 'BROKEN'} {one.told}" for one in self.findings]
        if self.broken is None:
            return "\n".join([*lines, "Everything works."])
        return "\n".join([*lines, f"Broken first: {self.broken.station}. {self.broken.remedy}"])


def diagnose(settings: "Settings", *, between_looks: float = BETWEEN_LOOKS) -> Report:
    """Look twice at the desk of the settings, and say what is broken; nothing is started."""
    try:
        bus = bus_there(settings)
    except (BusError, InvalidInput) as fault:
        return Report((Finding("bus", False, str(fault), REMEDIES["bus"]),))
    with bus:
        look = Look(bus, settings.live.folder, expected=("ingest", "engine", "store", "serve"), patient=False)
        before = {(row.subject, row.state) for row in look.health()}
        time.sleep(between_looks)
        signs = look.signs()
        rows = [row for row in look.judged(signs) if row.colour != "red" or (row.subject, row.state) in before]
        try:
            day = current_day(bus)
            told = {"tape": _tape(bus, day)}
        except redis.RedisError as fault:
            day, told = None, {"tape": str(reason_of(fault) or fault)}
    return examine(signs, rows, day is not None, told)


def examine(signs: Signs, rows: Iterable[Health], has_tape: bool, told: Mapping[str, str]) -> Report:
    """The report of what was seen; all that stands behind a silent bus is not known."""
    if signs.trouble is not None:
        return Report((Finding("bus", False, f"{signs.url}: {signs.trouble}", REMEDIES["bus"]),))
    by_station: dict[str, list[Health]] = {station: [] for station in STATIONS}
    for row in rows:
        by_station[station_of(row.subject) or "bars"].append(row)  # of a symbol it is the bars
    findings = []
    for station, found in by_station.items():
        red = [row for row in found if row.colour == "red"]
        if station == "tape" and not has_tape and not red:
            findings.append(Finding(station, False, "no day's tape was begun", REMEDIES[station]))
        elif red:
            findings.append(Finding(station, False, _reasons(red), REMEDIES[station]))
        elif station == "lists" and not found:
            findings.append(_no_lists(signs, {one.station for one in findings if not one.works}))
        else:
            findings.append(Finding(station, True, told.get(station) or _said(station, found)))
    return Report(tuple(findings))


def _no_lists(signs: Signs, broken: Collection[str]) -> Finding:
    """Why there are no lists: an engine that reads the day so far is about to publish them."""
    engines = [beat for beat in signs.beats if beat.role == "engine" and signs.now - beat.at < NO_HEARTBEAT]
    if any(beat.state in ("starting", "recovering") for beat in engines):
        return Finding("lists", True, "the engine reads the day so far")
    told = "the engine that makes them is broken" if "engine" in broken else "nothing was published yet"
    return Finding("lists", False, told, REMEDIES["lists"])


# A probe


@dataclass(frozen=True)
class Probe:
    """How a probe went: seconds after it was sent, by station, and why it came no further."""

    passed: Mapping[str, float]
    stopped: str | None = None

    @property
    def status(self) -> int:
        """The exit status: 0 where it went all the way there is."""
        return 0 if self.stopped is None or self.stopped.startswith("no browser") else 1

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"passed": dict(self.passed), "stopped": self.stopped}

    def __str__(self) -> str:
        lines = [f"{station:<7} after {1000 * seconds:,.0f} ms" for station, seconds in self.passed.items()]
        return "\n".join([*lines, f"It came no further: {self.stopped}." if self.stopped else "It went all the way."])


def send_probe(bus: Bus, over: threading.Event, *, seconds: float = PROBE_SECONDS) -> Probe:
    """Send a probe through the chain and time it; it goes with the next entry of bars.

    Times are by the clocks of the stations: between machines they are as exact as those.
    """
    day = current_day(bus)
    if day is None:
        return Probe({}, "no day's tape was begun, so that nothing can be sent")
    name = f"probe-{secrets.token_hex(4)}"
    sent = time.time()
    stamp(bus, name, "tape", sent)
    TapeWriter(bus, day, "probe").probe(int(sent * 1000), name, sent)
    end, served = time.monotonic() + seconds, 0.0
    while True:
        passed = _passed(bus, name, sent)
        served = served or (time.monotonic() if "serve" in passed else 0.0)
        if all(station in passed for station in PROBED):
            return Probe(passed)
        if all(station in passed for station in PROBED[:-1]) and not browsers(bus):
            return Probe(passed, "no browser is open")
        if time.monotonic() > end or (served and time.monotonic() > served + SCREEN_SECONDS) or over.wait(0.05):
            missing = next(station for station in PROBED if station not in passed)
            return Probe(passed, f"the {missing} has not seen it after {time.time() - sent:.0f} s")


def browsers(bus: Bus) -> int:
    """How many browsers have a page of this desk open."""
    beats = read_beats(bus)
    newest = max((beat.at for beat in beats), default=0.0)
    alive = [beat for beat in beats if beat.role == "serve" and newest - beat.at < NO_HEARTBEAT]
    return int(sum(beat.figures.get("browsers", 0) for beat in alive if not beat.ended))


def _passed(bus: Bus, name: str, sent: float) -> dict[str, float]:
    instants = passage(bus, name)
    return {station: max(0.0, instants[station] - sent) for station in PROBED if station in instants}


def _tape(bus: Bus, day: TradingDay | None) -> str:
    return "" if day is None else f"{day.date}, {bus.redis.xlen(bus.keys.tape(day.date)):,} entries"


def _reasons(red: list[Health]) -> str:
    """Why each is red; what is so for one reason stands together."""
    of_reason: dict[str, list[str]] = {}
    for row in red:
        of_reason.setdefault(row.reason, []).append(row.subject)
    more = {reason: f" and {len(names) - NAMED} more" * (len(names) > NAMED) for reason, names in of_reason.items()}
    return "; ".join(f"{', '.join(names[:NAMED])}{more[reason]}: {reason}" for reason, names in of_reason.items())


def _said(station: str, found: list[Health]) -> str:
    if station == "lists":
        return (
            f"{len(found)} lists, {sum(row.figures.get('rows', 0) > 0 for row in found)} of them with symbols on them"
        )
    told = (row.reason if row.colour == "green" else f"{row.subject}: {row.reason}" for row in found[:2])
    return "; ".join(dict.fromkeys(told))
