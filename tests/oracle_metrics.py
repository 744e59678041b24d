"""The metrics of one symbol's day, minute by minute, each formula as the definitions write it: slow and plain.

Every function takes the bars of one day as a list with one entry per minute (``None`` where nothing traded) and
returns one list per metric with a float per minute; NaN is *unknown*.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

NAN = math.nan
OPEN = 330
"""Minute index of 09:30: the day begins at 04:00."""

CHANGES = (1, 2, 3, 5, 10, 15, 30, 60)
WINDOWS = (5, 15, 30, 60)
OPENING_RANGES = (5, 15, 30)
FLOOR_SHARES = 1_000.0
FLOOR_SHARES_PER_MINUTE = 100.0


class Bar(NamedTuple):
    """One minute of one symbol, mended; ``vwap`` is the vendor's own or NaN."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float = NAN

    @property
    def price(self) -> float:
        """The price a share of this bar counts with: the bar's own VWAP, else (H+L+C)/3."""
        if math.isfinite(self.vwap) and self.vwap > 0:
            return self.vwap
        return (self.high + self.low + self.close) / 3


class Clock(NamedTuple):
    """The minutes of one trading day: ``start`` is 04:00 New York in UTC, ``close`` the minute index of the close."""

    day: date
    start: datetime
    minutes: int
    close: int

    @property
    def early(self) -> bool:
        """Whether the regular session ends before 16:00."""
        return self.close < 720

    def session(self, k: int) -> str:
        """PRE, REGULAR or POST of the minute ``k``."""
        if k < OPEN:
            return "PRE"
        return "REGULAR" if k < self.close else "POST"

    def end(self, k: int) -> datetime:
        """The end of the minute ``k``, UTC: the time of its step."""
        return self.start + timedelta(minutes=k + 1)


class Source(NamedTuple):
    """What a source says of itself: the share of the market it sees, and whether the daily rows are its own."""

    share: float = 1.0
    own_daily: bool = False


Minutes = Sequence[Bar | None]
Series = list[float]


def symbol_metrics(bars: Minutes, facts: Mapping[str, Any], clock: Clock, source: Source) -> dict[str, Series]:
    """Every metric but ``halt`` (which looks at the whole market) of one symbol, name to a float per minute."""
    metrics: dict[str, Series] = {}
    metrics["last"] = latest(bars, lambda bar: bar.close)
    metrics |= day_changes(bars, metrics["last"], facts["prev_close"], clock)
    metrics |= minute_changes(metrics["last"])
    metrics |= extremes(bars, metrics["last"], clock)
    metrics |= windows_of_prices(bars)
    metrics |= volumes(bars, metrics["last"], clock)
    metrics |= relative_volumes(metrics, facts, clock, source)
    metrics |= surges([bar.volume if bar else 0.0 for bar in bars])
    metrics["rsi_14"] = rsi(bars)
    metrics["atr_1m_14"] = average_true_range(bars)
    metrics["minutes_since_trade"] = minutes_since(bars)
    return metrics


def halts(market: Sequence[Minutes], clock: Clock) -> list[Series]:
    """``halt`` of every symbol: 0 trading, 1 suspected halted, 2 resumed in this step."""
    prints = [k >= OPEN and market_prints(market, k) for k in range(clock.minutes)]
    return [_halt(bars, prints, clock) for bars in market]


def market_prints(market: Sequence[Minutes], k: int) -> bool:
    """Some symbol has a bar in k-5…k-3, and of those at least half have one in k-2…k."""
    before = after = 0
    for bars in market:
        if any(bars[m] is not None for m in (k - 5, k - 4, k - 3)):
            before += 1
            if any(bars[m] is not None for m in (k - 2, k - 1, k)):
                after += 1
    return before > 0 and 2 * after >= before


def quotient(a: float, b: float) -> float:
    """a ÷ b; unknown where either is, and where b ≤ 0."""
    if math.isnan(a) or math.isnan(b) or b <= 0:
        return NAN
    value = a / b
    return value if math.isfinite(value) else NAN


