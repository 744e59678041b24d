"""A history: days of bars measured once, to be judged under any thresholds.

Days do not depend on each other, so they are measured side by side, as if they were more symbols: one pass over the
minutes measures weeks. What looks across the market, and metrics that are not the kit's own, see one day at a time.
What was measured is kept by data, code and metric (`scanner_kit.tuning.shelf`): a day, or a metric, that is known is
not measured again.

>>> from scanner_kit.bars import Tape
>>> from scanner_kit.calendar import TradingDay
>>> from scanner_kit.metrics import Last
>>> universe = Universe.of(TradingDay.of("2025-01-27"), ["NVDA", "AAPL"])
>>> history = History.of_tapes([Tape.empty(universe)], [Last()])
>>> len(history), history.days[0].values[Last()].shape
(1, (960, 2))
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from scanner_kit.bars import FIELDS, Event, Tape, event_of, told
from scanner_kit.calendar import TradingDay
from scanner_kit.day import Day
from scanner_kit.errors import InvalidInput, must_be, short
from scanner_kit.meter import in_order, snapshot_of_day
from scanner_kit.metrics import Metric
from scanner_kit.seal import seal_of_tape
from scanner_kit.snapshot import Snapshot
from scanner_kit.tuning.fingerprint import fingerprint
from scanner_kit.tuning.shelf import Array, Cache, Shelf
from scanner_kit.universe import FACTS, WORDS, Facts, Floats, Universe

COLUMNS_AT_ONCE = 4096
SAVED = "saved"
"""Where a folder tells which days were saved in it."""
Progress = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and how much there is."""
T = TypeVar("T")
R = TypeVar("R")


def silent(what: str, done: int, whole: int) -> None:
    """Nobody is told."""


