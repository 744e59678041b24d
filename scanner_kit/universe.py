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
from scanner_kit.errors import InvalidInput, UnknownName, must_be
from scanner_kit.widening import Widening

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Words = np.ndarray[Any, np.dtype[np.object_]]
Rows = np.ndarray[Any, np.dtype[np.intp]]
Away = tuple[str, int, int]
"""A symbol, and the minutes [first, end) in which it is not of the universe."""

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

    def widened(self, wide: Widening, added: "Facts") -> "Facts":
        """The facts with those of symbols that are added."""
        return Facts(**{name: wide.spread(getattr(self, name), getattr(added, name)) for name in FACTS})


FACTS: tuple[str, ...] = tuple(f.name for f in fields(Facts))
WORDS = ("name", "kind", "sector", "industry", "exchange")


@dataclass(frozen=True, eq=False)
class Universe:
    """The symbols of a day, sorted by code points, with their facts and what the source says of itself.

    A symbol that joins while the day runs has its row from then on, as if it had been silent before; one that leaves
    keeps its row and is silent. `away` has the minutes in which symbols are not of the universe: what comes of them
    then does not count, and they are on no list, fire nothing, and are compared with nobody.
    """

    day: TradingDay
    symbols: tuple[str, ...]
    facts: Facts = field(repr=False)
    share_of_market: float = 1.0
    daily_same_source: bool = False
    label: str = ""
    """How the data is to be called wherever it is seen: "simulated", or nothing."""
    away: tuple[Away, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        must_be(TradingDay, self.day, "A Universe is of a TradingDay", "Give, say, TradingDay.of('2025-01-27').")
        must_be(
            tuple, self.symbols, "The symbols of a Universe are a tuple", "Build it with Universe.of(day, symbols)."
        )
        must_be(Facts, self.facts, "A Universe has Facts", "Build it with Universe.of(day, symbols).")
        must_be(
            (int, float, np.number),
            self.share_of_market,
            "share_of_market is a number",
            "Leave it out for the whole market.",
        )
        must_be(str, self.label, "A Universe's label is a text", "Write, say, 'simulated', or leave it out.")
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
        must_be(TradingDay, day, "A Universe is of a TradingDay", "Give, say, TradingDay.of('2025-01-27').")
        must_be(Iterable, symbols, "A Universe is of symbols", "Write, say, ['NVDA'].")
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
        symbols = tuple(self.symbols[i] for i in rows)
        away = tuple(one for one in self.away if one[0] in symbols)
        return replace(self, symbols=symbols, facts=self.facts.take(rows), away=away)

    # Symbols that join or leave

    def __contains__(self, symbol: object) -> bool:
        """Whether a symbol has a row."""
        return symbol in self.rows

    def there(self, k: Any) -> Bools:
        """Who is of the universe in minute `k`, `(symbols,)`; for minutes `(minutes, 1)`, `(minutes, symbols)`."""
        minutes = np.asarray(k)
        rows, first, end = self._spans
        there = np.ones(np.broadcast_shapes(minutes.shape, (len(self),)), dtype=np.bool_)
        *at, span = ((first <= minutes) & (minutes < end)).nonzero()
        there[(*at, rows[span])] = False
        return there

    def absence(self, symbol: str, k: int) -> str:
        """What is to be said of a symbol that is not of the universe in minute `k`."""
        first, end = next(span for who, *span in self.away if who == symbol and span[0] <= k < span[1])
        if first:
            return f"left at {_clock(first)}"
        return f"joins at {_clock(end)}" if end < self.day.minutes else f"left at {_clock(0)}"

    def joined(self, k: int, symbols: Iterable[str], facts: Mapping[str, Any] | None = None) -> "Universe":
        """The universe that some symbols join in minute `k`; `facts` are arrays in their order, symbols last.

        From then on it is as if they had been of it all day, and silent until then. Who comes back has the facts that
        it had. `InvalidInput` for a symbol that is of it already.
        """
        joining = tuple(symbols)
        there = [symbol for symbol in joining if symbol in self and self.there(k)[self.row(symbol)]]
        if there:
            raise InvalidInput(
                f"A symbol joins that is not of the universe; {', '.join(there)} is of it. Name others, or leave it so."
            )
        given = Universe.of(self.day, joining, facts)
        back = [symbol for symbol in given.symbols if symbol in self]
        given._must_not_know(back)
        new = given.take(np.array([row for row, symbol in enumerate(given.symbols) if symbol not in self], np.intp))
        ended = ((who, first, min(end, k) if who in back else end) for who, first, end in self.away)
        away = (*ended, *((symbol, 0, k) for symbol in new.symbols))
        return self._with(new, tuple(span for span in away if span[1] < span[2]))

    def left(self, k: int, symbols: Iterable[str]) -> "Universe":
        """The universe that some symbols leave in minute `k`; `InvalidInput` for one that is not of it."""
        leaving = tuple(symbols)
        gone = [symbol for symbol in leaving if symbol not in self or not self.there(k)[self.row(symbol)]]
        if gone:
            raise InvalidInput(
                f"A symbol leaves that is of the universe; {', '.join(gone)} is not of it. Name one that is."
            )
        return replace(self, away=(*self.away, *((symbol, k, self.day.minutes) for symbol in leaving)))

    def _with(self, new: "Universe", away: tuple[Away, ...]) -> "Universe":
        if not new.symbols:
            return replace(self, away=away)
        symbols = tuple(sorted((*self.symbols, *new.symbols)))
        facts = self.facts.widened(Widening.of(self.symbols, symbols), new.facts)
        return replace(self, symbols=symbols, facts=facts, away=away)

    def _must_not_know(self, back: Iterable[str]) -> None:
        """`InvalidInput` where a fact is given of symbols that come back."""
        for symbol in back:
            for name in FACTS:
                fact = getattr(self.facts, name).T[self.row(symbol)]
                if (fact is not None) if name in WORDS else not np.isnan(fact).all():
                    raise InvalidInput(
                        f"A symbol that comes back has the facts that it had; found {name} of {symbol}. Leave it out."
                    )

    @cached_property
    def _spans(self) -> tuple[Rows, Rows, Rows]:
        """The rows of who is away, and the first and the end of each span."""
        spans = np.array([(self.row(who), first, end) for who, first, end in self.away], np.intp).reshape(-1, 3)
        return spans[:, 0], spans[:, 1], spans[:, 2]


def _clock(k: int) -> str:
    """When minute `k` begins, in New York."""
    return f"{4 + k // 60:02d}:{k % 60:02d}"


def _fact(name: str, values: Any, symbols: int) -> np.ndarray:
    array = np.asarray(values, dtype=np.object_ if name in WORDS else np.float64)
    if array.shape[-1:] != (symbols,):
        raise InvalidInput(
            f"A fact has an entry for each of the {symbols} symbols; found {name} of shape "
            f"{array.shape}. Write NaN (None for a word) where it is unknown."
        )
    return array
