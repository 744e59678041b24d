"""The loop: a source's entries into the engine, its scans into every sink.

A `Desk` is one engine with what people ask of it while it runs: a lock stands between the step and the questions, and a
change of thresholds waits for the next entry, so that it is in force from a whole step on.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from scanner_kit.bars import Bars, SettingsChange
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import Engine, Scan
from scanner_kit.explain import Why
from scanner_kit.universe import Floats


class Sink(Protocol):
    """What takes every scan: a board, a store, a bus."""

    def publish(self, scan: Scan) -> None:
        """Take a scan."""


class Desk:
    """One engine at work: steps from one thread, questions and changes from any."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.RLock()
        self._waiting: list[SettingsChange] = []
        self._coming = engine.judge

    @property
    def roster(self) -> tuple[AnyScanner, ...]:
        """The scanners with the thresholds in force."""
        return self.engine.judge.scanners

    @property
    def coming(self) -> tuple[AnyScanner, ...]:
        """The scanners with the thresholds that the next step will have."""
        return self._coming.scanners

    def step(self, bars: Bars) -> Scan:
        """Take an entry, with the changes of thresholds that waited for it; if it is refused, they still wait."""
        with self._lock:
            changes = self._waiting
            scan = self.engine.step(replace(bars, events=(*bars.events, *changes)) if changes else bars)
            self._waiting, self._coming = [], self.engine.judge
            return scan

    def change(self, scanner: str, values: Mapping[str, Any]) -> None:
        """Have other thresholds of a scanner from the next step on; `InvalidInput` says why not."""
        with self._lock:
            self._coming = self._coming.changed({scanner: values})
            self._waiting.append(SettingsChange.of(**{scanner: dict(values)}))

    def begin(self, engine_of: Callable[[tuple[AnyScanner, ...]], Engine]) -> None:
        """Go on with an engine of another day, under the thresholds that were in force or waited for a step."""
        with self._lock:
            self.engine = engine_of(self.coming)
            self._waiting, self._coming = [], self.engine.judge

    @contextmanager
    def still(self) -> Iterator[Engine]:
        """The engine between two steps: whoever reads several things of it reads them of one minute."""
        with self._lock:
            yield self.engine

    def why(self, symbol: str, time: dt.datetime | int | None = None) -> tuple[Why, ...]:
        """Why each scanner did, or did not, select or speak of a symbol: see `Engine.why`."""
        with self.still() as engine:
            return engine.why(symbol, time)

    def closes(self, symbols: Sequence[str], minutes: int = 60) -> Floats:
        """The latest prices of some symbols, `(minutes, symbols)`, oldest first."""
        with self.still() as engine:
            rows, k = [engine.universe.row(symbol) for symbol in symbols], engine.k
            return np.array(engine.meter.day.last[max(0, k - minutes + 1) : k + 1, rows])


def run(
    source: Iterable[Bars], desk: Desk, sinks: Sequence[Sink], *, goes_on: Callable[[], bool] = lambda: True
) -> int:
    """Take every entry of a source until it ends or is told to stop; how many were taken."""
    taken = 0
    for bars in source:
        if not goes_on():
            break
        scan = desk.step(bars)
        taken += 1
        for sink in sinks:
            sink.publish(scan)
    return taken
