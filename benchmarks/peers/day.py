"""A whole day of the market as plain arrays: what every peer is given, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPEN_K = 330
CLOSE_K = 720
BAR_FIELDS = ("open", "high", "low", "close", "volume", "vwap", "usual_volume")


@dataclass(frozen=True, eq=False)
class Day:
    """Bars and facts of one full session.

    Bars and `usual_volume` are (minutes, symbols), the other facts (symbols,), all float64; minute 0 is 04:00. Where a
    symbol has no bar its prices are NaN and its volume is 0. `open_k` and `close_k` bound the regular session.
    """

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
    open_k: int = OPEN_K
    close_k: int = CLOSE_K

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                _check_shape(field.name, value, self.close.shape)

    @property
    def minutes(self) -> int:
        """Minutes of the day."""
        return len(self.close)

    @property
    def symbols(self) -> int:
        """Symbols of the market."""
        return len(self.prev_close)

    def take(self, symbols: slice) -> Self:
        """The same day for some of the symbols."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        taken: dict[str, Any] = {n: a[..., symbols] for n, a in values.items() if isinstance(a, np.ndarray)}
        return replace(self, **taken)

    @classmethod
    def random(cls, symbols: int, minutes: int = 960, seed: int = 0) -> Self:
        """A plausible synthetic day: about 55 % of the minutes have a bar, thin before the open, dense after it.

        The first symbols (of 20 or more) are the awkward ones: silent, only after the close, only before the open,
        never moving, only rising, without volume. Some facts, and the VWAP of some bars, are unknown.
        """
        rng = np.random.default_rng(seed)
        has = _presence(rng, minutes, symbols)
        close = _walk(rng, minutes, symbols)
        if symbols >= 20:
            has, close = _awkward(has, close)
        bars: dict[str, Any] = _bars(rng, has, close)
        if symbols >= 20:
            bars["volume"][:, 5] = 0.0
        return cls(**bars, **_facts(rng, close, bars["volume"]))


def _check_shape(name: str, value: Array, shape: tuple[int, ...]) -> None:
    wanted = shape if name in BAR_FIELDS else shape[1:]
    if value.shape != wanted:
        raise ValueError(f"Day.{name} has the shape {value.shape}; with closes of {shape} it must be {wanted}.")


def _regular(minutes: int) -> NDArray[np.bool_]:
    k = np.arange(minutes)
    return (k >= OPEN_K) & (k < CLOSE_K)


def _presence(rng: np.random.Generator, minutes: int, symbols: int) -> NDArray[np.bool_]:
    activity = rng.beta(1.2, 1.0, symbols)
    session = np.where(_regular(minutes), 0.45, -0.05)[:, None]
    return rng.random((minutes, symbols)) < np.clip(0.9 * activity - 0.08 + session, 0.01, 1.0)


def _walk(rng: np.random.Generator, minutes: int, symbols: int) -> Array:
    start = np.exp(rng.normal(3.0, 1.2, symbols)).clip(0.5, 2_000.0)
    steps = rng.standard_normal((minutes, symbols)) * rng.lognormal(-7.2, 0.5, symbols)
    steps[0] += rng.normal(0.0, 0.03, symbols)
    return np.round(start * np.exp(np.cumsum(steps, axis=0)), 2).clip(0.01)


def _awkward(has: NDArray[np.bool_], close: Array) -> tuple[NDArray[np.bool_], Array]:
    k = np.arange(len(has))
    has[:, 0] = False
    has[:, 1] &= k >= CLOSE_K
    has[:, 2] &= k < OPEN_K
    close[:, 3] = 20.0
    close[:, 4] = np.round(10.0 + 0.01 * k, 2)
    has[:, 3:6] |= k[:, None] % 3 == 0
    return has, close


def _bars(rng: np.random.Generator, has: NDArray[np.bool_], close: Array) -> dict[str, Array]:
    shape = close.shape
    open_ = np.round(close * (1 + 0.0005 * rng.standard_normal(shape)), 2).clip(0.01)
    high = np.round(np.maximum(open_, close) * (1 + 0.0004 * rng.exponential(size=shape)), 2)
    low = np.round(np.minimum(open_, close) * (1 - 0.0004 * rng.exponential(size=shape)), 2).clip(0.01)
    high, low = np.maximum(high, np.maximum(open_, close)), np.minimum(low, np.minimum(open_, close))
    vwap = np.where(rng.random(shape) < 0.05, np.nan, low + (high - low) * rng.random(shape))
    prices = {"open": open_, "high": high, "low": low, "close": close, "vwap": vwap}
    return {n: np.where(has, a, np.nan) for n, a in prices.items()} | {"volume": _volumes(rng, has)}


def _volumes(rng: np.random.Generator, has: NDArray[np.bool_]) -> Array:
    minutes, symbols = has.shape
    regular = _regular(minutes)
    smile = np.where(regular, 3.0 + 6.0 * np.exp(-np.abs(np.arange(minutes) - OPEN_K) / 20.0), 1.0)[:, None]
    size = rng.lognormal(5.0, 1.5, symbols) * smile
    return np.where(has & (rng.random(has.shape) > 0.01), np.floor(size * rng.exponential(size=has.shape)), 0.0)


def _facts(rng: np.random.Generator, close: Array, volume: Array) -> dict[str, Any]:
    symbols = close.shape[1]
    day_volume = volume.sum(axis=0) + 1_000.0
    busier = rng.lognormal(0.0, 0.6, symbols)
    by_minute = busier * volume.mean(axis=1, keepdims=True)
    usual = np.cumsum(np.floor(rng.exponential(size=volume.shape) * by_minute), axis=0)
    return {
        "usual_volume": np.where(rng.random(symbols) < 0.05, np.nan, usual),
        "prev_close": _sometimes_unknown(rng, np.round(close[0] * rng.lognormal(0.0, 0.02, symbols), 2)),
        "avg_volume_30d": _sometimes_unknown(rng, np.floor(day_volume * rng.lognormal(0.0, 0.4, symbols))),
        "float_shares": _sometimes_unknown(rng, np.floor(day_volume * rng.lognormal(3.0, 1.0, symbols))),
    }


def _sometimes_unknown(rng: np.random.Generator, fact: Array) -> Array:
    return np.where(rng.random(fact.shape) < 0.05, np.nan, fact)
