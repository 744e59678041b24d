"""The live board: what the engine published, followed on the bus by one thread, and shown to any number of screens.

1. `_read` takes the board whole and then step by step, and publishes it to the sessions of this process.
2. `_watch` asks once a second for health, and takes away test triggers that were seen.
3. Questions (why, a symbol's day) go to the engine that leads; of one symbol and step it is asked once, whoever asks.
"""

import datetime as dt
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import redis

from scanner_kit.bus.board import BoardReader
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.plain import Announced
from scanner_kit.bus.probes import STAMPED_SECONDS, stamp
from scanner_kit.bus.steps import Step
from scanner_kit.calendar import TradingDay
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput
from scanner_kit.health import Health, State
from scanner_kit.ranking import Row
from scanner_kit.settings import Thresholds
from scanner_kit.store import Version
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Floats
from scanner_kit.views.desk import Listing
from scanner_kit.views.feed import LINK, Board

log = logging.getLogger(__name__)

WATCH_SECONDS, PROBE_SECONDS = 1.0, 20.0
MINUTES = 60
"""Of so many minutes a sparkline is drawn."""
SCORE = "score"
SOMEBODY = "somebody at a page"


class Engine(Protocol):
    """The engine that leads, asked over the bus. What it cannot answer is an error with its sentence."""

    def why(self, symbol: str, k: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Why a symbol is on each list and fired, or not: what `views.why` shows."""

    def history(self, symbol: str) -> Mapping[str, Any]:
        """A symbol's day so far: what `views.chart` shows."""


class Desk(Protocol):
    """The settings of the desk: which are in force, and how others are asked for."""

    def roster(self, version: int) -> Sequence[AnyScanner]:
        """The scanners under a version of the settings."""

    def change(self, base: int, values: Thresholds, who: str, why: str = "") -> Version:
        """Ask for other thresholds; the version that has them, from the next step on.

        `InvalidInput` says why not, and what changed since version `base`.
        """


Signs = Callable[[], tuple[Iterable[Health], Iterable[Mapping[str, Any]]]]
"""The rows of health, worst first, and the beats of the processes."""


@dataclass(frozen=True)
class Spoken(Trigger):
    """A trigger as it was announced: `late` by so many seconds where it was."""

    late: float = 0.0

    @classmethod
    def of(cls, announced: Announced) -> "Spoken":
        """What was announced."""
        return cls(**vars(announced.trigger), late=announced.late)


@dataclass(frozen=True)
class Shown:
    """A step as a board takes it, with when it was due and published."""

    day: dt.date
    k: int
    time: dt.datetime
    session: Any
    forming: bool
    lists: Mapping[str, Listing]
    triggers: Sequence[Trigger]
    due: float | None
    at: float | None

    @classmethod
    def of(cls, step: Step) -> "Shown":
        """The step, as the screens have it."""
        lists = {name: Listing(tuple(map(_row, published.rows))) for name, published in step.lists.items()}
        spoken = [Spoken.of(one) for one in step.triggers]
        instants = (step.due or None, step.at or None)
        return cls(step.day, step.k, step.time, step.session, step.forming, lists, spoken, *instants)


class BusBoard(Board):
    """A board that is fed from a bus; screens and sessions follow it like any other.

    Parameters
    ----------
    bus
        Where the engine publishes.
    engine
        Who answers questions about a symbol; without one charts and reasons are refused.
    desk
        Who knows the thresholds and changes them; without one they are shown as `roster` says, and not changed.
    signs
        Who tells health; without one it is only said whether the bus answers.
    idle
        Seconds without anybody who follows the board, after which it follows the bus no longer; by default it goes on.
    """

    def __init__(
        self,
        bus: Bus,
        roster: Iterable[AnyScanner] = (),
        *,
        engine: Engine | None = None,
        desk: Desk | None = None,
        signs: Signs | None = None,
        idle: float = float("inf"),
        link: str = LINK,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._idle = idle
        self.bus, self._engine, self._desk, self._signs = bus, engine, desk, signs
        self.remembers = desk is not None
        self.latest: Step | None = None
        self._closes = Closes(bus)
        self._asked: dict[tuple[str, str], tuple[int, Any]] = {}
        self._asking = threading.Lock()
        self._probes: dict[str, float] = {}
        self._heard: dt.datetime | None = None
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        asked = {} if engine is None else {"explain": self._explain, "history": self._history}
        super().__init__(roster, closes=self._closes, link=link, clock=clock, **asked)  # type: ignore[arg-type]

    @property
    def runs(self) -> bool:
        """Whether it follows the bus."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self) -> "BusBoard":
        """Follow the bus, from a thread of its own; returns at once."""
        if not self.runs:
            self._over = threading.Event()
            self._threads = [
                threading.Thread(target=work, args=[self._over], daemon=True, name=f"scanner_kit {work.__name__}")
                for work in (self._read, self._watch)
            ]
            for thread in self._threads:
                thread.start()
        return self

    def stop(self) -> None:
        """Follow it no longer, and wait until that is so."""
        self._over.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=10)
        self._threads = []

    def __enter__(self) -> "BusBoard":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def take(self, step: Step) -> None:
        """Show a step."""
        before, self.latest = self.latest, step
        shown = Shown.of(step)
        self._closes.take(step)
        if before is None or before.version != step.version:
            self._take_roster(step.version)
        self._show_probes(step)
        self.publish(shown)

    def change(
        self, scanner: str, values: dict[str, Any], *, base: int | None = None, who: str = "", why: str = ""
    ) -> None:
        """Ask for other thresholds of the whole desk; `InvalidInput` says why not, and what changed meanwhile."""
        if self._desk is None:
            super().change(scanner, values, base=base, who=who, why=why)
            return
        since = self.settings if base is None else base
        self._take_roster(self._desk.change(since, {scanner: values}, who or SOMEBODY, why).n)
        self._tell()

    def seen(self, probe: str) -> None:
        """A screen has shown a test trigger: whoever sent it is told when, on the bus."""
        if probe in self._probes:
            self._receipt(probe, "screen")

    def _read(self, over: threading.Event) -> None:
        for step in BoardReader(self.bus).follow(over):
            try:
                self.take(step)
            except Exception as fault:
                log.exception("A step could not be shown: %s", fault)

    def _watch(self, over: threading.Event) -> None:
        alone = 0.0
        while not over.wait(WATCH_SECONDS):
            self._report()
            self._drop_probes()
            alone = 0.0 if self.sessions else alone + WATCH_SECONDS
            if alone >= self._idle:
                over.set()
                for thread in self._threads[:1]:  # it may be reading
                    thread.join(timeout=10)
                self.bus.close()

    def _report(self) -> None:
        try:
            if self._signs is None:
                self.bus.redis.ping()
                self.report([Health("bus", State.LIVE, "it answers")])
            else:
                rows, beats = self._signs()
                told = list(beats)
                self.label = next((str(beat["label"]) for beat in told if beat.get("label")), self.label)
                self.report(rows, told)
        except redis.RedisError as fault:
            self.report([Health("bus", State.DOWN, f"it does not answer: {fault}", self._heard)])
        else:
            self._heard = dt.datetime.now(dt.UTC)

    def _take_roster(self, version: int) -> None:
        """Show the thresholds of a version, unless a later one is known that waits for its step.

        One that the store does not have yet is shown with a later step.
        """
        if self._desk is None or (version <= self.settings and self.version):
            return
        try:
            roster = self._desk.roster(version)
        except InvalidInput as fault:
            log.warning("the thresholds of version %d cannot be shown: %s", version, fault)
        else:
            self.settings = version
            self.configure(roster)

    # Questions

    def _explain(self, symbol: str) -> list[dict[str, Any]]:
        assert self._engine is not None, "without an engine nobody explains"
        return [dict(one) for one in self._once("why", symbol, self._engine.why)]

    def _history(self, symbol: str) -> dict[str, Any]:
        assert self._engine is not None, "without an engine there is no history"
        return dict(self._once("history", symbol, self._engine.history))

    def _once(self, what: str, symbol: str, ask: Callable[[str], Any]) -> Any:
        """Ask once for each symbol and step: all sessions that look at it share the answer."""
        with self._asking:
            known = self._asked.get((what, symbol))
            if known is not None and known[0] == self.step:
                return known[1]
            step, answer = self.step, ask(symbol)
            self._asked = {key: kept for key, kept in self._asked.items() if kept[0] >= step - 1}
            self._asked[what, symbol] = step, answer
            return answer

    # Test triggers

    def _show_probes(self, step: Step) -> None:
        new = [probe for probe in step.probes if probe not in self._probes]
        if not new:
            return
        self._probes |= dict.fromkeys(new, self.clock())
        for probe in new:
            self._receipt(probe, "serve")
        lines = {f"TEST {probe}": _test_line(probe, step) for probe in new}
        self._put("triggers", {"lines": {**self.state("triggers").get("lines", {}), **lines}})

    def _drop_probes(self) -> None:
        now, lines = self.clock(), self.state("triggers").get("lines", {})
        old = {
            key for key, line in lines.items()
            if "probe" in line and now - self._probes.get(line["probe"], 0.0) > PROBE_SECONDS
        }  # fmt: skip
        if old:
            self._put("triggers", {"lines": {key: line for key, line in lines.items() if key not in old}})
            self._tell()
        self._probes = {probe: at for probe, at in self._probes.items() if now - at < STAMPED_SECONDS}

    def _receipt(self, probe: str, station: str) -> None:
        """Say on the bus that a probe has come to a station, without waiting for it."""
        args = (probe, station, self.clock())
        threading.Thread(target=self._stamp, args=args, daemon=True, name="scanner_kit probe").start()

    def _stamp(self, probe: str, station: str, at: float) -> None:
        try:
            stamp(self.bus, probe, station, at)
        except redis.RedisError as fault:
            log.warning("the receipt of a test trigger could not be written: %s", fault)


class Closes:
    """The latest closes of the symbols on the lists: read from the bus when a symbol comes, then kept up to date."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._day: TradingDay | None = None
        self._k = -1
        self._known: dict[str, dict[int, float]] = {}

    def take(self, step: Step) -> None:
        """Take the last prices of a step, and read what came before of symbols that are new on the lists."""
        day = TradingDay.of(step.day)
        if self._day != day:
            self._day, self._known = day, {}
        prices = {symbol: dict(figures).get("last") for its in step.lists.values() for symbol, figures in its.rows}
        new = [symbol for symbol in prices if symbol not in self._known]
        self._known = {symbol: kept for symbol, kept in self._known.items() if symbol in prices}
        self._known |= self._before(day, new)
        self._k = step.k
        for symbol, price in prices.items():
            if price is not None:
                self._known[symbol][step.k] = price

    def __call__(self, symbols: Sequence[str]) -> Floats:
        """The latest closes, `(minutes, symbols)`, oldest first; NaN where there was no bar."""
        found = np.full((MINUTES, len(symbols)), np.nan)
        first = self._k - MINUTES + 1
        for i, symbol in enumerate(symbols):
            kept = self._known.get(symbol, {})
            for k in [k for k in kept if k < first]:
                del kept[k]
            for k, price in kept.items():
                if k <= self._k:  # the bars on the bus may be ahead of the step
                    found[k - first, i] = price
        return found

    def _before(self, day: TradingDay, symbols: Sequence[str]) -> dict[str, dict[int, float]]:
        if not symbols:
            return {}
        start = int(day.start.astype("datetime64[ms]").astype(np.int64))
        with self._bus.redis.pipeline(transaction=False) as pipe:
            for symbol in symbols:
                pipe.lrange(self._bus.keys.bars(day.date, symbol), -MINUTES, -1)
            try:
                found = pipe.execute()
            except redis.RedisError as fault:
                log.warning("closes could not be read: %s", fault)
                found = [[]] * len(symbols)
        return {
            symbol: {(bar[0] - start) // 60_000: bar[4] for bar in map(json.loads, bars)}
            for symbol, bars in zip(symbols, found, strict=True)
        }


def _row(row: tuple[str, tuple[tuple[str, float], ...]]) -> Row:
    symbol, figures = row[0], dict(row[1])
    return Row(symbol, figures.get(SCORE, float("nan")), figures)


def _test_line(probe: str, step: Step) -> dict[str, Any]:
    """A test trigger on the tape of triggers: small, and named so."""
    return {
        "time": step.time.timestamp(),
        "symbol": "TEST",
        "session": str(step.session),
        "side": 1,
        "severity": None,
        **dict.fromkeys(("price", "level", "stop")),
        "fired": [["probe", "test", 1, None, "Test of the chain", None, None, True]],
        "notable": True,
        "marks": [["test", "A test of the chain; no stock did this"]],
        "probe": probe,
    }
