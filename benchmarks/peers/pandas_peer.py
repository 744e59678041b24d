"""The metrics in pandas: wide frames (minutes, symbols), whole-frame operations, no groupby and no apply.

Frames hold each symbol's minutes next to each other, as pandas keeps them. A wide frame is a dense grid, so a window
over minutes is made of shifts, and the exponential averages skip the minutes without a bar by themselves (`ignore_na`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pandas import DataFrame, Series

from benchmarks.peers.day import Array, Day

CHUNK = 500  # symbols a call at which it was fastest
WINDOWS = (5, 15, 30, 60)
larger: np.ufunc = np.fmax
smaller: np.ufunc = np.fmin


@dataclass(frozen=True)
class Prepared:
    """A frame per field, a series per fact."""

    open: DataFrame
    high: DataFrame
    low: DataFrame
    close: DataFrame
    volume: DataFrame
    vwap: DataFrame
    usual_volume: DataFrame
    prev_close: Series
    avg_volume_30d: Series
    float_shares: Series
    open_k: int
    close_k: int


def prepare(day: Day) -> Prepared:
    """The day as wide frames; the index is the minute."""
    bars = ("open", "high", "low", "close", "volume", "vwap", "usual_volume")
    facts = ("prev_close", "avg_volume_30d", "float_shares")
    frames: dict[str, Any] = {name: DataFrame(np.asfortranarray(getattr(day, name))) for name in bars}
    series: dict[str, Any] = {name: _positive(Series(getattr(day, name))) for name in facts}
    return Prepared(**frames, **series, open_k=day.open_k, close_k=day.close_k)


def measure(prepared: Prepared) -> dict[str, Array]:
    """Every metric as a float64 array (minutes, symbols)."""
    last = prepared.close.ffill()
    frames = _price(prepared, last) | _levels(prepared, last) | _volume(prepared, last)
    frames |= _activity(prepared, frames) | _wilder(prepared, last)
    return {name: frame.to_numpy() for name, frame in frames.items()}


def _positive(values: Series) -> Series:
    return values.where(values > 0)


def _minutes(like: DataFrame) -> Array:
    return like.index.to_numpy(dtype=np.float64)[:, None]


def _percent(value: DataFrame, base: DataFrame | Series) -> DataFrame:
    return 100 * (value / base - 1)


def _frozen(frame: DataFrame, like: DataFrame) -> DataFrame:
    """The frame's rows where it has them, its last row after them, unknown before."""
    return frame.reindex(like.index, method="ffill")


def _constant(row: Series, start: int, like: DataFrame) -> DataFrame:
    """One row's values from the minute `start` on, unknown before."""
    frame = DataFrame(np.nan, like.index, like.columns)
    frame.iloc[start:] = row.to_numpy()
    return frame


def _price(p: Prepared, last: DataFrame) -> dict[str, DataFrame]:
    regular = p.open.iloc[p.open_k : p.close_k]
    rth_open = _frozen(regular.where(regular.notna().cumsum() == 1).ffill(), last)
    gapped = rth_open.fillna(last)
    change = _percent(last, p.prev_close)
    closing = last.iloc[p.close_k - 1].where(rth_open.iloc[p.close_k - 1].notna())
    metrics = {
        "last": last,
        "change_pct": change,
        "change_dollars": last - p.prev_close,
        "gap_pct": _percent(gapped, p.prev_close),
        "gap_dollars": gapped - p.prev_close,
        "premarket_gap_pct": _frozen(change.iloc[: p.open_k], last),
        "rth_open": rth_open,
        "from_open_pct": _percent(last, rth_open),
        "post_gap_pct": _percent(last.iloc[p.close_k :], closing).reindex(last.index),
    }
    return metrics | {f"change_{n}m_pct": _percent(last, last.shift(n)) for n in (1, 2, 3, 5, 10, 15, 30, 60)}


def _levels(p: Prepared, last: DataFrame) -> dict[str, DataFrame]:
    hod, lod = _highest(p.high), _lowest(p.low)
    regular = slice(p.open_k, p.close_k)
    metrics = {
        "hod": hod,
        "lod": lod,
        "minutes_since_hod": _minutes_since_moved(hod),
        "minutes_since_lod": _minutes_since_moved(lod),
        "hod_distance_pct": 100 * (hod - last) / hod,
        "lod_distance_pct": 100 * (last - lod) / lod,
        "rth_high": _frozen(_highest(p.high.iloc[regular]), last),
        "rth_low": _frozen(_lowest(p.low.iloc[regular]), last),
        "pmh": _frozen(hod.iloc[: p.open_k], last),
        "pml": _frozen(lod.iloc[: p.open_k], last),
    }
    windows = _windows(p.high, "high", larger) | _windows(p.low, "low", smaller)
    return metrics | windows | _opening_ranges(p, windows)


def _highest(prices: DataFrame) -> DataFrame:
    """The running maximum. Filling before and masking after costs half of what `skipna` and a forward fill do."""
    highest = prices.fillna(-np.inf).cummax(skipna=False)
    return highest.where(highest > -np.inf)


def _lowest(prices: DataFrame) -> DataFrame:
    lowest = prices.fillna(np.inf).cummin(skipna=False)
    return lowest.where(lowest < np.inf)


def _minutes_since_moved(extreme: DataFrame) -> DataFrame:
    moved = (extreme != extreme.shift(1)) & extreme.notna()
    minutes = _minutes(extreme)
    return DataFrame(np.where(moved, minutes, np.nan), extreme.index, extreme.columns).ffill().rsub(minutes)


