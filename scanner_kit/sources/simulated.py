"""A simulated market: seeded, deterministic and believable, for trying things out where no data is at hand.

What it has: a market factor and sector factors, fat tails, volume that is thin before the open, U-shaped in regular
hours and has a closing auction; gaps, news, reversals, runners that make high after high with trading pauses between
them, thin and dead names, splits, and for every symbol a daily past that the day continues.

What is found in it says nothing about real stocks: it is labelled `simulated` wherever it is shown.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import param

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.sources._market import (
    SECTORS,
    Cast,
    Floats,
    Outline,
    cast_of,
    outlines_of,
    sessions_until,
    split_ratio,
)
from scanner_kit.sources._minutes import FIELDS, minute_bars, minute_volumes, tick

label = "simulated"
MOST_SYMBOLS = 20_000
FIRST, LAST = dt.date(1994, 1, 3), dt.date(2040, 12, 31)


class SimulatedMarket(param.Parameterized):
    """A market of `symbols` names as it stands on `day`, all of it drawn from `seed`.

    The same seed, number of symbols and day give the same numbers to the bit, whatever is asked first. All days of one
    calendar year share one past: the regular bars of a day make the daily row that the next day finds behind it, and
    its volumes are those of `volume_history`. Prices and shares are on the split basis of the day asked for.

    >>> market = SimulatedMarket(symbols=20, day=dt.date(2025, 6, 18))
    >>> market.day_bars()["close"].shape
    (960, 20)
    >>> [(date.isoformat(), volume.shape) for date, volume in market.volume_history(2)]
    [('2025-06-16', (960, 20)), ('2025-06-17', (960, 20))]
    """

    symbols = param.Integer(500, bounds=(1, MOST_SYMBOLS), doc="How many symbols are traded.")
    seed = param.Integer(7, bounds=(0, None), doc="Another seed, another market.")
    day = param.CalendarDate(
        dt.date(2025, 6, 18),
        bounds=(FIRST, LAST),
        doc="The day that is simulated minute by minute: a session of XNYS.",
    )

    label = label

    _cast: Cast | None = None
    _outlines: tuple[Outline, ...] = ()

    def __init__(self, **params: Any) -> None:
        for name, value in params.items():
            self._check(name, value)
        super().__init__(**params)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            self._check(name, value)
        super().__setattr__(name, value)

    def names(self) -> list[str]:
        """The symbols, sorted by code points: the columns of every array."""
        return [str(symbol) for symbol in self._drawn_cast().symbol]

    def day_bars(self, day: dt.date | None = None) -> dict[str, Floats]:
        """The bars of a day: open, high, low, close, volume and vwap, each minutes × symbols.

        A symbol without a trade in a minute has no bar: NaN prices, volume 0. `InvalidInput` for a day that
        is no session.
        """
        cast, outlines = self._drawn(TradingDay.of(day or self.day))
        return minute_bars(cast, outlines[-1], self._ratio(outlines), self.seed)

    def frame(self) -> pd.DataFrame:
        """The day's bars as rows: symbol, ts (start of the minute, UTC), open, high, low, close, volume, vwap."""
        bars, day = self.day_bars(), TradingDay.of(self.day)
        row, k = np.nonzero(bars["volume"].T > 0)
        ts = pd.to_datetime(day.start.astype("datetime64[s]") + k.astype("timedelta64[m]"), utc=True)
        columns = {name: bars[name][k, row] for name in FIELDS}
        return pd.DataFrame({"symbol": self._symbol_column(row), "ts": ts, **columns})

    def daily(self) -> pd.DataFrame:
        """Daily rows of the 125 sessions before the day: symbol, date, open, high, low, close, volume.

        Prices are those of the regular hours, volume that of the whole day. Days on which a symbol did not
        trade have no row.
        """
        _, outlines = self._drawn(TradingDay.of(self.day))
        past, ratio = outlines[:-1], self._ratio(outlines)
        volume = np.rint(np.column_stack([o.volume for o in past]) / ratio[:, None])
        row, session = np.nonzero(volume > 0)
        columns = {
            name: tick(np.exp(np.column_stack([getattr(o, name) for o in past])) * ratio[:, None])[row, session]
            for name in ("open", "high", "low", "close")
        }
        date = np.array([o.day.date for o in past], dtype="datetime64[s]")[session]
        return pd.DataFrame(
            {"symbol": self._symbol_column(row), "date": date, **columns, "volume": volume[row, session]}
        )

    def reference(self) -> pd.DataFrame:
        """A row a symbol, dated the session before the day: what it is, where listed, and how many shares there are.

        Columns: symbol, date, name, kind, sector, industry, exchange, market_cap (dollars), shares_outstanding,
        float_shares. Funds have no sector; what is no common stock or ADR has no float. Share counts are on the day's
        split basis.
        """
        cast, outlines = self._drawn(TradingDay.of(self.day))
        shares = np.rint(cast.shares / self._ratio(outlines))
        price = tick(np.exp(outlines[-1].before) * self._ratio(outlines))
        company = np.isin(cast.kind, ("common", "adr"))
        sectors, industries = _sector_names(cast)
        return pd.DataFrame(
            {
                "symbol": self._symbol_column(np.arange(len(shares))),
                "date": np.datetime64(outlines[-2].day.date, "s"),
                "name": cast.name,
                "kind": cast.kind,
                "sector": sectors,
                "industry": industries,
                "exchange": cast.exchange,
                "market_cap": np.rint(shares * price),
                "shares_outstanding": shares,
                "float_shares": np.where(company, np.rint(shares * cast.floating), np.nan),
            }
        )

    def volume_history(self, sessions: int = 20) -> Iterator[tuple[dt.date, Floats]]:
        """Minute volumes of the last full sessions before the day, oldest first, one at a time: date, (960, symbols).

        At most 100 sessions (`InvalidInput`); early closes are passed over.
        """
        if not 1 <= sessions <= 100:
            raise InvalidInput(f"volume_history gives 1 to 100 sessions; found {sessions!r}. Ask for at most 100.")
        cast, outlines = self._drawn(TradingDay.of(self.day))
        volumes = partial(minute_volumes, cast, ratio=self._ratio(outlines), seed=self.seed)
        full = [o for o in outlines[:-1] if not o.day.early_close][-sessions:]
        return ((outline.day.date, volumes(outline=outline)) for outline in full)

    @classmethod
    def _check(cls, name: str, value: Any) -> None:
        """What Param says without a remedy."""
        if name not in cls.param:
            raise UnknownName.of("SimulatedMarket has no parameter", name, ("symbols", "seed", "day", "name"))
        if name in _RULES:
            rule, fits, remedy = _RULES[name]
            if not fits(value):
                raise InvalidInput(f"SimulatedMarket.{name} is {rule}; found {value!r}. {remedy}")

    @param.depends("symbols", "seed", watch=True)
    def _forget(self) -> None:
        self._cast, self._outlines = None, ()

    def _drawn_cast(self) -> Cast:
        if self._cast is None:
            self._cast = cast_of(self.seed, self.symbols)
        return self._cast

    def _drawn(self, day: TradingDay) -> tuple[Cast, tuple[Outline, ...]]:
        """The symbols, and the outlines of the sessions up to `day`, which is the last."""
        cast = self._drawn_cast()
        if not self._outlines or self._outlines[-1].day != day:
            self._outlines = tuple(outlines_of(cast, self.seed, sessions_until(day)))
        return cast, self._outlines

    def _ratio(self, outlines: tuple[Outline, ...]) -> Floats:
        return split_ratio(self._drawn_cast(), self.seed, outlines[-1].day)

    def _symbol_column(self, rows: np.ndarray) -> pd.Series:
        return pd.Series(self.names(), dtype="str").take(rows).reset_index(drop=True)


def _is_whole(value: Any, least: int, most: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_day(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime) and FIRST <= value <= LAST


_RULES: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "symbols": (
        f"a whole number from 1 to {MOST_SYMBOLS:,}",
        lambda value: _is_whole(value, 1, MOST_SYMBOLS),
        "Say how many symbols are traded, like 500.",
    ),
    "seed": ("a whole number from 0 on", lambda value: _is_whole(value, 0, math.inf), "Give another one, like 7."),
    "day": (f"a date from {FIRST} to {LAST}", _is_day, "Write it like datetime.date(2025, 6, 18)."),
}


def _sector_names(cast: Cast) -> tuple[np.ndarray, np.ndarray]:
    """Names of sector and industry; None for what has none."""
    table: list[tuple[str | None, str | None]] = [(s, industry) for s, found in SECTORS.items() for industry in found]
    table += [(None, None)] * 3
    pairs = np.array(table, dtype=object)[3 * cast.sector + cast.industry]
    return pairs[:, 0], pairs[:, 1]
