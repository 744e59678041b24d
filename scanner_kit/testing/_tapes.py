"""Tapes for checking laws: a small one made to be nasty, and what can be done to a tape.

Nothing here reads a file or a clock; everything is drawn from a seed.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from scanner_kit.bars import FIELDS, Bars, Event, Join, LateBars, Leave, Tape, VendorHalt
from scanner_kit.calendar import DateLike, TradingDay
from scanner_kit.results import Found, Result
from scanner_kit.scheduled import ScheduledScanner
from scanner_kit.universe import FACTS, WORDS, Bools, Facts, Floats, Rows, Universe

SHORT_DAY = TradingDay(dt.date(2024, 11, 29), close_k=385, minutes=400)
"""A day of every session that closes at 10:25, so that checks are quick."""

KINDS = (
    "steady",
    "gapper",
    "halted",
    "silent",
    "premarket only",
    "one bar",
    "no volume",
    "sparse",
    "new",
    "from the open",
    "flat",
    "runner",
    "faller",
)
POISON = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300)


def sample_tape(symbols: int = 24, seed: int = 1, day: TradingDay | DateLike | None = None) -> Tape:
    """A small day with all that goes wrong in real ones; without a `day`, a short one that closes early.

    Symbols take turns in being steady, gapping, halted (twice, the second time for good), silent, traded before the
    open only, traded once, traded without volume, sparse, without any past, traded from the open on, flat, running
    and falling.

    >>> tape = sample_tape(symbols=4)
    >>> tape.universe.symbols, tape.close.shape, int((~np.isnan(tape.close[:, 3])).sum())
    (('S0', 'S1', 'S2', 'S3'), (400, 4), 0)
    """
    today = SHORT_DAY if day is None else day if isinstance(day, TradingDay) else TradingDay.of(day)
    rng = np.random.default_rng(seed)
    kinds = np.array([KINDS[i % len(KINDS)] for i in range(symbols)])
    names = tuple(f"S{i:0{len(str(symbols - 1))}d}" for i in range(symbols))
    close, usual = _walk(rng, today, kinds), _usual_minute(rng, today, symbols)
    bars = _bars(rng, close, np.rint(usual * rng.lognormal(0.0, 0.7, close.shape)), kinds)
    trades = _trades(rng, today, kinds)
    arrays: dict[str, Any] = {
        name: np.where(trades, bars[name], 0.0 if name == "volume" else np.nan) for name in FIELDS
    }
    return Tape(Universe(today, names, _facts(rng, today, kinds, close[0], usual)), **arrays)


def _walk(rng: np.random.Generator, day: TradingDay, kinds: np.ndarray) -> Floats:
    """Closes in cents; the gapper gaps at the open, the runner and the faller move from then on."""
    moves = rng.standard_t(4, (day.minutes, kinds.size)) * 0.003
    moves[day.open_k, kinds == "gapper"] += 0.06
    moves[day.open_k :, kinds == "runner"] += 0.002
    moves[day.open_k :, kinds == "faller"] -= 0.002
    moves[:, kinds == "flat"] = 0.0
    start = rng.uniform(2.0, 150.0, kinds.size)
    start[kinds == "sparse"] = 0.97
    return np.maximum(np.round(start * np.exp(np.cumsum(moves, axis=0)), 2), 0.01)


def _usual_minute(rng: np.random.Generator, day: TradingDay, symbols: int) -> Floats:
    """Shares that are usual in each minute: few before the open and after the close."""
    busy = np.full(day.minutes, 0.05)
    busy[day.open_k : day.close_k] = 1.0
    return np.outer(busy, rng.uniform(2_000.0, 80_000.0, symbols))


def _bars(rng: np.random.Generator, close: Floats, volume: Floats, kinds: np.ndarray) -> dict[str, Floats]:
    open_ = np.round(np.vstack([close[:1], close[:-1]]) * (1.0 + rng.normal(0.0, 0.0005, close.shape)), 2)
    wick = np.abs(rng.normal(0.0, 0.002, (2, *close.shape)))
    wick[:, :, kinds == "flat"] = 0.0
    open_ = np.where(kinds == "flat", close, np.maximum(open_, 0.01))
    high = np.round(np.maximum(open_, close) * (1.0 + wick[0]), 2)
    low = np.maximum(np.round(np.minimum(open_, close) * (1.0 - wick[1]), 2), 0.01)
    volume = np.where((kinds == "no volume") & (rng.random(close.shape) < 0.5), 0.0, volume)
    vwap = np.where(rng.random(close.shape) < 0.5, (open_ + high + low + close) / 4.0, np.nan)
    return {"open": open_, "high": high, "low": low, "close": close, "volume": volume, "vwap": vwap}


def _trades(rng: np.random.Generator, day: TradingDay, kinds: np.ndarray) -> Bools:
    """Who trades in which minute."""
    k = np.arange(day.minutes)[:, None]
    early = k < day.open_k
    trades = rng.random((day.minutes, kinds.size)) < np.where(early | (k >= day.close_k), 0.4, 0.97)
    steady = np.isin(kinds, ("steady", "runner", "faller", "halted"))
    trades |= steady & ~early
    second = day.open_k + 40
    trades &= ~((kinds == "halted") & (((k >= day.open_k + 15) & (k < day.open_k + 20)) | (k >= second)))
    trades &= ~(kinds == "silent") & ~((kinds == "premarket only") & ~early) & ~((kinds == "from the open") & early)
    trades &= (kinds != "one bar") | (k == day.open_k + 20)
    return np.asarray(trades & ((kinds != "sparse") | (rng.random(trades.shape) < 0.1)))


def _facts(rng: np.random.Generator, day: TradingDay, kinds: np.ndarray, start: Floats, usual: Floats) -> Facts:
    """A past that fits the day; of the new, and of one more here and there, nothing is known."""
    size = kinds.size
    busier = np.resize([1.0, 6.0, 4.0, 1.0, 5.0, 1.0, 8.0, 3.0, 1.0, 0.5, 4.0, 6.0, 7.0], size)
    average, close = usual.sum(axis=0) * 6.0, np.round(start * rng.uniform(0.92, 1.06, size), 2)
    known: dict[str, Floats] = {
        "prev_close": close,
        "pdh": np.round(close * 1.02, 2),
        "pdl": np.round(close * 0.98, 2),
        "avg_volume_30d": average,
        "avg_volume_10d": average * 1.1,
        "atr_14d": close * 0.03,
        "sma_20d": close * 0.97,
        "high_20d": np.round(close * 1.03, 2),
        "market_cap": average * close * 50.0,
        "shares_outstanding": average * 50.0,
        "float_shares": average * 20.0,
        "usual_volume": np.cumsum(usual, axis=0) / busier,
    }
    holes = {
        name: np.where((kinds == "new") | (rng.random(size) < 0.04), np.nan, values) for name, values in known.items()
    }
    words = {
        name: np.array([f"{name} {i % 3}" if i % 5 else None for i in range(size)], dtype=object) for name in WORDS
    }
    return Facts(**{**holes, **words})


# What can be done to a tape


def with_bars(tape: Tape, **arrays: Any) -> Tape:
    """The same tape with other columns."""
    return replace(tape, **arrays)


def copied(tape: Tape, writeable: bool = True) -> Tape:
    """The same tape in arrays of its own, its facts too."""
    facts = Facts(**{name: np.array(getattr(tape.universe.facts, name)) for name in FACTS})
    arrays: dict[str, Any] = {name: np.array(getattr(tape, name)) for name in FIELDS}
    for array in (*arrays.values(), *(getattr(facts, name) for name in FACTS)):
        array.flags.writeable = writeable
    return replace(tape, universe=replace(tape.universe, facts=facts), **arrays)


def arrays_of(tape: Tape) -> dict[str, np.ndarray]:
    """Every array of a tape and of its facts, by name."""
    return {
        **{name: getattr(tape, name) for name in FIELDS},
        **{f"facts.{name}": getattr(tape.universe.facts, name) for name in FACTS},
    }


def emptied(tape: Tape, keep: Bools | None = None) -> Tape:
    """The tape with only the bars of `keep`, `(minutes, symbols)`; none by default."""
    keep = np.zeros(tape.close.shape, dtype=np.bool_) if keep is None else keep
    return with_bars(
        tape, **{name: np.where(keep, getattr(tape, name), 0.0 if name == "volume" else np.nan) for name in FIELDS}
    )


def poisoned_after(tape: Tape, k: int, seed: int = 1) -> Tape:
    """The tape with absurd prices and volumes in every minute after `k`."""
    rng, shape = np.random.default_rng(seed), tape.close[k + 1 :].shape
    arrays: dict[str, Any] = {name: np.array(getattr(tape, name)) for name in FIELDS}
    for array in arrays.values():
        array[k + 1 :] = rng.choice(POISON, shape)
    return with_bars(tape, **arrays)


def cut_after(tape: Tape, k: int) -> Tape:
    """The tape with nothing after minute `k`."""
    return emptied(tape, np.arange(len(tape))[:, None] * np.ones(tape.close.shape) <= k)


def without_facts(tape: Tape) -> Tape:
    """The tape with nothing known of the days before."""
    universe = tape.universe
    return replace(tape, universe=replace(universe, facts=Facts.of(len(universe), universe.day.minutes)))


def taken(tape: Tape, rows: Rows) -> Tape:
    """The tape of some of its symbols; `rows` ascending."""
    universe = tape.universe.take(rows)
    arrays = {name: getattr(tape, name)[:, rows] for name in FIELDS}
    return replace(
        tape, universe=universe, events=_halts(tape, {symbol: symbol for symbol in universe.symbols}), **arrays
    )


def reordered(tape: Tape, order: Rows) -> Tape:
    """The same bars and facts in other rows, which means under other names: row i has what row `order[i]` had."""
    universe, symbols = replace(tape.universe, facts=tape.universe.facts.take(order)), tape.universe.symbols
    arrays = {name: getattr(tape, name)[:, order] for name in FIELDS}
    names = {symbols[old]: symbols[new] for new, old in enumerate(order.tolist())}
    return replace(tape, universe=universe, events=_halts(tape, names), **arrays)


def another_day(tape: Tape) -> Tape:
    """The next trading day of the same symbols, on which each does what another one did, at other prices."""
    other = reordered(tape, np.roll(np.arange(len(tape.universe)), 1))
    day = replace(tape.universe.day, date=TradingDay.after(tape.universe.day.date).date)
    dearer: dict[str, Any] = {name: getattr(other, name) * (1.0 if name == "volume" else 1.25) for name in FIELDS}
    return replace(other, universe=replace(other.universe, day=day), **dearer)


def begun_at(tape: Tape, start: int, minutes: int) -> Tape:
    """The tape on which so many minutes, those from 09:30 on over and over, begin at `start`; nothing else trades.

    What is usual goes along.
    """
    day, facts = tape.universe.day, tape.universe.facts
    at = day.open_k + np.arange(minutes) % (day.close_k - day.open_k)
    arrays: dict[str, Any] = {name: np.array(getattr(emptied(tape), name)) for name in FIELDS}
    for name, array in arrays.items():
        array[start : start + minutes] = getattr(tape, name)[at]
    usual = np.zeros(tape.close.shape)
    usual[start : start + minutes] = np.diff(facts.usual_volume, axis=0, prepend=0.0)[at]
    universe = replace(tape.universe, facts=replace(facts, usual_volume=np.cumsum(usual, axis=0)))
    return replace(tape, universe=universe, events={}, late={}, **arrays)


def flat(tape: Tape, *, price: float = 1.0, volume: float = 1.0, later: float = 1.0) -> Tape:
    """A day on which every symbol trades in every minute, at one price and volume of its own.

    All prices are `price` times, all volumes `volume` times as large; from half an hour before 09:30 on prices are
    `later` times what they were.
    """
    shape, size, day = tape.close.shape, len(tape.universe), tape.universe.day
    own = price * (10.0 + np.arange(size))
    prices = np.broadcast_to(own, shape) * np.where(np.arange(shape[0]) < day.open_k - 30, 1.0, later)[:, None]
    shares = np.broadcast_to(volume * 1000.0 * (1.0 + np.arange(size)), shape)
    known: dict[str, Any] = dict.fromkeys(("prev_close", "pdh", "pdl", "sma_20d", "high_20d"), own) | {
        "atr_14d": 0.03 * own
    }
    arrays: dict[str, Any] = {name: shares if name == "volume" else prices for name in FIELDS}
    facts = replace(tape.universe.facts, **known)
    return replace(tape, universe=replace(tape.universe, facts=facts), events={}, late={}, **arrays)


def _halts(tape: Tape, names: dict[str, str]) -> dict[int, tuple[Event, ...]]:
    """The events of a tape, with the halts of those symbols, and what was found of them, that have a name now."""
    return {k: tuple(told for event in events for told in _renamed(event, names)) for k, events in tape.events.items()}


def with_results(tape: Tape, scanner: ScheduledScanner, every: int = 20, seed: int = 1) -> Tape:
    """The tape with made-up results of a scheduled scanner; as it is where it has some."""
    known = {event.scanner for some in tape.events.values() for event in some if isinstance(event, Result)}
    if scanner.name in known:
        return tape
    rng, events, symbols = np.random.default_rng(seed), dict(tape.events), tape.universe.symbols
    for k in range(every, len(tape), every):
        some = sorted(rng.permutation(len(symbols))[: max(1, 2 * len(symbols) // 3)].tolist())
        found = [
            Found(symbols[row], score, fires, figures={name: 100.0 * rng.random() for name in scanner.figures})
            for row, score, fires in zip(some, rng.random(len(some)), rng.random(len(some)) < 0.5, strict=True)
        ]
        result = Result(scanner.name, tape.universe.day.time(k - 1), tuple(found))
        events[k] = (*events.get(k, ()), result)
    return replace(tape, events=events)


def _renamed(event: Event, names: dict[str, str]) -> tuple[Event, ...]:
    if isinstance(event, Result):
        kept = [replace(one, symbol=names[one.symbol]) for one in event.found if one.symbol in names]
        return (replace(event, found=tuple(kept)),)
    if not isinstance(event, VendorHalt):
        return (event,)
    return (replace(event, symbol=names[event.symbol]),) if event.symbol in names else ()


def made_late(tape: Tape, k: int, seed: int = 1) -> Tape:
    """The tape on which some bars of the half hour before `k` were missing or wrong until they came with entry `k`."""
    rng = np.random.default_rng(seed)
    start = max(0, k - 30)
    minutes, rows = np.nonzero(~np.isnan(tape.close[start:k]))
    chosen = np.sort(rng.permutation(minutes.size)[: max(1, minutes.size // 8)])
    at = (minutes[chosen] + start, rows[chosen])
    late = LateBars(*at, **{name: getattr(tape, name)[at] for name in FIELDS})
    arrays: dict[str, Any] = {name: np.array(getattr(tape, name)) for name in FIELDS}
    wrong = rng.random(chosen.size) < 0.3
    for name, array in arrays.items():
        array[at] = np.where(wrong, array[at] * 1.01, 0.0 if name == "volume" else np.nan)
    return replace(tape, **arrays, late={**tape.late, k: late})


def with_comings(tape: Tape, seed: int = 1) -> Tape:
    """The tape on which some symbols join late in the day, and some leave, of whom every second comes back."""
    size, day = len(tape.universe), tape.universe.day
    order = np.random.default_rng(seed).permutation(size)[: size - 1]
    joining, leaving = order[: -(-size // 4)], order[-(-size // 4) : size // 2]
    first, symbols = day.open_k - 20, tape.universe.symbols
    away = [(symbols[row], 0, first + 25 * (i % 2)) for i, row in enumerate(joining.tolist())]
    away += [(symbols[row], first + 3, (day.open_k + 30, day.minutes)[i % 2]) for i, row in enumerate(leaving.tolist())]
    universe = replace(tape.universe, away=tuple(away))
    keep = universe.there(np.arange(day.minutes)[:, None])
    late = {k: its.without(~keep[k]) for k, its in tape.late.items()}
    return replace(emptied(replace(tape, late={}), keep), universe=universe, late=late)


def as_it_came(tape: Tape) -> tuple[Universe, Iterator[Bars]]:
    """The universe at the head of a day on which symbols joined or left, and the entries with that in them."""
    whole = tape.universe
    joins = {symbol: end for symbol, first, end in whole.away if first == 0}
    since = np.array([joins.get(symbol, 0) for symbol in whole.symbols])
    return replace(whole.take(np.flatnonzero(since == 0)), away=()), _as_they_came(tape, since)


def _as_they_came(tape: Tape, since: Rows) -> Iterator[Bars]:
    whole = tape.universe
    for k, bars in enumerate(tape):
        back = tuple(symbol for symbol, first, end in whole.away if first and end == k)
        gone = tuple(symbol for symbol, first, _ in whole.away if first == k and k)
        events: list[Event] = [*_joins(whole, np.flatnonzero((since == k) & (k > 0))), *([Join(back)] if back else [])]
        events += [Leave(gone)] if gone else []
        rows = np.flatnonzero(since <= k)
        columns = {name: getattr(bars, name)[rows] for name in FIELDS}
        late = None if bars.late is None else replace(bars.late, row=np.searchsorted(rows, bars.late.row))
        yield replace(bars, **columns, late=late, events=(*bars.events, *events))


def _joins(universe: Universe, rows: Rows) -> Iterator[Join]:
    """The rows that join, with their facts."""
    if rows.size:
        facts = universe.facts.take(rows)
        yield Join.of([universe.symbols[row] for row in rows], **{name: list(getattr(facts, name).T) for name in FACTS})


def with_previews(tape: Tape, every: int = 4) -> Iterator[Bars]:
    """The entries of a tape; before every fourth closed minute comes a forming one that turns out otherwise."""
    for k in range(len(tape)):
        if k % every == 0:
            yield _forming(tape, k, tape.universe.day.minutes - 1 - k)
        yield tape.bars(k)


def _forming(tape: Tape, k: int, like: int) -> Bars:
    """A forming entry of minute `k` with the bars of another minute in other rows."""
    columns = {name: np.roll(getattr(tape, name)[like], 1) for name in FIELDS}
    return Bars(k, **columns, forming=True, instant=tape.universe.day.time(k) - dt.timedelta(seconds=30))
