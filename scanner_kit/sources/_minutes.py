"""The minutes of a simulated session, drawn so that they add up to its `Outline`.

1. `_plan` fixes when the news came, when a runner takes off, and which five-minute pauses follow fast moves.
2. `_trade` spreads the day's shares over the minutes: the curve of the day × a clustered random activity. Where few
   shares are due the minute stays empty.
3. `_path` leads from the close before through the open, the extremes and the close of the outline: Brownian bridges
   whose variance follows the same activity, which is what makes the returns fat-tailed.
4. `_bars` cuts the path into bars on the tick grid.

Everything is arrays of minutes × symbols, a block of symbols at a time, each block from random numbers of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from scanner_kit.calendar import TradingDay
from scanner_kit.sources._market import (
    MARKET_SD,
    NEWS,
    NONE,
    REVERSAL,
    RUNNER,
    SECTOR_SD,
    SECTORS,
    Bools,
    Cast,
    Floats,
    Ints,
    Outline,
    date_key,
    generator,
)

FIELDS = ("open", "high", "low", "close", "volume", "vwap")
PAUSE = 5  # minutes that a limit-up-limit-down pause lasts
PRE_PACE, POST_PACE = 0.022, 0.012  # of a minute, relative to the whole regular hours

_VOLUME, _PRICES, _FACTORS = 4, 5, 6
_BLOCK = 256
_SHARES_PER_MINUTE = 500.0  # with as many due, 63 % of the minutes have a bar
_NEWS_MINUTES = np.array([0, 60, 120, 180, 210, 240, 270, 285])


@dataclass(frozen=True, eq=False)
class _Block:
    """Some symbols of a session; `ratio` is that of `split_ratio`."""

    cast: Cast
    outline: Outline
    ratio: Floats
    where: slice
    key: tuple[int, ...]

    def rng(self, stream: int) -> Generator:
        return generator(*self.key, stream, self.where.start)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The minutes at which things happen, per symbol."""

    news: Ints
    takeoff: Ints
    peak: Ints
    pauses: Ints  # (4, symbols): first silent minute, -1 for none
    tail: Floats  # a uniform number for whatever else is decided


@dataclass(frozen=True, eq=False)
class _Trading:
    """What was traded: relative activity, shares and pauses, minutes × symbols."""

    plan: _Plan
    activity: Floats
    volume: Floats
    silent: Bools


def tick(price: Floats) -> Floats:
    """Prices on the grid of US stocks: 0.01 $, below 1 $ 0.0001 $."""
    return np.where(price < 1.0, np.rint(price * 1e4) / 1e4, np.rint(price * 100.0) / 100.0).clip(1e-4, None)


