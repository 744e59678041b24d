"""Faults of a desk: how each is injected and ended, since when its definition holds, and which row of health names it.

What begins or ends a fault says when that was by the monotonic clock: the moment from which the definition holds, which
may be yet to come, and the moment from which it does no more. Moments of the market are those of the tape.
"""

import contextlib
import datetime as dt
import os
import signal
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.faulty import DAY, SYMBOLS
from benchmarks.faulty_desk import Desk, until
from scanner_kit.bus.beats import Beat, read_beats
from scanner_kit.bus.connection import connect
from scanner_kit.bus.tape import Entry, TapeReader
from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.live.server import running

FALLS_SILENT = {"halted": SYMBOLS[2], "withheld": SYMBOLS[5], "silent": None}
OFF, SLOW = 3.0, 12.0
UNHEARD = 3.0
"""Seconds after which a step that was taken is told by the heartbeat."""
HALF_DAY = dt.datetime(2024, 12, 24, 12, 50, tzinfo=NEW_YORK)


@dataclass(frozen=True)
class Fault:
    """A fault: which row names it, how it is injected, and how it ends; both say since when that holds."""

    name: str
    subject: str
    state: str
    reason: str
    begin: Callable[[Desk], float]
    end: Callable[[Desk], float]
    injected: str
    calm: bool = True
    """Whether the desk is green before."""


# The tape, as it was


def steps(desk: Desk) -> list[Entry]:
    """The closed minutes on the tape."""
    return [entry for entry in TapeReader(desk.bus, DAY).recover() if entry.kind == "closed"]


def _monotonic(wall: float) -> float:
    return wall - time.time() + time.monotonic()


def traded(desk: Desk, symbol: str | None) -> list[tuple[int, float, bool]]:
    """Minutes of the tape, when each closed, and whether a symbol (or any) had a bar."""
    row = slice(None) if symbol is None else SYMBOLS.index(symbol)
    told = [(entry.bars, entry.at) for entry in steps(desk)]
    return [(bars.k, at, bool(np.isfinite(bars.close[row]).any())) for bars, at in told if bars is not None]


def third_silent(desk: Desk, symbol: str) -> float:
    """When the third minute in a row was closed in which a symbol had no bar."""

    def found() -> float | None:
        minutes = traded(desk, symbol)
        last = max(k for k, _, some in minutes if some)
        return next((at for k, at, _ in minutes if k == last + 3), None)

    return _monotonic(until(found, "three silent minutes"))


def a_bar_after(desk: Desk, symbol: str | None, since: float) -> float:
    """When the first minute with a bar was closed since an instant."""
    found = lambda: next((at for _, at, some in traded(desk, symbol) if some and at > since), None)  # noqa: E731
    return _monotonic(until(found, "a bar"))


def told_of(what: str, symbol: str | None) -> tuple[Callable[[Desk], float], Callable[[Desk], float]]:
    """Begin and end of a fault of the market that the ingest is told of."""

    def begin(desk: Desk) -> float:
        desk.told.say(what, symbol or "")
        if symbol is not None:
            return third_silent(desk, symbol)
        now = time.time()
        until(lambda: any(not some for _, at, some in traded(desk, None) if at > now), "a silent minute")
        return _monotonic(max(at for _, at, some in traded(desk, None) if some)) + 180.0

    def end(desk: Desk) -> float:
        since = time.time()
        desk.told.unsay(what)
        return a_bar_after(desk, symbol, since)

    return begin, end


def _median_delays(desk: Desk) -> list[tuple[float, float]]:
    told = steps(desk)
    return [
        (entry.at, statistics.median(max(0.0, one.delay) for one in told[max(0, i - 4) : i + 1]))
        for i, entry in enumerate(told)
    ]


def slow(desk: Desk) -> float:
    """Every minute comes 12 s late, or later; when the median of five was above 10 s."""
    since = time.time()
    desk.told.say("slow", str(SLOW))
    found = lambda: next((at for at, delay in _median_delays(desk) if at > since and delay > 10), None)  # noqa: E731
    return _monotonic(until(found, "a late feed"))


