"""The archive: finished days of the tape as files, from which they can be read, played and put on a bus again.

A day is three files in a folder, all of them there or the day is not:

- `DAY.parquet`: its minute bars by symbol, as any file of bars, and with which step each `arrived`; late ones come
  last, so that whoever reads the file has them in their minutes;
- `DAY.tape`: whatever else stood on the tape, entry by entry (Arrow), so that the tape can be made again as it was;
- `daily/DAY.parquet`: the daily rows that its bars make.

Files get their names when they are whole, `DAY.parquet` last. Nothing here is ever removed: how long days are kept is
for the user to say.
"""

import datetime as dt
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scanner_kit.bars import FIELDS, Event, Join, LateBars, Leave, Tape, VendorHalt
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.entries import LATE, Fields, events_of, packed
from scanner_kit.bus.folding import BARS, CHANGES, Folding
from scanner_kit.bus.heads import Head
from scanner_kit.bus.tape import TapeReader, TapeWriter, set_current_day
from scanner_kit.calendar import DateLike, TradingDay, as_date
from scanner_kit.errors import InvalidInput
from scanner_kit.live.filing import DaysBars, Raw, RowsOfEntries, head_of
from scanner_kit.live.lists import Lists
from scanner_kit.seal import seal_of_settings, seal_of_tape
from scanner_kit.universe import Universe
from scanner_kit.widening import Widening


@dataclass(frozen=True)
class Archive:
    """The days in a folder. A source of tapes, with the universe and the facts that each had at its head."""

    folder: Path

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """The days that there are, oldest first."""
        found = (path.stem for path in self.folder.glob("????-??-??.parquet"))
        return tuple(sorted(dt.date.fromisoformat(name) for name in found))

    @property
    def days(self) -> tuple[TradingDay, ...]:
        """The trading days that there are, oldest first."""
        return tuple(map(TradingDay.of, self.dates))

    @property
    def report(self) -> Mapping[str, int]:
        """What entry refused or mended: nothing, the tape had been checked."""
        return {}

    @property
    def seal(self) -> str:
        """A hash of the values of every day."""
        return seal_of_settings({"tapes": [seal_of_tape(self.tape(day)) for day in self.days]})

    def bars(self, day: DateLike) -> Path:
        """The file of a day's minute bars."""
        return self.folder / f"{as_date(day)}.parquet"

    def daily(self, day: DateLike) -> Path:
        """The file of a day's daily rows."""
        return self.folder / "daily" / f"{as_date(day)}.parquet"

    def rest(self, day: DateLike) -> Path:
        """The file of what else stood on a day's tape."""
        return self.folder / f"{as_date(day)}.tape"

    def __contains__(self, day: object) -> bool:
        date = day.date if isinstance(day, TradingDay) else as_date(day)  # type: ignore[arg-type]
        return self.bars(date).is_file()

    def has_ended(self, day: TradingDay) -> bool:
        """Whether a day is there to its end, and not as somebody exported it before."""
        return day in self and self._day(day).ended

    def head(self, day: TradingDay | DateLike) -> Head:
        """What stood at the head of a day's tape."""
        return self._day(day).head

    def tape(self, day: TradingDay | DateLike) -> Tape:
        """A day as its closed entries, with what came with each; entries within the minute are left out."""
        return self._day(day).tape()

    def settled(self, day: TradingDay | DateLike) -> Tape:
        """A day with late bars in their minutes, as who looks back at it sees it: for the lab."""
        tape = self.tape(day)
        for k, late in tape.late.items():
            some = late.usable(k, len(tape.universe))
            for name in FIELDS:
                getattr(tape, name)[some.k, some.row] = getattr(some, name)
        return replace(tape, late={})

    def entries(self, day: TradingDay | DateLike) -> Iterator[Raw]:
        """A day's entries as they stood on the stream, head and all."""
        return self._day(day).entries()

    def _day(self, day: TradingDay | DateLike) -> "_Day":
        date = day.date if isinstance(day, TradingDay) else as_date(day)
        if date not in self:
            known = ", ".join(map(str, self.dates[-5:])) or "none"
            raise InvalidInput(f"{str(self.folder)!r} has no day {date}; its last: {known}. See scanner-kit tape.")
        return _Day(self, date)

    def put(self, raw: Sequence[Raw]) -> Path:
        """Write a day from its entries, unless as much of it is there; the file of its bars.

        Raises
        ------
        InvalidInput
            The folder cannot be written.
        """
        head = head_of(raw)
        date = head.universe.day.date
        if date in self and self._day(date).reached >= _reached(raw):
            return self.bars(date)
        try:
            self.daily(date).parent.mkdir(parents=True, exist_ok=True)
            self.bars(date).unlink(missing_ok=True)  # of a part of the day: its files belong together
            days_bars = DaysBars(raw)
            with _Part(self.bars(date)) as bars, _Part(self.daily(date)) as daily, _Part(self.rest(date)) as rest:
                _write_rest(rest.part, raw)
                days_bars.write(bars.part, daily.part)
        except OSError as fault:
            reason = fault.strerror or str(fault)
            raise InvalidInput(
                f"The archive of {date} goes to {str(self.folder)!r}, which cannot be written: {reason}. Make room, or "
                "choose another state folder."
            ) from fault
        return self.bars(date)


