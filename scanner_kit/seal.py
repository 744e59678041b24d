"""Seals: SHA-256 of values, so that two people can tell whether they found the same.

A seal looks at values alone: not at the file, its compression, its batches or the machine. The rules, for a table:

- a column is hashed row by row, in the order of the rows: floats as float64, whole numbers as int64, true and false as
  1 and 0, dates as int64 days and instants as int64 microseconds since 1970 UTC, all little-endian; a text as the int64
  number of its bytes, then its bytes in UTF-8; a text that is null as the number −1;
- every NaN is the one whose bytes are 000000000000f87f, and −0 is 0;
- the table's seal is the hash of its columns in order of their names: for each the name, as a text is hashed, and then
  the 32 bytes of the column's hash.

>>> import pandas as pd
>>> seal_of(pd.DataFrame({"k": [5, 6], "last": [1.5, float("nan")]}))
'ad37f99551a47aa661255cda06bf7ee20d18293a987c175bffe14ac1ff5046bf'
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scanner_kit.bars import FIELDS, Tape
from scanner_kit.errors import InvalidInput
from scanner_kit.universe import FACTS, WORDS

MICROSECONDS = pa.timestamp("us", tz="UTC")
NULL = (-1).to_bytes(8, "little", signed=True)


class TableSeal:
    """The seal of a table that comes in parts; where one part ends and the next begins makes no difference."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, Any] = {}

    def add(self, part: pa.Table) -> None:
        """Take further rows; `InvalidInput` where their columns are others than before."""
        names = sorted(part.column_names)
        if self._columns and names != sorted(self._columns):
            raise InvalidInput(
                f"Parts of one table have the same columns, {sorted(self._columns)}; found {names}. Seal it apart."
            )
        for name in names:
            self._columns.setdefault(name, hashlib.sha256()).update(_column_bytes(name, part[name]))
        self.rows += part.num_rows

    def hexdigest(self) -> str:
        """The seal of all rows so far, 64 hexadecimal digits."""
        whole = hashlib.sha256()
        for name in sorted(self._columns):
            whole.update(_text_bytes(name) + self._columns[name].digest())
        return whole.hexdigest()


def seal_of(table: pa.Table | pd.DataFrame) -> str:
    """The seal of a whole table."""
    seal = TableSeal()
    seal.add(table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False))
    return seal.hexdigest()


def seal_of_tape(tape: Tape) -> str:
    """The seal of a day of bars, its universe and the facts at its head."""
    universe = tape.universe
    whole = hashlib.sha256(json.dumps([str(universe.day.date), universe.symbols, *universe.away]).encode())
    for name in FACTS:
        known = getattr(universe.facts, name)
        whole.update(json.dumps(known.tolist()).encode() if name in WORDS else _float_bytes(known))
    for name in FIELDS:
        whole.update(_float_bytes(getattr(tape, name)))
    return whole.hexdigest()


def seal_of_settings(settings: Mapping[str, Any]) -> str:
    """The hash of settings as JSON, names sorted; 3 and 3.0 are the same number.

    >>> seal_of_settings({"hod_break": {"min_rvol": 3}}) == seal_of_settings({"hod_break": {"min_rvol": 3.0}})
    True
    """
    text = json.dumps(_canonical(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _canonical(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _column_bytes(name: str, column: pa.ChunkedArray) -> bytes:
    kind = column.type
    if pa.types.is_floating(kind):
        return _float_bytes(column.cast(pa.float64()).to_numpy())
    if column.null_count and pa.types.is_primitive(kind):
        raise InvalidInput(
            f"A sealed column of numbers has one in every row; {name!r} has {column.null_count} nulls. Write NaN."
        )
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _whole_bytes(column)
    if pa.types.is_date(kind):
        return _whole_bytes(column.cast(pa.date32()).cast(pa.int32()))
    if pa.types.is_timestamp(kind):
        return _whole_bytes(column.cast(MICROSECONDS, safe=False).cast(pa.int64()))
    return _texts_bytes(column)


def _float_bytes(values: np.ndarray[Any, Any]) -> bytes:
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()


def _whole_bytes(column: pa.ChunkedArray) -> bytes:
    return np.asarray(column.cast(pa.int64()).to_numpy()).astype("<i8").tobytes()


def _texts_bytes(column: pa.ChunkedArray) -> bytes:
    """Each different text is turned into bytes once."""
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    whole = pa.chunked_array(coded.unify_dictionaries().chunks, coded.type).combine_chunks()
    texts = [_text_bytes(text) for text in whole.dictionary.to_pylist()]
    return b"".join([NULL if code is None else texts[code] for code in whole.indices.to_pylist()])


def _text_bytes(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(8, "little") + data
