"""Measuring: days of files, of frames, of tapes or of the simulated market become a history to tune on.

>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> history = measure(SimulatedMarket(symbols=10), 2, cache=False)
>>> history
<History of 2 days, 2025-06-18 to 2025-06-20, 10 symbols>
"""

import datetime as dt
import hashlib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from scanner_kit import entry, facts
from scanner_kit import scanners as built_in
from scanner_kit.bars import Tape
from scanner_kit.calendar import DateLike, TradingDay, as_date
from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.errors import InvalidInput, must_be
from scanner_kit.meter import check_metrics
from scanner_kit.metrics import Metric
from scanner_kit.settings import cache_folder
from scanner_kit.sources import _files, tape
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource, simulated_tape
from scanner_kit.tuning.history import History, Progress, measured, silent
from scanner_kit.tuning.judging import BESIDE
from scanner_kit.tuning.shelf import Cache

SIMULATED_DAYS = 5
MOST_BYTES = 20e9
"""What the cache keeps at the most; the days that were used longest ago are given up."""
Days = int | str | DateLike | TradingDay | Iterable[DateLike | TradingDay] | None


def measure(
    bars: Any,
    days: Days = None,
    scanners: AnyScanner | Iterable[AnyScanner] | None = None,
    *,
    metrics: Iterable[Metric] = (),
    cache: str | Path | bool = True,
    progress: Progress | bool = True,
    **source: Any,
) -> History:
    """Measure days once, to judge them under any thresholds.

    `bars` are what `TapeSource` takes (a path, a frame, or several; `daily`, `reference`, … of `source` beside them), a
    `TapeSource`, a `SimulatedMarket`, or tapes. `days` are dates, `"2025-01-06:2025-01-31"`, or a number: the last so
    many (of a simulated market the first, from its day on); by default all. Measured are the metrics of `scanners`, by
    default of every built-in one that speaks up, and `metrics`; what is missing later is measured then.

    What was measured is kept in a folder, by data, code and metric: `cache` names another one, False keeps it in
    memory. `InvalidInput` says what does not fit.
    """
    check_metrics(metrics)
    must_be((str, Path, bool), cache, "The cache is a folder", "Name one, or write False to keep it in memory.")
    roster = _roster(scanners)
    wanted = (*BESIDE, *(metric for scanner in roster for metric in scanner.metrics()), *metrics)
    shelves = _cache(cache)
    if source and (_are_tapes(bars) or isinstance(bars, SimulatedMarket | TapeSource)):
        raise InvalidInput(
            f"{', '.join(source)} stand beside files or frames; found {type(bars).__name__}, which has all that it "
            f"needs. Leave them out."
        )
    with _shown(progress) as told:
        if _are_tapes(bars):
            tapes = [bars] if isinstance(bars, Tape) else list(bars)
            chosen = set(_chosen(days, [one.universe.day for one in tapes]))
            history = History.of_tapes([one for one in tapes if one.universe.day in chosen], wanted, shelves, told)
        elif isinstance(bars, SimulatedMarket):
            market = _Simulated(bars)
            history = measured(market, market.days(days), wanted, shelves, market.key, told)
        else:
            given = bars if isinstance(bars, TapeSource) else TapeSource(bars, **source)
            history = _of_files(given, days, wanted, shelves, told)
    shelves.prune(MOST_BYTES)
    return history


def tape_of(bars: Any, day: TradingDay) -> Tape:
    """The tape of one day of what `measure` takes as bars, or of a history; `InvalidInput` where it has none."""
    if isinstance(bars, SimulatedMarket):
        return _Simulated(bars).tape(day)
    if isinstance(bars, History):
        known = {one.day: one for one in bars.days}
        return known[day].tape if day in known else _without(day, known)
    if _are_tapes(bars):
        tapes = {one.universe.day: one for one in ([bars] if isinstance(bars, Tape) else bars)}
        return tapes[day] if day in tapes else _without(day, tapes)
    return (bars if isinstance(bars, TapeSource) else TapeSource(bars)).tape(day)


def _without(day: TradingDay, known: Iterable[TradingDay]) -> NoReturn:
    there = ", ".join(str(one.date) for one in sorted(known)) or "none"
    raise InvalidInput(f"There is no tape of {day.date}; found {there}. Give the days that it is among.")


def _of_files(source: TapeSource, days: Days, wanted: Sequence[Metric], shelves: Cache, told: Progress) -> History:
    key = _key_of(source)
    known = shelves.sources().read(f"{key}-days") if key else None
    if not isinstance(known, list) or not all(isinstance(date, str) for date in known):
        known = [str(day.date) for day in source.days]
        if key:
            shelves.sources().write(f"{key}-days", known)
    return measured(source, _chosen(days, [TradingDay.of(date) for date in known]), wanted, shelves, key, told)