def archive(bus: Bus, day: TradingDay, folder: Path) -> Path:
    """Write a day that is on the bus into a folder, unless it is there to its end.

    `InvalidInput` where the bus has no such day, or the folder cannot be written.
    """
    there = Archive(folder)
    if there.has_ended(day):
        return there.bars(day.date)
    raw = list(TapeReader(bus, day).raw())
    if not raw:
        raise InvalidInput(f"The bus has no tape of {day.date} under {bus.keys.prefix!r}. Name a day that it has.")
    return there.put(raw)


def put_back(bus: Bus, there: Archive, day: TradingDay, *, follow: bool = False) -> None:
    """Put an archived day on a bus again, with its lists of symbols; with `follow` as the day to look at.

    `InvalidInput` where the bus has a tape of that day.
    """
    writer = TapeWriter(bus, day)
    if writer.go_on() is not None:
        raise InvalidInput(f"The bus has a tape of {day.date} already. Choose another prefix.")
    raw = there.entries(day)
    writer.open(there.head(day))
    others = {kind: TapeWriter(bus, day, kind) for kind in ("settings", "probe", "universe")}
    vendor = TapeWriter(bus, day, "vendor")
    for n, (_, fields) in enumerate(raw, start=1):
        kind = fields[b"kind"].decode()
        if kind == "head":
            continue
        kept = {name: value for name, value in fields.items() if name != b"version"}
        if kind in (*BARS, "end"):
            writer.append_next(kind, kept)
        elif kind in CHANGES:
            writer.changes += 1
            others["universe"].append(kind, writer.changes, kept)
        else:
            number = _version_of(fields) if kind == "settings" else n
            others.get(kind, vendor).append(kind, number, kept)
    over = threading.Event()
    if writer.over:
        Lists(bus, day).run(over)
    if follow:
        set_current_day(bus, day)


