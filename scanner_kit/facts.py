"""Facts: what is known of a symbol before the day begins. One function a row of the table of facts.

1. `DatedRows` are rows of a file that say something of a symbol on a date; `before` finds the latest of them.
2. `daily_rows_of` derives the daily row of a day that has only minute bars.
3. `Past` holds the three kinds of past and gives the universe and the facts of any day from what lies before it.
4. `usual_volume_of` is the curve of cumulative volume, from the minutes of earlier sessions.

Sums run oldest first, row by row, never pairwise. What lies on or after the day enters nothing.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scanner_kit.calendar import DateLike, TradingDay, as_date
from scanner_kit.entry import NO_SYMBOL, Admitted, Dates, Ints, encoded, joined_symbols, ranked_symbols
from scanner_kit.universe import WORDS, Bools, Facts, Floats

DAILY = ("open", "high", "low", "close", "volume")
NUMBERS = ("market_cap", "shares_outstanding", "float_shares")
PREVIOUS_SESSIONS = 5
USUAL_SESSIONS, USUAL_LEAST = 20, 5
ATR_ROWS, ATR_SPAN = 100, 14
NO_ROW = -1
BLOCK = 128  # symbols whose curves are in memory at one time: 960 minutes × 128 × 20 sessions are 20 MB


@dataclass(frozen=True, eq=False)
class DatedRows:
    """Rows that say something of a symbol on a date, in order of the file.

    Of two of one symbol and date the later counts; a row without a symbol or a date is of nobody. `symbol` is the index
    into `names`, or -1; `date` is `datetime64[D]`; every column has one entry a row.

    >>> rows = DatedRows.of(["A", "A", "B"], ["2025-01-24", "2025-01-27", "2025-01-24"], close=[1.0, 2.0, 3.0])
    >>> rows.before("2025-01-27", ["B", "A", "C"], 2)
    array([[-1, -1, -1],
           [ 2,  0, -1]])
    """

    names: tuple[str, ...] = ()
    symbol: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    date: Dates = field(default_factory=lambda: np.zeros(0, dtype="datetime64[D]"))
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls, symbols: Sequence[str | None], dates: Sequence[Any], **columns: Sequence[Any] | np.ndarray
    ) -> "DatedRows":
        """Rows from plain sequences: dates as numpy reads them, columns by name."""
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        return cls(*encoded(symbols), np.asarray(dates, dtype="datetime64[D]"), arrays)

    @classmethod
    def joined(cls, parts: Sequence["DatedRows"], names: Sequence[str]) -> "DatedRows":
        """The rows of several, one after the other, with the columns `names`."""
        symbols = joined_symbols((part.names, part.symbol) for part in parts)
        columns = {name: np.concatenate([[], *(p.columns[name] for p in parts if len(p))]) for name in names}
        return cls(*symbols, np.concatenate([part.date for part in parts]), columns)

    def __len__(self) -> int:
        return len(self.symbol)

    def before(self, date: DateLike, symbols: Sequence[str], rows: int) -> Ints:
        """Where each symbol's last rows before a date stand in the file: `(rows, symbols)`, oldest first; -1: none."""
        code = codes_of(symbols, self._ranked[0])
        keys, place = self._sorted
        start = np.searchsorted(keys, code << 32)
        end = np.searchsorted(keys, (code << 32) + _date_key(np.datetime64(as_date(date), "D")))
        at = end + np.arange(-rows, 0)[:, None]
        found = (at >= start) & (code >= 0)
        return np.append(place, NO_ROW)[np.where(found, at, -1)]

    @property
    def counted(self) -> tuple[list[str], Ints]:
        """The rows that count, by symbol and date: whose each is, and where it stands in the file."""
        names, code = self._ranked
        place = self._sorted[1]
        return [names[i] for i in code[place].tolist()], place

    def symbols_before(self, date: DateLike) -> set[str]:
        """The symbols that have a row before a date."""
        names, code = self._ranked
        return _names_of(names, code[(self.date < np.datetime64(as_date(date), "D")) & (code >= 0)])

    def numbers(self, name: str, at: Ints) -> Floats:
        """A column as float64 at places of the file; NaN for none and for what is not finite."""
        column = self.columns.get(name)
        if column is None or not len(column):
            return np.full(at.shape, np.nan)
        values = column.astype(np.float64)[at]
        return np.where((at >= 0) & np.isfinite(values), values, np.nan)

    def words(self, name: str, at: Ints) -> np.ndarray:
        """A column as objects at places of the file; None for none and for a column that is not there."""
        return np.asarray(self._words[name][np.where(at >= 0, at, -1)])

    @cached_property
    def _words(self) -> dict[str, np.ndarray]:
        """The columns of words as objects, and None for no row behind them."""
        nothing = [None] * len(self)
        return {name: np.array([*self.columns.get(name, nothing), None], dtype=object) for name in WORDS}

    @cached_property
    def _ranked(self) -> tuple[tuple[str, ...], Ints]:
        return ranked_symbols(self.names, self.symbol)

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        """Keys of (symbol, date), ascending and unique, and where their rows stand in the file."""
        code = self._ranked[1]
        place = np.flatnonzero((code >= 0) & ~np.isnat(self.date))
        keys = (code[place] << 32) + _date_key(self.date[place])
        order = np.argsort(keys, kind="stable")
        keys, place = keys[order], place[order]
        last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
        return keys[last], place[last]