def quick(desk: Desk) -> float:
    """Minutes come in time again; when the median of five was."""
    since = time.time()
    desk.told.unsay("slow")
    found = lambda: next((at for at, delay in _median_delays(desk) if at > since and delay <= 10), None)  # noqa: E731
    return _monotonic(until(found, "a feed in time"))


# The processes


def beat(desk: Desk, role: str, pid: int) -> Beat | None:
    """The last beat of a process."""
    return next((one for one in read_beats(desk.bus) if (one.role, one.pid) == (role, pid)), None)


def second_engine(desk: Desk) -> float:
    """A second engine is started; when it first said that it stands by."""
    desk.command("second", "engine")
    pid = desk.processes["second"].pid
    until(lambda: (one := beat(desk, "engine", pid)) is not None and one.state == "standby", "a second engine")
    return time.monotonic()


def one_engine(desk: Desk) -> float:
    """It is ended."""
    return desk.end("second")


def wrong_prefix(desk: Desk) -> float:
    """The engine is started again under another prefix; when it first had a heartbeat there."""
    desk.end("engine")
    desk.command("engine", "engine", SCANNER_KIT_PREFIX="scaner")
    with connect(desk.bus.url, "scaner") as elsewhere:
        until(lambda: read_beats(elsewhere), "an engine elsewhere")
    return time.monotonic()


def right_prefix(desk: Desk) -> float:
    """It is ended, and started as it should be."""
    ended = desk.end("engine")
    desk.command("engine", "engine")
    return ended


def clock_off(desk: Desk) -> float:
    """The clock of the store's process is put forward."""
    desk.shift("store", OFF)
    return time.monotonic()


def clock_right(desk: Desk) -> float:
    """And back."""
    desk.shift("store", 0.0)
    return time.monotonic()


def fill_memory(desk: Desk) -> float:
    """The server may use less than it does."""
    said: Any = desk.bus.redis.config_get("maxmemory")
    desk.told.say("maxmemory", said["maxmemory"])
    desk.bus.redis.config_set("maxmemory", 1)
    return time.monotonic()


def free_memory(desk: Desk) -> float:
    """It may use as much as before."""
    desk.bus.redis.config_set("maxmemory", str(desk.told.said("maxmemory")))
    return time.monotonic()