@dataclass(frozen=True)
class _Day:
    """One archived day."""

    archive: Archive
    date: dt.date

    @cached_property
    def _rest(self) -> list[Raw]:
        with pa.memory_map(str(self.archive.rest(self.date))) as file:
            table = pa.ipc.open_file(file).read_all()
            columns = (table[name].to_pylist() for name in ("id", "names", "values"))
            return [(at, dict(zip(names, values, strict=True))) for at, names, values in zip(*columns, strict=True)]

    @cached_property
    def head(self) -> Head:
        return head_of(self._rest)

    @property
    def reached(self) -> tuple[bool, int]:
        return _reached(self._rest)

    @property
    def ended(self) -> bool:
        return any(fields[b"kind"] == b"end" for _, fields in self._rest)

    def entries(self) -> Iterator[Raw]:
        closed = self._closed()
        for at, fields in self._rest:
            if fields[b"kind"] == b"closed":
                fields = {**fields, b"b": closed[int(fields[b"k"])]}
            yield at, fields

    def tape(self) -> Tape:
        folding, known = Folding(self.head.universe, version=self.head.version), set(self.head.universe.symbols)
        entries = folding.take((at, fields) for at, fields in self.entries() if fields[b"kind"] != b"head")
        whole = Tape.empty(folding.universe)

        @cache
        def wide(symbols: tuple[str, ...]) -> Widening:
            return Widening.of(symbols, whole.universe.symbols)

        for entry in entries:
            if entry.bars is None:
                continue
            bars = entry.bars.onto(wide(entry.universe.symbols)).without(~whole.universe.there(entry.bars.k))
            if events := tuple(_heard(bars.events, known)):
                whole.events[bars.k] = (*whole.events.get(bars.k, ()), *events)
            if bars.late is not None:
                whole.late[bars.k] = _joined([whole.late[bars.k], bars.late] if bars.k in whole.late else [bars.late])
            if not bars.forming:
                for name in FIELDS:
                    getattr(whole, name)[bars.k] = getattr(bars, name)
        return whole

    def _closed(self) -> dict[int, bytes]:
        """The bars of each closed entry, as they stand on a tape."""
        table = pq.read_table(self.archive.bars(self.date), read_dictionary=["symbol"])
        k = _minutes_of(table, self.head.universe.day)
        rows = RowsOfEntries(self._rest)
        arrived, row = table["arrived"].to_numpy(), _rows_of(table, rows.universe)
        order = np.flatnonzero(arrived == k)
        order = order[np.argsort(k[order], kind="stable")]
        columns = {"row": row[order].astype(np.int32)} | {name: table[name].to_numpy()[order] for name in FIELDS}
        ends = np.searchsorted(k[order], np.arange(self.head.universe.day.minutes + 1)).tolist()
        found = {}
        for minute in range(len(ends) - 1):
            its = {name: column[ends[minute] : ends[minute + 1]] for name, column in columns.items()}
            if minute in rows.closed:
                its["row"] = np.searchsorted(rows.closed[minute], its["row"]).astype(np.int32)
            found[minute] = packed(its)
        return found


class _Part:
    """A file that gets its name when it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(f".{path.name}.part")

    def __enter__(self) -> "_Part":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.part.unlink(missing_ok=True)
            return
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)


def _heard(events: Iterable[Event], known: set[str]) -> Iterator[Event]:
    """What of events stands on a tape over all symbols of the day: no halt of one that had not joined yet."""
    for event in events:
        if isinstance(event, Join):
            known.update(event.symbols)
        elif not isinstance(event, Leave) and not (isinstance(event, VendorHalt) and event.symbol not in known):
            yield event


def _reached(raw: Sequence[Raw]) -> tuple[bool, int]:
    """How far a tape is: whether it has ended, and how many of its entries stay whatever follows."""
    kinds = [fields[b"kind"] for _, fields in raw]
    return b"end" in kinds, sum(kind != b"forming" for kind in kinds)


def _version_of(fields: Fields) -> int:
    [event] = events_of(fields)
    return int(getattr(event, "version", 0))


def _joined(parts: Sequence[LateBars]) -> LateBars:
    return LateBars(*(np.concatenate([getattr(part, name) for part in parts]) for name in LATE))


def _write_rest(path: Path, raw: Sequence[Raw]) -> None:
    kept = [
        {name: value for name, value in fields.items() if fields[b"kind"] != b"closed" or name != b"b"}
        for _, fields in raw
    ]
    several = pa.list_(pa.binary())
    table = pa.table(
        {
            "id": pa.array([at for at, _ in raw], pa.string()),
            "names": pa.array([list(fields) for fields in kept], several),
            "values": pa.array([list(fields.values()) for fields in kept], several),
        }
    )
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def _minutes_of(table: pa.Table, day: TradingDay) -> np.ndarray:
    start = int(day.start.astype("datetime64[us]").astype(np.int64))
    return np.asarray((table["ts"].cast(pa.int64()).to_numpy() - start) // 60_000_000)


def _rows_of(table: pa.Table, universe: Universe) -> np.ndarray:
    coded = table["symbol"].unify_dictionaries().combine_chunks()
    chunk = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    rows = np.array([universe.row(symbol) for symbol in chunk.dictionary.to_pylist()], dtype=np.int64)
    return rows[pc.cast(chunk.indices, pa.int64()).to_numpy()] if len(rows) else np.zeros(0, dtype=np.int64)
