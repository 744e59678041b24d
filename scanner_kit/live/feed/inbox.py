"""The inbox: a stream on the bus on which anybody may put bars, from whatever vendor, in whatever language.

An entry of `{PREFIX}:inbox` has one of these fields:

- `json`: rows as a list of objects, or columns as an object of lists. Names are `symbol`, `ts`, `open`, `high`, `low`,
  `close`, `volume` and, where known, `vwap`; or `s`, `t`, `o`, `h`, `l`, `c`, `v`, `vw`. A time is ISO 8601 (UTC where
  no zone is said) or milliseconds since 1970; it lies in the bar's minute;
- `arrow`: the same columns in Arrow's stream format;
- `join`: symbols that join the universe, as a JSON list of objects with `symbol` and the facts that are known, or of
  names; `leave`: a JSON list of those that leave. Bars beside it, such as the day's so far, are taken after that;
- `end`: the day of this date (`YYYY-MM-DD`) is over; of another it is not heeded.

A bar that comes again replaces the one before: so a bar may be sent while it forms. What has been taken is removed.

>>> rows = rows_of({b"json": b'[{"s": "NVDA", "t": 1737988200000, "o": 1, "h": 2, "l": 1, "c": 2, "v": 9}]'})
>>> rows.names, rows.minute, rows.close
(('NVDA',), array([28966470]), array([2.]))
"""

import io
import json
import logging
from collections import deque
from typing import Any

import pandas as pd
import pyarrow as pa

from scanner_kit.bars import Join, Leave
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.entries import Fields
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.calendar import TradingDay
from scanner_kit.entry import Rows, check_event
from scanner_kit.errors import InvalidInput
from scanner_kit.live.feed.joining import join_of
from scanner_kit.sources._files import minute_rows

SHORT = {"s": "symbol", "t": "ts", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vw": "vwap"}
AT_ONCE = 64
NO_BARS = (b"end", b"join", b"leave")
"""What an entry may hold without bars."""

log = logging.getLogger(__name__)


class Inbox:
    """Reads the inbox for a day. Where it stands is written beside the tape, once what came before is on the tape."""

    def __init__(self, bus: Bus, day: TradingDay) -> None:
        self.bus, self.day = bus, day
        self.unreadable = 0
        """How many entries held nothing that can be read as bars."""
        self.ended = False
        """Whether somebody said that the day is over."""
        self._after = ""
        self._not_yet: deque[tuple[str, int]] = deque()

    def read(self, wait: float) -> list[tuple[str, Fields]]:
        """The entries that have come since, by id; waits some seconds for the first."""
        if not self._after:
            found: Any = self.bus.redis.hget(self.bus.keys.writers(self.day.date), "inbox")
            self._after = "0-0" if found is None else found.decode()
        block = max(1, int(1000 * wait))
        answer: Any = self.bus.redis.xread({self.bus.keys.inbox: self._after}, count=AT_ONCE, block=block)
        raw = [(at.decode(), fields) for _, entries in answer or () for at, fields in entries]
        if raw:
            self._after = raw[-1][0]
        return raw

    def changes(self, fields: Fields) -> list[Join | Leave]:
        """Who joins and who leaves, by an entry."""
        try:
            return changes_of(fields)
        except InvalidInput as fault:
            log.warning("inbox: %s", fault)
            self.unreadable += 1
            return []

    def bars(self, fields: Fields) -> Rows:
        """The bars of an entry, none where it holds none; what it says of the end is noted."""
        self.ended |= fields.get(b"end") == str(self.day.date).encode()
        try:
            return rows_of(fields)
        except InvalidInput:
            self.unreadable += fields.keys().isdisjoint(NO_BARS) or not fields.keys().isdisjoint((b"json", b"arrow"))
            return Rows.of([], [], [], [], [], [], [])

    def came(self, entry: str, last: int) -> None:
        """Note the latest minute of which an entry had a bar; −1 for none."""
        self._not_yet.append((entry, last))

    def closed(self, k: int) -> None:
        """Everything through minute `k` is on the tape: whoever reads next need not read again what is of it alone."""
        done = ""
        while self._not_yet and self._not_yet[0][1] <= k:
            done = self._not_yet.popleft()[0]
        if done:
            pipe = self.bus.redis.pipeline(transaction=False)
            pipe.hset(self.bus.keys.writers(self.day.date), "inbox", done)
            pipe.xtrim(self.bus.keys.inbox, minid=_after(done), approximate=False)
            pipe.expire(self.bus.keys.inbox, KEPT_SECONDS)
            pipe.execute()


def rows_of(fields: Fields) -> Rows:
    """The bars of an entry of the inbox; `InvalidInput` where it holds none."""
    try:
        frame = _frame(fields)
    except (ValueError, TypeError, pa.ArrowException) as fault:
        raise InvalidInput(
            f"An entry of the inbox holds bars as json or arrow; found {fault}. See its manual."
        ) from None
    if "ts" in frame and pd.api.types.is_numeric_dtype(frame["ts"]):
        frame["ts"] = pd.to_datetime(frame["ts"], unit="ms", utc=True)
    return minute_rows(frame)


def changes_of(fields: Fields) -> list[Join | Leave]:
    """Who joins and who leaves, by an entry of the inbox; `InvalidInput` where that cannot be read."""
    found: list[Join | Leave] = []
    for kind in (b"join", b"leave"):
        if kind not in fields:
            continue
        try:
            rows = json.loads(fields[kind])
        except ValueError as fault:
            raise InvalidInput(f"Who joins or leaves is told as JSON; found {fault}. Write a list.") from None
        if not isinstance(rows, list):
            raise InvalidInput(f"Who joins or leaves is told as a list; found {rows!r}. Write a list of symbols.")
        found.append(join_of(rows) if kind == b"join" else Leave.of(*rows))
        check_event(found[-1])
    return found


def _frame(fields: Fields) -> pd.DataFrame:
    if b"arrow" in fields:
        table = pa.ipc.open_stream(io.BytesIO(fields[b"arrow"])).read_all()
        frame = table.to_pandas()
    elif b"json" in fields:
        frame = pd.DataFrame(json.loads(fields[b"json"]))
    else:
        raise ValueError(f"the fields {', '.join(name.decode(errors='replace') for name in fields) or 'none'}")
    renamed: pd.DataFrame = frame.rename(columns=SHORT)
    return renamed


def _after(entry: str) -> str:
    """The first id after that one."""
    milliseconds, _, number = entry.partition("-")
    return f"{milliseconds}-{int(number) + 1}"


def put(bus: Bus, frame: pd.DataFrame) -> None:
    """Put bars into the inbox: columns as a file of minute bars has them."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    bus.redis.xadd(bus.keys.inbox, {"arrow": bytes(sink.getvalue())})
