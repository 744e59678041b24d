"""The minutes of a simulated session, drawn so that they add up to its `Outline`.

1. `_trading.trade`: when things happen, and the shares of every minute.
2. `_paths.path_of`: the log price at every minute's end.
3. `_bars` cuts the path into bars on the tick grid.

Everything is arrays of minutes × symbols, a block of symbols at a time, each block from random numbers of its own.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from scanner_kit.calendar import TradingDay
from scanner_kit.sources._market import Bools, Cast, Floats, Outline, date_key, generator
from scanner_kit.sources._paths import POST_PACE, PRE_PACE, common_path, path_of
from scanner_kit.sources._trading import Block, Trading, trade, u_shape

FIELDS = ("open", "high", "low", "close", "volume", "vwap")

_PRICES, _FACTORS = 5, 6
_BLOCK = 256


def tick(price: Floats) -> Floats:
    """Prices on the grid of US stocks: 0.01 $, below 1 $ 0.0001 $."""
    return np.where(price < 1.0, np.rint(price * 1e4) / 1e4, np.rint(price * 100.0) / 100.0).clip(1e-4, None)


def minute_volumes(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> Floats:
    """Shares of a session, minutes × symbols; they add up to the outline's volume."""
    volume = np.zeros((outline.day.minutes, len(cast.symbol)))
    for block in _blocks(cast, outline, ratio, seed):
        volume[:, block.where] = trade(block).volume
    return volume


def minute_bars(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> dict[str, Floats]:
    """The bars of a session, minutes × symbols; the regular ones have the outline's open, high, low and close."""
    shape = (outline.day.minutes, len(cast.symbol))
    bars = {name: np.empty(shape) for name in FIELDS}
    factors = common_path(generator(seed, len(cast.symbol), date_key(outline.day.date), _FACTORS), outline.day)
    for block in _blocks(cast, outline, ratio, seed):
        trading = trade(block)
        rng = block.rng(_PRICES)
        path = path_of(rng, block, trading, factors)
        for name, values in _bars(rng, block, trading, path).items():
            bars[name][:, block.where] = values
    return bars


def _blocks(cast: Cast, outline: Outline, ratio: Floats, seed: int) -> Iterator[Block]:
    symbols = len(cast.symbol)
    key = (seed, symbols, date_key(outline.day.date))
    for first in range(0, symbols, _BLOCK):
        where = slice(first, min(first + _BLOCK, symbols))
        yield Block(cast.part(where), outline.part(where), ratio[where], where, key)


def _bars(rng: Generator, block: Block, trading: Trading, path: Floats) -> dict[str, Floats]:
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
    pace[day.open_k : day.close_k] = u_shape(day, 4.0, 0.5)
    pace[day.close_k :] = POST_PACE**2
    return pace


def _meet_outline(block: Block, present: Bools, prices: tuple[Floats, ...]) -> None:
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