def percent(now: float, then: float) -> float:
    """100·(now/then - 1)."""
    return 100 * (quotient(now, then) - 1)


def total(values: Sequence[float]) -> float:
    """The sum, one after another, first to last."""
    result = 0.0
    for value in values:
        result = result + value
    return result


def latest(bars: Minutes, pick: Callable[[Bar], float]) -> Series:
    """A figure of the latest bar so far, at every minute."""
    result, value = [], NAN
    for bar in bars:
        if bar is not None:
            value = pick(bar)
        result.append(value)
    return result


def day_changes(bars: Minutes, last: Series, prev_close: float, clock: Clock) -> dict[str, Series]:
    """What is measured against yesterday's close, today's regular open and today's regular close."""
    names = "change_pct change_dollars gap_pct gap_dollars premarket_gap_pct rth_open from_open_pct post_gap_pct"
    series: dict[str, Series] = {name: [] for name in names.split()}
    rth_open = rth_close = premarket_gap = NAN
    for k, bar in enumerate(bars):
        session = clock.session(k)
        if bar is not None and session == "REGULAR":
            rth_close = bar.close
            if math.isnan(rth_open):
                rth_open = bar.open
        if session == "PRE":
            premarket_gap = percent(last[k], prev_close)
        gap_price = last[k] if math.isnan(rth_open) else rth_open
        series["change_pct"].append(percent(last[k], prev_close))
        series["change_dollars"].append(last[k] - prev_close)
        series["gap_pct"].append(percent(gap_price, prev_close))
        series["gap_dollars"].append(gap_price - prev_close)
        series["premarket_gap_pct"].append(premarket_gap)
        series["rth_open"].append(rth_open)
        series["from_open_pct"].append(percent(last[k], rth_open))
        series["post_gap_pct"].append(percent(last[k], rth_close) if session == "POST" else NAN)
    return series


def minute_changes(last: Series) -> dict[str, Series]:
    """``change_Nm_pct``: against the price known N minutes ago, however old that price is."""
    series: dict[str, Series] = {}
    for n in CHANGES:
        series[f"change_{n}m_pct"] = [percent(last[k], last[k - n]) if k >= n else NAN for k in range(len(last))]
    return series


def extremes(bars: Minutes, last: Series, clock: Clock) -> dict[str, Series]:
    """Highs and lows since 04:00, of the sessions and of the opening ranges, and the distances from them."""
    day = len(bars)
    hod, since_hod = running_high(bars, 0, day)
    lod, since_lod = running_low(bars, 0, day)
    series = {"hod": hod, "minutes_since_hod": since_hod, "lod": lod, "minutes_since_lod": since_lod}
    for high, low, begin, end in (("rth_high", "rth_low", OPEN, clock.close), ("pmh", "pml", 0, OPEN)):
        series[high], series[low] = running_high(bars, begin, end)[0], running_low(bars, begin, end)[0]
    series["hod_distance_pct"] = [quotient(100 * (hod[k] - last[k]), hod[k]) for k in range(day)]
    series["lod_distance_pct"] = [quotient(100 * (last[k] - lod[k]), lod[k]) for k in range(day)]
    for n in OPENING_RANGES:
        series[f"orb_high_{n}"] = _known_from(running_high(bars, OPEN, OPEN + n)[0], OPEN + n - 1)
        series[f"orb_low_{n}"] = _known_from(running_low(bars, OPEN, OPEN + n)[0], OPEN + n - 1)
    return series


def running_high(bars: Minutes, begin: int, end: int) -> tuple[Series, Series]:
    """The highest high of the minutes [begin, end) so far, and the minutes since the first bar that had it."""
    highs, ages, high, at = [], [], NAN, NAN
    for k, bar in enumerate(bars):
        if bar is not None and begin <= k < end and (math.isnan(high) or bar.high > high):
            high, at = bar.high, float(k)
        highs.append(high)
        ages.append(k - at)
    return highs, ages


