"""Drawn triggers in the shapes and numbers of a real desk: a year, 10,000 symbols, a few of them all the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scanner_kit import scanners
from scanner_kit.calendar import TradingDay

SYMBOLS = 10_000
LAST_DAY = "2026-01-02"
METRICS = (
    *("change_pct", "day_dollar_volume", "day_volume", "float_rotation", "gap_pct", "hod", "last", "rsi_14"),
    *("rvol_1m", "rvol_5m_tod", "rvol_tod", "vwap"),
)


def days(count: int) -> tuple[TradingDay, ...]:
    """The days, oldest first."""
    return TradingDay.before(LAST_DAY, count)


def names() -> list[str]:
    """The symbols."""
    return [
        f"{chr(65 + i // 676 % 26)}{chr(65 + i // 26 % 26)}{chr(65 + i % 26)}{i // 17_576 or ''}"
        for i in range(SYMBOLS)
    ]


def triggers(day: TradingDay, count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """The triggers of a day in order of time, as plain values; the same for the same seed."""
    draw = np.random.Generator(np.random.PCG64([seed, day.date.toordinal()]))
    speakers = [scanner.name for scanner in scanners.roster() if scanner.triggers]
    often = 1.0 / np.arange(1, len(speakers) + 1)
    busy = 1.0 / (np.arange(SYMBOLS) + 20.0)
    symbols, words = names(), [str(session) for session in (day.session(k) for k in range(day.minutes))]
    times = [day.time(k).isoformat() for k in range(day.minutes)]
    ks = np.sort(np.minimum(330 + draw.exponential(130, count), day.close_k - 1).astype(int)).tolist()
    who = draw.choice(SYMBOLS, count, p=busy / busy.sum()).tolist()
    what = draw.choice(len(speakers), count, p=often / often.sum()).tolist()
    severity = np.where(draw.random(count) < 0.02, np.nan, 100 * draw.random(count)).tolist()
    price = (1 + draw.exponential(60, count)).round(2).tolist()
    numbers = draw.lognormal(0.5, 1.0, (count, len(METRICS))).tolist()
    halted = draw.random(count).tolist()
    for i in range(count):
        k, scanner = ks[i], speakers[what[i]]
        halts = scanner == "halt_resume"
        yield {
            "day": day.date,
            "k": k,
            "time": times[k],
            "session": words[k],
            "symbol": symbols[who[i]],
            "scanner": scanner,
            "kind": ("halted" if halted[i] < 0.5 else "resumed") if halts else "fired",
            "side": 1 if halted[i] < 0.6 else -1,
            "price": price[i],
            "level": price[i] * 0.99,
            "score": numbers[i][10],
            "severity": severity[i],
            "rank": 1 + i % 300,
            "stop": price[i] * 0.98,
            "distance": price[i] * 0.02,
            "shares": 100.0 / price[i] // 0.02,
            "settings": f"{i:016x}",
            "version": 1,
            "late": 0.0,
            "entry": f"{k}-0",
            "metrics": dict(zip(METRICS, numbers[i], strict=True)),
        }
