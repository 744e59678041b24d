"""The price path of a simulated session: from the close before through open, extremes and close of the outline.

Brownian bridges whose variance follows the activity of the minutes, which is what makes the returns fat-tailed.
"""

import numpy as np
from numpy.random import Generator

from scanner_kit.calendar import TradingDay
from scanner_kit.sources._market import (
    MARKET_SD,
    NEWS,
    REVERSAL,
    RUNNER,
    SECTOR_SD,
    SECTORS,
    Floats,
    Ints,
    Outline,
)
from scanner_kit.sources._trading import PAUSE, Block, Plan, Trading, activity_of, u_shape

PRE_PACE, POST_PACE = 0.022, 0.012  # of a minute, relative to the whole regular hours


def common_path(rng: Generator, day: TradingDay) -> Floats:
    """Standardised walks of the market, the sectors and nothing, over the regular minutes: (minutes, 2 + sectors)."""
    z = rng.standard_normal((day.close_k - day.open_k, 2 + len(SECTORS)))
    z *= np.sqrt(activity_of(rng, len(z), z.shape[1]))
    z[:, -1] = 0.0
    return np.cumsum(z * np.sqrt(u_shape(day, 4.0, 0.5))[:, None], axis=0)


def path_of(rng: Generator, block: Block, trading: Trading, factors: Floats) -> Floats:
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


def _before_open(z: Floats, outline: Outline, plan: Plan) -> Floats:
    """From the close before to the open: most of an ordinary gap is there at 04:00, one made by news comes with it."""
    x = np.linspace(0.0, 1.0, len(z))[:, None]
    told = np.arange(len(z))[:, None] >= plan.news
    news = (outline.event == NEWS) | (outline.event == REVERSAL)
    at_once = np.where(news, told * (0.75 + 0.5 * plan.tail), 0.3 + 0.6 * plan.tail)
    done = np.where(news & ~told, 0.0, at_once + (1.0 - at_once) * x)
    return outline.before + (outline.open - outline.before) * done + _bridge(z * PRE_PACE, x)


def _regular(z: Floats, block: Block, plan: Plan, factors: Floats) -> Floats:
    """From the open to the close by way of high and low; runners and pauses have their own drift between them."""
    day, outline, cast = block.outline.day, block.outline, block.cast
    spread = u_shape(day, 4.0, 0.5)[:, None]
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


def _bursts(block: Block, plan: Plan, some: Ints) -> Floats:
    """The fast move before the pause of a gapping stock, given back in the minutes after."""
    day = block.outline.day
    k = np.arange(day.open_k, day.close_k)[:, None] - plan.pauses[0, some]
    sign = np.where(plan.tail[some] < 0.35, 1.0, -1.0)
    burst: Floats = sign * 0.07 * np.where(k < 0, ((k + 3) / 3.0).clip(0, 1), np.exp(-np.maximum(k - PAUSE, 0) / 15.0))
    return burst


def _run(block: Block, plan: Plan, some: Ints) -> Floats:
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
