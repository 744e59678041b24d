"""A trigger as plain values ↔ as a row of the store.

Plain values are those of `Trigger`, by name, with `version` (of the settings), `late` (seconds) and `entry` (of the
tape) beside them. Days and times may be given as ISO texts, and unknown numbers as None or NaN; they come out as dates,
instants and NaN.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from scanner_kit.calendar import Session, as_date
from scanner_kit.errors import InvalidInput, short
from scanner_kit.store.schema import NO_SEVERITY, day_of, moment_of, number_of, time_of
from scanner_kit.triggers import Trigger, identity_of

Plain = Mapping[str, Any]
NUMBERS = ("price", "level", "score", "stop", "distance", "shares")
"""Numbers of a trigger that may be unknown, its severity aside."""
SAME = ("k", "symbol", "scanner", "kind", "side", "rank", "settings")
OWN = tuple(field.name for field in fields(Trigger))


def row_of(trigger: Plain) -> dict[str, Any]:
    """The row of a trigger; `InvalidInput` names what is missing or not as it should be."""
    try:
        return _row(trigger)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        missing = sorted(set(OWN) - {"intrabar", "note"} - set(trigger))
        wrong = f"without {', '.join(missing)}" if missing else f"{short(trigger)} ({fault})"
        raise InvalidInput(
            f"A trigger is stored with every field of Trigger; found one {wrong}. Give what the engine published."
        ) from fault


def _row(trigger: Plain) -> dict[str, Any]:
    day, time = as_date(trigger["day"]), _instant(trigger["time"])
    words = {name: trigger[name] for name in ("symbol", "scanner", "kind", "settings")}
    severity = known(trigger["severity"])
    return {
        "identity": identity_of(day, time, **words),
        "day": number_of(day),
        "moment": moment_of(time),
        "session": str(trigger["session"]),
        **{name: trigger[name] for name in SAME},
        **{name: known(trigger[name]) for name in NUMBERS},
        "severity": NO_SEVERITY if severity is None else severity,
        "intrabar": bool(trigger.get("intrabar", False)),
        "note": trigger.get("note") or None,
        "version": trigger.get("version"),
        "late": float(trigger.get("late") or 0.0),
        "entry": str(trigger.get("entry") or ""),
        "metrics": {name: known(value) for name, value in sorted(trigger["metrics"].items())},
    }


def plain_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The plain values of a row: every field of `Trigger`, and `identity`, `version`, `late` and `entry`."""
    return {
        "identity": row["identity"],
        "day": day_of(row["day"]),
        "time": time_of(row["moment"]),
        "session": Session(row["session"]),
        **{name: row[name] for name in SAME},
        **{name: _number(row[name]) for name in NUMBERS},
        "severity": math.nan if row["severity"] == NO_SEVERITY else row["severity"],
        "intrabar": row["intrabar"],
        "note": row["note"] or "",
        "version": row["version"],
        "late": row["late"],
        "entry": row["entry"],
        "metrics": {name: _number(value) for name, value in sorted(row["metrics"].items())},
    }


def trigger_of(plain: Plain) -> Trigger:
    """The trigger itself, of the plain values that come out of a store."""
    return Trigger(**{name: plain[name] for name in OWN})


def known(value: float | None) -> float | None:
    """The number as SQL and JSON have it: None where it is unknown."""
    return None if value is None or math.isnan(value) else float(value)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _instant(time: dt.datetime | str) -> dt.datetime:
    instant = dt.datetime.fromisoformat(time) if isinstance(time, str) else time
    if instant.tzinfo is None:
        raise ValueError(f"its time has no zone: {time}")
    return instant.astimezone(dt.UTC)
