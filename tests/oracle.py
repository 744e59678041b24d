"""A second opinion on every number: the definitions read literally, in plain loops over symbols and minutes.

``replay`` takes minute bars of many days, daily rows and reference rows, and gives the facts, the metrics, the lists
and the triggers of one day. Written from the text of the definitions alone; calendar by ``exchange_calendars``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
from oracle_lists import ListRow, Market, lists
from oracle_metrics import NAN, OPEN, Bar, Clock, Minutes, Source, halts, symbol_metrics, total, true_range
from oracle_triggers import triggers

NEW_YORK = ZoneInfo("America/New_York")
LIQUID_DOLLARS, LIQUID_PRICE = 5_000_000.0, 1.0
NUMBERS = ("market_cap", "shares_outstanding", "float_shares")
WORDS = ("name", "kind", "sector", "industry", "exchange")

Report = Counter[str]
Days = dict[date, dict[int, Bar]]
Daily = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Result:
    """One day, measured. Arrays are (minutes, symbols); NaN is unknown."""

    symbols: list[str]
    report: Report
    facts: dict[str, list[Any]]
    metrics: dict[str, np.ndarray]
    lists: list[ListRow]
    triggers: list[dict[str, Any]]


def replay(
    bars: pd.DataFrame,
    day: date | str,
    daily: pd.DataFrame | None = None,
    reference: pd.DataFrame | None = None,
    fills: bool = False,
    share_of_market: float = 1.0,
    daily_same_source: bool = False,
    overrides: Mapping[str, Any] | None = None,
    scanners: Sequence[str] | None = None,
) -> Result:
    """Measure ``day`` out of all that is given; rows stand in the order of their arrival.

    ``overrides`` is ``{"hod_break.min_rvol": 2.0}``; ``scanners`` restricts lists and triggers to these names.
    """
    clock = day_clock(_date(day))
    source = Source(share_of_market, daily_same_source)
    report: Report = Counter()
    taken = {symbol: admit(rows, fills, report) for symbol, rows in _by_symbol(bars)}
    given = daily_rows(daily)
    symbols = universe(taken, given, clock.day)
    known = reference_rows(reference, clock.day)
    facts = [
        symbol_facts(taken.get(symbol, {}), given.get(symbol, {}), known.get(symbol, {}), clock, source)
        for symbol in symbols
    ]
    today = [_minutes(taken.get(symbol, {}).get(clock.day, {}), clock) for symbol in symbols]
    market = measured(symbols, today, facts, clock, source)
    return Result(
        symbols=symbols,
        report=report,
        facts={name: list(values) for name, values in market.facts.items()},
        metrics={name: np.array(rows).reshape(len(symbols), clock.minutes).T for name, rows in market.metrics.items()},
        lists=lists(market, overrides or {}, scanners),
        triggers=triggers(market, today, overrides or {}, scanners),
    )


def measured(
    symbols: list[str], today: list[Minutes], facts: list[dict[str, Any]], clock: Clock, source: Source
) -> Market:
    """All metrics of all symbols, turned round to name first."""
    metrics = [symbol_metrics(own, fact, clock, source) for own, fact in zip(today, facts, strict=True)]
    for own, halt in zip(metrics, halts(today, clock), strict=True):
        own["halt"] = halt
    empty = symbol_facts({}, {}, {}, clock, source)
    names = [*symbol_metrics([None] * clock.minutes, empty, clock, source), "halt"]
    table = {name: [own[name] for own in metrics] for name in names}
    return Market(symbols, table, {name: [own[name] for own in facts] for name in empty}, clock, source)


# The calendar


def day_clock(day: date) -> Clock:
    """The minutes of a trading day: 04:00 to 20:00 New York, to 17:00 on an early close."""
    if day not in sessions():
        raise ValueError(f"{day} is not a session of XNYS. Give a trading day.")
    close = sessions()[day]
    start = datetime.combine(day, time(4), NEW_YORK).astimezone(UTC)
    return Clock(day, start, 960 if close == 720 else 780, close)


@cache
def sessions() -> dict[date, int]:
    """Every session of XNYS, in order, with the minute index of its close: 720, or 540 on an early close."""
    closes = exchange_calendars.get_calendar("XNYS", start="2000-01-03").closes
    result = {}
    for session, close in closes.items():
        at = close.tz_convert(NEW_YORK)
        result[session.date()] = at.hour * 60 + at.minute - 240
    return result


def sessions_before(day: date, full: bool = False) -> list[date]:
    """The sessions before the day, oldest first; ``full``: those without an early close."""
    return [session for session, close in sessions().items() if session < day and (close == 720 or not full)]


@cache
def _hour(hour: int) -> tuple[date, int]:
    """The New York date and minute of the day at which an hour since the epoch begins."""
    local = datetime.fromtimestamp(hour * 3600, UTC).astimezone(NEW_YORK)
    return local.date(), local.hour * 60 + local.minute


def place(minute: int) -> tuple[date, int] | None:
    """The trading day and minute index of a minute since the epoch; None outside every trading day."""
    day, begin = _hour(minute // 60)
    k = begin + minute % 60 - 240
    close = sessions().get(day)
    if close is None or not 0 <= k < (960 if close == 720 else 780):
        return None
    return day, k


# On entry


def admit(rows: Sequence[tuple[int, Bar]], fills: bool, report: Report) -> Days:
    """One symbol's bars as they arrive, each with its minute since the epoch: refused, mended, replaced, counted."""
    days: Days = {}
    for minute, raw in rows:
        at = place(minute)
        if at is None:
            report["outside_day"] += 1
            continue
        bar = _mended(raw, fills, report)
        if bar is not None:
            _put(days.setdefault(at[0], {}), at[1], bar, report)
    return {day: own for day, own in days.items() if own}