class SessionVolume(NamedTuple):
    """The minutes of an earlier session: volumes `(minutes, symbols)`, and which symbols had a regular bar."""

    date: dt.date
    volume: np.ndarray
    traded: Bools


@dataclass(frozen=True, eq=False)
class Past:
    """Daily rows, minute bars and reference rows, from which the facts of any day follow: of it, those before the day.

    >>> past = Past(daily=DatedRows.of(["A"], ["2025-01-24"], open=[1], high=[3], low=[1], close=[2], volume=[9]))
    >>> day = TradingDay.of("2025-01-27")
    >>> past.symbols(day), past.facts(day, ["A"]).prev_close
    (('A',), array([2.]))
    """

    minutes: Admitted | None = None
    daily: DatedRows = field(default_factory=DatedRows)
    reference: DatedRows = field(default_factory=DatedRows)

    def symbols(self, day: TradingDay) -> tuple[str, ...]:
        """The universe of a day: whoever has a daily row or a minute bar before it, or a bar on it."""
        known = self.daily.symbols_before(day.date)
        if self.minutes is not None:
            until = self.minutes.before(day.date + dt.timedelta(days=1))
            known |= _names_of(until.names, until.symbol)
        return tuple(sorted(known))

    def facts(self, day: TradingDay, symbols: Sequence[str], usual_volume: Floats | None = None) -> Facts:
        """The facts of a day, in the order of `symbols`; `usual_volume` where it is known from elsewhere."""
        usual = self._usual_volume(day, symbols) if usual_volume is None else usual_volume
        known = self._of_daily_rows(day, symbols) | self._of_reference(day, symbols)
        return Facts.of(len(symbols), day.minutes, usual_volume=usual, **known)

    @cached_property
    def sessions(self) -> DatedRows:
        """The daily rows, with derived ones for the days that have none."""
        derived = DatedRows() if self.minutes is None else daily_rows_of(self.minutes)
        return DatedRows.joined([derived, self.daily], DAILY)

    def _of_daily_rows(self, day: TradingDay, symbols: Sequence[str]) -> dict[str, Floats]:
        at = self.sessions.before(day.date, symbols, ATR_ROWS)
        there = at >= 0
        high, low, close, volume = (self.sessions.numbers(name, at) for name in DAILY[1:])
        recent = there[-1] & _is_recent(day, np.append(self.sessions.date, np.datetime64("NaT", "D"))[at[-1]])
        return {
            "prev_close": np.where(recent, close[-1], np.nan),
            "pdh": np.where(recent, high[-1], np.nan),
            "pdl": np.where(recent, low[-1], np.nan),
            "avg_volume_30d": _mean_of_last(volume, there, 30, least=10),
            "avg_volume_10d": _mean_of_last(volume, there, 10, least=5),
            "atr_14d": _wilder_atr(high, low, close, there),
            "sma_20d": _mean_of_last(close, there, 20, least=20),
            "high_20d": np.where(there[-20:].all(axis=0), high[-20:].max(axis=0), np.nan),
        }

    def _of_reference(self, day: TradingDay, symbols: Sequence[str]) -> dict[str, np.ndarray]:
        at = self.reference.before(day.date, symbols, 1)[0]
        numbers = {name: self.reference.numbers(name, at) for name in NUMBERS}
        known = {name: np.where(values > 0, values, np.nan) for name, values in numbers.items()}
        return known | {name: self.reference.words(name, at) for name in WORDS}

    def _usual_volume(self, day: TradingDay, symbols: Sequence[str]) -> Floats:
        if self.minutes is None:
            return np.full((day.minutes, len(symbols)), np.nan)
        row = codes_of(self.minutes.names, symbols)
        bars = [self.minutes.on(session.date) for session in TradingDay.full_before(day.date, USUAL_SESSIONS)]
        past = [(row[b.symbol], b) for b in bars if len(b)]
        return _in_blocks(day, len(symbols), lambda some: (_dense(r, b, some, day.minutes) for r, b in past))


