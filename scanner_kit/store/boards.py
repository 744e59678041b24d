"""The lists minute by minute: what was hot at 09:37, as it was published."""

import datetime as dt
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select

from scanner_kit.calendar import DateLike, TradingDay, as_date
from scanner_kit.errors import InvalidInput
from scanner_kit.store.schema import boards, number_of, time_of


@dataclass(frozen=True)
class StoredBoard:
    """The lists of one step: `payload` is what was published, to the byte; `time` is the step's end, UTC."""

    day: dt.date
    k: int
    time: dt.datetime
    entry: str
    payload: bytes

    @cached_property
    def lists(self) -> dict[str, Any]:
        """Lists by name, as published: `{"seq": …, "rows": [[symbol, {figure: value}], …]}`."""
        with pa.input_stream(pa.BufferReader(self.payload), compression="zstd") as stream:
            found: dict[str, Any] = json.loads(stream.read())
        return found


def board_at(connection: Connection, day: DateLike, at: int | str | dt.time | dt.datetime) -> StoredBoard | None:
    """The lists that stood then: those of the last step that had ended; None where none was published yet."""
    date = as_date(day)
    asked = select(boards).where(boards.c.day == number_of(date), boards.c.k <= _k(date, at))
    row = connection.execute(asked.order_by(boards.c.k.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    return StoredBoard(date, row["k"], time_of(row["moment"]), row["entry"], row["payload"])


def minutes(connection: Connection, day: DateLike) -> list[int]:
    """Every `k` of which there are lists, in order."""
    asked = select(boards.c.k).where(boards.c.day == number_of(as_date(day))).order_by(boards.c.k)
    return list(connection.scalars(asked))


def _k(date: dt.date, at: int | str | dt.time | dt.datetime) -> int:
    if isinstance(at, int) and not isinstance(at, bool):
        return at
    try:
        if isinstance(at, str):
            at = dt.datetime.fromisoformat(at) if len(at) > len("09:37:00") else dt.time.fromisoformat(at)
        if isinstance(at, dt.datetime | dt.time):
            instant = dt.datetime.combine(date, at) if isinstance(at, dt.time) else at
            return TradingDay.of(date).minute_of(instant) - 1
    except InvalidInput:
        raise
    except ValueError:
        pass
    raise InvalidInput(f"A board stood at a time of New York, or after a minute k; found {at!r}. Write, say, '09:37'.")