def _mended(bar: Bar, fills: bool, report: Report) -> Bar | None:
    prices = bar[:4]
    if not all(math.isfinite(price) and price > 0 for price in prices):
        report["bad_price"] += 1
        return None
    if bar.volume < 0 or math.isinf(bar.volume):
        report["bad_volume"] += 1
        return None
    if math.isnan(bar.volume):
        report["nan_volume"] += 1
        bar = bar._replace(volume=0.0)
    if fills and bar.volume == 0:
        report["filled"] += 1
        return None
    if bar.high < max(prices):
        report["high_raised"] += 1
        bar = bar._replace(high=max(prices))
    if bar.low > min(prices):
        report["low_lowered"] += 1
        bar = bar._replace(low=min(prices))
    return bar


def _put(minutes: dict[int, Bar], k: int, bar: Bar, report: Report) -> None:
    before = minutes.get(k)
    if before is not None and all(a == b or (a != a and b != b) for a, b in zip(before, bar, strict=True)):
        report["repeated"] += 1
        return
    if before is not None:
        report["replaced"] += 1
    minutes[k] = bar


def _by_symbol(bars: pd.DataFrame) -> Iterator[tuple[str, list[tuple[int, Bar]]]]:
    stamps = pd.to_datetime(bars["ts"], utc=True).dt.as_unit("ns").astype("int64")
    frame = pd.DataFrame({"symbol": bars["symbol"].astype(str), "minute": stamps // 60_000_000_000})
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        frame[name] = bars[name].to_numpy(dtype="float64", na_value=NAN) if name in bars else NAN
    for symbol, rows in frame.groupby("symbol", sort=True):
        columns = [rows[name].tolist() for name in Bar._fields]
        yield str(symbol), list(zip(rows["minute"].tolist(), map(Bar, *columns), strict=True))


def day_bars(bars: pd.DataFrame, clock: Clock, fills: bool = False) -> dict[str, Minutes]:
    """The admitted bars of one day: symbol to a bar, or None, per minute."""
    taken = {symbol: admit(rows, fills, Counter()).get(clock.day, {}) for symbol, rows in _by_symbol(bars)}
    return {symbol: _minutes(own, clock) for symbol, own in taken.items() if own}


def _minutes(bars: Mapping[int, Bar], clock: Clock) -> Minutes:
    return [bars.get(k) for k in range(clock.minutes)]


# The universe, and what is known before the day


def universe(taken: Mapping[str, Days], given: Mapping[str, Mapping[date, Daily]], day: date) -> list[str]:
    """Every symbol with a daily row or a minute bar before the day, or a bar on it."""
    of_bars = {symbol for symbol, days in taken.items() if any(own <= day for own in days)}
    of_rows = {symbol for symbol, rows in given.items() if any(own < day for own in rows)}
    return sorted(of_bars | of_rows)


def daily_rows(daily: pd.DataFrame | None) -> dict[str, dict[date, Daily]]:
    """The daily rows as they are; of two of one symbol and date the later in the file."""
    result: dict[str, dict[date, Daily]] = {}
    if daily is None:
        return result
    columns = [daily[name].to_numpy(dtype="float64", na_value=NAN).tolist() for name in Bar._fields[:5]]
    for symbol, day, *row in zip(daily["symbol"], daily["date"], *columns, strict=True):
        numbers = [value if math.isfinite(value) else NAN for value in row]
        result.setdefault(str(symbol), {})[_date(day)] = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    return result


def reference_rows(reference: pd.DataFrame | None, day: date) -> dict[str, dict[str, Any]]:
    """The latest row of each symbol dated before the day, whole."""
    result: dict[str, dict[str, Any]] = {}
    if reference is None:
        return result
    stamp = "date" if "date" in reference else "as_of"
    columns = [name for name in (*NUMBERS, *WORDS) if name in reference]
    for row in reference[["symbol", stamp, *columns]].to_dict("records"):
        dated = _date(row[stamp])
        held = result.get(str(row["symbol"]))
        if dated < day and (held is None or dated >= held["dated"]):
            result[str(row["symbol"])] = {str(name): value for name, value in row.items()} | {"dated": dated}
    return result


def symbol_facts(
    days: Days, given: Mapping[date, Daily], reference: Mapping[str, Any], clock: Clock, source: Source
) -> dict[str, Any]:
    """Every fact of one symbol, known before the day begins."""
    rows = past_rows(days, given, clock.day)
    recent = sessions_before(clock.day)[-5:]
    latest = rows[-1][1] if rows and rows[-1][0] in recent else (NAN,) * 5
    volumes = [row[4] for _, row in rows]
    facts: dict[str, Any] = {
        "prev_close": latest[3],
        "pdh": latest[1],
        "pdl": latest[2],
        "avg_volume_30d": _mean(volumes[-30:], 10),
        "avg_volume_10d": _mean(volumes[-10:], 5),
        "atr_14d": daily_atr([row for _, row in rows[-100:]]),
        "sma_20d": _mean([row[3] for _, row in rows[-20:]], 20),
        "high_20d": _highest([row[1] for _, row in rows[-20:]], 20),
        "usual_volume": usual_volume(days, clock),
    }
    dollars = LIQUID_DOLLARS * (source.share if source.own_daily else 1.0)
    facts["liquid"] = facts["avg_volume_30d"] * facts["prev_close"] >= dollars and facts["prev_close"] >= LIQUID_PRICE
    facts |= {name: _positive(reference.get(name)) for name in NUMBERS}
    facts |= {name: _word(reference.get(name)) for name in WORDS}
    return facts


def past_rows(days: Days, given: Mapping[date, Daily], day: date) -> list[tuple[date, Daily]]:
    """The rows of the days before, oldest first: the daily ones, and derived ones where there is none."""
    rows = {own: row for own, row in given.items() if own < day}
    for own, bars in days.items():
        regular = [bars[k] for k in sorted(bars) if OPEN <= k < sessions()[own]]
        if own < day and own not in rows and regular:
            rows[own] = (
                regular[0].open,
                max(bar.high for bar in regular),
                min(bar.low for bar in regular),
                regular[-1].close,
                total([bars[k].volume for k in sorted(bars)]),
            )
    return sorted(rows.items())


def daily_atr(rows: Sequence[Daily]) -> float:
    """Wilder's ATR over 14 of the true ranges of these rows; the first row has none."""
    ranges = []
    for before, row in pairwise(rows):
        known = not any(math.isnan(value) for value in (row[1], row[2], before[3]))
        ranges.append(true_range(row[1], row[2], before[3]) if known else NAN)
    if len(ranges) < 14:
        return NAN
    value = total(ranges[:14]) / 14
    for true in ranges[14:]:
        value = (value * 13 + true) / 14
    return value


def usual_volume(days: Days, clock: Clock) -> list[float]:
    """The median cumulative volume through each minute, of those of the last 20 full sessions with a regular bar."""
    curves = []
    for day in sessions_before(clock.day, full=True)[-20:]:
        bars = days.get(day, {})
        if any(OPEN <= k < 720 for k in bars):
            curve, volume = [], 0.0
            for k in range(clock.minutes):
                volume = volume + (bars[k].volume if k in bars else 0.0)
                curve.append(volume)
            curves.append(curve)
    if len(curves) < 5:
        return [NAN] * clock.minutes
    return [_median([curve[k] for curve in curves]) for k in range(clock.minutes)]


def _median(values: Sequence[float]) -> float:
    order = sorted(values)
    middle = len(order) // 2
    return order[middle] if len(order) % 2 else (order[middle - 1] + order[middle]) / 2


def _mean(values: Sequence[float], needed: int) -> float:
    return total(values) / len(values) if len(values) >= needed else NAN


def _highest(values: Sequence[float], needed: int) -> float:
    return NAN if len(values) < needed or any(math.isnan(value) for value in values) else max(values)


def _positive(value: Any) -> float:
    number = NAN if value is None or pd.isna(value) else float(value)
    return number if math.isfinite(number) and number > 0 else NAN


def _word(value: Any) -> str | None:
    return None if value is None or pd.isna(value) or value == "" else str(value)


def _date(value: Any) -> date:
    return pd.Timestamp(value).date()