def fill_disk(desk: Desk) -> float:
    """The disk of the state folder is filled to the last block."""
    with (desk.state / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return time.monotonic()


def empty_disk(desk: Desk) -> float:
    """There is room again."""
    (desk.state / "filler").unlink()
    return time.monotonic()


def kill_redis(desk: Desk) -> float:
    """The server is killed, and who would start it again is held up; when it has not answered for 6 s."""
    said: Any = desk.bus.redis.info("server")
    desk.processes["owner"].send_signal(signal.SIGSTOP)
    os.kill(said["process_id"], signal.SIGKILL)
    return time.monotonic() + 6.0


def restart_redis(desk: Desk) -> float:
    """It is started again; when it answered."""
    desk.processes["owner"].send_signal(signal.SIGCONT)

    until(lambda: running(desk.state), "the server")
    return time.monotonic()


def hang(desk: Desk) -> float:
    """A scanner of the user's own does not come back; 90 s after the engine's last step."""
    since = time.time()
    desk.told.say("stuck")
    pid = desk.processes["engine"].pid

    def stands() -> float | None:
        one = beat(desk, "engine", pid)
        last = one.last_step if one is not None and one.last_step else since
        waiting = [entry for entry in steps(desk) if entry.at > max(since, last) + UNHEARD]
        return last if len(waiting) > 1 else None

    return _monotonic(until(stands, "an engine that hangs")) + 90.0


def come_back(desk: Desk) -> float:
    """It does."""
    desk.told.unsay("stuck")
    return time.monotonic()


# The calendar


def _clock_to(desk: Desk, instant: dt.datetime) -> None:
    desk.shift("all", instant.timestamp() - time.time())


def _when(desk: Desk, instant: dt.datetime) -> float:
    """When it is that by the clocks of the desk."""
    (shift,) = struct.unpack("d", (desk.folder / "all.clock").read_bytes())
    return _monotonic(instant.timestamp() - shift)


def silent_before_the_close(desk: Desk) -> float:
    """12:59:30 of a half day, and no bar has come for minutes: that is a fault in REGULAR."""
    _clock_to(desk, HALF_DAY.replace(hour=12, minute=59, second=30))
    return time.monotonic()


def early_close(desk: Desk) -> float:
    """13:00: the regular session of a half day is over, and silence is none after it."""
    at = _when(desk, HALF_DAY.replace(hour=13, minute=0))
    time.sleep(max(0.0, at - time.monotonic()))
    return at


def half_day_ends(desk: Desk) -> float:
    """17:00: a half day is over."""
    _clock_to(desk, HALF_DAY.replace(hour=16, minute=59, second=50))
    return _when(desk, HALF_DAY.replace(hour=17, minute=0))


def next_day(desk: Desk) -> float:
    """04:00 of the next day of trading."""
    day = TradingDay.after(HALF_DAY.date())
    first = day.time(-1)
    _clock_to(desk, first - dt.timedelta(seconds=8))
    at = _when(desk, first)
    time.sleep(max(0.0, at - time.monotonic()))
    return at


def holiday(desk: Desk) -> float:
    """10:00 of a Wednesday on which there is no trading, after 04:01 of a day on which there is."""
    _clock_to(desk, dt.datetime(2024, 12, 25, 10, 0, tzinfo=NEW_YORK))
    return time.monotonic()


FEED, QUIET = "feed .*", "no bar of any symbol for 1[89]"
HALT, WITHHELD, SILENT = (told_of(what, symbol) for what, symbol in FALLS_SILENT.items())
MARKET = (
    Fault("halt", SYMBOLS[2], "HALTED", "halted", *HALT, "a symbol has no bar any more, nor has the vendor"),
    Fault("one symbol silent", SYMBOLS[5], "STALE", "has newer bars", *WITHHELD, "the vendor keeps its bars"),
    Fault("delayed feed", FEED, "DELAYED", "after their minute's end", slow, quick, f"a minute takes {SLOW:g} s more"),
    Fault("feed silent", FEED, "STALE", QUIET, *SILENT, "no symbol has a bar any more"),
)
AWAY = "the server is killed, and started again later"
BUS = (
    Fault("two engines", r"engine on .*", "LIVE", "stands by", second_engine, one_engine, "a second one is started"),
    Fault("wrong prefix", "bus of engine", "FAULT", "prefix 'scaner'", wrong_prefix, right_prefix, "the engine's"),
    Fault("clock off", "clock of .*", "FAULT", r"off by \+[23]\.\d s", clock_off, clock_right, "that of the store"),
    Fault("Redis full", "Redis", "FAULT", "it is full", fill_memory, free_memory, "maxmemory is lowered"),
    Fault("disk full", "disk of .*", "FAULT", "it is full", fill_disk, empty_disk, "that of the state folder"),
    Fault("Redis restarted", "bus", "DOWN", "no answer for", kill_redis, restart_redis, AWAY),
    Fault("engine stuck", "engine", "STUCK", "no step for", hang, come_back, "a scanner of the user's does not return"),
)
CLOSED = (FEED, "CLOSED", "the market is closed")
SILENT_AT_CLOSE = (FEED, "STALE", "no bar", silent_before_the_close, early_close)
CALENDAR = (
    Fault("half day: early close", *SILENT_AT_CLOSE, "a feed silent at 12:59 of 24 December; then it is 13:00", False),
    Fault("half day: end", *CLOSED, half_day_ends, next_day, "17:00 of 24 December; then 04:00 of 26 December", False),
    Fault("holiday", *CLOSED, holiday, next_day, "10:00 of 25 December; then 04:00 of 26 December", False),
)
DESKS = {"market": MARKET, "bus": BUS, "calendar": CALENDAR}
FAULTS = tuple(fault for faults in DESKS.values() for fault in faults)
