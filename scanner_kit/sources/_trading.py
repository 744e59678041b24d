"""What is traded in the minutes of a simulated session: when things happen, and the shares of every minute.

1. `_plan` fixes when the news came, when a runner takes off, and which five-minute pauses follow fast moves.
2. `trade` spreads the day's shares over the minutes: the curve of the day × a clustered random activity. Where few
   shares are due the minute stays empty.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from scanner_kit.calendar import TradingDay
from scanner_kit.sources._market import NEWS, NONE, RUNNER, Bools, Cast, Floats, Ints, Outline, generator

PAUSE = 5  # minutes that a limit-up-limit-down pause lasts

_VOLUME = 4
_SHARES_PER_MINUTE = 500.0  # with as many due, 63 % of the minutes have a bar
_NEWS_MINUTES = np.array([0, 60, 120, 180, 210, 240, 270, 285])


@dataclass(frozen=True, eq=False)
class Block:
    """Some symbols of a session; `ratio` is that of `split_ratio`."""

    cast: Cast
    outline: Outline
    ratio: Floats
    where: slice
    key: tuple[int, ...]

    def rng(self, stream: int) -> Generator:
        """Random numbers of this block alone."""
        return generator(*self.key, stream, self.where.start)


@dataclass(frozen=True, eq=False)
class Plan:
    """The minutes at which things happen, per symbol."""

    news: Ints
    takeoff: Ints
    peak: Ints
    pauses: Ints  # (4, symbols): first silent minute, -1 for none
    tail: Floats  # a uniform number for whatever else is decided


@dataclass(frozen=True, eq=False)
class Trading:
    """What was traded: relative activity, shares and pauses, minutes × symbols."""

    plan: Plan
    activity: Floats
    volume: Floats
    silent: Bools


def trade(block: Block) -> Trading:
    """What some symbols trade in each minute; the shares add up to the outline's volume."""
    rng, day = block.rng(_VOLUME), block.outline.day
    plan = _plan(rng, block)
    silent, busy = _silence(plan, day)
    activity = activity_of(rng, day.minutes, len(plan.news))
    weight = _curve(block, plan) * activity
    some = np.flatnonzero(block.outline.event != NONE)
    weight[:, some] *= _crowd(block, plan, some)
    weight[silent] = 0.0
    due = block.outline.volume * weight / weight.sum(axis=0)
    present = rng.random(due.shape) < -np.expm1(-due / _SHARES_PER_MINUTE)
    present |= busy
    _trade_somewhere(present, due)
    shares = _whole_shares(np.where(present, due, 0.0), block.outline.volume, block.ratio, busy)
    return Trading(plan, activity, shares, silent)


# What happens when


def _plan(rng: Generator, block: Block) -> Plan:
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
    return Plan(news, takeoff, peak, pauses, u[4])


def _silence(plan: Plan, day: TradingDay) -> tuple[Bools, Bools]:
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


def activity_of(rng: Generator, minutes: int, symbols: int) -> Floats:
    """Mean about 1; clustered in time: a noise of minutes times one that drifts over a quarter of an hour."""
    slow = 0.6 * rng.standard_normal((minutes // 15 + 2, symbols))
    at, weight = np.divmod(np.arange(minutes) / 15.0, 1.0)
    left, weight = at.astype(np.int64), weight[:, None]
    log = 0.65 * rng.standard_normal((minutes, symbols))
    log += slow[left] * (1.0 - weight)
    log += slow[left + 1] * weight
    log -= 0.35
    return np.exp(log, out=log)


def _curve(block: Block, plan: Plan) -> Floats:
    """The share of the day's volume that a minute has on a usual day: pre rising, regular U, auction, post falling."""
    day, cast = block.outline.day, block.cast
    k = np.arange(day.minutes, dtype=np.float64)
    before = np.exp((k[: day.open_k] - day.open_k) / 70.0) + 0.04
    early = np.where(block.outline.event == NONE, cast.attention, np.maximum(cast.attention, 0.03 + 0.1 * plan.tail))
    after = np.exp(-(k[day.close_k :] - day.close_k) / 30.0) + 0.06
    curve = np.empty((day.minutes, len(early)))
    curve[: day.open_k] = np.outer(before / before.sum(), early)
    curve[day.open_k : day.close_k] = np.outer(u_shape(day, 3.2, 1.6), 0.92 - early)
    curve[day.close_k :] = np.outer(after / after.sum(), 0.3 * early)
    curve[day.close_k] += 0.08
    return curve


def u_shape(day: TradingDay, open_: float, close: float) -> Floats:
    """Adds up to 1 over the regular minutes."""
    x = np.arange(day.close_k - day.open_k, dtype=np.float64)
    shape = 1.0 + open_ * np.exp(-x / 25.0) + close * np.exp((x - len(x)) / 14.0)
    shape[0] *= 1.6
    curve: Floats = shape / shape.sum()
    return curve


def _crowd(block: Block, plan: Plan, some: Ints) -> Floats:
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
