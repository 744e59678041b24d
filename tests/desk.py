"""A desk for tests: a tape on a bus, engines that scan it in threads, and what came of it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from scanner_kit import scanners as built_in
from scanner_kit.bars import Bars, Event, Tape
from scanner_kit.bus.board import BoardReader, triggers_of
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.plain import lists_of, unpacked
from scanner_kit.bus.steps import Step
from scanner_kit.bus.tape import Head, Pace, TapeWriter, set_current_day
from scanner_kit.engine import Engine
from scanner_kit.live.scanning import Scanning
from scanner_kit.ranking import Published

LAST_K = 400
"""Through this minute days are scanned: an hour and more after the open."""


class Writer:
    """Writes a tape on the bus, minute by minute, as an ingest does."""

    def __init__(self, bus: Bus, tape: Tape, **head: Any) -> None:
        self.bus, self.tape = bus, tape
        self.writer = TapeWriter(bus, tape.universe.day)
        self.writer.open(Head(tape.universe, **{"pace": Pace(time.time(), 1e9), **head}))
        set_current_day(bus, tape.universe.day)

    def write(self, last: int, *, at: float | None = None, delay: float = 0.0) -> "Writer":
        """Append the minutes through `last`."""
        for k in range(self.writer.k + 1, last + 1):
            self.writer.closed(self.tape.bars(k), time.time() if at is None else at, delay)
        return self

    def form(self, share: float = 1.0) -> "Writer":
        """Append the minute so far: so much of the next one's volume."""
        bars = self.tape.bars(self.writer.k + 1)
        instant = self.tape.universe.day.time(bars.k - 1)
        so_far = replace(bars, volume=bars.volume * share, forming=True, instant=instant)
        self.writer.forming(so_far, time.time())
        return self


@contextmanager
def scanning(bus: Bus, **options: Any) -> Iterator[Scanning]:
    """An engine at work in a thread, until the block ends; what it raised is raised."""
    over, raised = threading.Event(), list[BaseException]()
    engine = Scanning(bus, over, **options)

    def run() -> None:
        try:
            engine.run()
        except BaseException as fault:
            raised.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        over.set()
        thread.join(20)
    if raised:
        raise raised[0]


def wait(until: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end, event = time.monotonic() + seconds, threading.Event()
    while not until():
        assert time.monotonic() < end, "it did not come about in time"
        event.wait(0.01)


def wait_for(bus: Bus, day: Any, k: int) -> Step:
    """Wait until the step of a minute is published."""
    over = threading.Event()
    timer = threading.Timer(60, over.set)
    timer.start()
    try:
        for step in BoardReader(bus).follow(over):
            if step.day == day.date and step.k >= k and not step.forming:
                return step
    finally:
        timer.cancel()
    raise AssertionError(f"minute {k} was not published in time")


Made = tuple[list[tuple[int, dict[str, Any]]], list[str]]


def published(bus: Bus, day: Any) -> Made:
    """What was published of the closed steps of a day: minute and lists of each in order, and every trigger."""
    entries: Any = bus.redis.xrange(bus.keys.scans(day.date))
    steps = [(int(f[b"k"]), _order(unpacked(f[b"lists"]))) for _, f in entries if f[b"forming"] == b"0"]
    return steps, [repr(one.trigger) for one in triggers_of(bus, day.date)]


def expected(
    tape: Tape,
    last: int = LAST_K,
    events: dict[int, tuple[Event, ...]] | None = None,
    roster: Iterable[Any] | None = None,
) -> Made:
    """What an engine makes of the closed minutes of a tape, without a bus."""
    engine = Engine(tape.universe, built_in.roster() if roster is None else roster)
    steps = []
    for k in range(last + 1):
        scan = engine.step(_with(tape.bars(k), (events or {}).get(k, ())))
        steps.append((k, {name: _scores(its) for name, its in lists_of(scan).items()}))
    return steps, [repr(trigger) for trigger in engine.triggers]


def _with(bars: Bars, events: tuple[Event, ...]) -> Bars:
    return replace(bars, events=(*bars.events, *events))


def _order(lists: dict[str, Any]) -> dict[str, Any]:
    return {name: [(symbol, figures["score"]) for symbol, figures in plain["rows"]] for name, plain in lists.items()}


def _scores(its: Published) -> list[tuple[str, float]]:
    return [(symbol, dict(figures)["score"]) for symbol, figures in its.rows]
