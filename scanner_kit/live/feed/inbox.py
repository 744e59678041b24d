"""The inbox: a stream on the bus on which anybody may put bars, from whatever vendor, in whatever language.

An entry of `{PREFIX}:inbox` has one of these fields:

- `json`: rows as a list of objects, or columns as an object of lists. Names are `symbol`, `ts`, `open`, `high`, `low`,
  `close`, `volume` and, where known, `vwap`; or `s`, `t`, `o`, `h`, `l`, `c`, `v`, `vw`. A time is ISO 8601 (UTC where
  no zone is said) or milliseconds since 1970; it lies in the bar's minute;
- `arrow`: the same columns in Arrow's stream format;
- `join`: symbols that join the universe, as a JSON list of objects with `symbol` and the facts that are known, or of
  names; `leave`: a JSON list of those that leave. Bars beside it, such as the day's so far, are taken after that;
- `end`: the day of this date (`YYYY-MM-DD`) is over; of another it is not heeded.

A bar that comes again replaces the one before: so a bar may be sent while it forms. What has been taken is removed; for
when nobody takes it, who writes bounds the stream: `XADD {PREFIX}:inbox MAXLEN ~ 100000 * json …`. What is dropped so
before it was taken is counted, and named on health.

>>> rows = rows_of({b"json": b'[{"s": "NVDA", "t": 1737988200000, "o": 1, "h": 2, "l": 1, "c": 2, "v": 9}]'})
>>> rows.names, rows.minute, rows.close
(('NVDA',), array([28966470]), array([2.]))
"""

import io
import json
import logging
import time
from collections import deque
from typing import Any

import pandas as pd
import pyarrow as pa
import redis

from scanner_kit.bars import Join, Leave
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.entries import Fields
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.bus.tape import FIRST
from scanner_kit.calendar import TradingDay
from scanner_kit.entry import Rows, check_event
from scanner_kit.errors import InvalidInput
from scanner_kit.live.feed.backlog import MOST, Backlog, dropped
from scanner_kit.live.feed.joining import join_of
from scanner_kit.sources._files import minute_rows

log = logging.getLogger("scanner_kit.live")

SHORT = {"s": "symbol", "t": "ts", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vw": "vwap"}
AT_ONCE = 64
NO_BARS = (b"end", b"join", b"leave")
"""What an entry may hold without bars."""


class Inbox:
    """Reads the inbox for a day. Where it stands is written beside the tape, once what came before is on the tape."""

    def __init__(self, bus: Bus, day: TradingDay) -> None:
        self.bus, self.day = bus, day
        self.unreadable = 0
        """How many entries held nothing that can be read as bars."""
        self.ended = False
        """Whether somebody said that the day is over."""
        self.lost = 0
        """How many entries were dropped before this reader took them."""
        self._after = ""
        self._count: int | None = None
        self._not_yet: deque[tuple[str, int, int | None]] = deque()

    def read(self, wait: float) -> list[tuple[str, Fields]]:
        """The entries that have come since, by id; waits some seconds for the first."""
        if not self._after:
            place: Any = self.bus.redis.hget(self.bus.keys.writers(self.day.date), "inbox")
            taken: Any = self.bus.redis.get(self.bus.keys.taken)
            self._count = None if taken is None else int(taken)
            self._after = FIRST if place is None else place.decode()
        raw = self._there()
        if not raw:
            self.bus.redis.xread({self.bus.keys.inbox: self._after}, count=1, block=max(1, int(1000 * wait)))
            raw = self._there()
        return raw

    def changes(self, fields: Fields) -> list[Join | Leave]:
        """Who joins and who leaves, by an entry."""
        try:
            return changes_of(fields)
        except InvalidInput as fault:
            log.warning("inbox: %s", fault)
            self.unreadable += 1
            return []

    def _there(self) -> list[tuple[str, Fields]]:
        """The next entries that are there; with how many there ever were, at one instant, so that no gap is missed."""
        with self.bus.redis.pipeline(transaction=True) as pipe:
            pipe.xrange(self.bus.keys.inbox, f"({self._after}", count=AT_ONCE)
            pipe.xinfo_stream(self.bus.keys.inbox)
            found, info = pipe.execute(raise_on_error=False)
        if isinstance(found, redis.RedisError):
            raise found
        raw = [(at.decode(), fields) for at, fields in found]
        if not raw:
            return []
        if isinstance(info, redis.RedisError):
            raise info
        self._note_gap(Backlog.of(info), is_first=found[0][0] == info["first-entry"][0])
        self._after = raw[-1][0]
        return raw

    def _note_gap(self, backlog: Backlog, *, is_first: bool) -> None:
        """Note what is gone between the entry that was read last and the next, which may be the first there is."""
        if not is_first:
            return
        if self._count is not None and self._count < backlog.gone:
            self.lost += backlog.gone - self._count
            log.error("of the inbox, %s", dropped(backlog.gone - self._count))
        self._count = backlog.gone

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
        self._count = None if self._count is None else self._count + 1
        self._not_yet.append((entry, last, self._count))

    def closed(self, k: int) -> None:
        """Everything through minute `k` is on the tape: whoever reads next need not read again what is of it alone."""
        done, taken = "", None
        while self._not_yet and self._not_yet[0][1] <= k:
            done, _, taken = self._not_yet.popleft()
        if done:
            pipe = self.bus.redis.pipeline(transaction=False)
            pipe.hset(self.bus.keys.writers(self.day.date), "inbox", done)
            if taken is not None:
                pipe.set(self.bus.keys.taken, taken)
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
    """Put bars into the inbox: columns as a file of minute bars has them. What is older than two days goes."""
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with bus.redis.pipeline(transaction=False) as pipe:
        pipe.xadd(bus.keys.inbox, {"arrow": bytes(sink.getvalue())}, maxlen=MOST, approximate=True)
        pipe.xtrim(bus.keys.inbox, minid=int(1000 * (time.time() - KEPT_SECONDS)), approximate=False)
        pipe.expire(bus.keys.inbox, KEPT_SECONDS)
        pipe.execute()
