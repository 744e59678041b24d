"""The checks on entry: what becomes of bars as a vendor gave them before anything is measured. One home.

1. `_refuse`: no symbol, a label outside every trading day, a price or a volume that cannot be.
2. An unknown volume becomes 0; the flat bars of a source that fills empty minutes are dropped.
3. `_mend`: the high is raised, the low lowered, until they hold the whole bar.
4. `_latest`: of two bars of one symbol and minute the later arrival stands.

Every step counts what it did, over all bars given. Volumes are never repaired, and no row is ever filled in.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scanner_kit.bars import FIELDS, PRICES, Bars, Join, Leave, SettingsChange, VendorHalt
from scanner_kit.calendar import DateLike, as_date, minutes_of_days
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.results import Result
from scanner_kit.universe import FACTS, WORDS, Bools, Floats

Ints = np.ndarray[Any, np.dtype[np.int64]]
Dates = np.ndarray[Any, np.dtype[np.datetime64]]

KINDS = (
    "no_symbol",
    "outside_day",
    "bad_price",
    "bad_volume",
    "nan_volume",
    "filled",
    "high_raised",
    "low_lowered",
    "replaced",
    "repeated",
)
NO_SYMBOL = -1
BLANKS = frozenset(" \t\r\n,;:{}")
"""What no symbol holds: blanks, and what names on the bus and lists of symbols are put together with."""
NO_MINUTE = int(np.iinfo(np.int64).min)
"""The minute of a bar without a time: what numpy makes of NaT."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Bars as they came, in order of arrival: a column per field, one entry a bar. Nothing here is ever written to.

    `symbol` is the index into `names`, or -1; `minute` is the bar's start in whole minutes since 1970, UTC.

    >>> rows = Rows.of(["NVDA", None], [28_966_470, 28_966_470], *[[120.0, 1.0]] * 4, volume=[100, 5])
    >>> rows.names, rows.symbol, rows.vwap
    (('NVDA',), array([ 0, -1]), array([nan, nan]))
    """

    names: tuple[str, ...]
    symbol: Ints
    minute: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self) if f.name != "names"}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(f"Every column of Rows has one entry a bar; found {lengths}. Cut them alike.")

    @classmethod
    def of(
        cls,
        symbols: Sequence[str | None],
        minutes: Sequence[int],
        open: Sequence[float],
        high: Sequence[float],
        low: Sequence[float],
        close: Sequence[float],
        volume: Sequence[float],
        vwap: Sequence[float] | None = None,
    ) -> "Rows":
        """Rows from plain sequences; None for a bar without a symbol, no `vwap` where the vendor has none."""
        names, codes = encoded(symbols)
        own = np.full(len(codes), np.nan) if vwap is None else vwap
        columns = (np.asarray(column, dtype=np.float64) for column in (open, high, low, close, volume, own))
        return cls(names, codes, np.asarray(minutes, dtype=np.int64), *columns)

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """All rows of several files, in the order of the files."""
        names, codes = joined_symbols((part.names, part.symbol) for part in parts)
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("minute", *FIELDS)}
        return cls(names, codes, **columns)

    def __len__(self) -> int:
        return len(self.symbol)


@dataclass(frozen=True, eq=False)
class Admitted:
    """Bars that passed, sorted by minute and symbol, one a symbol and minute.

    `names` are the symbols that have a bar, sorted by code points; `symbol` is the index into them, `day` the trading
    date (`datetime64[D]`), `k` the minute of the day.
    """

    names: tuple[str, ...]
    day: Dates
    k: Ints
    symbol: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats

    def __len__(self) -> int:
        return len(self.k)

    @property
    def dates(self) -> Dates:
        """The trading dates that have a bar, oldest first."""
        new = np.ones(len(self), dtype=np.bool_)
        np.not_equal(self.day[1:], self.day[:-1], out=new[1:])
        return self.day[new]

    def on(self, date: DateLike) -> "Admitted":
        """The bars of one date: views, nothing is copied."""
        return self._cut(self._first(date), self._first(date, "right"))

    def before(self, date: DateLike) -> "Admitted":
        """The bars of all dates before this one: views, nothing is copied."""
        return self._cut(0, self._first(date))

    def _first(self, date: DateLike, side: Any = "left") -> int:
        return int(np.searchsorted(self.day, np.datetime64(as_date(date), "D"), side=side))

    def _cut(self, start: int, end: int) -> "Admitted":
        columns = {f.name: getattr(self, f.name)[start:end] for f in fields(self) if f.name != "names"}
        return Admitted(self.names, **columns)


def admit(rows: Rows, fills: bool = False) -> tuple[Admitted, dict[str, int]]:
    """The bars that stand, and how many bars met each of the `KINDS`, over all that were given.

    `fills` says that the source fills empty minutes with flat bars: its bars of volume 0 are dropped.

    >>> rows = Rows.of(["NVDA"] * 2, [28_966_470] * 2, [120] * 2, [119] * 2, [119] * 2, [121] * 2, volume=[100] * 2)
    >>> bars, counts = admit(rows)
    >>> bars.day, bars.k, bars.high, {kind: n for kind, n in counts.items() if n}
    (array(['2025-01-27'], dtype='datetime64[D]'), array([330]), array([121.]), {'high_raised': 2, 'repeated': 1})
    """
    names, code = ranked_symbols(rows.names, rows.symbol)
    day, k = minutes_of_days(rows.minute)
    stands, counts = _refuse(rows, code, k)
    volume = np.where(np.isnan(rows.volume), 0.0, rows.volume) + 0.0  # −0.0 is 0.0
    counts["nan_volume"] = _count(stands & np.isnan(rows.volume))
    filled = stands & (volume == 0) & fills
    counts["filled"] = _count(filled)
    order = _by_minute_and_symbol(np.flatnonzero(stands & ~filled), rows.minute, code, len(names))
    bars = {name: getattr(rows, name)[order] for name in FIELDS} | {"volume": volume[order]}
    counts |= _mend(bars)
    latest, doubled = _latest(rows.minute[order], code[order], bars)
    kept = order[latest]
    names, symbol = _only_used(names, code[kept])
    counts |= doubled
    columns = {name: column[latest] for name, column in bars.items()}
    return Admitted(names, day[kept], k[kept], symbol, **columns), {kind: counts[kind] for kind in KINDS}


def check_events(bars: Bars) -> None:
    """`InvalidInput` where what came with an entry of the tape is no event; nothing is changed.

    >>> check_events(Bars.empty(0, 1))
    """
    events: Any = bars.events
    if not isinstance(events, tuple | list):
        raise _no_events(events)
    for event in events:
        check_event(event)


def check_event(event: Any) -> None:
    """`InvalidInput` for what is no event, or one that holds what it cannot.

    >>> check_event(VendorHalt("NVDA", halted=True))
    """
    if isinstance(event, VendorHalt):
        if not _is_halt(event.symbol, event.halted):
            raise InvalidInput(
                f"A VendorHalt is of a symbol and True or False; found {event!r}. "
                "Write VendorHalt('NVDA', halted=True)."
            )
    elif isinstance(event, SettingsChange):
        _check_change(event)
    elif isinstance(event, Join | Leave):
        _check_symbols(type(event).__name__, event.symbols)
        for fact in event.facts if isinstance(event, Join) else ():
            _check_fact(event.symbols, fact)
    elif not isinstance(event, Result):  # made, it is checked
        raise _no_events(event)


def _check_change(event: SettingsChange) -> None:
    if not _is_change(event.values):
        raise InvalidInput(
            f"A SettingsChange holds scanner → threshold → value as pairs; found {event.values!r}. "
            'Write SettingsChange.of(hod_break={"min_rvol": 2.0}).'
        )
    if not _is_version(event.version):
        raise InvalidInput(
            f"The version of a SettingsChange is a whole number from 0 on; found {event.version!r}. "
            "Leave it out where nobody counts."
        )


def _check_symbols(what: str, symbols: Any) -> None:
    named = isinstance(symbols, tuple) and symbols and all(isinstance(symbol, str) for symbol in symbols)
    if not named or any(not symbol or set(symbol) & BLANKS or not symbol.isprintable() for symbol in symbols):
        raise InvalidInput(
            f"A {what} names one symbol or more, as the vendor spells them; found {symbols!r}. Write {what}.of('NVDA')."
        )
    if len(set(symbols)) < len(symbols):
        raise InvalidInput(f"A {what} names each symbol once; found {', '.join(symbols)}. Leave out what stands twice.")


def _check_fact(symbols: tuple[str, ...], fact: Any) -> None:
    if not (isinstance(fact, tuple) and len(fact) == 2 and isinstance(fact[0], str) and isinstance(fact[1], tuple)):
        raise InvalidInput(
            f"The facts of a Join are names with a value for each symbol; found {fact!r}. "
            "Write Join.of('NVDA', prev_close=142.62)."
        )
    name, values = fact
    if name not in FACTS:
        raise UnknownName.of("There is no fact", name, FACTS)
    if len(values) != len(symbols):
        raise InvalidInput(
            f"A fact of a Join has a value for each of its {len(symbols)} symbols; found {len(values)} of {name}. "
            "Write None where it is unknown."
        )
    for symbol, value in zip(symbols, values, strict=True):
        if not _is_fact(name, value):
            kind = "a word" if name in WORDS else "a number" if name != "usual_volume" else "a number a minute"
            raise InvalidInput(
                f"The {name} of a symbol is {kind}, or None where it is unknown; found {value!r} for {symbol}. "
                "Mend it, or leave it out."
            )


def _is_fact(name: str, value: Any) -> bool:
    if value is None:
        return True
    if name in WORDS:
        return isinstance(value, str)
    if name == "usual_volume":
        return isinstance(value, tuple) and all(_is_fact("", one) for one in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _no_events(found: Any) -> InvalidInput:
    return InvalidInput(
        f"The events of an entry are VendorHalt, SettingsChange, Result, Join and Leave in a tuple; found {found!r}. "
        "Write, say, events=(VendorHalt('NVDA', halted=True),)."
    )


def _is_halt(symbol: Any, halted: Any) -> bool:
    return isinstance(symbol, str) and isinstance(halted, bool | np.bool_)


def _is_version(version: Any) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version >= 0


def _is_change(values: Any) -> bool:
    def is_pairs(pairs: Any) -> bool:
        return isinstance(pairs, tuple) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs)

    return is_pairs(values) and all(
        isinstance(scanner, str) and is_pairs(thresholds) and all(isinstance(name, str) for name, _ in thresholds)
        for scanner, thresholds in values
    )


def encoded(symbols: Sequence[str | None]) -> tuple[tuple[str, ...], Ints]:
    """Names, in order of their first appearance, and the index of every entry into them; -1 for None."""
    index: dict[str, int] = {}
    codes = [NO_SYMBOL if symbol is None else index.setdefault(symbol, len(index)) for symbol in symbols]
    return tuple(index), np.array(codes, dtype=np.int64)


def joined_symbols(parts: Iterable[tuple[Sequence[str], Ints]]) -> tuple[tuple[str, ...], Ints]:
    """Names and codes of several columns set one after the other; a name may then stand twice."""
    names: list[str] = []
    codes: list[Ints] = [np.zeros(0, dtype=np.int64)]
    for own_names, own_codes in parts:
        codes.append(np.where(own_codes < 0, NO_SYMBOL, own_codes + len(names)))
        names.extend(own_names)
    return tuple(names), np.concatenate(codes)


def ranked_symbols(names: Sequence[str], codes: Ints) -> tuple[tuple[str, ...], Ints]:
    """The same symbols with names unique and sorted by code points; an empty name is no symbol."""
    ranked = tuple(sorted(set(names) - {""}))
    rank = {name: i for i, name in enumerate(ranked)}
    table = np.array([*(rank.get(name, NO_SYMBOL) for name in names), NO_SYMBOL], dtype=np.int64)
    return ranked, table[codes]


def _refuse(rows: Rows, code: Ints, k: Ints) -> tuple[Bools, dict[str, int]]:
    """Which bars are not refused, and how many were, each by the first rule that it breaks."""
    stands, counts = np.ones(len(rows), dtype=np.bool_), {}
    for kind, broken in (
        ("no_symbol", code < 0),
        ("outside_day", k < 0),
        ("bad_price", _bad_price(rows)),
        ("bad_volume", (rows.volume < 0) | np.isinf(rows.volume)),
    ):
        counts[kind] = _count(stands & broken)
        stands &= ~broken
    return stands, counts


def _bad_price(rows: Rows) -> Bools:
    good = np.ones(len(rows), dtype=np.bool_)
    for name in PRICES:
        price = getattr(rows, name)
        good &= (price > 0) & (price < np.inf)
    return ~good


def _mend(bars: dict[str, Floats]) -> dict[str, int]:
    """Put high and low right in `bars`; how many bars needed it."""
    prices = [bars[name] for name in PRICES]
    high, low = np.maximum.reduce(prices), np.minimum.reduce(prices)
    counts = {"high_raised": _count(high > bars["high"]), "low_lowered": _count(low < bars["low"])}
    bars |= {"high": high, "low": low}
    return counts


def _by_minute_and_symbol(at: Ints, minute: Ints, code: Ints, symbols: int) -> Ints:
    """The rows `at`, sorted by minute and symbol; those of one symbol and minute stay in order of arrival."""
    return at[np.argsort(minute[at] * symbols + code[at], kind="stable")]


def _latest(minute: Ints, code: Ints, bars: dict[str, Floats]) -> tuple[Bools, dict[str, int]]:
    """Which of the sorted bars no later one replaces, and how many replaced or repeated the one that stood."""
    again = (minute[1:] == minute[:-1]) & (code[1:] == code[:-1])
    same = again.copy()
    for column in bars.values():
        same &= (column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1]))
    latest = np.append(~again, True)[: len(minute)]
    return latest, {"replaced": _count(again & ~same), "repeated": _count(same)}


def _only_used(names: tuple[str, ...], code: Ints) -> tuple[tuple[str, ...], Ints]:
    used = np.bincount(code, minlength=len(names)) > 0
    return tuple(name for name, has in zip(names, used, strict=True) if has), (np.cumsum(used) - 1)[code]


def _count(mask: Bools) -> int:
    return int(np.count_nonzero(mask))
