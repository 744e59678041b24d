"""The universe: the symbols scanned today, and what was known about each before the day began.

>>> from scanner_kit.calendar import TradingDay
>>> universe = Universe.of(TradingDay.of("2025-01-27"), ["NVDA", "AAPL"])
>>> universe.symbols, universe.row("NVDA"), universe.facts.prev_close
(('AAPL', 'NVDA'), 1, array([nan, nan]))
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput, UnknownName

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Words = np.ndarray[Any, np.dtype[np.object_]]
Rows = np.ndarray[Any, np.dtype[np.intp]]

LIQUID_DOLLARS, LIQUID_PRICE = 5_000_000.0, 1.0


@dataclass(frozen=True, eq=False)
class Facts:
    """What was known of each symbol before the day: float64 `(symbols,)`, NaN where unknown.

    Words as objects, None where unknown.

    `usual_volume` is `(minutes, symbols)`: the cumulative volume that is usual by the end of each minute.
    """

    prev_close: Floats
    pdh: Floats
    pdl: Floats
    avg_volume_30d: Floats
    avg_volume_10d: Floats
    atr_14d: Floats
    sma_20d: Floats
    high_20d: Floats
    market_cap: Floats
    shares_outstanding: Floats
    float_shares: Floats
    usual_volume: Floats
    name: Words
    kind: Words
    sector: Words
    industry: Words
    exchange: Words

    @classmethod
    def of(cls, symbols: int, minutes: int, **known: np.ndarray) -> "Facts":
        """Facts of which only `known` is known."""
        for name in known:
            if name not in FACTS:
                raise UnknownName.of("There is no fact", name, FACTS)
        unknown = {name: np.full(symbols, None if name in WORDS else np.nan) for name in FACTS}
        unknown["usual_volume"] = np.broadcast_to(np.float64(np.nan), (minutes, symbols))
        return cls(**{**unknown, **known})

    @cached_property
    def usable_close(self) -> Floats:
        """`prev_close` where something can be measured against it: above 0."""
        return np.where(self.prev_close > 0, self.prev_close, np.nan)

    def take(self, rows: Rows) -> "Facts":
        """The facts of some symbols, by row."""
        return Facts(**{name: getattr(self, name)[..., rows] for name in FACTS})


FACTS: tuple[str, ...] = tuple(f.name for f in fields(Facts))
WORDS = ("name", "kind", "sector", "industry", "exchange")


@dataclass(frozen=True, eq=False)
class Universe:
    """The symbols of a day, sorted by code points, with their facts and what the source says of itself."""

    day: TradingDay
    symbols: tuple[str, ...]
    facts: Facts = field(repr=False)
    share_of_market: float = 1.0
    daily_same_source: bool = False
    label: str = ""
    """How the data is to be called wherever it is seen: "simulated", or nothing."""

    def __post_init__(self) -> None:
        if list(self.symbols) != sorted(set(self.symbols)):
            raise InvalidInput(
                "The symbols of a Universe are unique and sorted; found others. Build it with "
                "Universe.of(day, symbols)."
            )
        if not 0 < self.share_of_market <= 1:
            raise InvalidInput(
                f"share_of_market is above 0 and at most 1; found {self.share_of_market!r}. IEX alone is 0.03."
            )

    @classmethod
    def of(
        cls, day: TradingDay, symbols: Iterable[str], facts: Mapping[str, Any] | None = None, **source: Any
    ) -> "Universe":
        """A universe from symbols in any order; `facts` are arrays in that same order, symbols last."""
        given = list(symbols)
        order = np.array(sorted(range(len(given)), key=given.__getitem__), dtype=np.intp)
        known = {name: _fact(name, values, len(given))[..., order] for name, values in (facts or {}).items()}
        return cls(day, tuple(given[i] for i in order), Facts.of(len(given), day.minutes, **known), **source)

    def __len__(self) -> int:
        return len(self.symbols)

    def row(self, symbol: str) -> int:
        """The row of a symbol in every array; `UnknownName` if it is not of the universe."""
        try:
            return self.rows[symbol]
        except KeyError:
            raise UnknownName.of(f"The universe of {self.day.date} has no symbol", symbol, self.symbols) from None

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each symbol."""
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    @cached_property
    def liquid(self) -> Bools:
        """Whether a symbol is usually liquid; unknown is not liquid."""
        scaled = self.share_of_market < 1 and self.daily_same_source
        dollars = LIQUID_DOLLARS * (self.share_of_market if scaled else 1.0)
        enough = self.facts.avg_volume_30d * self.facts.prev_close >= dollars
        return np.asarray(enough & (self.facts.prev_close >= LIQUID_PRICE), dtype=np.bool_)

    def take(self, rows: Rows) -> "Universe":
        """The universe of some of its symbols; `rows` ascending."""
        return replace(self, symbols=tuple(self.symbols[i] for i in rows), facts=self.facts.take(rows))


def _fact(name: str, values: Any, symbols: int) -> np.ndarray:
    array = np.asarray(values, dtype=np.object_ if name in WORDS else np.float64)
    if array.shape[-1:] != (symbols,):
        raise InvalidInput(
            f"A fact has an entry for each of the {symbols} symbols; found {name} of shape "
            f"{array.shape}. Write NaN (None for a word) where it is unknown."
        )
    return array