def daily_rows_of(minutes: Admitted) -> DatedRows:
    """Derived daily rows: of every symbol and day with a regular bar; prices of the regular bars, volume of all."""
    dates, n = minutes.dates, len(minutes.names)
    ordinal = np.searchsorted(dates, minutes.day)
    close_k = np.array([TradingDay.of(date).close_k for date in dates.tolist()], dtype=np.int64)
    regular = (minutes.k >= TradingDay.open_k) & (minutes.k < close_k[ordinal])
    group = ordinal * n + minutes.symbol
    volume = np.bincount(group, weights=minutes.volume, minlength=len(dates) * n)  # one by one, oldest first
    prices = _regular_prices(minutes, group, regular, len(dates) * n)
    found = np.flatnonzero(~np.isnan(prices["close"]))
    columns = {name: values[found] for name, values in (prices | {"volume": volume}).items()}
    return DatedRows(minutes.names, found % max(n, 1), dates[found // max(n, 1)], columns)


def _regular_prices(minutes: Admitted, group: Ints, regular: Bools, groups: int) -> dict[str, Floats]:
    group = group[regular]
    open_, high, low, close = (np.full(groups, np.nan) for _ in range(4))
    open_[group[::-1]] = minutes.open[regular][::-1]  # what is written last stays: the first bar, below the last one
    close[group] = minutes.close[regular]
    np.fmax.at(high, group, minutes.high[regular])
    np.fmin.at(low, group, minutes.low[regular])
    return {"open": open_, "high": high, "low": low, "close": close}


def usual_volume_of(day: TradingDay, sessions: Iterable[SessionVolume], symbols: int) -> Floats:
    """The usual cumulative volume by the end of each minute, `(minutes, symbols)`, from whole sessions as arrays.

    Sessions other than the last 20 full ones before the day are passed over. Whole volumes are held meanwhile in 4
    bytes a minute and symbol.
    """
    wanted = {session.date for session in TradingDay.full_before(day.date, USUAL_SESSIONS)}
    past = [(_narrow(s.volume[: day.minutes]), s.traded) for s in sessions if s.date in wanted]
    return _in_blocks(day, symbols, lambda some: ((volume[:, some], traded[some]) for volume, traded in past))


def codes_of(names: Sequence[str], among: Sequence[str]) -> Ints:
    """The index of each name in `among`; -1 for one that is not there."""
    index = {name: i for i, name in enumerate(among)}
    return np.array([index.get(name, NO_SYMBOL) for name in names], dtype=np.int64)


def _in_blocks(
    day: TradingDay, symbols: int, sessions_of: Callable[[slice], Iterable[tuple[np.ndarray, Bools]]]
) -> Floats:
    usual = np.empty((day.minutes, symbols))
    for start, end in pairwise([*range(0, symbols, BLOCK), symbols]):
        block = slice(start, end)
        usual[:, block] = _median_curve(list(sessions_of(block)), (day.minutes, end - start))
    return usual


def _median_curve(sessions: Sequence[tuple[np.ndarray, Bools]], shape: tuple[int, int]) -> Floats:
    """Median of a symbol's cumulative volumes over the sessions in which it traded; unknown with fewer than 5."""
    if len(sessions) < USUAL_LEAST:
        return np.full(shape, np.nan)
    curves = np.empty((*shape, len(sessions)))
    for i, (volume, traded) in enumerate(sessions):
        np.cumsum(volume, axis=0, dtype=np.float64, out=curves[..., i])
        curves[:, ~traded, i] = np.inf
    curves.sort(axis=-1)
    count = np.sum([traded for _, traded in sessions], axis=0)
    enough = np.maximum(count, USUAL_LEAST)
    column = np.arange(shape[1])
    middle = (curves[:, column, (enough - 1) // 2] + curves[:, column, enough // 2]) / 2
    return np.where(count >= USUAL_LEAST, middle, np.nan)


def _dense(row: Ints, bars: Admitted, some: slice, minutes: int) -> tuple[Floats, Bools]:
    """A full session's volumes as `(minutes, symbols)` for some rows of the universe, and who had a regular bar."""
    within = np.flatnonzero((row >= some.start) & (row < some.stop))
    row, k = row[within] - some.start, bars.k[within]
    traded = np.zeros(some.stop - some.start, dtype=np.bool_)
    traded[row[(k >= TradingDay.open_k) & (k < TradingDay.close_k)]] = True
    volume = np.zeros((TradingDay.minutes, len(traded)))
    volume[k, row] = bars.volume[within]
    return volume[:minutes], traded


def _narrow(volume: np.ndarray) -> np.ndarray:
    """Volumes in as little memory as they fit in exactly."""
    if volume.dtype.kind != "f" or not (volume.min(initial=0) >= 0 and volume.max(initial=0) < 2**32):
        return volume
    whole = volume.astype(np.uint32)
    return whole if np.array_equal(whole, volume) else volume


def _mean_of_last(values: Floats, there: Bools, most: int, least: int) -> Floats:
    """Mean of the last `most` rows that a symbol has; unknown with fewer than `least` or an unknown among them."""
    total = np.zeros(values.shape[1])
    for value, has in zip(values[-most:], there[-most:], strict=True):
        total = total + np.where(has, value, 0.0)
    count = there[-most:].sum(axis=0)
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)


def _wilder_atr(high: Floats, low: Floats, close: Floats, there: Bools) -> Floats:
    """Wilder's average true range: the mean of the first 14, then (prev·13 + TR)/14; none for a symbol's first row."""
    average, seen = np.zeros(high.shape[1]), np.zeros(high.shape[1], dtype=np.int64)
    for true_range, has in _true_ranges(high, low, close, there):
        seen = seen + has
        started = seen > ATR_SPAN
        grown = np.where(started, (average * (ATR_SPAN - 1) + true_range) / ATR_SPAN, average + true_range)
        grown = np.where(seen == ATR_SPAN, grown / ATR_SPAN, grown)
        average = np.where(has, grown, average)
    return np.where(seen >= ATR_SPAN, average, np.nan)


def _true_ranges(high: Floats, low: Floats, close: Floats, there: Bools) -> Iterator[tuple[Floats, Bools]]:
    for now in range(1, len(close)):
        before = close[now - 1]
        ranges = (high[now] - low[now], np.abs(high[now] - before), np.abs(low[now] - before))
        yield np.maximum.reduce(ranges), there[now] & there[now - 1]


def _is_recent(day: TradingDay, dates: Dates) -> Bools:
    sessions = [session.date for session in TradingDay.before(day.date, PREVIOUS_SESSIONS)]
    return np.isin(dates, np.array(sessions, dtype="datetime64[D]"))


def _date_key(date: Any) -> Any:
    """Days since 1970 as a number that is never negative and fits below 2^32."""
    return np.asarray(date).astype(np.int64) + 2**31


def _names_of(names: Sequence[str], code: Ints) -> set[str]:
    return {names[i] for i in np.flatnonzero(np.bincount(code, minlength=len(names))).tolist()}
