"""Filing: the bars of a day, cut out of the entries of its tape into files by symbol."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scanner_kit.bars import FIELDS
from scanner_kit.bus.entries import LATE, Fields, columns_of, events_of
from scanner_kit.bus.folding import CHANGES, heeded
from scanner_kit.bus.heads import Head, decode_head
from scanner_kit.entry import Rows, admit
from scanner_kit.facts import DAILY, DatedRows, daily_rows_of
from scanner_kit.widening import Widening

SYMBOLS_AT_ONCE = 2_048
Raw = tuple[str, Fields]
"""An entry as it stands on a stream, by id."""
SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ts", pa.timestamp("us", tz="UTC")),
        *((name, pa.float64()) for name in FIELDS),
        ("arrived", pa.int32()),
    ]
)


def head_of(raw: Sequence[Raw]) -> Head:
    """What stands at the head of the entries of a day."""
    return decode_head([fields for _, fields in raw if fields[b"kind"] == b"head"])


class RowsOfEntries:
    """The universe that a day ends with; where the rows of each entry stand in it, and those of each closed minute."""

    def __init__(self, raw: Sequence[Raw]) -> None:
        universe, k, known = head_of(raw).universe, -1, []
        for _, fields in raw:
            if fields[b"kind"].decode() in CHANGES:
                universe, _ = heeded(universe, events_of(fields), k + 1)
            elif fields[b"kind"] == b"closed":
                k = int(fields[b"k"])
            known.append(universe.symbols)
        self.universe = universe

        @cache
        def rows(symbols: tuple[str, ...]) -> np.ndarray:
            return Widening.of(symbols, universe.symbols).rows

        self.all = list(map(rows, known))
        kinds = ((fields, its) for (_, fields), its in zip(raw, self.all, strict=True))
        self.closed = {int(fields[b"k"]): its for fields, its in kinds if fields[b"kind"] == b"closed"}


class DaysBars:
    """The bars of a day, cut out of its entries some symbols at a time, so that memory stays bounded."""

    def __init__(self, raw: Sequence[Raw]) -> None:
        rows = RowsOfEntries(raw)
        self.universe = universe = rows.universe
        self._raw = [(fields, its) for (_, fields), its in zip(raw, rows.all, strict=True)]
        self._start = int(universe.day.start.astype("datetime64[m]").astype(np.int64))

    def write(self, bars: Path, daily: Path) -> None:
        """Write the file of minute bars, and that of the daily rows that they make."""
        rows, lates = [], []
        with pq.ParquetWriter(bars, SCHEMA, compression="zstd", use_dictionary=["symbol"]) as writer:
            for first in range(0, max(1, len(self.universe)), SYMBOLS_AT_ONCE):
                some = slice(first, first + SYMBOLS_AT_ONCE)
                in_time, late = self._of(some, late=False), self._of(some, late=True)
                order = np.argsort(in_time["row"], kind="stable")
                writer.write_table(self._table({name: column[order] for name, column in in_time.items()}))
                rows.append(self._daily({name: np.concatenate([in_time[name], late[name]]) for name in late}))
                lates.append(late)
            late = {name: np.concatenate([part[name] for part in lates]) for name in lates[0]}
            order = np.argsort(late["arrived"], kind="stable")
            writer.write_table(self._table({name: column[order] for name, column in late.items()}))
        _write_daily(daily, DatedRows.joined(rows, DAILY))

    def _of(self, some: slice, *, late: bool) -> dict[str, np.ndarray]:
        """The bars of some symbols in order of arrival: `row`, `k`, `arrived` and the fields."""
        parts = []
        for fields, rows in self._raw:
            if late and b"late" in fields:
                parts.append(self._late(fields, rows, some))
            elif not late and fields[b"kind"] == b"closed":
                parts.append(self._in_time(fields, rows, some))
        names = ("row", "k", "arrived", *FIELDS)
        types = {name: np.int64 if name in names[:3] else np.float64 for name in names}
        return {name: np.concatenate([np.zeros(0, types[name]), *(part[name] for part in parts)]) for name in names}

    def _in_time(self, fields: Fields, rows: np.ndarray, some: slice) -> dict[str, np.ndarray]:
        columns, k = columns_of(fields[b"b"])[0], int(fields[b"k"])
        row = columns.pop("row", None)
        row = rows if row is None else rows[row]
        cut = slice(*np.searchsorted(row, [some.start, some.stop]).tolist())
        bars = {name: columns[name][cut] for name in columns}
        n = len(row[cut])
        return {"vwap": np.full(n, np.nan), "row": row[cut].astype(np.int64), "k": np.full(n, k)} | bars | {
            "arrived": np.full(n, k)
        }  # fmt: skip

    def _late(self, fields: Fields, rows: np.ndarray, some: slice) -> dict[str, np.ndarray]:
        columns, k = columns_of(fields[b"late"])[0], int(fields[b"k"])
        there = (columns["row"] >= 0) & (columns["row"] < len(rows)) & (columns["k"] >= 0) & (columns["k"] < k)
        columns = {name: column[there] for name, column in columns.items()}
        columns["row"] = rows[columns["row"]]
        there = (columns["row"] >= some.start) & (columns["row"] < some.stop)
        return {name: columns[name][there] for name in LATE} | {"arrived": np.full(int(there.sum()), k)}

    def _table(self, columns: Mapping[str, np.ndarray]) -> pa.Table:
        ts = (self._start + columns["k"]).astype("datetime64[m]").astype("datetime64[us]")
        symbols = pa.DictionaryArray.from_arrays(columns["row"].astype(np.int32), pa.array(self.universe.symbols))
        arrays = {"symbol": symbols.cast(pa.string()), "ts": pa.array(ts).cast(SCHEMA.field("ts").type)}
        arrays |= {name: pa.array(columns[name]) for name in FIELDS}
        return pa.table({**arrays, "arrived": pa.array(columns["arrived"].astype(np.int32))}, schema=SCHEMA)

    def _daily(self, columns: Mapping[str, np.ndarray]) -> DatedRows:
        fields = {name: columns[name] for name in FIELDS}
        rows = Rows(self.universe.symbols, columns["row"], self._start + columns["k"], **fields)
        return daily_rows_of(admit(rows)[0])


def _write_daily(path: Path, rows: DatedRows) -> None:
    names = np.array([*rows.names, None], dtype=object)
    columns: dict[str, Any] = {"symbol": pa.array(names[rows.symbol], pa.string()), "date": pa.array(rows.date)}
    pq.write_table(pa.table(columns | {name: rows.columns[name] for name in DAILY}), path, compression="zstd")