def running_low(bars: Minutes, begin: int, end: int) -> tuple[Series, Series]:
    """The mirror image of :func:`running_high`."""
    lows, ages, low, at = [], [], NAN, NAN
    for k, bar in enumerate(bars):
        if bar is not None and begin <= k < end and (math.isnan(low) or bar.low < low):
            low, at = bar.low, float(k)
        lows.append(low)
        ages.append(k - at)
    return lows, ages


def windows_of_prices(bars: Minutes) -> dict[str, Series]:
    """``high_Nm`` and ``low_Nm``: of the minutes k-N+1…k."""
    series: dict[str, Series] = {}
    for n in WINDOWS:
        highs, lows = [], []
        for k in range(len(bars)):
            own = [bar for bar in bars[max(0, k - n + 1) : k + 1] if bar is not None]
            highs.append(max(bar.high for bar in own) if own else NAN)
            lows.append(min(bar.low for bar in own) if own else NAN)
        series[f"high_{n}m"], series[f"low_{n}m"] = highs, lows
    return series


def volumes(bars: Minutes, last: Series, clock: Clock) -> dict[str, Series]:
    """Shares and dollars of the windows and of the day, and the two VWAPs."""
    shares = [bar.volume if bar else 0.0 for bar in bars]
    dollars = [bar.price * bar.volume if bar else 0.0 for bar in bars]
    series: dict[str, Series] = {}
    for n in (1, *WINDOWS):
        series[f"volume_{n}m"] = window_totals(shares, n)
        series[f"dollar_volume_{n}m"] = window_totals(dollars, n)
    day = len(bars)
    series["day_volume"], series["day_dollar_volume"] = cumulative(shares, 0, day), cumulative(dollars, 0, day)
    series["vwap"] = [quotient(d, v) for d, v in zip(series["day_dollar_volume"], series["day_volume"], strict=True)]
    rth = zip(cumulative(dollars, OPEN, clock.close), cumulative(shares, OPEN, clock.close), strict=True)
    series["vwap_rth"] = [quotient(d, v) for d, v in rth]
    series["vwap_distance_pct"] = [percent(last[k], series["vwap"][k]) for k in range(day)]
    return series


def window_totals(values: Series, n: int) -> Series:
    """The sum of the minutes k-n+1…k, not before 04:00, summed afresh at every minute."""
    return [total(values[max(0, k - n + 1) : k + 1]) for k in range(len(values))]


def cumulative(values: Series, begin: int, end: int) -> Series:
    """The sum of the minutes [begin, end) so far."""
    result, value = [], 0.0
    for k in range(len(values)):
        if begin <= k < end:
            value = value + values[k]
        result.append(value)
    return result


def relative_volumes(
    metrics: Mapping[str, Series], facts: Mapping[str, Any], clock: Clock, source: Source
) -> dict[str, Series]:
    """Volume against what is usual: at this time of day, of a day, of the float."""
    usual: Series = facts["usual_volume"]
    day_volume = metrics["day_volume"]
    average = facts["avg_volume_30d"] if source.share >= 1 or source.own_daily else NAN
    shares_afloat = facts["float_shares"] if source.share >= 1 else NAN
    series: dict[str, Series] = {"rvol_tod": [], "rvol_1m_tod": [], "rvol_5m_tod": []}
    for k in range(clock.minutes):
        known = usual[k] >= FLOOR_SHARES * source.share and not (clock.early and clock.session(k) == "POST")
        series["rvol_tod"].append(quotient(day_volume[k], usual[k]) if known else NAN)
        for n in (1, 5):
            usually = usual[k] - (usual[k - n] if k >= n else 0.0)
            enough = known and usually >= FLOOR_SHARES_PER_MINUTE * n * source.share
            series[f"rvol_{n}m_tod"].append(quotient(metrics[f"volume_{n}m"][k], usually) if enough else NAN)
    series["rvol_day"] = [quotient(volume, average) for volume in day_volume]
    series["float_rotation"] = [quotient(volume, shares_afloat) for volume in day_volume]
    return series


