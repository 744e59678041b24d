"""The tape of a trading day on the bus: written entry by entry, read from its start or from where a reader stands.

Every writer numbers what it appends. The script that appends keeps the last number of each beside the stream, so that
what is sent again after a lost answer, or a restart, is not there twice; it refuses a minute that is not the next one,
and a writer whose lease somebody else holds.

What changes a scan but is no bar (a change of settings, a vendor's halt, a result of a scheduled scanner) waits, in
every reader, for the next entry of bars and is in force from it on: so whoever reads the tape, now or later, gives the
engine the same.

Entries of minutes so far stay, up to so many bytes. Past that the script that closes a minute removes those of it that
carry no such change, for nothing rests on them; unless triggers fire on them, which the head says (`keeps_forming`).

Symbols that join or leave make another universe. These changes are numbered too, and bars are refused that were not
written for the one before them, so that rows always mean what they meant to their writer.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from scanner_kit.bars import Bars, Join, Leave, SettingsChange, VendorHalt
from scanner_kit.bus import scripts
from scanner_kit.bus.connection import BLOCK_MS, Bus, BusError, persist
from scanner_kit.bus.entries import Fields, encode, events_of, plain_events
from scanner_kit.bus.folding import Entry, Folding, TapeLost, heeded
from scanner_kit.bus.heads import Head, Pace, decode_head, encode_head, part_of
from scanner_kit.bus.keys import KEPT_SECONDS
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.results import Result
from scanner_kit.universe import Universe

__all__ = [
    "Entry", "Fenced", "Head", "Moved", "Pace", "TapeLost", "TapeReader", "TapeWriter", "current_day", "place_of",
    "wait_for_day",
]  # fmt: skip

MOST_ENTRIES = 100_000
"""Past 9/10 of it no forming entry is taken, past it no event: the head of a tape must stay, so nothing is trimmed."""
MOST_FORMING = 512 << 20
"""Bytes of forming entries that stay: past it one goes as its minute closes, or, where they must stay, is not taken."""
AT_ONCE = 8
FIRST = "0-0"


class Fenced(BusError):  # noqa: N818
    """Another process holds the lease: what this one appends is refused."""


class Moved(BusError):  # noqa: N818
    """Symbols have joined or left meanwhile: what was to be appended is of the universe before."""


class TapeWriter:
    """Appends to the tape of a day. With a `token`, only while the ingest's lease holds that.

    A call that raised may be made again, with the same arguments: nothing is there twice.
    """

    def __init__(self, bus: Bus, day: TradingDay, writer: str = "ingest", *, token: str = "") -> None:
        self.bus, self.day, self.writer, self.token = bus, day, writer, token
        self.k = -1
        """The last minute that is closed on the tape."""
        self.over = False
        """Whether the tape has its end."""
        self.full = False
        """Whether the last entry was not taken, the tape being full of its kind."""
        self.changes = 0
        """How many changes made the universe that its bars are of: see `TapeReader.stands`."""
        self._n = 0
        self._keys = [bus.keys.tape(day.date), bus.keys.writers(day.date), bus.keys.ingest]
        self._head, self._append = (bus.redis.register_script(text) for text in (scripts.HEAD, scripts.APPEND))

    def open(self, head: Head) -> int:
        """Begin the tape with its head, all of it at once, or find it begun; the last closed minute, or −1."""
        parts = encode_head(head)
        arguments: list[bytes | str | int] = [self.token, head.version, KEPT_SECONDS, len(parts)]
        arguments.append(int(head.keeps_forming))
        for fields in parts:
            arguments += [2 * len(fields), *_flat(fields)]
        return self._found(self._head(keys=self._keys, args=arguments))

    def go_on(self) -> int | None:
        """Go on with a tape that was begun: the last closed minute; None where there is none."""
        found = self.bus.redis.hmget(self._keys[1], ["ingest", "closed", "ended"])
        return None if found[1] is None else self._found([b"ok", *found])

    def closed(self, bars: Bars, at: float, delay: float = 0.0) -> None:
        """Append the next closed minute. Symbols join or leave by an entry of their own: `universe`."""
        self._bars(bars, at, delay)
        self.k = bars.k

    def forming(self, bars: Bars, at: float) -> None:
        """Append what has changed of the minute so far; where the tape is `full` of these it is not taken."""
        self._bars(bars, at, 0.0)

    def end(self, at: float) -> None:
        """Append that the day is over."""
        self._next("end", {b"k": str(self.k).encode(), b"at": _number(at)})
        self.over = True

    def settings(self, change: SettingsChange, at: float) -> None:
        """Append a change of settings under its version, once; nothing where a later version is there."""
        self.append("settings", change.version, {b"e": plain_events([change]), b"at": _number(at)})

    def halt(self, n: int, said: Sequence[VendorHalt], at: float) -> None:
        """Append what a vendor says of halts, as its message number `n`."""
        self.append("halt", n, {b"e": plain_events(said), b"at": _number(at)})

    def universe(self, n: int, change: Join | Leave, at: float) -> bool:
        """Append that symbols join or leave, as change `n` of the universe; False where another has that number.

        `Moved` where the change before is not on the tape.
        """
        kind = "join" if isinstance(change, Join) else "leave"
        return self.append(kind, n, {b"e": plain_events([change]), b"at": _number(at)}) is not None

    def result(self, n: int, result: Result, at: float) -> bool:
        """Append what a scheduled scanner found, as its scan number `n`; False where it was there or is not taken."""
        return self.append("result", n, {b"e": plain_events([result]), b"at": _number(at)}) is not None

    def probe(self, n: int, probe: str, at: float) -> None:
        """Append a probe, as number `n`: it changes nothing, and is seen wherever it passes."""
        self.append("probe", n, {b"probe": probe.encode(), b"at": _number(at)})

    def append_next(self, kind: str, fields: Fields) -> None:
        """Append an entry of bars, or the end, from its fields."""
        k = int(fields[b"k"])
        self._next(kind, fields, k)
        self.k, self.over = (k if kind == "closed" else self.k), kind == "end"

    def append(self, kind: str, n: int, fields: Fields, k: int = -1) -> str | None:
        """Append an entry as this writer's number `n`; its id, or None where it was there or is not taken.

        Raises
        ------
        TapeLost
            There is no tape of the day, or it does not go on with this minute.
        Fenced
            Somebody else holds the lease.
        Moved
            Symbols have joined or left, and it is of the universe before.
        """
        whole = {b"v": b"1", b"kind": kind.encode(), **fields}
        said: list[bytes | str | int] = [self.token, self.writer, n, kind, k, MOST_ENTRIES, self.changes, MOST_FORMING]
        word, *told = self._append(keys=self._keys, args=[*said, *_flat(whole)])
        self._must_be_ours(word, told)
        self.full = word == b"full"
        return told[0].decode() if word == b"ok" else None

    def _bars(self, bars: Bars, at: float, delay: float) -> None:
        if any(isinstance(event, Join | Leave) for event in bars.events):
            raise InvalidInput("Symbols join or leave by an entry of their own; found them with bars. Append it first.")
        fields = {**encode(bars), b"at": _number(at), b"delay": _number(delay)}
        self._next("forming" if bars.forming else "closed", fields, bars.k)

    def _next(self, kind: str, fields: Fields, k: int = -1) -> None:
        self.append(kind, self._n + 1, fields, k)
        self._n += not self.full

    def _found(self, answer: list[Any]) -> int:
        word, *told = answer
        self._must_be_ours(word, told)
        self._n, self.k, self.over = int(told[0]), int(told[1]), told[2] is not None
        return self.k

    def _must_be_ours(self, word: bytes, told: list[Any]) -> None:
        if word == b"fenced":
            raise Fenced(f"Another ingest writes the tape of {self.day.date} under {self.bus.keys.prefix!r}.")
        if word == b"none":
            raise TapeLost(f"There is no tape of {self.day.date} on the bus: its ingest has not begun, or it was lost.")
        if word == b"moved":
            raise Moved(f"The universe of {self.day.date} has changed {told[0]} times; found an entry of another.")
        if word == b"gap":
            raise TapeLost(f"The tape of {self.day.date} goes on after k={told[0]}; this writer stands at {self.k}.")


class TapeReader:
    """Reads the tape of a day, in order; a reader of its own for each who reads."""

    def __init__(self, bus: Bus, day: TradingDay) -> None:
        self.bus, self.day = bus, day
        self._key = bus.keys.tape(day.date)
        self._head: Head | None = None
        self._head_ends = self._at = FIRST
        self._given = ""

    def head(self) -> Head:
        """What stands at the head; `TapeLost` where there is no tape."""
        if self._head is None:
            first = self._range("-", 1)
            if not first or first[0][1][b"kind"] != b"head" or part_of(first[0][1])[0] != 0:
                raise TapeLost(f"There is no tape of {self.day.date} on the bus, or it has lost its head.")
            parts = [first[0][1]]
            self._head_ends = first[0][0]
            for _ in range(part_of(first[0][1])[1] - 1):
                (self._head_ends, fields), *_ = self._range(f"({self._head_ends}", 1)
                parts.append(fields)
            self._head = decode_head(parts)
        return self._head

    def stands(self, upto: str = "", since: tuple[Universe, int] | None = None) -> tuple[Universe, int]:
        """The universe as the tape has it by now, or by an entry, and how many changes made it.

        `since` is what is known of it already.
        """
        universe, n = (self.head().universe, 0) if since is None else since
        for at, k, fields in self._changes(n):
            if upto and place_of(at) > place_of(upto):
                break
            universe, n = heeded(universe, events_of(fields), k)[0], n + 1
        return universe, n

    @property
    def universe(self) -> Universe:
        """The symbols of the tape by now."""
        return self.stands()[0]

    def _changes(self, known: int) -> Iterator[tuple[str, int, Fields]]:
        """The changes of the universe after the first `known`: their ids, the minutes since which, and their fields."""
        writers = self.bus.keys.writers(self.day.date)
        found: Any = self.bus.redis.hget(writers, "universe")
        for n in range(known + 1, int(found or 0) + 1):
            told: Any = self.bus.redis.hget(writers, f"universe {n}")
            at, k = told.decode().split()
            there = self._range(at, 1)
            if not there or there[0][0] != at:
                raise TapeLost(f"The tape of {self.day.date} has lost change {n} of its universe.")
            yield at, int(k), there[0][1]

    def read(self, after: str = FIRST, most: int = AT_ONCE, wait: float = 0.0) -> list[Entry]:
        """The next entries after the one of that id, up to `most`; none where there is none within `wait` seconds.

        `after` is best the id of the entry that this reader gave last; any other is found again by reading back.
        """
        self._go_to(after)
        if wait <= 0:
            return self._there(most)
        block = max(1, min(BLOCK_MS, int(1000 * wait)))
        answer: Any = self.bus.redis.xread({self._key: self._at}, count=most, block=block)
        return self._taken([(entry.decode(), fields) for _, entries in answer or () for entry, fields in entries])

    def recover(self) -> Iterator[Entry]:
        """Every entry that is there now, from the start."""
        self._begin()
        newest: Any = self.bus.redis.xrevrange(self._key, count=1)
        last = place_of(newest[0][0].decode()) if newest else (0, 0)
        while place_of(self._at) < last:
            raw = self._range(f"({self._at}", AT_ONCE)
            if not raw:
                raise TapeLost(f"The tape of {self.day.date} was lost while it was read.")
            yield from self._taken(raw)

    def follow(self, after: str, over: threading.Event) -> Iterator[Entry]:
        """The entries after that id as they come, until `over`; through restarts of the server."""
        while not over.is_set():
            entries = persist(partial(self.read, after, wait=BLOCK_MS / 1000), over, what="the tape")
            for entry in entries or ():
                after = entry.id
                yield entry

    def _there(self, most: int) -> list[Entry]:
        while raw := self._range(f"({self._at}", most):
            if entries := self._taken(raw):
                return entries
        return []

    def raw(self) -> Iterator[tuple[str, Fields]]:
        """Every entry of the stream as it stands there, head and all, by id."""
        low = "-"
        while some := self._range(low, AT_ONCE):
            yield from some
            low = f"({some[-1][0]}"

    def _range(self, low: str, most: int) -> list[tuple[str, Fields]]:
        found: Any = self.bus.redis.xrange(self._key, low, "+", count=most)
        return [(entry.decode(), fields) for entry, fields in found]

    def _stand(self, at: str, folding: Folding) -> None:
        """Stand after a closed entry, or before the first."""
        self._at, self._given, self._folding = at, at, folding

    def _begin(self) -> None:
        """Stand behind the head."""
        head = self.head()
        self._stand(self._head_ends, Folding(head.universe, version=head.version))
        self._given = FIRST

    def _go_to(self, after: str) -> None:
        """Stand where everything through `after` was read, with what waits there for the next entry of bars."""
        if after == self._given:
            return
        self._begin()
        if after != FIRST:
            self._read_back(after)
            self._given = after

    def _read_back(self, after: str) -> None:
        """Find the closed entry, or the head, at or before that id, and take what came since."""
        since: list[tuple[str, Fields]] = []
        for entry, fields in self._backwards(after):
            if fields[b"kind"] in (b"closed", b"head"):
                version = int(fields.get(b"version", self.head().version))
                self._stand(entry, Folding(self.stands(entry)[0], int(fields.get(b"k", -1)), version))
                self._taken(reversed(since))
                return
            since.append((entry, fields))
        raise TapeLost(f"The tape of {self.day.date} has no entry {after} any more.")

    def _backwards(self, high: str) -> Iterator[tuple[str, Fields]]:
        while True:
            found: Any = self.bus.redis.xrevrange(self._key, high, self._head_ends, count=AT_ONCE)
            yield from ((entry.decode(), fields) for entry, fields in found)
            if not found:
                return
            high = f"({found[-1][0].decode()}"

    def _taken(self, raw: Iterable[tuple[str, Fields]]) -> list[Entry]:
        some = list(raw)
        try:
            entries = self._folding.take(some)
        except TapeLost as fault:
            raise TapeLost(f"{self.day.date}: {fault}") from None
        if some:
            self._at = some[-1][0]
        if entries:
            self._given = entries[-1].id
        return entries


def current_day(bus: Bus) -> TradingDay | None:
    """The trading day whose tape is being written; None before the first."""
    found: Any = bus.redis.get(bus.keys.today)
    return None if found is None else TradingDay.of(found.decode())


def set_current_day(bus: Bus, day: TradingDay) -> None:
    """Say that this day's tape is the one to follow: once its head stands."""
    bus.redis.set(bus.keys.today, str(day.date))


def wait_for_day(bus: Bus, over: threading.Event, other_than: TradingDay | None = None) -> TradingDay | None:
    """The trading day whose tape is being written, as soon as there is one; None once `over` is set."""
    while not over.is_set():
        day = persist(lambda: current_day(bus), over)
        if day is not None and day != other_than:
            return day
        over.wait(0.1)
    return None


def _flat(fields: Fields) -> list[bytes]:
    return [part for pair in fields.items() for part in pair]


def _number(value: float) -> bytes:
    return repr(float(value)).encode()


def place_of(entry: str) -> tuple[int, int]:
    """Where an entry stands on its stream, of its id."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number)
