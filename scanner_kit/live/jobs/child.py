"""A child process in which a scheduled scanner's own code runs: one that takes too long is ended, whatever it does.

1. `Child` starts `python -m scanner_kit.live.jobs.child`, in a session of its own, and hands over what is to be run.
2. The child makes the scanner and says so; then it takes one order after the other and answers each in JSON.
3. A scan that does not answer in time is killed with all that it started. A child whose parent is gone ends itself.
"""

import datetime as dt
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from scanner_kit.calendar import TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, ScannerKitError
from scanner_kit.live.process import log_as, told_status, until_alone
from scanner_kit.metrics import Metric
from scanner_kit.ranking import Published
from scanner_kit.results import Result, result_of, told_result
from scanner_kit.scheduled import Context, ScheduledScanner, scheduled_in
from scanner_kit.tuning.named import named
from scanner_kit.universe import FACTS, Facts, Universe

STARTS_WITHIN, ENDS_WITHIN, LOOK = 60.0, 3.0, 0.1
LONGEST = 300
"""Characters of a fault that are told."""


class ScanFault(ScannerKitError):  # noqa: N818  what happened to a scan
    """A scan gave no result; the sentence says why."""


@dataclass(frozen=True)
class Made:
    """What a child runs: the scanner of a name among those that a text names, under its thresholds, on a day."""

    text: str
    name: str
    thresholds: Mapping[str, Any]
    day: TradingDay


@dataclass(frozen=True, eq=False)
class Market:
    """The symbols that are scanned, and their facts without the usual volume."""

    symbols: tuple[str, ...]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, universe: Universe) -> "Market":
        """Those who are of a universe and have not left it."""
        there = universe.take(np.flatnonzero(universe.there(universe.day.minutes - 1)))
        return cls(there.symbols, {name: getattr(there.facts, name) for name in FACTS if name != "usual_volume"})


@dataclass(frozen=True)
class Order:
    """What one scan is given: the instant, the lists as published, the scanner's own state, and the market.

    No market is the one of the scan before.
    """

    now: dt.datetime
    lists: Mapping[str, Published]
    state: Mapping[str, Any]
    market: Market | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a scan: its result, the symbols that it adds, and the scanner's state after it."""

    result: Result
    adds: Sequence[Any]
    state: Mapping[str, Any]


class Child:
    """A child at work, as its parent has it: begun with the first scan, and again with the next one after an end."""

    def __init__(self, made: Made, timeout: float) -> None:
        self.made, self.timeout = made, timeout
        self.knows: Universe | None = None
        """The universe whose market it was given last."""
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any]

    def scan(self, order: Order, universe: Universe, over: threading.Event) -> Answer:
        """What comes of a scan of a universe; `ScanFault` where nothing does.

        Once `over` is set it is waited for no longer.
        """
        if self._process is None:
            self._begin(over)
        if universe is not self.knows:
            order, self.knows = replace(order, market=Market.of(universe)), universe
        with suppress(OSError):  # one that is gone is told by its answer
            self._connection.send(order)
        answer = self._answer(self.timeout, over)
        return Answer(result_of(answer["result"]), answer["adds"], answer["state"])

    def end(self) -> None:
        """Let it tear down what it set up, for a moment, and end it."""
        if self._process is None:
            return
        with suppress(ScanFault, OSError):
            self._connection.send(None)
            self._answer(ENDS_WITHIN, threading.Event())
        self.kill()

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._connection.close()
        self._process, self.knows = None, None

    def _begin(self, over: threading.Event) -> None:
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", "scanner_kit.live.jobs.child", str(theirs.fileno())]
        fds = [theirs.fileno()]
        self._process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.PIPE, start_new_session=True)
        theirs.close()
        try:
            with suppress(OSError):
                self._connection.send(self.made)
            self._answer(STARTS_WITHIN, over)
        except ScanFault:
            self.kill()
            raise

    def _answer(self, seconds: float, over: threading.Event) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while not self._connection.poll(min(LOOK, max(0.0, until - time.monotonic()))):
            if over.is_set() or time.monotonic() >= until:
                self.kill()
                raise ScanFault("The day is over." if over.is_set() else f"It took longer than {seconds:g} s.")
        try:
            answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            raise ScanFault(f"Its process ended{self._how()}.") from None
        if "fault" in answer:
            raise ScanFault(answer["fault"])
        return answer

    def _how(self) -> str:
        """How it ended by itself, with which it is cleared away."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_WITHIN)
        status = self._process.returncode
        self.kill()
        return "" if status is None else f" with {told_status(status)}"


# In the child


class _Work:
    """The scanner in its process: set up before its first scan, torn down after its last."""

    def __init__(self, made: Made) -> None:
        found = named(made.text)
        assert not isinstance(found, Metric)
        self.made, self.scanner = made, _scanner(found, made.name).with_settings(**made.thresholds)
        self._symbols: tuple[str, ...] = ()
        self._facts = Facts.of(0, made.day.minutes)
        self._context: Context | None = None

    def scan(self, order: Order) -> dict[str, Any]:
        """The answer to an order."""
        made, state = self.made, dict(order.state)
        if order.market is not None:
            self._symbols = order.market.symbols
            self._facts = Facts.of(len(self._symbols), made.day.minutes, **order.market.facts)
        log = logging.getLogger(f"scanner_kit.scan.{made.name}")
        context = Context(made.day, order.now, self._symbols, self._facts, order.lists, state, log)
        if self._context is None:
            self.scanner.setup(context)
        self._context = context
        given = self.scanner.scan(context)
        result = self.scanner.result(given, order.now, frozenset(self._symbols))
        return {"result": told_result(result), "adds": given.adds, "state": context.state}

    def end(self) -> dict[str, Any]:
        """Tear down what was set up."""
        if self._context is not None:
            self.scanner.teardown(self._context)
        return {}


def _scanner(found: AnyScanner, name: str) -> ScheduledScanner:
    return scheduled_in([found])[name]


def _answered(work: Callable[[], dict[str, Any]]) -> bytes:
    """The answer of a piece of work; a fault of the user's code is one too."""
    try:
        return json.dumps(work(), allow_nan=False).encode()
    except InvalidInput as fault:
        return json.dumps({"fault": str(fault)}).encode()
    except (Exception, SystemExit) as fault:
        logging.getLogger("scanner_kit.live").exception("it raised")
        told = " ".join(f"{type(fault).__name__}: {fault}".split())
        return json.dumps({"fault": told[:LONGEST]}).encode()


def main(connection: "Connection[Any, Any]") -> None:
    """Take orders until there is no more."""
    made: Made = connection.recv()
    log_as(f"scan {made.name}")
    works: list[_Work] = []

    def begin() -> dict[str, Any]:
        works.append(_Work(made))
        return {}

    connection.send_bytes(_answered(begin))
    while works:
        try:
            order = connection.recv()
        except EOFError:
            return
        if order is None:
            connection.send_bytes(_answered(works[0].end))
            return
        connection.send_bytes(_answered(lambda: works[0].scan(order)))  # noqa: B023  called at once


def _end_with_parent() -> None:
    until_alone(threading.Event())
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(Connection(int(sys.argv[1])))
