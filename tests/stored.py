"""Triggers and lists as the engine publishes them, for tests of what is stored."""

import datetime as dt
import json
from typing import Any

import pyarrow as pa

from scanner_kit.calendar import TradingDay
from scanner_kit.store import ListsOfMinute

DAYS = ("2025-01-27", "2025-01-28", "2025-01-29")


def fired(k: int = 330, symbol: str = "NVDA", scanner: str = "hod_break", **others: Any) -> dict[str, Any]:
    """A trigger as plain JSON values."""
    day = TradingDay.of(others.pop("day", DAYS[0]))
    return {
        "day": day.date.isoformat(),
        "k": k,
        "time": day.time(k).isoformat(),
        "session": str(day.session(k)),
        "symbol": symbol,
        "scanner": scanner,
        "kind": "fired",
        "side": 1,
        "price": 10.5,
        "level": 10.4,
        "score": 3.5,
        "severity": 98.5,
        "rank": 1,
        "stop": 10.0,
        "distance": 0.5,
        "shares": 200.0,
        "settings": "0123abcd",
        "metrics": {"float_rotation": None, "rvol_tod": 3.5},
        "intrabar": False,
        "version": 1,
        "late": 0.0,
        "entry": f"{k}-0",
        **others,
    }


def lists_of(k: int, *symbols: str, day: str = DAYS[0]) -> ListsOfMinute:
    """The lists of a minute: one, of these symbols."""
    trading_day = TradingDay.of(day)
    told = {"winners": {"seq": k, "rows": [[symbol, {"score": 1.0}] for symbol in symbols]}}
    payload = pa.compress(json.dumps(told).encode(), codec="zstd", asbytes=True)
    return ListsOfMinute(trading_day.date, k, trading_day.time(k), f"{k}-0", payload)


def at(day: str, time: str) -> dt.datetime:
    """An instant of New York."""
    return dt.datetime.fromisoformat(f"{day}T{time}-05:00")
