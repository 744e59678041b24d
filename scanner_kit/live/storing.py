"""The store's process: takes what was published from the bus and writes it down, once each, through whatever dies.

1. Of several that run for one desk the one that holds the lease writes, and the others stand by.
2. The scans of a day are read as a consumer group: first what was given and never acknowledged, to this process or the
   one before it, then what is new; what lies there for long is claimed.
3. A batch is one transaction with how far it came; then it is acknowledged. Ended between the two, it is given again
   and changes nothing: a trigger has an identity, and a step's lists have their minute.
4. A store that is full, locked or gone is tried again until it takes the batch, and named in the heartbeat meanwhile.
5. The group begins where this store stands in the stream, else at the stream's beginning: so a group that was lost
   with the bus's data, or that another store was read through, loses nothing. A day that is played anew, from another
   tape, takes the place of what is stored of it; a day that another desk has stored here is left to that desk.
6. Between two batches the versions of the settings that the tape lacks are put on it; days too old are pruned beside,
   and what processes did is in the audit.
"""

import datetime as dt
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import redis

from scanner_kit.bus.beats import Beating, Trouble, read_beats
from scanner_kit.bus.connection import BLOCK_MS, Bus, persist
from scanner_kit.bus.lease import RENEW_SECONDS, Lease
from scanner_kit.bus.probes import stamp
from scanner_kit.bus.tape import FIRST, TapeLost, TapeReader, current_day, place_of
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.auditing import Doings
from scanner_kit.live.changing import DeskSettings
from scanner_kit.store import ListsOfMinute, Progress, Store, StoreError, StoreRefused, open_store

log = logging.getLogger(__name__)

T = TypeVar("T")
Fields = Mapping[bytes, bytes]
Entry = tuple[str, Fields]
"""The id of an entry, and its fields; none where the stream has it no more."""

GROUP = "store"
CONSUMER = "writer"
"""Whoever holds the lease reads under this name: so it begins with what the one before it was given."""
MOST = 500
GATHER_SECONDS = 0.25
"""A batch is whatever comes within this, or `MOST` entries."""
LOOK_SECONDS = 1.0
CLAIM_SECONDS = 30.0
IDLE_MS = 60_000
"""What was given and not acknowledged for so long is claimed."""
UNREADABLE = (InvalidInput, StoreRefused, KeyError, TypeError, ValueError)
"""What says that an entry is none of ours, or of a version that we do not know: no waiting mends that."""


def keep(
    bus: Bus,
    address: str | Path,
    over: threading.Event,
    *,
    keep_days: int | None = None,
    state: Path | None = None,
    own: Sequence[str] = (),
) -> None:
    """Write what is published into the store of an address, until `over` is set; of several processes one does.

    Parameters
    ----------
    keep_days
        How many of the newest days stay; None prunes nothing.
    state
        The state folder, whose disk is watched.
    own
        The user's own scanners, whose settings are kept too.
    """
    keeper = Keeper(bus, address, over, keep_days=keep_days, own=own)
    with Beating(bus, "store", keeper.facts, state=state):
        keeper.run()


