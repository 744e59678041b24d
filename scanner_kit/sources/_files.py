"""Reading files and frames into plain columns: what a column may look like, and what is said when it does not.

`minute_rows`, `daily_rows` and `reference_rows` take Parquet, CSV or DataFrames alike: each is opened as an Arrow table
of the columns that a `Layout` names, and every column is then turned into numpy by what it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from scanner_kit.bars import PRICES
from scanner_kit.entry import NO_MINUTE, NO_SYMBOL, Dates, Ints, Rows
from scanner_kit.errors import InvalidInput
from scanner_kit.facts import DAILY, NUMBERS, DatedRows
from scanner_kit.universe import WORDS, Floats

Given = str | Path | pd.DataFrame
PARQUET, CSV = (".parquet", ".pq"), (".csv", ".csv.gz")
PER_MINUTE = {"s": 60, "ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}


@dataclass(frozen=True)
class Layout:
    """The columns that a kind of file has, and may have."""

    what: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.needed, *self.optional)


MINUTE = Layout("minute bars", ("symbol", "ts", *PRICES, "volume"), ("vwap",))
DAY = Layout("daily rows", ("symbol", "date", *DAILY))
REFERENCE = Layout("reference rows", ("symbol",), ("date", "as_of", *WORDS, *NUMBERS))
TEXT = frozenset({"symbol", *WORDS})
NUMERIC = frozenset({*PRICES, "volume", "vwap", *NUMBERS})


def minute_rows(given: Given | Sequence[Given]) -> Rows:
    """Minute bars in order of arrival: symbol, ts (start, UTC), open, high, low, close, volume, perhaps vwap."""
    return Rows.joined([_minute_rows(one) for one in several(given)])


def daily_rows(given: Given | Sequence[Given]) -> DatedRows:
    """Daily rows in order of the file: symbol, date, open, high, low, close, volume."""
    return DatedRows.joined([_daily_rows(one) for one in several(given)], DAILY)


def reference_rows(given: Given) -> DatedRows:
    """Reference rows: symbol, date or as_of, and whichever facts they have; other columns are ignored."""
    columns = _Columns.of(given, REFERENCE)
    dated = next((name for name in ("date", "as_of") if name in columns), None)
    if dated is None:
        raise _missing(columns.label, REFERENCE, ["date (or as_of)"], columns.found)
    words = {name: columns.words(name) for name in WORDS if name in columns}
    numbers = {name: columns.numbers(name) for name in NUMBERS if name in columns}
    return DatedRows(*columns.symbols(), columns.dates(dated), words | numbers)


def several(given: Given | Sequence[Given]) -> tuple[Given, ...]:
    """One, or several in order, as a tuple."""
    return tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def check_given(given: Given) -> None:
    """`InvalidInput` for what is no file of a known kind and no frame; nothing is read."""
    if isinstance(given, pd.DataFrame):
        return
    if not isinstance(given, (str, Path)):
        raise InvalidInput(f"Bars and rows are a path or a pandas DataFrame; found {type(given).__name__}. Convert it.")
    path = Path(given)
    if not path.name.lower().endswith((*PARQUET, *CSV)):
        known = ", ".join((*PARQUET, *CSV))
        raise InvalidInput(f"Files of bars end in {known}; found {str(path)!r}. Convert it to Parquet or CSV.")
    if not path.is_file():
        raise InvalidInput(f"There is no file {str(path)!r}. Check the path, from {str(Path.cwd())!r}.")


def label_of(given: Given) -> str:
    """How a file or frame is called in a sentence."""
    return f"DataFrame of {len(given):,} rows" if isinstance(given, pd.DataFrame) else repr(Path(given).name)


def _minute_rows(given: Given) -> Rows:
    columns = _Columns.of(given, MINUTE)
    names, symbol = columns.symbols()
    minute = columns.minutes("ts")
    prices = {name: columns.numbers(name) for name in (*PRICES, "volume")}
    vwap = columns.numbers("vwap") if "vwap" in columns else np.full(len(minute), np.nan)
    return Rows(names, symbol, minute, **prices, vwap=vwap)


def _daily_rows(given: Given) -> DatedRows:
    columns = _Columns.of(given, DAY)
    return DatedRows(*columns.symbols(), columns.dates("date"), {name: columns.numbers(name) for name in DAILY})


@dataclass(frozen=True, eq=False)
class _Columns:
    """The columns of one file or frame, each read as what it has to be."""

    table: pa.Table
    layout: Layout
    label: str
    found: list[str]

    @classmethod
    def of(cls, given: Given, layout: Layout) -> "_Columns":
        check_given(given)
        label = label_of(given)
        try:
            table, found = _opened(given, layout)
        except (OSError, pa.ArrowException) as fault:
            reason = str(fault).strip().splitlines()[0].rstrip(".")
            sentence = f"{label} cannot be read as {layout.what}: {reason}. Check that the file is whole."
            raise InvalidInput(sentence) from fault
        missing = [name for name in layout.needed if name not in found]
        if missing:
            raise _missing(label, layout, missing, found)
        twice = [name for name in layout.columns if found.count(name) > 1]
        if twice:
            raise InvalidInput(f"{label}: a column stands once; found {', '.join(twice)} twice. Drop or rename one.")
        return cls(table, layout, label, found)

    def __contains__(self, name: str) -> bool:
        return name in self.table.column_names

    def symbols(self) -> tuple[tuple[str, ...], Ints]:
        """The names, and each row's index into them; -1 where there is none."""
        column = self.table["symbol"]
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.large_string()).dictionary_encode()
        whole = column.unify_dictionaries().combine_chunks()
        chunk = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        names = tuple("" if name is None else str(name) for name in chunk.dictionary.to_pylist())
        return names, chunk.indices.cast(pa.int64()).fill_null(NO_SYMBOL).to_numpy()

    def numbers(self, name: str) -> Floats:
        """Float64, NaN where there is none; in a column of text, where it is not a number."""
        column = self._plain(name)
        if _is_text(column.type):
            parsed = pd.to_numeric(column.to_pandas(), errors="coerce")
            return self._parsed(name, column, parsed, "numbers like 12.5").to_numpy(dtype=np.float64, na_value=np.nan)
        if not _is_number(column.type):
            raise self._wrong(name, "numbers like 12.5", column.type, "Convert it to float.")
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())

    def minutes(self, name: str) -> Ints:
        """Whole minutes since 1970, UTC; instants without a zone are UTC's."""
        column = self._plain(name)
        if _is_text(column.type):
            times = pd.to_datetime(column.to_pandas(), utc=True, format="ISO8601", errors="coerce")
            column = pa.chunked_array([pa.array(self._parsed(name, column, times, "times like 2025-01-27T14:30Z"))])
        if not pa.types.is_timestamp(column.type):
            remedy = f"Numbers become times by pd.to_datetime({name}, unit='s', utc=True)."
            raise self._wrong(name, "times like 2025-01-27T14:30Z", column.type, remedy)
        instants = column.cast(pa.int64()).fill_null(NO_MINUTE).to_numpy()
        return np.asarray(np.where(instants == NO_MINUTE, NO_MINUTE, instants // PER_MINUTE[column.type.unit]))

    def dates(self, name: str) -> Dates:
        """Dates as they are written: an instant's date is that of its own zone."""
        column = self._plain(name)
        if _is_text(column.type):
            first = pc.utf8_slice_codeunits(column, 0, 10)
            days = pd.to_datetime(first.to_pandas(), format="ISO8601", errors="coerce")
            days = self._parsed(name, column, days, "dates like 2025-01-27", all_of=True)
            return days.to_numpy().astype("datetime64[D]")
        if pa.types.is_timestamp(column.type) and column.type.tz:
            column = pc.local_timestamp(column)
        if not pa.types.is_temporal(column.type):
            raise self._wrong(name, "dates like 2025-01-27", column.type, "Write them so.")
        return np.asarray(column.to_numpy()).astype("datetime64[D]")

    def words(self, name: str) -> np.ndarray:
        """Objects: text, or None where there is none."""
        found = self._plain(name).cast(pa.large_string()).to_pylist()
        return np.array([word or None for word in found], dtype=object)

    def _plain(self, name: str) -> pa.ChunkedArray:
        column = self.table[name]
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        return column.cast(pa.large_string() if _is_text(kind) else kind)

    def _parsed(
        self, name: str, text: pa.ChunkedArray, parsed: "pd.Series[Any]", what: str, all_of: bool = False
    ) -> "pd.Series[Any]":
        """What was parsed; `InvalidInput` where none of the text (or not `all_of` it) could be."""
        given = text.to_pandas()
        failed = given[parsed.isna().to_numpy() & given.notna() & (given.str.strip() != "")]
        if len(failed) and (all_of or not parsed.notna().any()):
            raise self._wrong(name, what, repr(failed.iloc[0]), "Mend or convert it.")
        return parsed

    def _wrong(self, name: str, rule: str, found: Any, remedy: str) -> InvalidInput:
        return InvalidInput(
            f"{self.label}: the column {name!r} of {self.layout.what} has {rule}; found {found}. {remedy}"
        )


def _opened(given: Given, layout: Layout) -> tuple[pa.Table, list[str]]:
    """A table of the layout's columns that are there, and the names of all that are."""
    if isinstance(given, pd.DataFrame):
        return _of_frame(given, layout)
    path = Path(given)
    return _of_parquet(path, layout) if path.suffix.lower() in PARQUET else _of_csv(path, layout)


def _of_parquet(path: Path, layout: Layout) -> tuple[pa.Table, list[str]]:
    with pq.ParquetFile(path, read_dictionary=["symbol"]) as file:
        found = file.schema_arrow.names
        return file.read(columns=[name for name in layout.columns if name in found]), found


def _of_csv(path: Path, layout: Layout) -> tuple[pa.Table, list[str]]:
    with csv.open_csv(path) as head:
        found = head.schema.names
    wanted = [name for name in layout.columns if name in found]
    numeric = {name: pa.float64() if name in NUMERIC else pa.string() for name in wanted if name in NUMERIC | TEXT}
    try:
        return _csv_table(path, wanted, numeric), found
    except pa.ArrowInvalid:  # a number or a time that is none: read as text, and judged one by one
        return _csv_table(path, wanted, dict.fromkeys(wanted, pa.string())), found


def _csv_table(path: Path, wanted: list[str], types: dict[str, Any]) -> pa.Table:
    return csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=wanted, column_types=types))


def _of_frame(frame: pd.DataFrame, layout: Layout) -> tuple[pa.Table, list[str]]:
    if any(name in layout.columns for name in frame.index.names):
        frame = frame.reset_index()
    found = [str(name) for name in frame.columns]
    once = frame.loc[:, ~frame.columns.duplicated()]
    return pa.table({name: _of_series(once[name]) for name in layout.columns if name in found}), found


def _of_series(series: "pd.Series[Any]") -> pa.Array | pa.ChunkedArray:
    try:
        return pa.array(series, from_pandas=True)
    except pa.ArrowException:  # objects of several kinds: as text, and judged one by one
        return pa.array([None if missing else str(value) for value, missing in zip(series, series.isna(), strict=True)])


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(test(kind) for test in tests)


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _missing(label: str, layout: Layout, missing: Sequence[str], found: Sequence[str]) -> InvalidInput:
    rule = f"{layout.what} have the columns {', '.join(layout.needed)}"
    there = f"missing {', '.join(missing)}, found {', '.join(found) or 'none'}"
    return InvalidInput(f"{label}: {rule}; {there}. Rename or add them.")
