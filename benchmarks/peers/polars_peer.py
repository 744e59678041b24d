"""The metrics in Polars: lazy queries over a long, dense, sorted frame, collected on all cores.

Each symbol has a row for every minute, preceded by `PAD` empty rows. The padding is what makes the queries quick: a
window or shift of up to an hour, or a forward fill, can run over the whole column at once and never reaches the symbol
before. Only cumulative and exponential expressions need `.over("symbol")`. Unknown is NaN, so that columns have no
nulls: extremes pass over NaN, and what has no nulls takes Polars' quick paths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from polars import Expr, LazyFrame

from benchmarks.peers.day import Array, Day

CHUNK = 500  # symbols a call at which it was fastest
PAD = 60
UNKNOWN = float("nan")
col, when = pl.col, pl.when
minute, k, last, hod, lod = col("minute"), col("k"), col("last"), col("hod"), col("lod")
high_price, low_price, close = col("high"), col("low"), col("close")


@dataclass(frozen=True)
class Prepared:
    """A long frame sorted by symbol and minute, and what is the same for all of its rows."""

    frame: pl.DataFrame
    symbols: int
    open_k: int
    close_k: int


def prepare(day: Day) -> Prepared:
    """The day as a padded long frame; prices are NaN without a bar and in the padding."""
    rows = PAD + day.minutes
    minutes = np.arange(-PAD, day.minutes, dtype=np.int32)
    columns = {
        "symbol": pl.Series(np.repeat(np.arange(day.symbols, dtype=np.uint32), rows)).set_sorted(),
        "minute": pl.Series(np.tile(minutes, day.symbols)),
        "k": pl.Series(np.tile(np.where(minutes < 0, UNKNOWN, minutes), day.symbols)),
        **{name: _padded(getattr(day, name), UNKNOWN) for name in ("open", "high", "low", "close", "vwap")},
        **{name: _padded(getattr(day, name), 0.0) for name in ("volume", "usual_volume")},
    }
    facts = {n: np.repeat(_positive(getattr(day, n)), rows) for n in ("prev_close", "avg_volume_30d", "float_shares")}
    return Prepared(pl.DataFrame(columns | facts), day.symbols, day.open_k, day.close_k)


def measure(prepared: Prepared) -> pl.DataFrame:
    """Every metric as a float64 column of a long frame, the padding included."""
    open_k, close_k = prepared.open_k, prepared.close_k
    bars = _collect(prepared.frame.lazy().with_columns(_bars(open_k, close_k)).with_columns(_running()))
    own = _collect(_own_bars(bars.lazy()))
    near = bars.lazy().with_columns(_wilder(own) + _windows(5) + _anchors(close_k))
    far = near.with_columns(_windows(15)).with_columns(_windows(30)).with_columns(_windows(60))
    wilder = [col("rsi_14"), col("atr_1m_14")]
    return _collect(far.select(_price(open_k, close_k) + _levels(open_k) + _volume() + _activity() + wilder))


def _collect(query: LazyFrame) -> pl.DataFrame:
    # The streaming engine, Polars' own choice, cuts columns in chunks that every shift must join: 4 times the work.
    return query.collect(engine="in-memory")


def to_arrays(prepared: Prepared, measured: pl.DataFrame) -> dict[str, Array]:
    """The collected frame as (minutes, symbols) arrays without the padding; not timed."""
    return {
        name: measured[name].to_numpy().reshape(prepared.symbols, -1)[:, PAD:].T.astype(np.float64)
        for name in measured.columns
    }


def _padded(array: Array, padding: float) -> pl.Series:
    return pl.Series(np.pad(array.T, ((0, 0), (PAD, 0)), constant_values=padding).reshape(-1))


def _positive(fact: Array) -> Array:
    return np.where(fact > 0, fact, UNKNOWN)


def _each(expression: Expr) -> Expr:
    """Per symbol. Rows are sorted, so groups are slices and the results need no scattering."""
    return expression.over("symbol", mapping_strategy="explode")


def _percent(value: Expr, base: Expr) -> Expr:
    return 100 * (value / base - 1)


def _frozen(value: Expr, *, where: Expr) -> Expr:
    """The value's latest one among the rows chosen; the padding makes it unknown before."""
    return when(minute < 0).then(UNKNOWN).when(where).then(value).forward_fill()


def _filled(value: Expr) -> Expr:
    """The latest known value; the padding, which stays NaN, keeps it within the symbol."""
    return when((minute < 0) | value.is_not_nan()).then(value).forward_fill()


