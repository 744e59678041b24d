"""The bars of single symbols on the bus, for people and notebooks: a list a symbol and day, made from the tape.

The tape is written first. Whoever leads the ingest follows it and puts what it finds into the lists, as far behind as
it must be; where it stood stands beside the tape, and what is written again changes nothing. A bar is a JSON array
`[minute's start in ms, open, high, low, close, volume, vwap or null]`; a late one replaces what was there, or takes
its place in the order.
"""

import datetime as dt
import json
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import redis

from scanner_kit.bars import FIELDS, Bars
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.entries import has_a_bar
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.bus.tape import FIRST, Entry, TapeReader, current_day
from scanner_kit.calendar import DateLike, TradingDay, as_date
from scanner_kit.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 30
SYMBOLS_A_CALL = 500

_UPSERT = """
local at = 2
for i, key in ipairs(KEYS) do
  local bars = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, bars do
    local ts, bar = tonumber(ARGV[at]), ARGV[at + 1]
    at = at + 2
    local place, old, there = -1, nil, nil
    while true do
      old = redis.call('LINDEX', key, place)
      there = old and tonumber(string.match(old, '^%[(%d+)'))
      if not there or there <= ts then break end
      place = place - 1
    end
    if not there then redis.call('LPUSH', key, bar)
    elseif there == ts then redis.call('LSET', key, place, bar)
    elseif place == -1 then redis.call('RPUSH', key, bar)
    else redis.call('LINSERT', key, 'AFTER', old, bar) end
  end
  -- not all lists expire in the same moment
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[1] - (i * 7) % 300) end
end
"""
Rows = dict[str, list[tuple[int, str]]]
"""Bars as they are written, by symbol: minute's start in ms, and JSON."""


class Lists:
    """Brings the lists of a day up to date with its tape."""

    def __init__(self, bus: Bus, day: TradingDay) -> None:
        self.bus, self.day = bus, day
        self._start = int(day.start.astype("datetime64[ms]").astype(np.int64))
        self._upsert: Any = bus.redis.register_script(_UPSERT)
        self._in_slots = False

    def run(self, over: threading.Event) -> None:
        """Follow the tape until `over` or its end."""
        after = persist(self.stands, over)
        reader = TapeReader(self.bus, self.day)
        while after is not None and not over.is_set():
            entries = persist(partial(reader.read, after, AT_ONCE), over)
            if not entries:
                entries = persist(partial(reader.read, after, AT_ONCE, wait=1.0), over)
            if entries:
                persist(partial(self.take, entries), over, what="the lists of symbols")
                after = entries[-1].id
                if entries[-1].kind == "end":
                    return

    def finish(self, over: threading.Event) -> None:
        """Take what is on the tape now: of a day that has ended, what was not taken before it was left."""
        after = persist(self.stands, over)
        reader = TapeReader(self.bus, self.day)
        while after is not None and (entries := persist(partial(reader.read, after, AT_ONCE), over)):
            persist(partial(self.take, entries), over, what="the lists of symbols")
            after = entries[-1].id

    def stands(self) -> str:
        """The id of the last entry of the tape that is in the lists."""
        found: Any = self.bus.redis.hget(self.bus.keys.writers(self.day.date), "lists")
        return FIRST if found is None else str(found.decode())

    def take(self, entries: Sequence[Entry]) -> None:
        """Put the bars of closed entries into the lists; twice is as good as once."""
        rows: Rows = {}
        for entry in entries:
            if entry.kind == "closed" and entry.bars is not None:
                self._add(rows, entry.bars, entry.universe.symbols)
        some = list(rows)
        for first in range(0, len(some), SYMBOLS_A_CALL):
            self._put({symbol: rows[symbol] for symbol in some[first : first + SYMBOLS_A_CALL]})
        self.bus.redis.hset(self.bus.keys.writers(self.day.date), "lists", entries[-1].id)

    def _put(self, bars: Mapping[str, list[tuple[int, str]]]) -> None:
        """Put the bars of some symbols in one call; in a Cluster, whose slots their keys spread over, one by one."""
        if len(bars) > 1 and self._in_slots:
            for symbol, its in bars.items():
                self._put({symbol: its})
            return
        arguments: list[Any] = [KEPT_SECONDS]
        for its in bars.values():
            arguments += [len(its), *(part for bar in its for part in bar)]
        try:
            self._upsert(keys=[self.bus.keys.bars(self.day.date, symbol) for symbol in bars], args=arguments)
        except redis.ResponseError as fault:
            if len(bars) == 1 or "same slot" not in str(fault):
                raise
            self._in_slots = True
            self._put(bars)

    def _add(self, rows: Rows, bars: Bars, symbols: Sequence[str]) -> None:
        """The late bars first: they are of earlier minutes."""
        if bars.late is not None:
            late = bars.late.usable(bars.k, len(bars.close))
            self._add_some(rows, late.k, [symbols[row] for row in late.row], [getattr(late, name) for name in FIELDS])
        some = np.flatnonzero(has_a_bar(bars))
        names = [symbols[row] for row in some.tolist()]
        self._add_some(rows, np.full(len(some), bars.k), names, [getattr(bars, name)[some] for name in FIELDS])

    def _add_some(self, rows: Rows, k: np.ndarray, names: Sequence[str], columns: Sequence[np.ndarray]) -> None:
        starts = (self._start + 60_000 * k.astype(np.int64)).tolist()
        for ts, symbol, *figures, vwap in zip(starts, names, *(column.tolist() for column in columns), strict=True):
            told = "null" if vwap != vwap else repr(vwap)
            rows.setdefault(symbol, []).append((ts, f"[{ts},{','.join(map(repr, figures))},{told}]"))


def bars(symbol: str, day: DateLike | None = None, *, bus: Bus | None = None) -> "pd.DataFrame":
    """Today's bars of a symbol so far, from the bus that the settings name; or those of a day that is still there.

    Returns
    -------
    DataFrame
        A row a minute with a bar, by `ts` (the minute's start, New York): open, high, low, close, volume, vwap.

    Raises
    ------
    InvalidInput
        No tape of that day is on the bus, or its universe has no such symbol.
    BusError
        No desk is running.
    """
    if bus is not None:
        return _frame(bus, symbol, day)
    from scanner_kit.live.server import bus_there
    from scanner_kit.settings import read_settings

    with bus_there(read_settings()) as own:
        return _frame(own, symbol, day)


def _frame(bus: Bus, symbol: str, day: DateLike | None) -> "pd.DataFrame":
    import pandas as pd

    date = as_date(day) if day is not None else _today(bus)
    found: Any = bus.redis.lrange(bus.keys.bars(date, symbol), 0, -1)
    if not found and not bus.redis.exists(bus.keys.tape(date)):
        raise InvalidInput(f"There is no tape of {date} on the bus, or no more: it is kept for 48 hours.")
    if not found:
        TapeReader(bus, TradingDay.of(date)).universe.row(symbol)
    rows = json.loads(b"[" + b",".join(found) + b"]")
    frame = pd.DataFrame(rows, columns=["ts", *FIELDS]).astype(dict.fromkeys(FIELDS, "float64"))
    frame["ts"] = pd.to_datetime(frame["ts"].astype("int64"), unit="ms", utc=True).dt.tz_convert("America/New_York")
    return frame.set_index("ts")


def _today(bus: Bus) -> dt.date:
    today = current_day(bus)
    if today is None:
        raise InvalidInput("No tape is being written on the bus. Start one: scanner-kit up.")
    return today.date
