"""Health as its page shows it: rows in full, the stations of the chain, and the processes side by side.

A process is told by its beat, a dict of plain values: `role`, `id`, `state`, `version`, `prefix`, `redis`, `offset`,
`began`, `at`, and `figures`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scanner_kit.health import WORST_FIRST, Health, State
from scanner_kit.views.deltas import number

STATIONS = ("bus", "tape", "bars", "engine", "lists", "store", "serve")
"""The way of a bar to the screen."""
BELONGS = {
    "bus": ("bus", "redis", "connection"),
    "tape": ("ingest", "tape"),
    "bars": ("feed", "fact", "volume_suspect"),
    "engine": ("engine", "clock"),
    "lists": ("list",),
    "store": ("store", "disk", "database"),
    "serve": ("serve",),
}
ALIKE = ("version", "prefix", "redis")
"""What must be the same in every process of a desk."""
RESTS = "it rests on "


def stations(rows: Iterable[Health]) -> list[list[Any]]:
    """The chain: name, state, colour and what is said, of each station by the worst row that belongs to it.

    A list that only rests on something broken says nothing of the station of lists.

    >>> stations([Health("feed sim", State.STALE, "no bar of any symbol for 190 s")])[2]
    ['bars', 'STALE', 'red', 'feed sim: no bar of any symbol for 190 s', 1]
    """
    of_station: dict[str, list[Health]] = {name: [] for name in STATIONS}
    for row in rows:
        name = station_of(row.subject)
        if name and not row.reason.startswith(RESTS):
            of_station[name].append(row)
    return [_station(name, found) for name, found in of_station.items()]


def station_of(subject: str) -> str:
    """The station that a row belongs to; nothing for a symbol.

    >>> station_of("engine lead"), station_of("settings of store"), station_of("NVDA")
    ('engine', 'store', '')
    """
    words = subject.lower().split()
    first = words[2] if words[1:2] == ["of"] and len(words) > 2 else words[0]
    return next((name for name, words in BELONGS.items() if first in words), "")


def rows_of(health: Sequence[Health]) -> dict[str, list[Any]]:
    """Rows by subject: place (worst first), state, colour, reason, since, figures, station."""
    return {
        row.subject: [
            *(place, str(row.state), row.colour, row.reason),
            row.since.timestamp() if isinstance(row.since, dt.datetime) else None,
            {name: number(value, 2) for name, value in row.figures.items()},
            station_of(row.subject),
        ]
        for place, row in enumerate(health)
    }


def processes_of(beats: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Processes by name: role, state, version, prefix, bus, clock's offset, began, at, and which of these differ."""
    told = {str(beat.get("id") or f"{beat.get('role')}:{beat.get('pid')}"): beat for beat in beats}
    usual = {name: _usual([beat.get(name) for beat in told.values()]) for name in ALIKE}
    found = {}
    for name, beat in told.items():
        differs = [one for one in ALIKE if beat.get(one) != usual[one]]
        values = [str(beat.get(one, "")) for one in ("role", "state", *ALIKE)]
        instants = [number(beat.get(one), 3) for one in ("offset", "began", "at")]
        found[name] = [*values, *instants, differs]
    return found


def step_of(scan: Any, now: float) -> list[Any]:
    """A step in figures, in seconds where they are times.

    Its time; how long after it was due it was published; how long it then took to come here; from due to here; what
    fired; whether it is the minute so far.
    """
    due, at = (getattr(scan, name, None) for name in ("due", "at"))
    published = None if due is None or at is None else round(at - due, 3)
    here = None if at is None else round(max(0.0, now - at), 3)
    delay = None if due is None else round(now - due, 3)
    return [scan.time.timestamp(), published, here, delay, len(scan.triggers), bool(scan.forming)]


def _usual(values: list[Any]) -> Any:
    return max(values, key=values.count, default=None)


def _station(name: str, rows: list[Health]) -> list[Any]:
    if not rows:
        return [name, "", "", "nothing heard of it yet", 0]
    worst = min(rows, key=lambda row: (WORST_FIRST[row.state], row.subject))
    if worst.state is State.QUIET:
        worst = min(rows, key=lambda row: (row.state is not State.LIVE, row.subject))
    said = f"{worst.subject}: {worst.reason}" if len(rows) > 1 or name in ("bars", "lists") else worst.reason
    if name == "lists" and worst.colour == "green":
        busy = sum(row.state is State.LIVE for row in rows)
        said = f"{busy} of {len(rows)} lists have somebody on them"
    return [name, str(worst.state), worst.colour, said, len(rows)]