def _bars(open_k: int, close_k: int) -> list[Expr]:
    vwap, has = col("vwap"), close.is_not_nan()
    price = when(vwap.is_finite() & (vwap > 0)).then(vwap).otherwise((high_price + low_price + close) / 3)
    regular = minute.is_between(open_k, close_k - 1)
    dollars = when(has).then(price * col("volume")).otherwise(0.0)
    return [
        has.alias("has"),
        _filled(close).alias("last"),
        dollars.alias("dollar_volume_1m"),
        when(regular).then("high").otherwise(UNKNOWN).alias("rth_high"),
        when(regular).then("low").otherwise(UNKNOWN).alias("rth_low"),
        when(regular).then("volume").otherwise(0.0).alias("rth_volume"),
        when(regular).then(dollars).otherwise(0.0).alias("rth_dollars"),
    ]


def _running() -> list[Expr]:
    """Cumulative expressions; extremes pass over NaN."""
    return [
        _each(high_price.cum_max()).alias("hod"),
        _each(low_price.cum_min()).alias("lod"),
        _each(col("rth_high").cum_max()),
        _each(col("rth_low").cum_min()),
        _each(col("volume").cum_sum()).alias("day_volume"),
        _each(col("dollar_volume_1m").cum_sum()).alias("day_dollar_volume"),
        _each(col("rth_volume").cum_sum()),
        _each(col("rth_dollars").cum_sum()),
        high_price.alias("high_1m"),
        low_price.alias("low_1m"),
        col("volume").alias("volume_1m"),
    ]


def _own_bars(bars: LazyFrame) -> LazyFrame:
    """RSI and ATR, a row for every bar there is: without the empty minutes they are shorter and free of nulls."""
    before, first = close.shift(1), col("number") == 1
    true_range = pl.max_horizontal(high_price - low_price, (high_price - before).abs(), (low_price - before).abs())
    moves = [
        when(first).then(0.0).otherwise((close - before).clip(lower_bound=0.0)).alias("gain"),
        when(first).then(0.0).otherwise((before - close).clip(lower_bound=0.0)).alias("loss"),
        when(first).then(high_price - low_price).otherwise(true_range).alias("true_range"),
    ]
    starts = {"gain": 15, "loss": 15, "true_range": 14}
    own = bars.filter("has").select("symbol", "high", "low", "close")
    numbered = own.with_columns(_each(pl.int_range(1, pl.len() + 1)).alias("number")).with_columns(moves)
    summed = numbered.with_columns(_each(pl.col(name).cum_sum()).alias(f"sum_{name}") for name in starts)
    seeded = summed.with_columns(_seeded(name, start) for name, start in starts.items())
    averages = seeded.with_columns(
        _each(pl.col(*starts).ewm_mean(alpha=1 / 14, adjust=False, ignore_nulls=True)),
    )
    return averages.select(_rsi(col("gain"), col("loss")), col("true_range").alias("atr_1m_14"))


def _seeded(name: str, start: int) -> Expr:
    """Wilder's average begins with the plain mean at the symbol's bar number `start`."""
    number = col("number")
    return when(number > start).then(name).when(number == start).then(col(f"sum_{name}") / 14).alias(name)


def _rsi(gain: Expr, loss: Expr) -> Expr:
    return when((gain == 0) & (loss == 0)).then(50.0).otherwise(100 - 100 / (1 + gain / loss)).alias("rsi_14")


def _wilder(own: pl.DataFrame) -> list[Expr]:
    """The values of each symbol's latest bar, by the number of that bar in the frame of bars."""
    row = col("has").cum_sum().cast(pl.Int64) - 1
    latest = {name: pl.lit(own[name]).gather(row, null_on_oob=True) for name in own.columns}
    return [when(last.is_not_nan()).then(value).alias(name) for name, value in latest.items()]


def _windows(n: int) -> list[Expr]:
    """Windows of n minutes, each made of the next shorter one: a window of 15 is three of 5, one of 60 two of 30."""
    part = {5: 1, 15: 5, 30: 15, 60: 30}[n]
    shifts = range(0, n, part)
    return [
        pl.max_horizontal(col(f"high_{part}m").shift(s, fill_value=UNKNOWN) for s in shifts).alias(f"high_{n}m"),
        pl.min_horizontal(col(f"low_{part}m").shift(s, fill_value=UNKNOWN) for s in shifts).alias(f"low_{n}m"),
        pl.sum_horizontal(col(f"dollar_volume_{part}m").shift(s, fill_value=0.0) for s in shifts).alias(
            f"dollar_volume_{n}m"
        ),
        (col("day_volume") - col("day_volume").shift(n, fill_value=0.0)).alias(f"volume_{n}m"),
    ]