def minute_volumes(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> Floats:
    """Shares of a session, minutes × symbols; they add up to the outline's volume."""
    volume = np.zeros((outline.day.minutes, len(cast.symbol)))
    for block in _blocks(cast, outline, ratio, seed):
        volume[:, block.where] = _trade(block).volume
    return volume


def minute_bars(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> dict[str, Floats]:
    """The bars of a session, minutes × symbols; the regular ones have the outline's open, high, low and close."""
    shape = (outline.day.minutes, len(cast.symbol))
    bars = {name: np.empty(shape) for name in FIELDS}
    factors = _common_path(generator(seed, len(cast.symbol), date_key(outline.day.date), _FACTORS), outline.day)
    for block in _blocks(cast, outline, ratio, seed):
        trading = _trade(block)
        rng = block.rng(_PRICES)
        path = _path(rng, block, trading, factors)
        for name, values in _bars(rng, block, trading, path).items():
            bars[name][:, block.where] = values
    return bars


def _blocks(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> Iterator[_Block]:
    symbols = len(cast.symbol)
    key = (seed, symbols, date_key(outline.day.date))
    for first in range(0, symbols, _BLOCK):
        where = slice(first, min(first + _BLOCK, symbols))
        yield _Block(cast.part(where), outline.part(where), ratio[where], where, key)


# What happens when


def _plan(rng: Generator, block: _Block) -> _Plan:
    day, event = block.outline.day, block.outline.event
    u = rng.random((8, len(event)))
    regular = day.close_k - day.open_k
    takeoff = day.open_k + 5 + (u[0] ** 1.5 * 0.6 * regular).astype(np.int64)
    peak = np.minimum(takeoff + 30 + (u[1] * 90).astype(np.int64), day.close_k - 15)
    j = np.arange(4)[:, None]
    pauses = takeoff + 4 + j * (PAUSE + 4 + (u[2] * 8).astype(np.int64))
    wanted = (event == RUNNER) & (j < 1 + (u[3] * 3.5).astype(np.int64)) & (pauses < peak - PAUSE)
    fierce = (np.abs(block.outline.open - block.outline.before) > 0.08) & (event == NEWS) & (u[4] < 0.7)
    opening = day.open_k + 6 + (u[5] * 20).astype(np.int64)
    pauses = np.where(wanted, pauses, np.where(fierce & (j == 0), opening, -1))
    news = _NEWS_MINUTES[(u[6] * len(_NEWS_MINUTES)).astype(np.int64)] + (u[7] * 8).astype(np.int64)
    return _Plan(news, takeoff, peak, pauses, u[4])


def _silence(plan: _Plan, day: TradingDay) -> tuple[Bools, Bools]:
    """Minutes of a pause; and minutes that do trade, so that the pause is seen against them."""
    k = np.arange(day.minutes)[:, None]
    silent, busy = np.zeros((2, day.minutes, len(plan.news)), dtype=np.bool_)
    some = np.flatnonzero(plan.pauses[0] >= 0)
    pauses = plan.pauses[:, some]
    inside = (k >= pauses[:, None]) & (k < pauses[:, None] + PAUSE) & (pauses[:, None] >= 0)
    silent[:, some] = inside.any(axis=0)
    first, last = np.maximum(day.open_k, pauses[0] - 32), pauses.max(axis=0) + PAUSE + 20
    busy[:, some] = (k >= first) & (k < np.minimum(last, day.close_k)) & ~silent[:, some]
    return silent, busy


# Volume


def _trade(block: _Block) -> _Trading:
    rng, day = block.rng(_VOLUME), block.outline.day
    plan = _plan(rng, block)
    silent, busy = _silence(plan, day)
    activity = _activity(rng, day.minutes, len(plan.news))
    weight = _curve(block, plan) * activity
    some = np.flatnonzero(block.outline.event != NONE)
    weight[:, some] *= _crowd(block, plan, some)
    weight[silent] = 0.0
    due = block.outline.volume * weight / weight.sum(axis=0)
    present = rng.random(due.shape) < -np.expm1(-due / _SHARES_PER_MINUTE)
    present |= busy
    _trade_somewhere(present, due)
    shares = _whole_shares(np.where(present, due, 0.0), block.outline.volume, block.ratio, busy)
    return _Trading(plan, activity, shares, silent)


def _activity(rng: Generator, minutes: int, symbols: int) -> Floats:
    """Mean about 1; clustered in time: a noise of minutes times one that drifts over a quarter of an hour."""
    slow = 0.6 * rng.standard_normal((minutes // 15 + 2, symbols))
    at, weight = np.divmod(np.arange(minutes) / 15.0, 1.0)
    left, weight = at.astype(np.int64), weight[:, None]
    log = 0.65 * rng.standard_normal((minutes, symbols))
    log += slow[left] * (1.0 - weight)
    log += slow[left + 1] * weight
    log -= 0.35
    return np.exp(log, out=log)


def _curve(block: _Block, plan: _Plan) -> Floats:
    """The share of the day's volume that a minute has on a usual day: pre rising, regular U, auction, post falling."""
    day, cast = block.outline.day, block.cast
    k = np.arange(day.minutes, dtype=np.float64)
    before = np.exp((k[: day.open_k] - day.open_k) / 70.0) + 0.04
    early = np.where(block.outline.event == NONE, cast.attention, np.maximum(cast.attention, 0.03 + 0.1 * plan.tail))
    after = np.exp(-(k[day.close_k :] - day.close_k) / 30.0) + 0.06
    curve = np.empty((day.minutes, len(early)))
    curve[: day.open_k] = np.outer(before / before.sum(), early)
    curve[day.open_k : day.close_k] = np.outer(_u_shape(day, 3.2, 1.6), 0.92 - early)
    curve[day.close_k :] = np.outer(after / after.sum(), 0.3 * early)
    curve[day.close_k] += 0.08
    return curve


def _u_shape(day: TradingDay, open_: float, close: float) -> Floats:
    """Adds up to 1 over the regular minutes."""
    x = np.arange(day.close_k - day.open_k, dtype=np.float64)
    shape = 1.0 + open_ * np.exp(-x / 25.0) + close * np.exp((x - len(x)) / 14.0)
    shape[0] *= 1.6
    curve: Floats = shape / shape.sum()
    return curve


def _crowd(block: _Block, plan: _Plan, some: Ints) -> Floats:
    """How much more than on a usual day the minutes have where something happened; minutes × those symbols."""
    day, event = block.outline.day, block.outline.event[some]
    k = np.arange(day.minutes, dtype=np.float64)[:, None]
    since_news, since_open = k - plan.news[some], np.maximum(k - day.open_k, 0.0)
    told = np.where(since_news < 0, 0.03, 1.0 + 5.0 * np.exp(-since_news.clip(0) / 20.0))
    told = np.where(k < day.open_k, told, 1.0 + 1.5 * np.exp(-since_open / 60.0))
    takeoff, peak = plan.takeoff[some], plan.peak[some]
    running = np.where(k < takeoff, 0.03, 0.4 + 0.6 * ((k - takeoff) / (peak - takeoff)).clip(0, 1))
    running = np.where(k > peak, 0.12 + 0.88 * np.exp(-(k - peak) / 50.0), running)
    gapped = block.outline.open[some] - block.outline.before[some] > 0.06
    running = np.where((k < day.open_k) & gapped, 1.0, running)
    return np.where(event == RUNNER, running, told)


def _trade_somewhere(present: Bools, due: Floats) -> None:
    """A symbol with shares on its daily row has a bar."""
    empty = np.flatnonzero(~present.any(axis=0) & (due.sum(axis=0) >= 1.0))
    present[due[:, empty].argmax(axis=0), empty] = True


def _whole_shares(due: Floats, volume: Floats, ratio: Floats, busy: Bools) -> Floats:
    """Integers that add up to the volume on the basis of the day; what rounding leaves goes to the largest minute."""
    total = np.rint(volume / ratio)
    sums = due.sum(axis=0)
    shares = np.floor(due * (total / np.where(sums > 0, sums, 1.0)))
    np.maximum(shares, 100.0, out=shares, where=busy)
    shares[shares.argmax(axis=0), np.arange(len(total))] += total - shares.sum(axis=0)
    return shares


# Prices


def _common_path(rng: Generator, day: TradingDay) -> Floats:
    """Standardised walks of the market, the sectors and nothing, over the regular minutes: (minutes, 2 + sectors)."""
    z = rng.standard_normal((day.close_k - day.open_k, 2 + len(SECTORS)))
    z *= np.sqrt(_activity(rng, len(z), z.shape[1]))
    z[:, -1] = 0.0
    return np.cumsum(z * np.sqrt(_u_shape(day, 4.0, 0.5))[:, None], axis=0)


def _path(rng: Generator, block: _Block, trading: _Trading, factors: Floats) -> Floats:
    """Log price at each minute's end, on the outline's basis."""
    day, outline = block.outline.day, block.outline
    z = rng.standard_normal(trading.activity.shape)
    z *= np.sqrt(trading.activity * (0.4 + 0.3 * rng.standard_exponential(z.shape, dtype=np.float32) ** 2))
    z *= outline.noise
    runners = np.flatnonzero(outline.event == RUNNER)
    z[:, runners] *= np.where(np.arange(day.minutes)[:, None] < trading.plan.takeoff[runners], 0.25, 1.0)
    regular = slice(day.open_k, day.close_k)
    path = np.empty_like(z)
    path[: day.open_k] = _before_open(z[: day.open_k], outline, trading.plan)
    path[regular] = _regular(z[regular], block, trading.plan, factors)
    path[day.close_k :] = outline.close + np.cumsum(z[day.close_k :] * POST_PACE, axis=0)
    return path


def _before_open(z: Floats, outline: Outline, plan: _Plan) -> Floats:
    """From the close before to the open: most of an ordinary gap is there at 04:00, one made by news comes with it."""
    x = np.linspace(0.0, 1.0, len(z))[:, None]
    told = np.arange(len(z))[:, None] >= plan.news
    news = (outline.event == NEWS) | (outline.event == REVERSAL)
    at_once = np.where(news, told * (0.75 + 0.5 * plan.tail), 0.3 + 0.6 * plan.tail)
    done = np.where(news & ~told, 0.0, at_once + (1.0 - at_once) * x)
    return outline.before + (outline.open - outline.before) * done + _bridge(z * PRE_PACE, x)


def _regular(z: Floats, block: _Block, plan: _Plan, factors: Floats) -> Floats:
    """From the open to the close by way of high and low; runners and pauses have their own drift between them."""
    day, outline, cast = block.outline.day, block.outline, block.cast
    spread = _u_shape(day, 4.0, 0.5)[:, None]
    elapsed = np.cumsum(spread, axis=0)
    common = cast.beta * MARKET_SD * factors[:, :1] + cast.sector_load * SECTOR_SD * factors[:, 1 + cast.sector]
    drift = elapsed * (outline.close - outline.open)
    some = np.flatnonzero(plan.pauses[0] >= 0)
    drift[:, some] += _bursts(block, plan, some)
    runners = np.flatnonzero(outline.event == RUNNER)
    drift[:, runners] = _run(block, plan, runners)
    walk = np.cumsum(z * np.sqrt(spread), axis=0) + common
    walk -= elapsed * walk[-1]
    walk += drift
    return outline.open + _stretch(walk, outline, plan.peak - day.open_k)


def _bridge(steps: Floats, elapsed: Floats) -> Floats:
    """A walk that ends where it began."""
    walk = np.cumsum(steps, axis=0)
    bridge: Floats = walk - elapsed * walk[-1]
    return bridge


def _bursts(block: _Block, plan: _Plan, some: Ints) -> Floats:
    """The fast move before the pause of a gapping stock, given back in the minutes after."""
    day = block.outline.day
    k = np.arange(day.open_k, day.close_k)[:, None] - plan.pauses[0, some]
    sign = np.where(plan.tail[some] < 0.35, 1.0, -1.0)
    burst: Floats = sign * 0.07 * np.where(k < 0, ((k + 3) / 3.0).clip(0, 1), np.exp(-np.maximum(k - PAUSE, 0) / 15.0))
    return burst


def _run(block: _Block, plan: _Plan, some: Ints) -> Floats:
    """A runner's rise: half of it steadily up to the peak, half in bursts before its pauses; then the fade."""
    day, outline = block.outline.day, block.outline.part(some)
    k = np.arange(day.open_k, day.close_k)[:, None]
    takeoff, peak, pauses = plan.takeoff[some], plan.peak[some], plan.pauses[:, some]
    steady = ((k - takeoff + 1) / (peak - takeoff)).clip(0, 1) ** 0.8
    steps = ((k - pauses[:, None] + 3) / 3.0).clip(0, 1) * (pauses[:, None] >= 0)
    count = (pauses >= 0).sum(axis=0)
    bursts = np.where(count > 0, steps.sum(axis=0) / np.maximum(count, 1), steady)
    gain, move = outline.peak, outline.close - outline.open
    rest = (k - peak) / (day.close_k - 1 - peak)
    fade = move + (gain - move) * np.exp(-4.0 * rest)
    fade = fade + (move - fade[-1]) * rest.clip(0, 1)
    return np.where(k <= peak, 0.5 * gain * (steady + bursts), fade)


def _stretch(walk: Floats, outline: Outline, peak: Ints) -> Floats:
    """Lead the walk to the extremes of the outline: drawn out where it falls short, folded back beyond."""
    move, high, low = outline.close - outline.open, outline.high - outline.open, outline.low - outline.open
    top, bottom = np.maximum(move, 0.0), np.minimum(move, 0.0)
    up = ((high - top) / (walk.max(axis=0) - top).clip(1e-9, None)).clip(1.0, 6.0)
    down = ((bottom - low) / (bottom - walk.min(axis=0)).clip(1e-9, None)).clip(1.0, 6.0)
    walk = walk + (up - 1.0) * (walk - top).clip(0.0, None) + (down - 1.0) * (walk - bottom).clip(None, 0.0)
    reach = (high - low).clip(1e-9, None)
    at = np.where(outline.event == RUNNER, peak, walk.argmax(axis=0))
    _lift(walk, high, np.flatnonzero(high - walk.max(axis=0) > 0.1 * reach), at)
    _lift(walk, low, np.flatnonzero(walk.min(axis=0) - low > 0.1 * reach), walk.argmin(axis=0))
    folded: Floats = low + reach - np.abs((walk - low) % (2.0 * reach) - reach)
    return folded


def _lift(walk: Floats, level: Floats, some: Ints, at: Ints) -> None:
    """An excursion of some symbols to a level that they do not reach by themselves. In place."""
    k = np.arange(len(walk))[:, None]
    top = at[some].clip(12, len(walk) - 13)
    width = np.minimum(40, np.minimum(top, len(walk) - 1 - top))
    walk[:, some] += (level[some] - walk[top, some]) * (1.0 - np.abs(k - top) / width).clip(0.0, None)


# Bars


def _bars(rng: Generator, block: _Block, trading: _Trading, path: Floats) -> dict[str, Floats]:
    day, outline = block.outline.day, block.outline
    level = np.exp(path + np.log(block.ratio))
    begin = np.empty_like(level)
    begin[1:] = level[:-1]
    begin[0] = level[0]
    begin[day.open_k] = block.ratio * np.exp(outline.open)
    jitter = rng.random(level.shape, dtype=np.float32) - np.float32(0.5)
    bounce = 2.0 * block.cast.spread * jitter
    open_, close = begin * (1.0 - bounce), level * (1.0 + bounce)
    wick = 0.35 * outline.noise * np.sqrt(_pace(day)[:, None] * trading.activity)
    above = wick * rng.standard_exponential(level.shape, dtype=np.float32)
    below = wick * rng.standard_exponential(level.shape, dtype=np.float32)
    high = np.maximum(open_, close) * (1.0 + above)
    low = np.minimum(open_, close) * (1.0 - below.clip(0.0, 0.3))
    present = trading.volume > 0
    for field in (open_, high, low, close):
        field[~present] = np.nan
    _meet_outline(block, present, (open_, high, low, close))
    open_, high, low, close = tick(open_), tick(high), tick(low), tick(close)
    vwap = (open_ + high + low + 2.0 * close) / 5.0 + (high - low) * (0.2 * jitter)
    vwap = np.rint(vwap * 1e4) / 1e4
    return {
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "volume": trading.volume,
        "vwap": np.clip(vwap, low, high, out=vwap),
    }


def _pace(day: TradingDay) -> Floats:
    """The variance of each minute, relative to that of the regular hours."""
    pace = np.full(day.minutes, PRE_PACE**2)
    pace[day.open_k : day.close_k] = _u_shape(day, 4.0, 0.5)
    pace[day.close_k :] = POST_PACE**2
    return pace


def _meet_outline(block: _Block, present: Bools, prices: tuple[Floats, ...]) -> None:
    """Give the regular bars, such as there are, the open, high, low and close of the daily row. In place."""
    day, outline = block.outline.day, block.outline
    there = present[day.open_k : day.close_k]
    some = np.flatnonzero(there.any(axis=0))
    first, last = there.argmax(axis=0)[some], len(there) - 1 - there[::-1].argmax(axis=0)[some]
    o, h, lo, c = (field[day.open_k : day.close_k] for field in prices)
    row = {name: np.exp(getattr(outline, name)) * block.ratio for name in ("open", "high", "low", "close")}
    for field in (o, c):
        np.clip(field, row["low"], row["high"], out=field)
    o[first, some], c[last, some] = row["open"][some], row["close"][some]
    top, bottom = np.maximum(o, c), np.minimum(o, c)
    h[...] = top + _within(h - top, row["high"] - top)
    lo[...] = bottom - _within(bottom - lo, bottom - row["low"])
    h[np.nanargmax(h[:, some], axis=0), some] = row["high"][some]
    lo[np.nanargmin(lo[:, some], axis=0), some] = row["low"][some]


def _within(wick: Floats, room: Floats) -> Floats:
    """A wick that never takes all the room there is, so that few bars share the day's extreme."""
    wick, room = wick.clip(0.0, None), room.clip(0.0, None)
    wicks: Floats = wick * room / (wick + room).clip(1e-12, None)
    return wicks