def _roster(scanners: AnyScanner | Iterable[AnyScanner] | None) -> list[AnyScanner]:
    """The scanners that are meant; `InvalidInput` for what is none."""
    if scanners is None:
        return [one for one in built_in.roster() if one.triggers]
    given: Any = scanners if isinstance(scanners, Iterable) else [scanners]
    return [fixed(one) for one in given]


class _Simulated:
    """The days of a simulated market, from its own on."""

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market

    @property
    def key(self) -> str:
        given = {name: value for name, value in self.market.param.values().items() if name != "name"}
        return _hash("simulated", _code(), repr(sorted(given.items())))

    def days(self, days: Days) -> list[TradingDay]:
        if days is None or isinstance(days, int):
            found = [TradingDay.of(self.market.day)]
            for _ in range(1, _count(SIMULATED_DAYS if days is None else days)):
                found.append(TradingDay.after(found[-1].date))
            return found
        if isinstance(days, str) and ":" in days:
            raise InvalidInput(f"Days of a simulated market are a number or dates; found {days!r}. Give, say, 20.")
        return sorted({_day(day) for day in ([days] if _is_one(days) else days)})  # type: ignore[union-attr]

    def tape(self, day: TradingDay) -> Tape:
        market = self.market
        given = {name: value for name, value in market.param.values().items() if name not in ("name", "day")}
        return simulated_tape(SimulatedMarket(**given, day=day.date))


def _chosen(days: Days, known: Sequence[TradingDay]) -> list[TradingDay]:
    """The days that are meant, oldest first; `InvalidInput` for one that is not among the known ones."""
    ordered = sorted(known)
    if days is None:
        return ordered
    if isinstance(days, int):
        return ordered[-_count(days) :]
    if isinstance(days, str) and ":" in days:
        first, _, last = days.partition(":")
        ends = (as_date(first) if first else dt.date.min, as_date(last) if last else dt.date.max)
        found = [day for day in ordered if ends[0] <= day.date <= ends[1]]
    else:
        found = sorted({_day(day) for day in ([days] if _is_one(days) else days)})  # type: ignore[union-attr]
    lacking = [str(day.date) for day in found if day not in set(ordered)]
    if lacking or not found:
        span = f"{ordered[0].date} to {ordered[-1].date}" if ordered else "none"
        raise InvalidInput(
            f"A history is made of days that have bars; found {', '.join(lacking) or repr(days)}. "
            f"There are {len(ordered)}: {span}."
        )
    return found


def _count(days: int) -> int:
    if isinstance(days, bool) or days < 1:
        raise InvalidInput(f"A number of days is 1 or more; found {days!r}. Leave it out for all of them.")
    return days


def _day(day: Any) -> TradingDay:
    return day if isinstance(day, TradingDay) else TradingDay.of(day)


def _is_one(days: Any) -> bool:
    return isinstance(days, str | TradingDay) or not isinstance(days, Iterable)


def _are_tapes(bars: Any) -> bool:
    return isinstance(bars, Tape) or (isinstance(bars, list | tuple) and bool(bars) and isinstance(bars[0], Tape))


# What is kept


def _cache(cache: str | Path | bool) -> Cache:
    if cache is False:
        return Cache(None)
    return Cache(cache_folder() / "history" if cache is True else Path(cache))


def _key_of(source: TapeSource) -> str:
    """What stands for the values of files; nothing for frames: of them each day is told by its own values."""
    parts = [_code()]
    for name in ("bars", "daily", "reference"):
        given = getattr(source, name)
        for one in [] if given is None else given if isinstance(given, list | tuple) else [given]:
            if not isinstance(one, str | Path):
                return ""
            with Path(one).open("rb") as file:
                parts.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
    said = (source.fills, source.share_of_market, source.daily_same_source, source.label)
    return _hash(*parts, repr(said))


def _code() -> str:
    """What stands for the code that makes tapes out of files."""
    return _hash(
        str(import_module("scanner_kit").__version__),
        *(inspect.getsource(module) for module in (entry, facts, tape, _files)),
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


# What is shown


@contextmanager
def _shown(progress: Progress | bool) -> Iterator[Progress]:
    """Progress as it was asked for: a bar, a function of one's own, or nothing."""
    from rich.console import Console

    console = Console(stderr=True)
    if progress is not True or not (console.is_terminal or console.is_jupyter):
        yield silent if isinstance(progress, bool) else progress
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, whole: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=whole)
            bar.update(tasks[what], completed=done)

        yield told
