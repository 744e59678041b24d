"""A stored trigger as a line of the explorer, and what came of it."""

import datetime as dt
import math
from typing import Any

from scanner_kit.calendar import NEW_YORK
from scanner_kit.views.explorer.records import Row
from scanner_kit.views.explorer.review import Came
from scanner_kit.views.lists import title
from scanner_kit.views.triggers import marks
from scanner_kit.views.tuning.words import percent, signed


def told_of(row: Row, archived: bool) -> dict[str, Any]:
    """A trigger's line; its outcome comes later where the tape of its day is archived."""
    day = dt.date.fromisoformat(row["day"])
    return {
        "key": row["identity"],
        "day": f"{day:%b %d}",
        "date": f"{day:%A, %B %d, %Y}",
        "time": clock_of(row),
        "symbol": row["symbol"],
        "side": int(row["side"]),
        "scanner": spoken(row),
        "marks": marks_of(row),
        **{name: row.get(name) for name in ("price", "level", "stop", "rank", "severity")},
        "after": "…" if archived else "not yet",
    }


def told_of_outcome(came: Came, h: int) -> dict[str, Any]:
    """What came of a trigger by one horizon."""
    result_r = came.result_r[h]
    return {
        "result": came.result[h] or "not tradable",
        "r": "" if math.isnan(result_r) else signed(result_r),
        "sign": 0.0 if math.isnan(result_r) else result_r,
        "mfe": "" if math.isnan(came.mfe_pct[h]) else percent(came.mfe_pct[h]),
        "mae": "" if math.isnan(came.mae_pct[h]) else percent(came.mae_pct[h]),
    }


def marks_of(row: Row) -> list[list[str]]:
    """What is to be said of how a trigger came about: a word, and a sentence."""
    late, note = float(row.get("late") or 0.0), str(row.get("note") or "")
    return marks(intrabar=bool(row.get("intrabar")), late=late, notes=[note])


def spoken(row: Row) -> str:
    """Which scanner spoke, or what happened."""
    return title(row["scanner"]) if row["kind"] == "fired" else str(row["kind"]).capitalize()


def clock_of(row: Row) -> str:
    """When a trigger was said, in New York."""
    instant = dt.datetime.fromisoformat(row["time"]).astimezone(NEW_YORK)
    return f"{instant:%H:%M:%S}" if instant.second else f"{instant:%H:%M}"
