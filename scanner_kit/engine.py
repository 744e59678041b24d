"""The engine: meter + judge. One step takes an entry of the tape and gives a scan.

A step of `Engine.step`:

1. events of the entry take effect (`_heed`): vendor halts, changed thresholds, results of scheduled scanners, symbols
   that join or leave;
2. the meter measures the minute (`Meter.step`), or the minute so far (`Meter.preview`);
3. the judge makes lists and triggers of the snapshot (`Judge.judge`);
4. after a closed minute what was measured and judged is remembered; after a forming one nothing is, unless it may fire.

The same engine runs live, in a replay and while tuning; there is no other. It touches no clock, file or network: time
arrives in the bars.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from scanner_kit import scanners as built_in
from scanner_kit.bars import Bars, Join, LateBars, Leave, SettingsChange, VendorHalt
from scanner_kit.calendar import Session
from scanner_kit.composition import AnyScanner
from scanner_kit.entry import check_events
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.explain import Why, explain
from scanner_kit.judge import Judge, Judgement, Remembered
from scanner_kit.meter import Meter, check_metrics, snapshot_of_day
from scanner_kit.metrics import (
    ChangePct,
    DayDollarVolume,
    DayVolume,
    GapPct,
    Halt,
    Last,
    Metric,
    RelativeVolume,
    Reported,
)
from scanner_kit.ranking import Ranking, Row, rows_of
from scanner_kit.remembering import widened
from scanner_kit.results import FIRES, FOUND, SCORE, Result
from scanner_kit.snapshot import Snapshot
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Rows, Universe
from scanner_kit.widening import Widening

Taken = TypeVar("Taken")
FIGURES: tuple[Metric, ...] = (Last(), ChangePct(), GapPct(), RelativeVolume(), DayVolume(), DayDollarVolume(), Halt())
"""What every list shows beside its score, and what tells whether a symbol is halted."""


@dataclass(frozen=True, eq=False, repr=False)
class Scan:
    """One step's result: the lists, the triggers that fired in it, and the snapshot they were made of."""

    k: int
    time: dt.datetime
    session: Session
    lists: Mapping[str, Ranking]
    triggers: tuple[Trigger, ...]
    snapshot: Snapshot = field(repr=False)
    forming: bool = False

    def __repr__(self) -> str:
        fired = f"{len(self.triggers)} triggers" if self.triggers else "no trigger"
        return f"<Scan of {self.day} k={self.k} {self.session}, {len(self.lists)} lists, {fired}>"

    @property
    def day(self) -> dt.date:
        """The trading date."""
        return self.snapshot.universe.day.date

    def rows(self, name: str) -> tuple[Row, ...]:
        """A list with the figures that screens show beside each score, and those of a scheduled scanner's own."""
        if name not in self.lists:
            raise UnknownName.of("There is no list", name, self.lists)
        return rows_of(self.lists[name], self.snapshot, (*FIGURES, *self._own.get(name, ())))

    @cached_property
    def _own(self) -> Mapping[str, Sequence[Metric]]:
        """The figures of scheduled scanners' own, by scanner."""
        own: dict[str, list[Metric]] = {}
        for metric in self.snapshot.values:
            if isinstance(metric, Reported) and metric.what not in (SCORE, FOUND, FIRES):
                own.setdefault(metric.scanner, []).append(metric)
        return own


