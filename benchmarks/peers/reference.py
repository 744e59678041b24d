"""The metrics as DEFINITIONS has them, symbol by symbol and minute by minute: slow, and written to be read.

Nothing is carried along: at each minute every number is made anew from the symbol's bars up to there, except the two
Wilder averages, which are sequential by nature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.peers.day import Array, Day

UNKNOWN = math.nan
Values = dict[str, float]


@dataclass(frozen=True)
class Bar:
    """One minute in which the symbol has a bar."""

    k: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    dollars: float


@dataclass(frozen=True)
class Facts:
    """What is known of one symbol before the day, and where the regular session lies."""

    prev_close: float
    avg_volume: float
    float_shares: float
    usual: list[float]
    open_k: int
    close_k: int


def measure(day: Day) -> dict[str, Array]:
    """Every metric as a float64 array (minutes, symbols)."""
    columns = [_symbol(day, s) for s in range(day.symbols)]
    names = columns[0][0]
    return {name: np.array([[step[name] for step in column] for column in columns]).T for name in names}


def _symbol(day: Day, s: int) -> list[Values]:
    bars = [_bar(day, k, s) for k in range(day.minutes) if not math.isnan(day.close[k, s])]
    facts = Facts(
        float(day.prev_close[s]),
        float(day.avg_volume_30d[s]),
        float(day.float_shares[s]),
        day.usual_volume[:, s].tolist(),
        day.open_k,
        day.close_k,
    )
    rsi, atr = _rsi(bars), _atr(bars)
    steps, count = [], 0
    for k in range(day.minutes):
        count += count < len(bars) and bars[count].k == k
        wilder = {"rsi_14": rsi[count - 1] if count else UNKNOWN, "atr_1m_14": atr[count - 1] if count else UNKNOWN}
        past = bars[:count]
        steps.append(_price(past, k, facts) | _levels(past, k, facts) | _volume(past, k, facts) | wilder)
    return steps


def _bar(day: Day, k: int, s: int) -> Bar:
    o, h, low, c, v, vwap = (float(a[k, s]) for a in (day.open, day.high, day.low, day.close, day.volume, day.vwap))
    price = vwap if math.isfinite(vwap) and vwap > 0 else (h + low + c) / 3
    return Bar(k, o, h, low, c, v, price * v)


def _ratio(value: float, base: float) -> float:
    return value / base if base > 0 else UNKNOWN


def _percent(value: float, base: float) -> float:
    return 100 * (_ratio(value, base) - 1)


def _close(bars: Sequence[Bar]) -> float:
    return bars[-1].close if bars else UNKNOWN


def _high(bars: Sequence[Bar]) -> float:
    return max((b.high for b in bars), default=UNKNOWN)


def _low(bars: Sequence[Bar]) -> float:
    return min((b.low for b in bars), default=UNKNOWN)


def _regular(bars: Sequence[Bar], f: Facts) -> list[Bar]:
    return [b for b in bars if f.open_k <= b.k < f.close_k]


def _price(bars: list[Bar], k: int, f: Facts) -> Values:
    last, regular = _close(bars), _regular(bars, f)
    premarket = _close([b for b in bars if b.k < f.open_k])
    opened = regular[0].open if regular else UNKNOWN
    gapped = opened if regular else last
    changes = {
        f"change_{n}m_pct": _percent(last, _close([b for b in bars[-n - 1 :] if b.k <= k - n]))
        for n in (1, 2, 3, 5, 10, 15, 30, 60)
    }
    return {
        "last": last,
        "change_pct": _percent(last, f.prev_close),
        "gap_pct": _percent(gapped, f.prev_close),
        "premarket_gap_pct": _percent(premarket, f.prev_close),
        "gap_dollars": gapped - f.prev_close,
        "change_dollars": last - f.prev_close,
        "rth_open": opened,
        "from_open_pct": _percent(last, opened),
        "post_gap_pct": _percent(last, _close(regular)) if k >= f.close_k else UNKNOWN,
        "minutes_since_trade": k - bars[-1].k if bars else UNKNOWN,
    } | changes


def _levels(bars: list[Bar], k: int, f: Facts) -> Values:
    hod, lod, last, regular = _high(bars), _low(bars), _close(bars), _regular(bars, f)
    premarket = [b for b in bars if b.k < f.open_k]
    windows = {n: [b for b in bars[-n:] if b.k > k - n] for n in (5, 15, 30, 60)}
    opening = {n: [b for b in regular if k >= f.open_k + n - 1 and b.k < f.open_k + n] for n in (5, 15, 30)}
    return {
        "hod": hod,
        "lod": lod,
        "minutes_since_hod": next((float(k - b.k) for b in bars if b.high == hod), UNKNOWN),
        "minutes_since_lod": next((float(k - b.k) for b in bars if b.low == lod), UNKNOWN),
        "rth_high": _high(regular),
        "rth_low": _low(regular),
        "hod_distance_pct": _ratio(100 * (hod - last), hod),
        "lod_distance_pct": _ratio(100 * (last - lod), lod),
        "pmh": _high(premarket),
        "pml": _low(premarket),
        **{f"orb_high_{n}": _high(some) for n, some in opening.items()},
        **{f"orb_low_{n}": _low(some) for n, some in opening.items()},
        **{f"high_{n}m": _high(some) for n, some in windows.items()},
        **{f"low_{n}m": _low(some) for n, some in windows.items()},
    }


def _shares(bars: Sequence[Bar], first: int, last: int) -> float:
    return sum((b.volume for b in bars[-130:] if first <= b.k <= last), 0.0)


def _volume(bars: list[Bar], k: int, f: Facts) -> Values:
    regular = _regular(bars, f)
    volume, dollars = sum((b.volume for b in bars), 0.0), sum((b.dollars for b in bars), 0.0)
    vwap = _ratio(dollars, volume)
    windows = (1, 5, 15, 30, 60)
    shares = {n: _shares(bars, k - n + 1, k) for n in windows}
    return {
        "vwap": vwap,
        "vwap_rth": _ratio(sum(b.dollars for b in regular), sum(b.volume for b in regular)),
        "vwap_distance_pct": _percent(_close(bars), vwap),
        **{f"volume_{n}m": shares[n] for n in windows},
        **{f"dollar_volume_{n}m": sum((b.dollars for b in bars[-n:] if b.k > k - n), 0.0) for n in windows},
        "day_volume": volume,
        "day_dollar_volume": dollars,
        "rvol_tod": _ratio(volume, f.usual[k]) if f.usual[k] >= 1_000 else UNKNOWN,
        "rvol_1m_tod": _rvol_tod(shares[1], 1, k, f),
        "rvol_5m_tod": _rvol_tod(shares[5], 5, k, f),
        "rvol_1m": _surge(bars, k, 1, 60),
        "rvol_5m": _surge(bars, k, 5, 120),
        "rvol_day": _ratio(volume, f.avg_volume),
        "float_rotation": _ratio(volume, f.float_shares),
    }


def _rvol_tod(volume: float, n: int, k: int, f: Facts) -> float:
    expected = f.usual[k] - (f.usual[k - n] if k >= n else 0.0)
    return _ratio(volume, expected) if f.usual[k] >= 1_000 and expected >= 100 * n else UNKNOWN


def _surge(bars: list[Bar], k: int, n: int, longest: int) -> float:
    """The last n minutes against the mean of the `longest` minutes before them; half of those must be there."""
    last = k - n
    first = max(0, last - longest + 1)
    minutes = last - first + 1
    if minutes < longest // 2:
        return UNKNOWN
    return _ratio(_shares(bars, k - n + 1, k), n * (_shares(bars, first, last) / minutes))


def _wilder(values: list[float]) -> list[float]:
    """Wilder's average of 14, unknown for the first 13 values."""
    averages = [UNKNOWN] * min(13, len(values))
    for i in range(13, len(values)):
        averages.append(sum(values[:14]) / 14 if i == 13 else (averages[-1] * 13 + values[i]) / 14)
    return averages


def _rsi(bars: list[Bar]) -> list[float]:
    moves = [later.close - earlier.close for earlier, later in pairwise(bars)]
    gains, losses = _wilder([max(m, 0.0) for m in moves]), _wilder([max(-m, 0.0) for m in moves])
    return [UNKNOWN, *(_strength(g, x) for g, x in zip(gains, losses, strict=True))]


def _strength(gain: float, loss: float) -> float:
    if loss == 0:
        return 50.0 if gain == 0 else 100.0
    return 100 - 100 / (1 + gain / loss)


def _atr(bars: list[Bar]) -> list[float]:
    ranges = [max(b.high - b.low, abs(b.high - a.close), abs(b.low - a.close)) for a, b in pairwise(bars)]
    return _wilder([b.high - b.low for b in bars[:1]] + ranges)