def _anchors(close_k: int) -> list[Expr]:
    """Prices that later ones are compared with: the first regular open and the last regular close."""
    known = col("rth_high").is_not_nan()
    first = known & col("rth_high").shift(1).is_nan()
    return [
        _frozen(col("open"), where=first).alias("rth_open"),
        _frozen(last, where=known & (minute == close_k - 1)).alias("rth_close"),
        _percent(last, col("prev_close")).alias("change_pct"),
    ]


def _price(open_k: int, close_k: int) -> list[Expr]:
    previous, rth_open = col("prev_close"), col("rth_open")
    gapped = when(rth_open.is_nan()).then(last).otherwise(rth_open)
    return [
        last,
        col("change_pct"),
        (last - previous).alias("change_dollars"),
        _percent(gapped, previous).alias("gap_pct"),
        (gapped - previous).alias("gap_dollars"),
        _frozen(col("change_pct"), where=minute < open_k).alias("premarket_gap_pct"),
        rth_open,
        _percent(last, rth_open).alias("from_open_pct"),
        when(minute >= close_k).then(_percent(last, col("rth_close"))).alias("post_gap_pct"),
        *(_percent(last, last.shift(n)).alias(f"change_{n}m_pct") for n in (1, 2, 3, 5, 10, 15, 30, 60)),
    ]


def _levels(open_k: int) -> list[Expr]:
    day = [
        hod,
        lod,
        _minutes_since(hod).alias("minutes_since_hod"),
        _minutes_since(lod).alias("minutes_since_lod"),
        (100 * (hod - last) / hod).alias("hod_distance_pct"),
        (100 * (last - lod) / lod).alias("lod_distance_pct"),
        col("rth_high"),
        col("rth_low"),
        _frozen(hod, where=minute < open_k).alias("pmh"),
        _frozen(lod, where=minute < open_k).alias("pml"),
    ]
    ranges = [
        _frozen(col(f"{side}_{n}m"), where=minute == open_k + n - 1).alias(f"orb_{side}_{n}")
        for side in ("high", "low")
        for n in (5, 15, 30)
    ]
    return day + ranges + [col(f"{side}_{n}m") for side in ("high", "low") for n in (5, 15, 30, 60)]


def _minutes_since(extreme: Expr) -> Expr:
    """Minutes since a running extreme last moved (NaN equals NaN in Polars, so becoming known is a move)."""
    moved = when(extreme.is_nan()).then(UNKNOWN).when(extreme != extreme.shift(1)).then(k)
    return k - moved.forward_fill()


def _volume() -> list[Expr]:
    vwap = when(col("day_volume") > 0).then(col("day_dollar_volume") / col("day_volume"))
    return [
        vwap.alias("vwap"),
        when(col("rth_volume") > 0).then(col("rth_dollars") / col("rth_volume")).alias("vwap_rth"),
        _percent(last, vwap).alias("vwap_distance_pct"),
        *(col(f"volume_{n}m") for n in (1, 5, 15, 30, 60)),
        *(col(f"dollar_volume_{n}m") for n in (1, 5, 15, 30, 60)),
        col("day_volume"),
        col("day_dollar_volume"),
    ]


def _activity() -> list[Expr]:
    traded = when(minute < 0).then(UNKNOWN).when("has").then(k).forward_fill()
    hour = col("volume_60m")
    two_hours = hour.shift(5) + when(minute >= 65).then(hour.shift(65)).otherwise(0.0)
    usual = col("usual_volume")
    return [
        when(usual >= 1_000).then(col("day_volume") / usual).alias("rvol_tod"),
        _rvol_tod(col("volume"), 1).alias("rvol_1m_tod"),
        _rvol_tod(col("volume_5m"), 5).alias("rvol_5m_tod"),
        _surge(col("volume"), 1, hour.shift(1), k, 60).alias("rvol_1m"),
        _surge(col("volume_5m"), 5, two_hours, k - 4, 120).alias("rvol_5m"),
        (col("day_volume") / col("avg_volume_30d")).alias("rvol_day"),
        (col("day_volume") / col("float_shares")).alias("float_rotation"),
        (k - traded).alias("minutes_since_trade"),
    ]


def _rvol_tod(volume: Expr, n: int) -> Expr:
    usual = col("usual_volume")
    expected = usual - usual.shift(n)
    return when((usual >= 1_000) & (expected >= 100 * n)).then(volume / expected)


def _surge(volume: Expr, n: int, before: Expr, minutes: Expr, longest: int) -> Expr:
    mean = before / minutes.clip(upper_bound=longest)
    return when((minutes >= longest / 2) & (before > 0)).then(volume / (n * mean))