class Keeper:
    """Reads scans from the bus and writes them into a store, while it holds the lease."""

    def __init__(
        self,
        bus: Bus,
        address: str | Path,
        over: threading.Event,
        *,
        keep_days: int | None,
        own: Sequence[str] = (),
    ) -> None:
        self.bus, self.address, self.over, self.keep_days, self.own = bus, address, over, keep_days, own
        self.lease = Lease(bus, bus.keys.store, bus.keys.fence, owner="store")
        self.store: Store
        self._number = 0
        self._days: dict[TradingDay, str] = {}
        self._day: TradingDay | None = None
        self._again = True
        self._looked = self._claimed = 0.0
        self._steps = self._triggers = self._lost = self._unreadable = 0
        self._version: int | None = None
        self._heard: float | None = None
        self._wrote: float | None = None
        self._troubles: dict[str, Trouble] = {}
        self._pruning: threading.Thread | None = None
        self._pruned: TradingDay | None = None
        self._doings: Doings | None = None

    def run(self) -> None:
        """Read and write until it is over."""
        store = self._persist(partial(open_store, self.address))
        if store is None:
            return
        with store, self.lease.renewing():
            self.store = store
            while self._leads():
                self._look()
                for day, entries in (persist(self._take, self.over, what="the scans") or {}).items():
                    self._put(day, entries)
            if (pruning := self._pruning) is not None:
                pruning.join()

    def facts(self) -> dict[str, Any]:
        """What the heartbeat says."""
        return {
            "state": self.state,
            "version": self._version,
            "last_tape": self._heard,
            "last_step": self._wrote,
            "figures": {
                "steps": self._steps,
                "triggers": self._triggers,
                "lost": self._lost,
                "unreadable": self._unreadable,
            },
            "faults": tuple(self._troubles.values()),
        }

    @property
    def state(self) -> str:
        """starting, standby or running."""
        if not hasattr(self, "store"):
            return "starting"
        return "running" if self._number else "standby"

    def _leads(self) -> bool:
        """Hold the lease, or wait for it; False once it is over."""
        while not self.over.is_set():
            number = persist(self.lease.hold, self.over, what="the scans") or 0
            if number != self._number:
                self._number, self._again = number, True
                log.info("writes under number %d" if number else "stands by; its number was %d", number)
            if number:
                return True
            self.over.wait(RENEW_SECONDS / 3)
        return False

    # Reading

    def _take(self) -> dict[TradingDay, list[Entry]]:
        """The next batch, by day; what was given before and not acknowledged comes first."""
        try:
            if self._again:
                if found := self._read("0"):
                    return found
                self._again = False
            if time.monotonic() - self._claimed > CLAIM_SECONDS:
                self._claimed = time.monotonic()
                if found := self._claim():
                    return found
            return self._new()
        except redis.ResponseError as fault:
            if not str(fault).startswith("NOGROUP"):
                raise
            log.warning("the bus has lost the scans, or what was read of them: %s", fault)
            self._days, self._day = {}, None  # looked for again
            self._looked, self._again = 0.0, True
            return {}
        except redis.RedisError:
            self._again = True  # an answer that was lost leaves its entries given and not acknowledged
            raise

    def _new(self) -> dict[TradingDay, list[Entry]]:
        found = self._read(">", BLOCK_MS)
        if found and sum(map(len, found.values())) < MOST:
            self.over.wait(GATHER_SECONDS)
            for day, entries in self._read(">").items():
                found[day] = [*found.get(day, []), *entries]
        return found

    def _read(self, after: str, block: int | None = None) -> dict[TradingDay, list[Entry]]:
        if not self._days:
            self.over.wait(0.1)
            return {}
        streams: dict[Any, Any] = dict.fromkeys(self._days.values(), after)
        answer: Any = self.bus.redis.xreadgroup(GROUP, CONSUMER, streams, count=MOST, block=block)
        entries = {key.decode(): [(at.decode(), fields) for at, fields in found] for key, found in answer or ()}
        return {day: entries[key] for day, key in self._days.items() if entries.get(key)}

    def _claim(self) -> dict[TradingDay, list[Entry]]:
        found = {}
        for day, key in self._days.items():
            _, entries, _ = self.bus.redis.xautoclaim(key, GROUP, CONSUMER, IDLE_MS, FIRST, count=MOST)
            if entries:
                found[day] = [(at.decode(), fields) for at, fields in entries]
        return found

    # Writing

    def _put(self, day: TradingDay, entries: list[Entry]) -> None:
        """Write a batch of a day and acknowledge it."""
        self._heard = time.time()
        key, there = self.bus.keys.scans(day.date), [(at, fields) for at, fields in entries if fields]
        try:
            written = self._write(day, key, there)
        except UNREADABLE:
            written = all(self._write_alone(day, key, *one) for one in there)
        if not written:
            return
        self._lost += len(entries) - len(there)
        persist(partial(self._acknowledge, key, entries), self.over, what="the scans")

    def _write(self, day: TradingDay, key: str, entries: list[tuple[str, Fields]]) -> bool:
        """Write some entries in one transaction; False where it was over before the store took them."""
        if not entries:
            return True
        fired, lists = told_by(day.date, [fields for _, fields in entries])
        new = self._persist(lambda: self.store.write(fired, lists, Progress(GROUP, key, entries[-1][0])))
        if new is None:
            return False
        self._steps, self._triggers, self._wrote = self._steps + len(entries), self._triggers + new, time.time()
        return True

    def _write_alone(self, day: TradingDay, key: str, at: str, fields: Fields) -> bool:
        try:
            return self._write(day, key, [(at, fields)])
        except UNREADABLE as fault:
            return self._cannot_read(day, at, fault)

    def _acknowledge(self, key: str, entries: list[Entry]) -> None:
        ids = [at for at, _ in entries]
        self.bus.redis.xack(key, GROUP, *ids)
        for probe in {probe for _, fields in entries for probe in json.loads(fields.get(b"probes", b"[]"))}:
            stamp(self.bus, probe, "store", time.time())

    def _cannot_read(self, day: TradingDay, at: str, fault: Exception) -> bool:
        """What no waiting mends: it is kept in the audit, and the work goes on."""
        log.error("an entry of the scans of %s cannot be read: %s %r", day.date, at, fault)
        self._unreadable += 1
        detail = {"day": str(day.date), "entry": at, "fault": repr(fault)}
        return self._persist(lambda: self.store.audit.write("store", "unreadable", detail)) is not None

    # What is done now and then

    def _look(self) -> None:
        """Once a second: which days there are to read, and what the tape lacks of the settings."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        persist(self._find_days, self.over, what="the scans")
        with self._said("settings"):
            persist(self._relay, self.over)
        with self._said("audit"):
            self._doings = self._doings or Doings(self.store)
            persist(lambda: self._doings.take(read_beats(self.bus), self._day), self.over)  # type: ignore[union-attr]
        self._prune()

    def _find_days(self) -> None:
        day = current_day(self.bus)
        if day is None or self.over.is_set():
            return
        known = dict.fromkeys((*(() if day == self._day else self._days_there()), *self._days, day))
        for one in known:
            key = self.bus.keys.scans(one.date)
            if not self.bus.redis.exists(key):
                self._days.pop(one, None)
            elif one not in self._days and self._join(one, key):
                self._days[one], self._again = key, True
        self._day = day

    def _days_there(self) -> list[TradingDay]:
        """Every day of which something was published and has not expired, whatever day it is now."""
        keys = self.bus.redis.scan_iter(match=self.bus.keys.scans("*"), count=10_000)
        return [TradingDay.of(day) for day in sorted(key.decode().rpartition(":")[2] for key in keys)]

    def _join(self, day: TradingDay, key: str) -> bool:
        """Make the group, or set it, where the store stands in the stream: at its beginning where it was never read."""
        with self._said(f"day {day.date}"):
            stands = self._persist(partial(self._stands, day, key))
            if stands is None:
                return False
            if stands != FIRST and self._is_anew(day, stands):
                self._persist(partial(self._forget, day))
            begin = stands if self.bus.redis.xrange(key, stands, stands) else FIRST
            try:
                self.bus.redis.xgroup_create(key, GROUP, id=begin)
            except redis.ResponseError as fault:
                if not str(fault).startswith("BUSYGROUP"):
                    raise
                self.bus.redis.xgroup_setid(key, GROUP, begin)
            return True
        return False

    def _stands(self, day: TradingDay, key: str) -> str:
        """The last entry of a day that the store has; `StoreRefused` where it has the day from another desk."""
        stands = self.store.stands(GROUP, f":scans:{day.date}")
        others = [stream for stream in stands if stream != key]
        if others:
            raise StoreRefused(
                f"A store has each day from one desk; found {day.date} from {others[0].partition(':')[0]}. "
                f"Give this desk a store of its own: SCANNER_KIT_STORE_URL."
            )
        return stands.get(key, FIRST)

    def _is_anew(self, day: TradingDay, stands: str) -> bool:
        """Whether the day is played from a tape that was begun after all that the store has of it."""
        first: Any = self.bus.redis.xrange(self.bus.keys.tape(day.date), count=1)
        begun_since = bool(first) and place_of(first[0][0].decode()) > place_of(stands)
        return begun_since and TapeReader(self.bus, day).head().pace is not None

    def _forget(self, day: TradingDay) -> None:
        """Make room for a day that is played anew."""
        log.info("%s is played anew: what was stored of it is replaced", day.date)
        self.store.forget(day.date, self.over)
        self.store.audit.write("store", "replaced", {"day": str(day.date)})

    def _relay(self) -> None:
        try:
            DeskSettings(self.store, self.bus, self.own).put_on_tape()
            self._version = self.store.versions.now().n
        except TapeLost:
            return

    def _prune(self) -> None:
        """Prune beside the work, once for each day that begins."""
        if self.keep_days is None or self._day in (None, self._pruned) or self._pruning is not None:
            return
        self._pruned = self._day
        self._pruning = threading.Thread(target=self._prune_now, args=(self.keep_days,), name="scanner_kit prunes")
        self._pruning.start()

    def _prune_now(self, keep_days: int) -> None:
        try:
            with self._said("prune"):
                log.info("pruned %d days", len(self.store.prune(keep_days, self.over)))
        finally:
            self._pruning = None

    # Faults

    @contextmanager
    def _said(self, work: str) -> Iterator[None]:
        """Name what the store cannot do within, as long as it cannot."""
        try:
            yield
        except StoreError as fault:
            self._note(work, fault)
        else:
            self._troubles.pop(work, None)

    def _persist(self, work: Callable[[], T]) -> T | None:
        """Do it again and again until the store takes it; None once it is over."""
        wait, what = 0.1, "store"
        while not self.over.is_set():
            try:
                done = work()
            except StoreRefused:
                raise
            except StoreError as fault:
                self._note(what, fault)
                self.over.wait(wait)
                wait = min(2 * wait, 2.0)
            else:
                self._troubles.pop(what, None)
                return done
        return None

    def _note(self, work: str, fault: StoreError) -> None:
        if work not in self._troubles:
            log.warning("%s", fault)
        self._troubles[work] = Trouble("store", str(fault))


def told_by(day: dt.date, entries: Iterable[Fields]) -> tuple[list[dict[str, Any]], list[ListsOfMinute]]:
    """The triggers of some entries of the scans, and the lists of the closed steps among them."""
    fired, lists = list[dict[str, Any]](), list[ListsOfMinute]()
    for fields in entries:
        entry = fields[b"entry"].decode()
        fired += ({**plain, "entry": entry} for plain in json.loads(fields[b"triggers"]))
        if b"lists" in fields:
            ended = dt.datetime.fromisoformat(fields[b"time"].decode())
            lists.append(ListsOfMinute(day, int(fields[b"k"]), ended, entry, fields[b"lists"]))
    return fired, lists
