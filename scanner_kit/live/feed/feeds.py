"""Feeds of days that can be played: the simulated market, and files of bars. Each can be read again from any minute.

A feed says which days it has, the universe of a day with its facts, and the minutes of a day over that universe: when a
day is gone on with, its universe is taken from the tape and only its bars are made again.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scanner_kit.bars import Bars, Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.sources.simulated import LAST, SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.sources.within import Minute
from scanner_kit.universe import Universe


class Minutes(Protocol):
    """The minutes of one day."""

    def closed(self, k: int) -> Bars:
        """The bars of minute `k`, with what came with them."""

    def forming(self, k: int, share: float, instant: dt.datetime) -> Bars | None:
        """Minute `k` when that share of it has passed; None where the feed does not know."""


class Feed(Protocol):
    """Where the days come from; `source` says it at the head of a tape, so that nobody goes on with another's day."""

    @property
    def source(self) -> str:
        """What it is, in a few words."""

    @property
    def made_up(self) -> bool:
        """Whether one of its days is as good as another: one that is taken on the bus is left out."""

    def days(self, since: TradingDay | None = None) -> Iterator[TradingDay]:
        """The days that it has, oldest first, from that one on."""

    def universe(self, day: TradingDay) -> Universe:
        """The symbols of a day, and the facts known before it."""

    def minutes(self, universe: Universe) -> Minutes:
        """The bars of a day over its universe."""


@dataclass(frozen=True)
class Drawn:
    """The minutes of a simulated day; each forms along a path drawn from `key`."""

    tape: Tape
    key: tuple[int, ...]

    def closed(self, k: int) -> Bars:
        """The bars of minute `k`."""
        return self.tape.bars(k)

    def forming(self, k: int, share: float, instant: dt.datetime) -> Bars | None:
        """Minute `k` when that share of it has passed."""
        return Minute(self.tape.bars(k), self.key).at(share, instant)

    def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
        """The minute of each symbol's newest bar, through minute `k`."""
        return _newest(self.tape, symbols, k)


@dataclass(frozen=True)
class Filed:
    """The minutes of a day out of files: nothing is known of them before they close."""

    tape: Tape

    def closed(self, k: int) -> Bars:
        """The bars of minute `k`."""
        return self.tape.bars(k)

    def forming(self, k: int, share: float, instant: dt.datetime) -> Bars | None:
        """Nothing is known within a minute."""
        return None

    def newest(self, symbols: Sequence[str], k: int) -> Mapping[str, int]:
        """The minute of each symbol's newest bar, through minute `k`."""
        return _newest(self.tape, symbols, k)


class SimulatedFeed:
    """The simulated market's day, and the trading days after it.

    >>> feed = SimulatedFeed(SimulatedMarket(symbols=5))
    >>> feed.source, next(feed.days()).date.isoformat()
    ('simulated: 5 symbols, seed 7', '2025-06-18')
    """

    made_up = True

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market
        self._made: Tape | None = None

    @property
    def source(self) -> str:
        """What it is, in a few words."""
        return f"simulated: {self.market.symbols} symbols, seed {self.market.seed}"

    def days(self, since: TradingDay | None = None) -> Iterator[TradingDay]:
        """The market's day and those after it, to the end of the calendar."""
        first = TradingDay.of(self.market.day)
        day = first if since is None else max(first, since)
        while day.date < LAST:
            yield day
            day = TradingDay.after(day.date)

    def universe(self, day: TradingDay) -> Universe:
        """The symbols of a day, and the facts of its past."""
        self._made = simulated_tape(self._on(day))
        return self._made.universe

    def minutes(self, universe: Universe) -> Drawn:
        """The bars of a day, drawn again."""
        made, self._made = self._made, None
        if made is None or made.universe.day != universe.day:
            bars: dict[str, Any] = {**self._on(universe.day).day_bars()}
            made = Tape(universe, **bars)
        return Drawn(made, (self.market.seed, self.market.symbols, universe.day.date.toordinal()))

    def _on(self, day: TradingDay) -> SimulatedMarket:
        return SimulatedMarket(symbols=self.market.symbols, seed=self.market.seed, day=day.date)


class FileFeed:
    """The days of files of bars, from the first one on, each once."""

    made_up = False

    def __init__(self, files: TapeSource, first: dt.date | None = None, source: str = "files") -> None:
        self.files, self.first, self._source = files, first, source

    @property
    def source(self) -> str:
        """What it is, in a few words."""
        return self._source

    def days(self, since: TradingDay | None = None) -> Iterator[TradingDay]:
        """The days that have a bar."""
        wanted = (day for day in self.files.days if self.first is None or day.date >= self.first)
        return (day for day in wanted if since is None or day >= since)

    def universe(self, day: TradingDay) -> Universe:
        """The symbols of a day, and the facts known before it."""
        return self.files.tape(day).universe

    def minutes(self, universe: Universe) -> Filed:
        """The bars of a day; `InvalidInput` where the files have other symbols than the tape that was begun."""
        tape = self.files.tape(universe.day)
        if tape.universe.symbols != universe.symbols:
            raise InvalidInput(
                f"The tape of {universe.day.date} on the bus was begun with {len(universe):,} symbols; found "
                f"{len(tape.universe):,} or others in the files. Play the files that it was begun with, or begin again."
            )
        return Filed(tape)


def _newest(tape: Tape, symbols: Sequence[str], k: int) -> dict[str, int]:
    rows = [tape.universe.row(symbol) for symbol in symbols]
    traded = np.isfinite(tape.close[: k + 1, rows])
    last = np.where(traded.any(axis=0), k - np.argmax(traded[::-1], axis=0), -1)
    return {symbol: at for symbol, at in zip(symbols, last.tolist(), strict=True) if at >= 0}
