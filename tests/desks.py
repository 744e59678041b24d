"""A desk at work as it is seen from outside, for tests of what is said of it."""

import datetime as dt
from typing import Any

from scanner_kit.bus.beats import Beat
from scanner_kit.live.health.signs import Signs

START = dt.datetime(2025, 1, 27, 15, 0, tzinfo=dt.UTC).timestamp()
ROLES = ("ingest", "engine", "store", "serve")


def beat(role: str, t: float, name: str | None = None, prefix: str = "scanner", **says: Any) -> Beat:
    """A process at work: a bar and a step a minute, two seconds after it."""
    minute = (t - 2) // 60 * 60 + 2
    usual: dict[str, Any] = {"last_tape": minute, "last_step": minute, "last_bar": minute, "began": START - 3600.0}
    usual |= {"state": "leading" if role == "engine" else "running", "at": t - 0.5, "host": "desk1", "version": 1}
    usual |= {"lists": {"hot": 5, "winners": 0}} if role == "engine" else {}
    usual |= {"delays": (2.0,) * 5, "label": "IBKR"} if role == "ingest" else {}
    return Beat(role, name or f"{role}:desk1:1", pid=1, prefix=prefix, redis="unix:///r.sock", **{**usual, **says})


def signs(t: float, *more: Beat, without: tuple[str, ...] = (), **says: Any) -> Signs:
    """A desk at work, but for what is said of a role (`engine={…}`) or of the bus."""
    beats = [beat(role, t, **says.pop(role, {})) for role in ROLES if role not in without]
    return Signs(t, (*beats, *more), url="unix:///r.sock", prefix="scanner", host="desk1", **says)