class MeasuredDay:
    """One day of a history: its bars, universe and measured metrics, as arrays `(minutes, symbols)`."""

    def __init__(self, universe: Universe, shelf: Shelf, bars: Array | None = None) -> None:
        self.universe, self.shelf, self._bars = universe, shelf, bars
        self.values: dict[Metric, Floats] = {}
        self.before: dict[Metric, Floats] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: what is on the shelf is found there, and a shelf on disk by its path."""
        events = self.__dict__["tape"].events if "tape" in self.__dict__ else {}
        return {"universe": self.universe, "shelf": self.shelf, "events": events}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["universe"], state["shelf"])  # type: ignore[misc]
        if state["events"]:
            self.__dict__["tape"] = replace(self.tape, events=state["events"])

    @property
    def day(self) -> TradingDay:
        """The trading day."""
        return self.universe.day

    def __len__(self) -> int:
        return len(self.universe)

    def __repr__(self) -> str:
        return f"<MeasuredDay of {self.day.date}, {len(self)} symbols, {len(self.values)} metrics>"

    @cached_property
    def tape(self) -> Tape:
        """The bars of the day."""
        bars = self.shelf.get("bars") if self._bars is None else self._bars
        if bars is None:
            raise InvalidInput(
                f"A measured day is read from where it lies; found no {getattr(self.shelf, 'path', self.day.date)}. "
                f"Measure it again."
            )
        return Tape(self.universe, **dict(zip(FIELDS, bars, strict=True)))

    @cached_property
    def snapshot(self) -> Snapshot:
        """The whole day, for scanners."""
        tape, minutes = self.tape, np.arange(self.day.minutes)[:, None]
        return Snapshot(self.universe, minutes, tape.open, tape.high, tape.low, tape.close, self.values, self.before)

    def lacks(self, metrics: Iterable[Metric]) -> tuple[Metric, ...]:
        """Those of some metrics that are not measured yet; those that are on the shelf are taken from it."""
        for metric in metrics:
            if metric not in self.values and (kept := self.shelf.get(name_of(metric))) is not None:
                self._has(metric, kept)
        return tuple(metric for metric in metrics if metric not in self.values)

    def keep(self, metric: Metric, columns: Floats) -> None:
        """Put a metric on the shelf: its columns, after a row of the unknown, before 04:00."""
        above = np.full((1, columns.shape[1]), np.nan)
        self._has(metric, self.shelf.put(name_of(metric), np.concatenate([above, columns])))

    def _has(self, metric: Metric, kept: Array) -> None:
        self.values[metric], self.before[metric] = kept[1:], kept[:-1]


Lacking = tuple[MeasuredDay, tuple[Metric, ...]]
"""A day and the metrics that it lacks."""


class History:
    """Days that were measured, oldest first; further metrics are measured when they are required."""

    def __init__(self, days: Sequence[MeasuredDay], progress: Progress = silent) -> None:
        must_be(Iterable, days, "A history is of days that were measured", "Make it with sk.measure(bars, days).")
        self.days, self._progress = tuple(days), progress

    @classmethod
    def of_tapes(
        cls,
        tapes: Iterable[Tape],
        metrics: Iterable[Metric] = (),
        cache: Cache | None = None,
        progress: Progress = silent,
    ) -> "History":
        """The history of tapes in memory."""
        shelves = Cache(None) if cache is None else cache
        history = cls(sorted((_shelved(tape, shelves)[1] for tape in tapes), key=lambda day: day.day), progress)
        history.require(metrics)
        return history

    def save(self, folder: str | Path) -> Path:
        """Keep its days in a folder, for `load`: bars, universe and events; what is measured is found again from them.

        `InvalidInput` where the folder cannot be written.
        """
        cache = Cache(folder)
        cache.sources().write(SAVED, [_shelved(day.tape, cache)[0] for day in self.days])
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> "History":
        """The days that `save` put into a folder; the folder stays as it is. `InvalidInput` where there are none."""
        cache = Cache(folder)
        keys = cache.sources().read(SAVED) or ()
        days = [_kept(cache, key, TradingDay.of(key[:10])) for key in keys]
        if not days or any(day is None for day in days):
            raise InvalidInput(
                f"A history is loaded from the folder that it was saved in; {str(folder)!r} holds none, or not all of "
                f"it. Look from which folder the path starts, or save it again."
            )
        return cls.of_tapes(day.tape for day in days if day is not None)

    def __len__(self) -> int:
        return len(self.days)

    def __repr__(self) -> str:
        if not self.days:
            return "<History of no days>"
        first, last = self.days[0].day.date, self.days[-1].day.date
        return f"<History of {len(self)} days, {first} to {last}, {self.symbols} symbols>"

    @property
    def symbols(self) -> int:
        """How many symbols there are, over all days."""
        return len(set().union(*(day.universe.symbols for day in self.days)))

    @property
    def dates(self) -> tuple[Any, ...]:
        """The dates of its days."""
        return tuple(day.day.date for day in self.days)

    def __getstate__(self) -> dict[str, Any]:
        """Its days; who is told of progress here is not told elsewhere."""
        return {"days": self.days, "_progress": silent}

    def part(self, days: Iterable[int]) -> "History":
        """Some of its days, by their places; nothing is measured or copied."""
        return History([self.days[i] for i in days], self._progress)

    def require(self, metrics: Iterable[Metric]) -> None:
        """Measure what of some metrics, and of all that they need, is not measured yet."""
        wanted = in_order(metrics)
        lacking = [(day, missing) for day in self.days if (missing := day.lacks(wanted))]
        jobs = list(_jobs(lacking))
        done, whole = 0, sum(len(days) for days, _ in jobs)
        for days in over_cores(lambda job: _measure_beside(*job), jobs):
            done += days
            self._progress("measured", done, whole)


def over_cores(work: Callable[[T], R], jobs: Sequence[T]) -> Iterator[R]:
    """Do some jobs on all cores, in threads: compiled loops and large arrays let others run meanwhile."""
    if len(jobs) < 2:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, jobs)


def check_history(history: Any) -> None:
    """`InvalidInput` for what scanners cannot be tuned on."""
    if not isinstance(history, History):
        raise InvalidInput(
            f"A scanner is tuned on a History; found {short(history)}. Make one with sk.measure(bars, days, [scanner])."
        )


def name_of(metric: Metric) -> str:
    """The name under which a metric stands on a shelf."""
    return f"{metric.name}-{fingerprint(metric)}"


# Days on shelves


def measured(
    source: Any,
    days: Iterable[TradingDay],
    metrics: Iterable[Metric],
    cache: Cache,
    key: str = "",
    progress: Progress = silent,
) -> History:
    """Days of a source, measured; with a `key` that stands for its values, days that are known are not read again."""
    wanted, known = list(days), cache.sources().read(key) if key else {}
    known = known if isinstance(known, dict) else {}
    found: list[MeasuredDay] = []
    for i, day in enumerate(wanted):
        kept = _kept(cache, known.get(str(day.date)), day)
        if kept is None:
            known[str(day.date)], kept = _shelved(source.tape(day), cache)
        found.append(kept)
        progress("read", i + 1, len(wanted))
    if key:
        cache.sources().write(key, known)
    history = History(found, progress)
    history.require(metrics)
    return history


def _kept(cache: Cache, key: str | None, day: TradingDay) -> MeasuredDay | None:
    """A day that is on its shelf already."""
    if key is None:
        return None
    shelf = cache.day(key)
    head, numbers, usual, bars = shelf.read("head"), shelf.get("facts"), shelf.get("usual_volume"), shelf.get("bars")
    if not _is_head(head) or numbers is None or usual is None or bars is None:
        return None
    words = {name: np.array(column, dtype=object) for name, column in zip(WORDS, head["words"], strict=True)}
    facts = Facts(usual_volume=usual, **dict(zip(_numbers(), numbers, strict=True)), **words)
    share, same, label, *spans = head["source"]
    away = tuple((who, first, end) for some in spans for who, first, end in some)
    universe = Universe(day, tuple(head["symbols"]), facts, share, same, label, away)
    return _with_events(
        MeasuredDay(universe, shelf, bars),
        _events(head.get("events", {})),
    )


def _is_head(head: Any) -> bool:
    return isinstance(head, dict) and {"symbols", "words", "source"} <= head.keys()


def _shelved(tape: Tape, cache: Cache) -> tuple[str, MeasuredDay]:
    """A tape put on its shelf, and the shelf's key."""
    if tape.late:
        raise InvalidInput(
            f"A history is made of whole days; found late bars in the tape of {tape.universe.day.date}. "
            f"Put them into their minutes, as a file of bars does."
        )
    universe = tape.universe
    source = [universe.share_of_market, universe.daily_same_source, universe.label]
    source += [universe.away] if universe.away else []
    halts = [[k, str(event)] for k, events in sorted(tape.events.items()) for event in events]
    key = f"{universe.day.date}-{seal_of_tape(tape)[:24]}-{_short(source, halts)}"
    shelf = cache.day(key)
    bars = shelf.put("bars", np.stack([getattr(tape, name) for name in FIELDS]))
    shelf.put("facts", np.stack([getattr(universe.facts, name) for name in _numbers()]))
    shelf.put("usual_volume", np.array(universe.facts.usual_volume))
    words = [getattr(universe.facts, name).tolist() for name in WORDS]
    events = {str(k): list(map(told, some)) for k, some in tape.events.items()}
    shelf.write("head", {"symbols": universe.symbols, "words": words, "source": source, "events": events})
    return key, _with_events(MeasuredDay(universe, shelf, bars), tape.events)


