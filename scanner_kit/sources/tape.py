"""Tapes from files and frames: minute bars, daily rows and reference rows become a day with its universe and facts.

>>> import pandas as pd
>>> ts = pd.to_datetime(["2025-01-27 14:30", "2025-01-27 14:31"])
>>> bars = pd.DataFrame(
...     {"symbol": "NVDA", "ts": ts, "open": 124.8, "high": 126.0, "low": 124.5, "close": 125.9, "volume": 9}
... )
>>> source = TapeSource(bars)
>>> [str(day.date) for day in source.days], source.tape("2025-01-27").close[330]
(['2025-01-27'], array([125.9]))
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import param

from scanner_kit.bars import FIELDS, Tape
from scanner_kit.calendar import DateLike, TradingDay
from scanner_kit.entry import Admitted, admit
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.facts import DAILY, NUMBERS, DatedRows, Past, SessionVolume, codes_of, usual_volume_of
from scanner_kit.sources._files import Given, check_given, daily_rows, label_of, minute_rows, reference_rows, several
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.universe import WORDS, Floats, Universe


class TapeSource(param.Parameterized):
    """Days of bars out of Parquet, CSV or DataFrames. Files are read at the first question, once.

    Minute bars: `symbol`, `ts` (start of the minute: UTC, or with a zone of its own), `open`, `high`, `low`, `close`,
    `volume` and, where known, `vwap`. Daily rows: `symbol`, `date`, `open`, `high`, `low`, `close`, `volume`. Reference
    rows: `symbol`, `date` or `as_of`, and any of the facts. Symbols are taken as spelled. Of several files the later
    ones count as having arrived later. `InvalidInput` says what is not as it should be, and what to do about it.
    """

    bars = param.Parameter(constant=True, doc="Minute bars: a path or a DataFrame, or several in a list.")
    daily = param.Parameter(None, constant=True, doc="Daily rows, likewise; None to derive them from the minute bars.")
    reference = param.Parameter(None, constant=True, doc="What symbols are, by date: a path or a DataFrame.")
    fills = param.Boolean(False, constant=True, doc="The source fills empty minutes with flat bars: those are dropped.")
    share_of_market = param.Number(1.0, constant=True, doc="The part of all volume that the source sees; IEX: 0.03.")
    daily_same_source = param.Boolean(False, constant=True, doc="The daily rows' volume is the minute bars' own.")
    label = param.String("", constant=True, doc="How the data is to be called wherever it is shown.")

    def __init__(self, bars: Given | Sequence[Given], **params: Any) -> None:
        self._check(params)
        super().__init__(bars=bars, **params)
        given = several(bars)
        if not given:
            raise InvalidInput("TapeSource needs minute bars; found an empty list. Give a path or a DataFrame.")
        for one in (*given, *(() if self.daily is None else several(self.daily)), *self._references):
            check_given(one)

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in ("daily", "reference") if getattr(self, name) is not None}
        said = {name: getattr(self, name) for name in _SAID if getattr(self, name) != self.param[name].default}
        options = [*(f"{n}={_shown(v)}" for n, v in given.items()), *(f"{n}={v!r}" for n, v in said.items())]
        return f"TapeSource({', '.join([_shown(self.bars), *options])})"

    __str__ = __repr__

    @property
    def days(self) -> tuple[TradingDay, ...]:
        """The trading days that have a bar, oldest first."""
        return tuple(TradingDay.of(date) for date in self.admitted.dates.tolist())

    @property
    def report(self) -> dict[str, int]:
        """How many bars met each check on entry, over all bars given, of whatever day."""
        return dict(self._entered[1])

    @property
    def admitted(self) -> Admitted:
        """The bars that passed the checks on entry, of all days."""
        return self._entered[0]

    def tape(self, day: TradingDay | DateLike) -> Tape:
        """One day, with its universe and the facts known before it; `InvalidInput` for a day that has no bars."""
        today = day if isinstance(day, TradingDay) else TradingDay.of(day)
        bars = self.admitted.on(today.date)
        if not len(bars):
            raise InvalidInput(self._without_bars(today))
        symbols = self.past.symbols(today)
        universe = Universe(
            today,
            symbols,
            self.past.facts(today, symbols),
            share_of_market=self.share_of_market,
            daily_same_source=self.daily_same_source,
            label=self.label,
        )
        return Tape(universe, **_arrays(bars, symbols, today.minutes))

    @cached_property
    def past(self) -> Past:
        """All that facts are made of."""
        daily = DatedRows() if self.daily is None else daily_rows(self.daily)
        reference = DatedRows() if self.reference is None else reference_rows(self.reference)
        return Past(self.admitted, daily, reference)

    @cached_property
    def seal(self) -> str:
        """A hash of the values that count: the same for the same values in another format or another order of rows."""
        digest = hashlib.sha256()
        rows = map(_dated_values, (self.past.daily, self.past.reference))
        for part in chain(_bar_values(self.admitted), *rows):
            digest.update(part)
        return digest.hexdigest()

    @cached_property
    def _entered(self) -> tuple[Admitted, dict[str, int]]:
        rows = minute_rows(self.bars)
        if not len(rows):
            raise InvalidInput(f"{_shown(self.bars)} holds no minute bars; found 0 rows. Check how it was written.")
        return admit(rows, self.fills)

    @classmethod
    def _check(cls, params: dict[str, Any]) -> None:
        known = [name for name in cls.param if name not in ("bars", "name")]
        for name in params:
            if name not in known:
                raise UnknownName.of("TapeSource has no parameter", name, known)
        for name in ("fills", "daily_same_source"):
            _check_flag(name, params.get(name, False))
        _check_share(params.get("share_of_market", 1.0))

    @property
    def _references(self) -> tuple[Given, ...]:
        return () if self.reference is None else (self.reference,)

    def _without_bars(self, day: TradingDay) -> str:
        dates = self.admitted.dates
        if not len(dates):
            counted = ", ".join(f"{kind} {n:,}" for kind, n in self.report.items() if n)
            return f"{_shown(self.bars)} has no bar that could be admitted: {counted}. See DEFINITIONS, 'On entry'."
        near = dates[np.abs(dates - np.datetime64(day.date, "D")).argmin()]
        days = f"{len(dates)} days from {dates[0]} to {dates[-1]}"
        return f"{_shown(self.bars)} has no bars on {day.date}. It has {days}; the nearest is {near}."


_SAID = ("fills", "share_of_market", "daily_same_source", "label")


def simulated_tape(market: SimulatedMarket) -> Tape:
    """The day of a simulated market, labelled `simulated`, with the facts of its past.

    >>> tape = simulated_tape(SimulatedMarket(symbols=5))
    >>> tape.universe.label, tape.close.shape
    ('simulated', (960, 5))
    """
    if not isinstance(market, SimulatedMarket):
        raise InvalidInput(
            f"A simulated tape is of a SimulatedMarket; found {market!r}. Give one, say SimulatedMarket()."
        )
    day, symbols = TradingDay.of(market.day), tuple(market.names())
    past = Past(daily=daily_rows(market.daily()), reference=reference_rows(market.reference()))
    usual = usual_volume_of(day, _sessions_of(market), len(symbols))
    facts = past.facts(day, symbols, usual_volume=usual)
    bars: dict[str, Any] = {**market.day_bars()}
    return Tape(Universe(day, symbols, facts, daily_same_source=True, label=market.label), **bars)


def _sessions_of(market: SimulatedMarket) -> Iterator[SessionVolume]:
    """Its earlier sessions; every bar of the simulated market has a volume."""
    for date, volume in market.volume_history():
        regular = volume[TradingDay.open_k : TradingDay.close_k]
        yield SessionVolume(date, volume, np.asarray((regular > 0).any(axis=0)))


def _arrays(bars: Admitted, symbols: Sequence[str], minutes: int) -> dict[str, Any]:
    """The columns of one day as `(minutes, symbols)`."""
    at = bars.k * len(symbols) + codes_of(bars.names, symbols)[bars.symbol]
    arrays = {}
    for name in FIELDS:
        flat = np.full(minutes * len(symbols), 0.0 if name == "volume" else np.nan)
        flat[at] = getattr(bars, name)
        arrays[name] = flat.reshape(minutes, len(symbols))
    return arrays


def _bar_values(bars: Admitted) -> Iterator[bytes]:
    yield _text_bytes(bars.names)
    for column in (bars.day.astype(np.int64), bars.k, bars.symbol):
        yield column.astype("<i8").tobytes()
    for name in FIELDS:
        yield _float_bytes(getattr(bars, name))


def _dated_values(rows: DatedRows) -> Iterator[bytes]:
    """The rows that count, by symbol and date, and every fact's column, there or not."""
    symbols, at = rows.counted
    yield _text_bytes(symbols)
    yield rows.date[at].astype(np.int64).astype("<i8").tobytes()
    for name in (*DAILY, *NUMBERS):
        yield _float_bytes(rows.numbers(name, at))
    for name in WORDS:
        yield _text_bytes([word or "" for word in rows.words(name, at)])


def _text_bytes(words: Sequence[str]) -> bytes:
    return "\x1f".join([str(len(words)), *words]).encode()


def _float_bytes(values: Floats) -> bytes:
    """Every NaN and every zero alike."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()


def _shown(given: Any) -> str:
    if isinstance(given, (list, tuple)):
        return f"[{', '.join(_shown(one) for one in given)}]"
    return label_of(given) if isinstance(given, pd.DataFrame) else repr(str(given))


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} is True or False; found {value!r}. Say which the source is.")


def _check_share(share: Any) -> None:
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise InvalidInput(f"share_of_market is above 0 and at most 1; found {share!r}. IEX alone is 0.03.")
