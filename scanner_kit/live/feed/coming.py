"""The universe of a day that comes: what archived days and files of rows say of it before it begins.

Minutes of earlier sessions are read one session at a time; what a year of days holds never has to be in memory at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.facts import ATR_ROWS, DAILY, USUAL_SESSIONS, DatedRows, Past, SessionVolume, codes_of, usual_volume_of
from scanner_kit.live.archive import Archive
from scanner_kit.sources._files import Given, daily_rows, reference_rows
from scanner_kit.universe import Universe


def universe_of(
    day: TradingDay,
    archive: Archive | None = None,
    daily: Given | Sequence[Given] | None = None,
    reference: Given | None = None,
    **source: Any,
) -> Universe:
    """The symbols with a daily row before a day, and their facts; `source` is what `Universe` takes beside them.

    A day's rows in `daily` count before those made of its archived minutes.

    Raises
    ------
    InvalidInput
        Nothing is known before that day.
    """
    earlier = [] if archive is None else [date for date in archive.dates if date < day.date][-ATR_ROWS:]
    parts = [daily_rows([archive.daily(date) for date in earlier])] if archive is not None and earlier else []
    parts += [] if daily is None else [daily_rows(daily)]
    rows = DatedRows.joined(parts, DAILY) if parts else DatedRows()
    past = Past(daily=rows, reference=DatedRows() if reference is None else reference_rows(reference))
    symbols = past.symbols(day)
    if not symbols:
        raise InvalidInput(
            f"Nothing is known of any symbol before {day.date}: no daily row, no archived day. "
            "Give daily rows: --daily FILE."
        )
    usual = usual_volume_of(day, () if archive is None else _sessions(day, archive, symbols), len(symbols))
    return Universe(day, symbols, past.facts(day, symbols, usual_volume=usual), **source)


def _sessions(day: TradingDay, archive: Archive, symbols: Sequence[str]) -> Iterator[SessionVolume]:
    for session in TradingDay.full_before(day.date, USUAL_SESSIONS):
        if session in archive:
            yield _volumes(session, archive.bars(session.date), symbols)


def _volumes(session: TradingDay, path: Path, symbols: Sequence[str]) -> SessionVolume:
    """The volumes of an archived session; of a late bar and the one before it the late one counts."""
    table = pq.read_table(path, columns=["symbol", "ts", "volume"], read_dictionary=["symbol"])
    coded = table["symbol"].unify_dictionaries().combine_chunks()
    chunk = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    codes = codes_of(chunk.dictionary.to_pylist(), symbols)
    row = codes[chunk.indices.to_numpy()] if len(codes) else codes
    start = int(session.start.astype("datetime64[us]").astype(np.int64))
    k = (table["ts"].cast(pa.int64()).to_numpy() - start) // 60_000_000
    some = np.flatnonzero(row >= 0)
    volume = np.zeros((session.minutes, len(symbols)))
    volume[k[some], row[some]] = table["volume"].to_numpy()[some]
    traded = np.zeros(len(symbols), dtype=np.bool_)
    regular = some[(k[some] >= TradingDay.open_k) & (k[some] < session.close_k)]
    traded[row[regular]] = True
    return SessionVolume(session.date, volume, traded)
