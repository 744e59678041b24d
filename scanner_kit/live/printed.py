"""The desk as tables for a terminal: its processes, and the versions of its settings."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from scanner_kit.bus.beats import Beat
from scanner_kit.health import NO_HEARTBEAT
from scanner_kit.store import Version

Facts = dict[str, Any]
CHAIN = ("ingest", "engine", "jobs", "store", "serve")


def beat_facts(beats: Sequence[Beat], now: float) -> list[Facts]:
    """What each process said last, in the order of the chain; `silent` is for how many seconds it said nothing.

    >>> beat_facts([Beat("engine", "engine:desk1:7", "desk1", 7, began=900.0, at=999.0, state="leading")], 1000.0)[0][
    ...     "up"
    ... ]
    100.0
    """
    ordered = sorted(beats, key=lambda beat: (CHAIN.index(beat.role) if beat.role in CHAIN else len(CHAIN), beat.id))
    return [
        {
            "role": beat.role,
            "host": beat.host,
            "pid": beat.pid,
            "state": beat.state if now - beat.at < NO_HEARTBEAT or beat.ended else "silent",
            "silent": round(now - beat.at, 1),
            "up": round(now - beat.began, 1),
            "version": beat.version,
            "figures": dict(beat.figures),
            "faults": [f"{fault.resource}: {fault.reason}" for fault in beat.faults],
        }
        for beat in ordered
    ]


def beats_table(facts: Sequence[Facts], where: str) -> RenderableType:
    """The processes, one a line."""
    if not facts:
        return f"No process of a desk has been seen at {where}. Start one with: scanner-kit up"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title=where, title_justify="left")
    for heading in ("process", "host", "pid", "state", "up", "last heard", "settings", "figures", "faults"):
        table.add_column(heading)
    for told in facts:
        figures = ", ".join(f"{name} {value:,g}" for name, value in told["figures"].items())
        version = "" if told["version"] is None else f"version {told['version']}"
        up = "" if told["state"] in ("stopped", "failing", "silent") else _span(told["up"])
        heard, faults = f"{_span(told['silent'])} ago", "; ".join(told["faults"])
        table.add_row(told["role"], told["host"], str(told["pid"]), told["state"], up, heard, version, figures, faults)
    return table


def version_facts(versions: Sequence[Version]) -> list[Facts]:
    """Versions of the settings as plain values."""
    return [
        {"version": one.n, "time": one.time.isoformat(), "who": one.who, "why": one.why, "changes": list(one.changes)}
        for one in versions
    ]


def versions_table(facts: Sequence[Facts]) -> RenderableType:
    """The versions, one a line."""
    if not facts:
        return "No version of the settings yet: every threshold is at its default."
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("version", "when, UTC", "who", "what", "why"):
        table.add_column(heading)
    for told in facts:
        changed = "\n".join(map(_change, told["changes"]))
        table.add_row(str(told["version"]), told["time"][:19].replace("T", " "), told["who"], changed, told["why"])
    return table


def audit_facts(rows: Sequence[Facts]) -> list[Facts]:
    """Rows of the audit as plain values."""
    return [
        {"id": row["id"], "time": row["time"].isoformat(), **{name: row[name] for name in ("who", "what", "detail")}}
        for row in rows
    ]


def audit_table(facts: Sequence[Facts]) -> RenderableType:
    """The audit, one a line."""
    if not facts:
        return "Nothing of that is in the audit."
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("when, UTC", "who", "what", "detail"):
        table.add_column(heading)
    for told in facts:
        changes = told["detail"].get("changes")
        words = [f"{name} {value}" for name, value in told["detail"].items() if name != "changes" and value]
        words += map(_change, changes or ())
        table.add_row(told["time"][:19].replace("T", " "), told["who"], told["what"], ", ".join(words))
    return table


def _change(change: Facts) -> str:
    before, after = (str(change.get(word, "default")) for word in ("before", "after"))
    return f"{change['scanner']}.{change['threshold']} {before} → {after}"


def _span(seconds: float) -> str:
    """Seconds in few words.

    >>> _span(4.4), _span(200), _span(9000)
    ('4 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
