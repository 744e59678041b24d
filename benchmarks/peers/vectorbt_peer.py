"""The metrics with vectorbt: its compiled kernels on 2-D arrays, numpy for what is plain arithmetic.

Arrays are in Fortran order, since vectorbt's kernels walk one symbol after the other and are fastest when a symbol's
minutes are neighbours. The first call compiles; call `measure` once on a small day before timing it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vectorbt import nb
from vectorbt.indicators.nb import true_range_nb

from benchmarks.peers.day import Array, Day

Metrics = dict[str, Array]
Mask = NDArray[np.bool_]
CHUNK = 250  # symbols a call at which it was fastest
WINDOWS = (5, 15, 30, 60)


@dataclass(frozen=True)
class Prepared:
    """The day in Fortran order, facts as they are."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    vwap: Array
    usual_volume: Array
    prev_close: Array
    avg_volume_30d: Array
    float_shares: Array
    minute: Array
    open_k: int
    close_k: int


def prepare(day: Day) -> Prepared:
    """The day as arrays with a symbol's minutes side by side."""
    bars = ("open", "high", "low", "close", "volume", "vwap", "usual_volume")
    facts = ("prev_close", "avg_volume_30d", "float_shares")
    arrays = {name: np.asfortranarray(getattr(day, name)) for name in bars}
    arrays |= {name: _positive(getattr(day, name)) for name in facts}
    minute = np.arange(day.minutes, dtype=np.float64)[:, None]
    return Prepared(**arrays, minute=minute, open_k=day.open_k, close_k=day.close_k)


def measure(prepared: Prepared) -> Metrics:
    """Every metric as a float64 array (minutes, symbols)."""
    last = nb.ffill_nb(prepared.close)
    with np.errstate(divide="ignore", invalid="ignore"):
        metrics = _price(prepared, last) | _levels(prepared, last) | _volume(prepared, last)
        return metrics | _activity(prepared, metrics) | _wilder(prepared)


def _positive(values: Array) -> Array:
    return np.where(values > 0, values, np.nan)


def _percent(value: Array, base: Array) -> Array:
    return np.asarray(100 * (value / base - 1))


def _frozen(rows: Array, start: int, like: Array) -> Array:
    """Rows from the minute `start` on, the last of them until the end of the day, unknown before."""
    frozen = np.empty_like(like)
    end = start + len(rows)
    frozen[:start], frozen[start:end], frozen[end:] = np.nan, rows, rows[-1:]
    return frozen


def _constant(row: Array, start: int, like: Array) -> Array:
    """One row's values from the minute `start` on, unknown before."""
    return _frozen(row[None, :], start, like)


def _price(p: Prepared, last: Array) -> Metrics:
    rth_open = _rth_open(p)
    gapped = np.where(np.isnan(rth_open), last, rth_open)
    change = _percent(last, p.prev_close)
    closing = np.where(np.isnan(rth_open[p.close_k - 1]), np.nan, last[p.close_k - 1])
    metrics = {
        "last": last,
        "change_pct": change,
        "change_dollars": last - p.prev_close,
        "gap_pct": _percent(gapped, p.prev_close),
        "gap_dollars": gapped - p.prev_close,
        "premarket_gap_pct": _frozen(change[: p.open_k], 0, last),
        "rth_open": rth_open,
        "from_open_pct": _percent(last, rth_open),
        "post_gap_pct": _frozen(_percent(last[p.close_k :], closing), p.close_k, last),
    }
    shifts = (1, 2, 3, 5, 10, 15, 30, 60)
    return metrics | {f"change_{n}m_pct": _percent(last, nb.fshift_nb(last, n)) for n in shifts}


def _rth_open(p: Prepared) -> Array:
    """The open of the first regular bar, from that bar on."""
    regular = p.open[p.open_k : p.close_k]
    has = ~np.isnan(regular)
    first = np.where(has.any(axis=0), has.argmax(axis=0), len(regular))
    price = regular[np.minimum(first, len(regular) - 1), np.arange(len(first))]
    return np.where(p.minute >= p.open_k + first, price, np.nan)


def _levels(p: Prepared, last: Array) -> Metrics:
    hod, lod = nb.expanding_max_nb(p.high), nb.expanding_min_nb(p.low)
    regular = slice(p.open_k, p.close_k)
    metrics = {
        "hod": hod,
        "lod": lod,
        "minutes_since_hod": _minutes_since_moved(p, hod),
        "minutes_since_lod": _minutes_since_moved(p, lod),
        "hod_distance_pct": 100 * (hod - last) / hod,
        "lod_distance_pct": 100 * (last - lod) / lod,
        "rth_high": _frozen(nb.expanding_max_nb(p.high[regular]), p.open_k, last),
        "rth_low": _frozen(nb.expanding_min_nb(p.low[regular]), p.open_k, last),
        "pmh": _frozen(hod[: p.open_k], 0, last),
        "pml": _frozen(lod[: p.open_k], 0, last),
    }
    high = _windows(nb.rolling_max_nb(p.high, 5, 1), np.fmax)
    low = _windows(nb.rolling_min_nb(p.low, 5, 1), np.fmin)
    metrics |= _named("high", high) | _opening_range("high", high, p)
    return metrics | _named("low", low) | _opening_range("low", low, p)


def _minutes_since_moved(p: Prepared, extreme: Array) -> Array:
    before = nb.fshift_nb(extreme, 1)
    moved = (extreme != before) & ~np.isnan(extreme)
    return np.asarray(p.minute - nb.ffill_nb(np.where(moved, p.minute, np.nan)))


