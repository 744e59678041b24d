"""Bars: what arrives in a step, and the tape of a whole day.

A `Bars` is one entry of the tape: the minute `k`, a column per field, a row per symbol of the universe. A symbol with
no trade in the minute has NaN prices and volume 0. With it come late bars and events. A `Tape` is a day of entries.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from scanner_kit.errors import InvalidInput, must_be
from scanner_kit.results import Result, result_of, told_result
from scanner_kit.universe import WORDS, Bools, Floats, Universe
from scanner_kit.widening import Widening

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume", "vwap")
SILENT = {name: 0.0 if name == "volume" else np.nan for name in FIELDS}
"""What stands in each column where there is no bar."""


@dataclass(frozen=True, eq=False)
class LateBars:
    """Bars of earlier minutes that came with this step, as admitted on entry: `k` and `row` are integers, one a bar."""

    k: np.ndarray
    row: np.ndarray
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats

    def __len__(self) -> int:
        return len(self.k)

    def usable(self, k: int, symbols: int) -> "LateBars":
        """Those of a minute before `k` and of a symbol that there is."""
        keep = (self.k >= 0) & (self.k < k) & (self.row >= 0) & (self.row < symbols)
        if keep.all():
            return self
        return self._only(keep)

    def without(self, gone: Bools) -> "LateBars":
        """Those of other symbols; `gone` says for each row whether it is one of these."""
        there = (self.row >= 0) & (self.row < len(gone))
        return self._only(~(there & gone[np.where(there, self.row, 0)]) if len(gone) else there)

    def onto(self, wide: Widening) -> "LateBars":
        """The same bars, with the rows that their symbols have in a wider universe."""
        there = (self.row >= 0) & (self.row < len(wide.rows))
        return replace(self._only(there), row=wide.rows[self.row[there]])

    def _only(self, keep: Bools) -> "LateBars":
        return LateBars(*(getattr(self, field.name)[keep] for field in fields(self)))


@dataclass(frozen=True)
class VendorHalt:
    """A vendor says that a symbol is halted, or that its halt is lifted."""

    symbol: str
    halted: bool


@dataclass(frozen=True)
class SettingsChange:
    """Thresholds that are in force from this step on: scanner → parameter → value.

    `version` is the number of the settings that they make; 0 where nobody counts.
    """

    values: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    version: int = 0

    @classmethod
    def of(cls, **scanners: dict[str, Any]) -> "SettingsChange":
        """A change written as `SettingsChange.of(hod_break={"min_rvol": 2.0})`."""
        for name, values in scanners.items():
            if not isinstance(values, Mapping):
                raise InvalidInput(
                    f"A change gives thresholds and their values for {name}; found {values!r}. "
                    f"Write, say, {name}={{'min_price': 5.0}}."
                )
        return cls(tuple((name, tuple(values.items())) for name, values in scanners.items()))

    def numbered(self, version: int) -> "SettingsChange":
        """The same change, as the version of that number."""
        return replace(self, version=version)


@dataclass(frozen=True)
class Join:
    """Symbols that join the universe in this step: from now on as if they had been of it all day, and silent.

    `facts` are those that are known, by name: a value for each symbol in their order, None where it is unknown. Of
    `usual_volume` that is one for each minute of the day. Bars of minutes before may come late, with this entry or
    another. The entry that carries it has a row for each symbol of the universe that it makes.

    >>> Join.of("NVDA", prev_close=142.62, exchange="XNAS")
    Join(symbols=('NVDA',), facts=(('prev_close', (142.62,)), ('exchange', ('XNAS',))))
    """

    symbols: tuple[str, ...]
    facts: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @classmethod
    def of(cls, symbols: str | Sequence[str], **facts: Any) -> "Join":
        """That of one symbol with its facts, or of several with a list for each fact."""
        if isinstance(symbols, str):
            return cls.of([symbols], **{name: [value] for name, value in facts.items()})
        return cls(tuple(symbols), tuple((name, tuple(map(_plain, values))) for name, values in facts.items()))

    def changed(self, universe: Universe, k: int) -> Universe:
        """The universe from minute `k` on; `InvalidInput` where it cannot be."""
        known = {name: _fact(name, values, universe.day.minutes) for name, values in self.facts}
        return universe.joined(k, self.symbols, known)


@dataclass(frozen=True)
class Leave:
    """Symbols that leave the universe in this step: from now on they are silent, on no list, and fire nothing."""

    symbols: tuple[str, ...]

    @classmethod
    def of(cls, *symbols: str) -> "Leave":
        """That of some symbols."""
        return cls(symbols)

    def changed(self, universe: Universe, k: int) -> Universe:
        """The universe from minute `k` on; `InvalidInput` where it cannot be."""
        return universe.left(k, self.symbols)


Event = VendorHalt | SettingsChange | Result | Join | Leave


def _plain(value: Any) -> Any:
    """A fact as an event holds it: equal where it is equal, also where it is unknown."""
    if isinstance(value, list | tuple | np.ndarray):
        values = tuple(map(_plain, value))
        return None if all(one is None for one in values) else values
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def _fact(name: str, values: Sequence[Any], minutes: int) -> np.ndarray:
    """A fact as a universe takes it: symbols last."""
    if name in WORDS:
        words = np.empty(len(values), dtype=object)
        words[:] = values
        return words
    if name != "usual_volume":
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    curves = [(None,) * minutes if value is None else value for value in values]
    for curve in curves:
        if len(curve) != minutes:
            raise InvalidInput(
                f"The usual volume of a symbol is a number for each of the {minutes} minutes of the day; found "
                f"{len(curve)}. Give all, or leave it out."
            )
    return np.array(curves, dtype=np.float64).reshape(len(curves), minutes).T


def told(event: Event) -> list[Any]:
    """An event as JSON can hold it; `event_of` reads it back.

    >>> told(SettingsChange.of(hod_break={"min_rvol": 2.0}).numbered(3)), told(VendorHalt("NVDA", halted=True))
    (['settings', {'hod_break': {'min_rvol': 2.0}}, 3], ['halt', 'NVDA', True])
    """
    if isinstance(event, VendorHalt):
        return ["halt", event.symbol, bool(event.halted)]
    if isinstance(event, Join):
        return ["join", list(event.symbols), dict(event.facts)]
    if isinstance(event, Leave):
        return ["leave", list(event.symbols)]
    if isinstance(event, Result):
        return told_result(event)
    return ["settings", {name: dict(values) for name, values in event.values}, event.version]


def event_of(plain: Sequence[Any]) -> Event:
    """The event that was `told` so."""
    what, *rest = plain
    if what == "join":
        return Join.of(list(rest[0]), **rest[1])
    if what == "leave":
        return Leave.of(*rest[0])
    if what == "result":
        return result_of(plain)
    return VendorHalt(*rest) if what == "halt" else SettingsChange.of(**rest[0]).numbered(*rest[1:] or [0])


@dataclass(frozen=True, eq=False, repr=False)
class Bars:
    """One entry of the tape: the bars of minute `k`, float64 `(symbols,)`, and what came with them.

    A `forming` entry is the minute so far, as of `instant`; it is measured as if it closed now and leaves no trace.
    """

    k: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    forming: bool = False
    late: LateBars | None = None
    events: tuple[Event, ...] = ()
    instant: dt.datetime | None = None

    def __repr__(self) -> str:
        return f"<{'forming ' if self.forming else ''}Bars of k={self.k}, {np.isfinite(self.close).sum():,} traded>"

    @classmethod
    def empty(cls, k: int, symbols: int, *, events: tuple[Event, ...] = ()) -> "Bars":
        """A minute in which nothing traded."""
        nothing = np.full(symbols, np.nan)
        return cls(k, nothing, nothing, nothing, nothing, np.zeros(symbols), nothing, events=events)

    def without(self, gone: Bools) -> "Bars":
        """The entry without the bars of some symbols; `gone` says of each whether it is one of these."""
        if not gone.any():
            return self
        columns: dict[str, Any] = {name: np.where(gone, SILENT[name], getattr(self, name)) for name in FIELDS}
        return replace(self, **columns, late=None if self.late is None else self.late.without(gone))

    def onto(self, wide: Widening) -> "Bars":
        """The entry over a universe that has more symbols, of which it has no bar."""
        if not wide.added.size:
            return self
        columns: dict[str, Any] = {name: wide.spread(getattr(self, name), SILENT[name]) for name in FIELDS}
        return replace(self, **columns, late=None if self.late is None else self.late.onto(wide))


@dataclass(frozen=True, eq=False, repr=False)
class Tape:
    """A day of bars as arrays float64 `(minutes, symbols)`, with its universe at its head and events by minute.

    Symbols that joined or left are rows of the universe all day, and `universe.away` says when they were not of it.

    >>> from scanner_kit.calendar import TradingDay
    >>> tape = Tape.empty(Universe.of(TradingDay.of("2025-01-27"), ["NVDA"]))
    >>> sum(1 for bars in tape)
    960
    """

    universe: Universe
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    events: dict[int, tuple[Event, ...]] = field(default_factory=dict)
    late: dict[int, LateBars] = field(default_factory=dict)

    def __post_init__(self) -> None:
        must_be(Universe, self.universe, "A tape is of a Universe", "Give, say, Universe.of(day, symbols).")
        for name in ("events", "late"):
            must_be(Mapping, getattr(self, name), f"Tape.{name} are by minute", "Write {} for none.")
        shape = (self.universe.day.minutes, len(self.universe))
        for name in FIELDS:
            must_be(np.ndarray, getattr(self, name), f"Tape.{name} is an array", "Give one row a minute from 04:00 on.")
            found = getattr(self, name).shape
            if found != shape:
                raise InvalidInput(
                    f"Tape.{name} is (minutes, symbols) = {shape}; found {found}. Give one row a minute from 04:00 on."
                )

    @classmethod
    def empty(cls, universe: Universe) -> "Tape":
        """A day on which nothing traded."""
        shape = (universe.day.minutes, len(universe))
        open_, high, low, close, vwap = (np.full(shape, np.nan) for _ in range(5))
        return cls(universe, open_, high, low, close, np.zeros(shape), vwap)

    def __len__(self) -> int:
        return self.universe.day.minutes

    def __repr__(self) -> str:
        label = f"{self.universe.label} " if self.universe.label else ""
        return f"<{label}Tape of {self.universe.day.date}, {len(self.universe):,} symbols>"

    def __iter__(self) -> Iterator[Bars]:
        return (self.bars(k) for k in range(len(self)))

    def in_time(self) -> "Tape":
        """The day as if no bar had come late: each stands in its minute."""
        if not self.late:
            return self
        columns = {name: getattr(self, name).copy() for name in FIELDS}
        for k, late in sorted(self.late.items()):
            these = late.usable(k, len(self.universe))
            for name, column in columns.items():
                column[these.k, these.row] = getattr(these, name)
        return Tape(self.universe, **columns, events=self.events)

    def bars(self, k: int) -> Bars:
        """The entry of minute `k`: views, nothing is copied."""
        open_, high, low, close, volume, vwap = (read_only(getattr(self, name)[k]) for name in FIELDS)
        return Bars(k, open_, high, low, close, volume, vwap, late=self.late.get(k), events=self.events.get(k, ()))


def read_only(array: Floats) -> Floats:
    """A view through which nobody can write."""
    view = array.view()
    view.flags.writeable = False
    return view