class Engine:
    """Scans one trading day of one universe, step by step.

    `scanners` are those of the roster, by default every built-in one; `metrics` are measured beside those that the
    scanners use. With `intrabar`, triggers fire on forming steps too.

    >>> from scanner_kit.bars import Tape
    >>> from scanner_kit.calendar import TradingDay
    >>> universe = Universe.of(TradingDay.of("2025-01-27"), ["NVDA", "AAPL"])
    >>> engine = Engine(universe)
    >>> scans = [engine.step(bars) for bars in Tape.empty(universe)]
    >>> len(scans), scans[-1].session, len(scans[-1].lists), engine.triggers
    (960, <Session.POST: 'POST'>, 12, [])
    """

    def __init__(
        self,
        universe: Universe,
        scanners: Iterable[AnyScanner] | None = None,
        metrics: Iterable[Metric] = (),
        *,
        intrabar: bool = False,
    ) -> None:
        if not isinstance(universe, Universe):
            raise InvalidInput(f"An engine scans a Universe; found {universe!r}. Give that of a tape: tape.universe.")
        check_metrics(metrics)
        self.judge = Judge(built_in.roster() if scanners is None else scanners)
        self.meter = Meter(universe, (*FIGURES, *metrics, *self.judge.metrics()))
        self.intrabar = intrabar
        self.triggers: list[Trigger] = []
        self.scan: Scan | None = None
        self._remembered = Remembered()
        self._rosters: dict[int, Judge] = {0: self.judge}
        self._late: list[LateBars] = []
        self._lists: list[Mapping[str, Ranking]] = []
        self._gone: frozenset[str] = frozenset()
        """Who has left: what still comes of them does not count."""

    @property
    def universe(self) -> Universe:
        """The symbols that it scans."""
        return self.meter.universe

    @property
    def k(self) -> int:
        """The last closed minute; −1 before the first."""
        return self.meter.k

    def step(self, bars: Bars) -> Scan:
        """Take one entry of the tape: a closed minute, or the minute so far (`forming`).

        An entry that raises is not taken: the engine stands as it did before it.
        """
        return self._all_or_nothing(bars, self._step)

    def pass_over(self, bars: Bars) -> None:
        """Take a forming entry that nobody will look at: nothing is measured, and what came with it is kept.

        Only where forming steps fire nothing.
        """
        if not bars.forming or self.intrabar:
            raise InvalidInput(f"Only a forming step that fires nothing can be passed over; found {bars!r}. Step it.")
        self._all_or_nothing(bars, self._hold)

    def change(self, values: Mapping[str, Mapping[str, Any]]) -> SettingsChange:
        """Check a change of thresholds as a whole.

        Put what it gives on the tape, and it is in force from that step on.
        """
        self.judge.changed(values)
        return SettingsChange.of(**{name: dict(thresholds) for name, thresholds in values.items()})

    def why(self, symbol: str, time: dt.datetime | int | None = None) -> tuple[Why, ...]:
        """Why each scanner of the roster did, or did not, select or speak of a symbol.

        At the step that ends at `time`, or of minute k; by default the last one. The symbol is measured again from the
        day so far.
        """
        k = self._minute(time)
        row = np.array([self.universe.row(symbol)], dtype=np.intp)
        with np.errstate(all="ignore"):
            return explain(self._alone(row, k), self._rosters, self.triggers, self._lists[k], k)

    def lists_at(self, k: int) -> Mapping[str, Ranking]:
        """The lists of a closed minute."""
        return self._lists[self._minute(k)]

    def _minute(self, time: dt.datetime | int | None) -> int:
        if self.k < 0:
            raise InvalidInput("A question is about a step that was taken; found none yet. Step the engine first.")
        if time is not None and (isinstance(time, bool) or not isinstance(time, int | np.integer | dt.datetime)):
            raise InvalidInput(f"A question is about an instant or a minute k; found {time!r}. Give a datetime.")
        if isinstance(time, dt.datetime) and (time.second or time.microsecond):
            raise InvalidInput(f"A step ends with a full minute; found {time}. Ask for a time without seconds.")
        k = self.k if time is None else self._taken(time)
        if not 0 <= k <= self.k:
            raise InvalidInput(
                f"A question is about a step that was taken, k=0…{self.k}; found k={k}. Give a "
                f"time from 04:01 New York up to the last step."
            )
        return k

    def _taken(self, time: dt.datetime | int) -> int:
        return self.universe.day.minute_of(time) - 1 if isinstance(time, dt.datetime) else int(time)

    def _alone(self, rows: Rows, k: int) -> Snapshot:
        """The day of some symbols through minute `k`; what looks across the market is measured on the whole of it."""
        metrics = self.meter.metrics
        alone = snapshot_of_day(self.meter.day.take(rows, k + 1), metrics, k + 1)
        market = [metric for metric in metrics if metric.market]
        whole = snapshot_of_day(self.meter.day, market, k + 1).values if market else {}
        for metric, columns in whole.items():
            alone.values[metric][:], alone.before_values[metric][1:] = columns[:, rows], columns[:-1, rows]
        return alone

    def _all_or_nothing(self, bars: Bars, take: Callable[[Bars], Taken]) -> Taken:
        """What becomes of an entry that is taken with what came with it; if that raises, all is as it was."""
        self.meter.check(bars)
        check_events(bars)
        stood = self._stands()
        try:
            with np.errstate(all="ignore"):
                self._heed(bars)
                return take(self._counted(bars))
        except BaseException:
            self._go_back(stood)
            raise

    def _hold(self, bars: Bars) -> None:
        """Keep the late bars of an entry for the minute that closes."""
        if bars.late is not None:
            self._late.append(bars.late)

    def _stands(self) -> tuple[Any, ...]:
        """Where it stands before an entry, to go back to."""
        meter = self.meter.stands()
        return self.judge, dict(self._rosters), list(self._late), self._remembered, self._gone, meter

    def _go_back(self, stood: tuple[Any, ...]) -> None:
        self.judge, self._rosters, self._late, self._remembered, self._gone, meter = stood
        self.meter.stand(meter)

    def _step(self, bars: Bars) -> Scan:
        return self._preview(bars) if bars.forming else self._close(bars)

    def _close(self, bars: Bars) -> Scan:
        now = self._measured(_with_late(bars, self._late))
        self._late = []
        judgement = self._judged(now, fires=True)
        self._remembered = judgement.remembered
        self._lists.append(judgement.lists)
        return self._scan(now, judgement.lists, judgement.triggers, None)

    def _preview(self, bars: Bars) -> Scan:
        self._hold(bars)
        now = self._measured(bars)
        judgement = self._judged(now, fires=self.intrabar, instant=bars.instant)
        if self.intrabar:
            self._remembered = judgement.remembered
        return self._scan(now, judgement.lists, judgement.triggers, bars.instant)

    def _measured(self, bars: Bars) -> Snapshot:
        return self.meter.preview(bars) if bars.forming else self.meter.step(bars)

    def _judged(self, now: Snapshot, *, fires: bool, instant: dt.datetime | None = None) -> Judgement:
        return self.judge.judge(now, self._remembered, fires=fires, instant=instant)

    def _scan(
        self, now: Snapshot, lists: Mapping[str, Ranking], triggers: tuple[Trigger, ...], instant: dt.datetime | None
    ) -> Scan:
        time = instant or self.universe.day.time(int(now.k))
        triggers = tuple(map(self._noted, triggers))
        self.triggers.extend(triggers)
        self.scan = Scan(int(now.k), time, now.session, lists, triggers, now, now.forming)
        return self.scan

    def _noted(self, trigger: Trigger) -> Trigger:
        """The trigger with what its scheduled scanner said of the symbol."""
        result = self.meter.day.result(trigger.scanner, trigger.k)
        found = None if result is None else result.of(trigger.symbol)
        return replace(trigger, note=found.note) if found and found.note else trigger

    def _heed(self, bars: Bars) -> None:
        for event in bars.events:
            if isinstance(event, VendorHalt):
                self._halt(bars.k, event)
            elif isinstance(event, Join | Leave):
                self._stand_over(event.changed(self.universe, bars.k))
                some = frozenset(event.symbols)
                self._gone = self._gone | some if isinstance(event, Leave) else self._gone - some
            elif isinstance(event, Result):
                self.meter.day.report(bars.k, event)
            else:
                self._change(bars.k, {name: dict(values) for name, values in event.values})

    def _halt(self, k: int, said: VendorHalt) -> None:
        self.meter.day.halt(k, said)

    def _counted(self, bars: Bars) -> Bars:
        """What counts of an entry: nothing of who has left."""
        rows = [self.universe.row(symbol) for symbol in self._gone]
        if not rows or len(bars.close) != len(self.universe):  # of another universe: the meter says so
            return bars
        gone = np.zeros(len(self.universe), dtype=np.bool_)
        gone[rows] = True
        return bars.without(gone)

    def _stand_over(self, universe: Universe) -> None:
        """Scan a universe that some symbols have joined or left."""
        wide = self.meter.widen(universe)
        self._late = [late.onto(wide) for late in self._late]
        if wide.added.size and self.k >= 0:
            self._remembered = self._recalled(wide, self._alone(wide.added, self.k))

    def _recalled(self, wide: Widening, silent: Snapshot) -> Remembered:
        """What is remembered, with that of symbols that join, from their silent day."""
        return widened(self._remembered, wide, silent, self._rosters)

    def _change(self, k: int, values: Mapping[str, Mapping[str, Any]]) -> None:
        judge = self.judge.changed(values)
        self.meter.require(judge.metrics())
        self.judge = self._rosters[k] = judge


def _with_late(bars: Bars, held: list[LateBars]) -> Bars:
    if not held:
        return bars
    parts = [*held, *([bars.late] if bars.late is not None else [])]
    late = LateBars(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in LateBars.__dataclass_fields__)
    )
    return Bars(
        bars.k, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.vwap, late=late, events=bars.events
    )
