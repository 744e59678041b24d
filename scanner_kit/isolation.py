"""Isolation: an engine in which a scanner that raises never stops another's scan.

Judging and measuring change nothing until they are done. So who raises is found by asking each alone, on the same
numbers, and the step is made again without it: whoever takes the same tape leaves out the same scanners at the same
steps. A forming step that fires nothing leaves no trace: who raises in it is left out of that one alone.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scanner_kit.bars import Bars, VendorHalt
from scanner_kit.composition import AnyScanner
from scanner_kit.engine import FIGURES, Engine
from scanner_kit.judge import Judge, Judgement, Remembered
from scanner_kit.meter import in_order
from scanner_kit.metrics import Metric
from scanner_kit.remembering import widened, without
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Universe
from scanner_kit.widening import Widening

Faults = Mapping[str, Exception]


@dataclass(frozen=True)
class Off:
    """What does not work for the rest of the day: a scanner that raised, or a change that could not be made.

    `k` is the minute in which it was found.
    """

    what: str
    k: int
    reason: str

    def __str__(self) -> str:
        return f"{self.what} is off since k={self.k}: {self.reason}"


class IsolatingEngine(Engine):
    """An engine that switches a scanner off for the rest of the day when it raises; `off` says which, and why.

    A change of thresholds that a scanner refuses, or of a scanner that is not of the roster, is left out and said too.

    >>> from scanner_kit.bars import Tape
    >>> from scanner_kit.calendar import TradingDay
    >>> from scanner_kit.scanner import Scanner
    >>> class Broken(Scanner):
    ...     '''Divides by nothing.'''
    ...
    ...     def select(self, now):
    ...         return 1 / 0
    >>> tape = Tape.empty(Universe.of(TradingDay.of("2025-01-27"), ["NVDA"]))
    >>> engine = IsolatingEngine(tape.universe, [Broken()])
    >>> scans = [engine.step(bars) for bars in tape]
    >>> [str(off) for off in engine.off.values()]
    ['broken is off since k=0: ZeroDivisionError: division by zero']
    """

    def __init__(
        self,
        universe: Universe,
        scanners: Iterable[AnyScanner] | None = None,
        metrics: Iterable[Metric] = (),
        *,
        intrabar: bool = False,
    ) -> None:
        super().__init__(universe, scanners, metrics, intrabar=intrabar)
        self.off: dict[str, Off] = {}
        self._aside: set[str] = set()
        """Who is left out of the present step alone."""

    def _stands(self) -> tuple[Any, ...]:
        return (*super()._stands(), dict(self.off))

    def _go_back(self, stood: tuple[Any, ...]) -> None:
        *engine, self.off = stood
        super()._go_back(tuple(engine))

    def _measured(self, bars: Bars) -> Snapshot:
        self._aside = set()
        try:
            return super()._measured(bars)
        except Exception:
            broken = self.meter.broken(bars.k)
            users = self._users(broken)
            if not users or not broken.keys().isdisjoint(in_order(FIGURES)):
                raise
            stood = self.meter.stands()
            self.meter.drop(broken)
            now = super()._measured(bars)
            self._leave_out(bars.k, users, lasting=not bars.forming or self.intrabar)
            if self._aside:
                self.meter.stand(stood)
            return now

    def _judged(self, now: Snapshot, *, fires: bool, instant: dt.datetime | None = None) -> Judgement:
        def made(judge: Judge) -> Judgement:
            return judge.judge(now, self._remembered, fires=fires, instant=instant)

        judge = self.judge.without(self._aside) if self._aside else self.judge
        try:
            return made(judge)
        except Exception:
            raised = {scanner.name: _raised(made, scanner) for scanner in judge.scanners}
            faults = {name: fault for name, fault in raised.items() if fault is not None}
            if not faults:
                raise
            self._leave_out(int(now.k), faults, lasting=fires)
            return made(judge.without(faults))

    def _halt(self, k: int, said: VendorHalt) -> None:
        if said.symbol in self.universe:  # a vendor speaks of more symbols than are scanned
            super()._halt(k, said)

    def _recalled(self, wide: Widening, silent: Snapshot) -> Remembered:
        try:
            return super()._recalled(wide, silent)
        except Exception:
            names = {name for name, _ in self._remembered.memories}
            raised = {name: self._asked_of(name, wide, silent) for name in names}
            faults = {name: fault for name, fault in raised.items() if fault is not None}
            if not faults:
                raise
            self._leave_out(self.k + 1, faults, lasting=True)
            self._remembered = without(self._remembered, faults)
            return super()._recalled(wide, silent)

    def _asked_of(self, name: str, wide: Widening, silent: Snapshot) -> Exception | None:
        """What a scanner raises that is asked of a silent day."""
        others = {other for other, _ in self._remembered.memories} - {name}
        try:
            widened(without(self._remembered, others), wide, silent, self._rosters)
        except Exception as fault:
            return fault
        return None

    def _change(self, k: int, values: Mapping[str, Mapping[str, Any]]) -> None:
        try:
            super()._change(k, values)
        except Exception:
            for name, its in values.items():
                try:
                    super()._change(k, {name: its})
                except Exception as fault:
                    if name not in self.off:
                        self.off = {**self.off, f"change of {name}": Off(f"change of {name}", k, _told(fault))}

    def _leave_out(self, k: int, faults: Faults, *, lasting: bool) -> None:
        if not lasting:
            self._aside |= set(faults)
            return
        self.judge = self.judge.without(faults)
        self._rosters = {at: judge.without(faults) for at, judge in self._rosters.items()}  # nor is it asked why
        self._rosters[k] = self.judge
        self.off = {**self.off, **{name: Off(name, k, _told(fault)) for name, fault in faults.items()}}

    def _users(self, broken: Mapping[Metric, Exception]) -> Faults:
        """The scanners that use a metric that cannot be measured, and what that raised."""
        used = {scanner.name: in_order(scanner.metrics()) for scanner in self.judge.scanners}
        first = {name: next((m for m in metrics if m in broken), None) for name, metrics in used.items()}
        return {name: broken[metric] for name, metric in first.items() if metric is not None}


def _raised(made: Callable[[Judge], Judgement], scanner: AnyScanner) -> Exception | None:
    try:
        made(Judge([scanner]))
    except Exception as fault:
        return fault
    return None


def _told(fault: Exception) -> str:
    return " ".join(f"{type(fault).__name__}: {fault}".split())
