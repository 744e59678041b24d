"""Health as its page shows it: rows in full, the stations of the chain, and the processes side by side.

A process is told by its beat, a dict of plain values: `role`, `id`, `state`, `version`, `prefix`, `redis`, `offset`,
`began`, `at`, and `figures`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scanner_kit.health import STATIONS, WORST_FIRST, Health, State, station_of
from scanner_kit.views.deltas import number

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
    """Processes by name: role, state, version, prefix, bus, clock's offset, began, at, and which of these differ.

    An ingest says the version that its day began with, and who is not at work has none to compare.
    """
    told = {str(beat.get("id") or f"{beat.get('role')}:{beat.get('pid')}"): beat for beat in beats}
    usual = {name: _usual([beat[name] for beat in told.values() if _compared(beat, name)]) for name in ALIKE}
    found = {}
    for name, beat in told.items():
        differs = [one for one in ALIKE if _compared(beat, one) and beat[one] != usual[one]]
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


def _compared(beat: Mapping[str, Any], name: str) -> bool:
    """Whether what a process says of it must be what its neighbours say."""
    if beat.get(name) is None or beat.get("state") == "stopped":
        return False
    return name != "version" or beat.get("role") != "ingest"


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