def _windows(frame: DataFrame, name: str, extreme: np.ufunc) -> dict[str, DataFrame]:
    """Extremes of the last 5, 15, 30 and 60 minutes, each made of shorter windows; they ignore NaN."""
    two = extreme(frame, frame.shift(1))
    five = extreme(extreme(two, two.shift(2)), frame.shift(4))
    fifteen = extreme(extreme(five, five.shift(5)), five.shift(10))
    thirty = extreme(fifteen, fifteen.shift(15))
    hour = extreme(thirty, thirty.shift(30))
    return {f"{name}_{n}m": window for n, window in zip(WINDOWS, (five, fifteen, thirty, hour), strict=True)}


def _opening_ranges(p: Prepared, windows: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """The window of N minutes as it stood in the N-th regular minute."""
    ends = {n: p.open_k + n - 1 for n in (5, 15, 30)}
    return {
        f"orb_{side}_{n}": _constant(windows[f"{side}_{n}m"].iloc[end], end, p.high)
        for side in ("high", "low")
        for n, end in ends.items()
    }


def _volume(p: Prepared, last: DataFrame) -> dict[str, DataFrame]:
    own = p.vwap.where((p.vwap > 0) & (p.vwap < np.inf))
    dollars = (own.fillna((p.high + p.low + p.close) / 3) * p.volume).fillna(0.0)
    day_volume, day_dollars = p.volume.cumsum(skipna=False), dollars.cumsum(skipna=False)
    regular = slice(p.open_k, p.close_k)
    vwap = day_dollars / _positive_frame(day_volume)
    rth_volume = p.volume.iloc[regular].cumsum(skipna=False)
    vwap_rth = dollars.iloc[regular].cumsum(skipna=False) / _positive_frame(rth_volume)
    metrics = {
        "day_volume": day_volume,
        "day_dollar_volume": day_dollars,
        "vwap": vwap,
        "vwap_rth": _frozen(vwap_rth, last),
        "vwap_distance_pct": _percent(last, vwap),
        "volume_1m": p.volume,
    }
    shares = {f"volume_{n}m": day_volume - day_volume.shift(n, fill_value=0.0) for n in WINDOWS}
    return metrics | shares | _dollar_windows(dollars)


def _positive_frame(frame: DataFrame) -> DataFrame:
    return frame.where(frame > 0)


def _dollar_windows(dollars: DataFrame) -> dict[str, DataFrame]:
    """Sums of the last minutes, made of shorter sums: no cumulative sum, whose difference would lose digits."""
    two = dollars + dollars.shift(1, fill_value=0.0)
    five = two + two.shift(2, fill_value=0.0) + dollars.shift(4, fill_value=0.0)
    fifteen = five + five.shift(5, fill_value=0.0) + five.shift(10, fill_value=0.0)
    thirty = fifteen + fifteen.shift(15, fill_value=0.0)
    hour = thirty + thirty.shift(30, fill_value=0.0)
    sums = zip((1, *WINDOWS), (dollars, five, fifteen, thirty, hour), strict=True)
    return {f"dollar_volume_{n}m": window for n, window in sums}


def _activity(p: Prepared, known: dict[str, DataFrame]) -> dict[str, DataFrame]:
    day_volume, hour = known["day_volume"], known["volume_60m"]
    usual = p.usual_volume.where(p.usual_volume >= 1_000)
    two_hours = hour.shift(5, fill_value=0.0) + hour.shift(65, fill_value=0.0)
    minutes = _minutes(hour)
    traded = DataFrame(np.where(p.close.notna(), minutes, np.nan), hour.index, hour.columns).ffill()
    return {
        "rvol_tod": day_volume / usual,
        "rvol_1m_tod": _rvol_tod(p, usual, p.volume, 1),
        "rvol_5m_tod": _rvol_tod(p, usual, known["volume_5m"], 5),
        "rvol_1m": _surge(p.volume, 1, hour.shift(1, fill_value=0.0), 0, 60),
        "rvol_5m": _surge(known["volume_5m"], 5, two_hours, 4, 120),
        "rvol_day": day_volume / p.avg_volume_30d,
        "float_rotation": day_volume / p.float_shares,
        "minutes_since_trade": traded.rsub(minutes),
    }


def _rvol_tod(p: Prepared, usual: DataFrame, volume: DataFrame, n: int) -> DataFrame:
    expected = usual - p.usual_volume.shift(n, fill_value=0.0)
    return volume / expected.where(expected >= 100 * n)


def _surge(volume: DataFrame, n: int, before: DataFrame, skipped: int, longest: int) -> DataFrame:
    minutes = _minutes(volume) - skipped
    mean = _positive_frame(before).div(np.where(minutes >= longest / 2, np.minimum(minutes, longest), np.nan))
    return volume / (mean * n)


def _wilder(p: Prepared, last: DataFrame) -> dict[str, DataFrame]:
    before = last.shift(1)
    own_bars = p.close.notna().cumsum()
    step = p.close - before
    gain, loss = _smoothed(step.clip(lower=0.0), own_bars, 15), _smoothed((-step).clip(lower=0.0), own_bars, 15)
    true_range = larger(larger(p.high - p.low, (p.high - before).abs()), (p.low - before).abs())
    rsi = 100 - 100 / (1 + gain / loss)
    return {
        "rsi_14": rsi.mask((gain == 0) & (loss == 0), 50.0),
        "atr_1m_14": _smoothed(true_range, own_bars, 14),
    }


def _smoothed(values: DataFrame, own_bars: DataFrame, start: int) -> DataFrame:
    """Wilder's average of 14: the plain mean at the symbol's bar number `start`, exponential from there."""
    seeded = values.where(own_bars > start, (values.fillna(0.0).cumsum(skipna=False) / 14).where(own_bars == start))
    return seeded.ewm(alpha=1 / 14, adjust=False, ignore_na=True).mean()