def _with_events(day: MeasuredDay, events: dict[int, tuple[Event, ...]]) -> MeasuredDay:
    if events:
        day.__dict__["tape"] = replace(day.tape, events=events)
    return day


def _events(plain: dict[str, list[list[Any]]]) -> dict[int, tuple[Event, ...]]:
    """The events that were told so."""
    return {int(k): tuple(map(event_of, some)) for k, some in plain.items()}


def _numbers() -> tuple[str, ...]:
    return tuple(name for name in FACTS if name not in (*WORDS, "usual_volume"))


def _short(*said: Any) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:8]


# Measuring


def _jobs(
    lacking: Sequence[tuple[MeasuredDay, tuple[Metric, ...]]],
) -> Iterator[tuple[list[MeasuredDay], tuple[Metric, ...]]]:
    """Days that can be measured side by side, with the metrics that they lack; not too many columns at once."""

    def alike(one: Lacking) -> Any:
        universe, missing = one[0].universe, one[1]
        length = universe.day.close_k, universe.day.minutes
        return (*length, universe.share_of_market, universe.daily_same_source, tuple(map(name_of, missing)))

    for _, group in groupby(sorted(lacking, key=alike), key=alike):
        some = list(group)
        ends = np.cumsum([len(day) for day, _ in some])
        for _, batch in groupby(zip(some, ends.tolist(), strict=True), key=lambda one: one[1] // COLUMNS_AT_ONCE):
            days = [day for (day, _), _ in batch]
            yield days, some[0][1]


def _measure_beside(days: Sequence[MeasuredDay], metrics: Sequence[Metric]) -> int:
    """Measure some metrics over days of equal length, and put them on their shelves; how many days they were."""
    wanted = in_order(metrics)
    apart = [metric for metric in wanted if _sees_the_day(metric)]
    beside = in_order(metric for metric in wanted if metric not in apart)
    if beside:
        ends = np.cumsum([len(day) for day in days])
        whole = snapshot_of_day(Day.of(_side_by_side(days)), beside, days[0].day.minutes).values
        for day, end in zip(days, ends.tolist(), strict=True):
            for metric in set(metrics) & set(beside):
                day.keep(metric, whole[metric][:, end - len(day) : end])
    if apart:
        for day in days:
            alone = snapshot_of_day(Day.of(day.tape), in_order(apart), day.day.minutes).values
            for metric in set(metrics) & set(apart):
                day.keep(metric, alone[metric])
    return len(days)


def _sees_the_day(metric: Metric) -> bool:
    """Whether it, or what it needs, looks across the market, or may look at the date."""
    return any(one.market or not type(one).__module__.startswith("scanner_kit.") for one in in_order([metric]))


def _side_by_side(days: Sequence[MeasuredDay]) -> Tape:
    """The tapes of days of equal length as one, whose symbols are those of all."""
    if len(days) == 1:
        return days[0].tape
    first = days[0].universe
    symbols = tuple(f"{i:05d} {symbol}" for i, day in enumerate(days) for symbol in day.universe.symbols)
    facts = {name: np.concatenate([getattr(day.universe.facts, name) for day in days], axis=-1) for name in FACTS}
    universe = replace(first, symbols=symbols, facts=Facts(**facts), away=())
    bars: dict[str, Any] = {name: np.concatenate([getattr(day.tape, name) for day in days], axis=1) for name in FIELDS}
    return Tape(universe, **bars)