def surges(shares: Series) -> dict[str, Series]:
    """``rvol_1m`` and ``rvol_5m``: the last minutes against the mean minute of the hour or two before them."""
    series: dict[str, Series] = {"rvol_1m": [], "rvol_5m": []}
    for k in range(len(shares)):
        mean = _mean_of_at_least(30, shares[max(0, k - 60) : k])
        series["rvol_1m"].append(quotient(shares[k], mean))
        mean = _mean_of_at_least(60, shares[max(0, k - 124) : max(0, k - 4)])
        series["rvol_5m"].append(quotient(total(shares[max(0, k - 4) : k + 1]), 5 * mean))
    return series


def rsi(bars: Minutes) -> Series:
    """Wilder's RSI over 14 changes of the closes of the symbol's own bars."""
    result: Series = []
    gains: Series = []
    losses: Series = []
    gain = loss = before = value = NAN
    for bar in bars:
        if bar is not None and not math.isnan(before):
            change = bar.close - before
            gains.append(change if change > 0 else 0.0)
            losses.append(-change if change < 0 else 0.0)
            gain, loss = _wilder(gains, gain), _wilder(losses, loss)
            value = _rsi_of(gain, loss)
        if bar is not None:
            before = bar.close
        result.append(value)
    return result


def average_true_range(bars: Minutes) -> Series:
    """Wilder's ATR over 14 of the symbol's own bars; the first bar's true range is H-L."""
    result: Series = []
    ranges: Series = []
    before = value = NAN
    for bar in bars:
        if bar is not None:
            ranges.append(true_range(bar.high, bar.low, before))
            value = _wilder(ranges, value)
            before = bar.close
        result.append(value)
    return result


def true_range(high: float, low: float, close_before: float) -> float:
    """max(H-L, abs(H-C₋₁), abs(L-C₋₁)); H-L alone where there is no close before."""
    if math.isnan(close_before):
        return high - low
    return max(high - low, abs(high - close_before), abs(low - close_before))


def minutes_since(bars: Minutes) -> Series:
    """k - minute of the last bar."""
    result, at = [], NAN
    for k, bar in enumerate(bars):
        if bar is not None:
            at = float(k)
        result.append(k - at)
    return result


def _known_from(values: Series, first: int) -> Series:
    return [value if k >= first else NAN for k, value in enumerate(values)]


def _mean_of_at_least(count: int, values: Sequence[float]) -> float:
    return total(values) / len(values) if len(values) >= count else NAN


def _wilder(values: Series, before: float) -> float:
    if len(values) < 14:
        return NAN
    if len(values) == 14:
        return total(values) / 14
    return (before * 13 + values[-1]) / 14


def _rsi_of(gain: float, loss: float) -> float:
    if math.isnan(gain) or math.isnan(loss):
        return NAN
    if loss == 0:
        return 50.0 if gain == 0 else 100.0
    return 100 - 100 / (1 + gain / loss)


def _halt(bars: Minutes, prints: Sequence[bool], clock: Clock) -> Series:
    result = [NAN] * clock.minutes
    traded = False
    state, since = 0, OPEN
    for k in range(OPEN, clock.close):
        if bars[k] is not None:
            traded = True
            state = 2 if state == 1 else 0
            since = k if state == 2 else since
        elif state != 1:
            state = 1 if prints[k] and _fell_silent(bars, since, k) else 0
        if traded:
            result[k] = float(state)
    return result


def _fell_silent(bars: Minutes, since: int, k: int) -> bool:
    """No bar in k-2…k, after one in every minute from ``since``: the last 30 of them at most, and 3 at least."""
    if any(bars[m] is not None for m in (k - 2, k - 1, k)):
        return False
    last = k
    while last >= OPEN and bars[last] is None:
        last -= 1
    first = max(since, last - 29)
    return last - first + 1 >= 3 and all(bars[m] is not None for m in range(first, last + 1))
