"""An entry of the tape, and the fields of the stream entry that holds it: written and read side by side.

Bars are columns in Arrow's stream format under zstd: `row` (int32) and the fields of those symbols that have a bar. A
minute in which all of them have one needs no `row`, and one without a vendor's VWAP no `vwap`. What is read back is
what was written, to the bit.

>>> from scanner_kit.bars import VendorHalt
>>> bars = Bars.empty(330, 2, events=(VendorHalt("NVDA", halted=True),))
>>> fields = encode(bars)
>>> fields[b"kind"], fields[b"k"], fields[b"e"]
(b'closed', b'330', b'[["halt","NVDA",true]]')
>>> decode(fields, 2).events
(VendorHalt(symbol='NVDA', halted=True),)
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from scanner_kit.bars import FIELDS, PRICES, Bars, Event, LateBars, event_of, read_only, told
from scanner_kit.universe import Bools, Floats

Fields = Mapping[bytes, bytes]
VERSION = b"1"
LATE = ("k", "row", *FIELDS)
_WRITING = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
_READING = pa.ipc.IpcReadOptions(use_threads=False)  # columns this short are read before threads have begun


def encode(bars: Bars) -> dict[bytes, bytes]:
    """The fields of an entry of bars: a closed minute, or the minute so far."""
    fields = {
        b"v": VERSION,
        b"kind": b"forming" if bars.forming else b"closed",
        b"k": str(bars.k).encode(),
        b"b": packed(_rows_with_a_bar(bars)),
    }
    if bars.late is not None:
        fields[b"late"] = packed({name: np.asarray(getattr(bars.late, name)) for name in LATE})
    if bars.events:
        fields[b"e"] = plain_events(bars.events)
    if bars.instant is not None:
        fields[b"instant"] = bars.instant.isoformat().encode()
    return fields


def decode(fields: Fields, symbols: int) -> Bars:
    """The entry of bars that these fields hold, over a universe of so many symbols. Nobody can write to its arrays."""
    given, _ = columns_of(fields[b"b"])
    row = given.pop("row", None)
    arrays = {name: _dense(name, given.get(name), row, symbols) for name in FIELDS}
    late, instant = fields.get(b"late"), fields.get(b"instant")
    return Bars(
        int(fields[b"k"]),
        **arrays,
        forming=fields[b"kind"] == b"forming",
        late=None if late is None else LateBars(**columns_of(late)[0]),
        events=events_of(fields),
        instant=None if instant is None else dt.datetime.fromisoformat(instant.decode()),
    )


def plain_events(events: Iterable[Event]) -> bytes:
    """Events as the JSON of a field."""
    return json.dumps([told(event) for event in events], separators=(",", ":")).encode()


def events_of(fields: Fields) -> tuple[Event, ...]:
    """The events among the fields of an entry."""
    return tuple(map(event_of, json.loads(fields.get(b"e", b"[]"))))


def packed(columns: Mapping[str, np.ndarray], said: Mapping[str, str] | None = None) -> bytes:
    """Columns of one length in Arrow's stream format, and what is said of them."""
    arrays = [pa.array(column, pa.string() if column.dtype == object else None) for column in columns.values()]
    batch = pa.record_batch(arrays, names=list(columns)).replace_schema_metadata(said)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_WRITING) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def columns_of(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The columns that were `packed`, read-only, and what was said of them."""
    batch = pa.ipc.open_stream(data, options=_READING).read_next_batch()
    said = {name.decode(): value.decode() for name, value in (batch.schema.metadata or {}).items()}
    arrays = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
    return dict(zip(batch.schema.names, arrays, strict=True)), said


def has_a_bar(bars: Bars) -> Bools:
    """Which symbols have a bar in the entry: whatever is not all NaN and volume 0."""
    some = bars.volume != 0
    for name in (*PRICES, "vwap"):
        some |= ~np.isnan(getattr(bars, name))
    return np.asarray(some)


def _rows_with_a_bar(bars: Bars) -> dict[str, np.ndarray]:
    some = has_a_bar(bars)
    columns: dict[str, Any] = {name: getattr(bars, name) for name in FIELDS}
    if not some.all():
        rows = np.flatnonzero(some)
        columns = {"row": rows.astype(np.int32)} | {name: column[rows] for name, column in columns.items()}
    if np.isnan(columns["vwap"]).all():
        del columns["vwap"]
    return columns


def _dense(name: str, given: Floats | None, row: np.ndarray | None, symbols: int) -> Floats:
    if given is not None and row is None:
        return given
    whole = np.zeros(symbols) if name == "volume" else np.full(symbols, np.nan)
    if given is not None:
        whole[row] = given
    return read_only(whole)