def _windows(five: Array, joined: np.ufunc, fill: float = np.nan) -> tuple[Array, ...]:
    """Windows of 5, 15, 30 and 60 minutes out of the first (vectorbt's rolling kernels cost what they are long)."""
    fifteen = joined(joined(five, nb.fshift_nb(five, 5, fill)), nb.fshift_nb(five, 10, fill))
    thirty = joined(fifteen, nb.fshift_nb(fifteen, 15, fill))
    return five, fifteen, thirty, joined(thirty, nb.fshift_nb(thirty, 30, fill))


def _named(side: str, windows: tuple[Array, ...]) -> Metrics:
    return {f"{side}_{n}m": window for n, window in zip(WINDOWS, windows, strict=True)}


def _opening_range(side: str, windows: tuple[Array, ...], p: Prepared) -> Metrics:
    """The window of N minutes as it stood in the N-th regular minute."""
    ends = {n: (window, p.open_k + n - 1) for n, window in zip(WINDOWS[:3], windows[:3], strict=True)}
    return {f"orb_{side}_{n}": _constant(window[end], end, window) for n, (window, end) in ends.items()}


def _volume(p: Prepared, last: Array) -> Metrics:
    own = np.isfinite(p.vwap) & (p.vwap > 0)
    traded = np.where(own, p.vwap, (p.high + p.low + p.close) / 3) * p.volume
    dollars = np.where(np.isnan(traded), 0.0, traded)
    regular = slice(p.open_k, p.close_k)
    day_volume, day_dollars = nb.nancumsum_nb(p.volume), nb.nancumsum_nb(dollars)
    vwap = day_dollars / _positive(day_volume)
    vwap_rth = nb.nancumsum_nb(dollars[regular]) / _positive(nb.nancumsum_nb(p.volume[regular]))
    metrics = {
        "day_volume": day_volume,
        "day_dollar_volume": day_dollars,
        "vwap": vwap,
        "vwap_rth": _frozen(vwap_rth, p.open_k, last),
        "vwap_distance_pct": _percent(last, vwap),
        "volume_1m": p.volume,
    }
    shares = {f"volume_{n}m": day_volume - nb.fshift_nb(day_volume, n, 0.0) for n in WINDOWS}
    return metrics | shares | _dollar_windows(dollars)


def _dollar_windows(dollars: Array) -> Metrics:
    """Sums of the last minutes, made of shorter sums: no cumulative sum, whose difference would lose digits."""
    two = dollars + nb.fshift_nb(dollars, 1, 0.0)
    five = two + nb.fshift_nb(two, 2, 0.0) + nb.fshift_nb(dollars, 4, 0.0)
    return {"dollar_volume_1m": dollars} | _named("dollar_volume", _windows(five, np.add, 0.0))


def _activity(p: Prepared, known: Metrics) -> Metrics:
    day_volume, hour = known["day_volume"], known["volume_60m"]
    usual = np.where(p.usual_volume >= 1_000, p.usual_volume, np.nan)
    two_hours = nb.fshift_nb(hour, 5, 0.0) + nb.fshift_nb(hour, 65, 0.0)
    traded = nb.ffill_nb(np.where(np.isnan(p.close), np.nan, p.minute))
    return {
        "rvol_tod": day_volume / usual,
        "rvol_1m_tod": _rvol_tod(p, usual, p.volume, 1),
        "rvol_5m_tod": _rvol_tod(p, usual, known["volume_5m"], 5),
        "rvol_1m": _surge(p.volume, 1, nb.fshift_nb(hour, 1, 0.0), p.minute, 60),
        "rvol_5m": _surge(known["volume_5m"], 5, two_hours, p.minute - 4, 120),
        "rvol_day": day_volume / p.avg_volume_30d,
        "float_rotation": day_volume / p.float_shares,
        "minutes_since_trade": p.minute - traded,
    }


def _rvol_tod(p: Prepared, usual: Array, volume: Array, n: int) -> Array:
    expected = usual - nb.fshift_nb(p.usual_volume, n, 0.0)
    return np.asarray(volume / np.where(expected >= 100 * n, expected, np.nan))


def _surge(volume: Array, n: int, before: Array, minutes: Array, longest: int) -> Array:
    mean = _positive(before) / np.where(minutes >= longest / 2, np.minimum(minutes, longest), np.nan)
    return np.asarray(volume / (n * mean))


def _wilder(p: Prepared) -> Metrics:
    """RSI and ATR over each symbol's own bars, moved to the top of its column (vectorbt's averages decay over gaps)."""
    has = ~np.isnan(p.close)
    top = p.minute < has.sum(axis=0)
    high, low, close = (_moved(prices, has, top) for prices in (p.high, p.low, p.close))
    step = nb.diff_nb(close)
    gain, loss = _smoothed(np.maximum(step, 0.0), 1), _smoothed(np.maximum(-step, 0.0), 1)
    rsi = np.where((gain == 0) & (loss == 0), 50.0, 100 - 100 / (1 + gain / loss))
    atr = _smoothed(true_range_nb(high, low, close), 0)
    return {
        "rsi_14": nb.ffill_nb(_moved(rsi, top, has)),
        "atr_1m_14": nb.ffill_nb(_moved(atr, top, has)),
    }


def _moved(values: Array, source: Mask, target: Mask) -> Array:
    """The values of one mask in the places of another, symbol by symbol in order of time."""
    moved = np.full_like(values, np.nan)
    moved.T[target.T] = values.T[source.T]
    return moved


def _smoothed(values: Array, first: int) -> Array:
    """Wilder's average of 14: the plain mean of 14 values from the row `first` on, then exponential (span 27: 1/14)."""
    start = first + 13
    values[start] = values[first : start + 1].sum(axis=0) / 14
    values[:start] = np.nan
    return np.asarray(nb.ewm_mean_nb(values, 27, minp=1))
