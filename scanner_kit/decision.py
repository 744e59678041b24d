"""A decision, made again: what a scanner made of one symbol in one minute of a tape, why, and what came after.

>>> from scanner_kit.scanners import HodBreak
>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> from scanner_kit.sources.tape import simulated_tape
>>> tape = simulated_tape(SimulatedMarket(symbols=20))
>>> again = decide(HodBreak(), tape, tape.universe.symbols[3], 350)
>>> again.trigger is None, again.why.fired, list(again.bars(around=1).columns)[:4]
(True, False, ['open', 'high', 'low', 'close'])
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scanner_kit.bars import Bars, SettingsChange, Tape
from scanner_kit.calendar import NEW_YORK
from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.explain import Why
from scanner_kit.lifting import Lift, lifts
from scanner_kit.snapshot import Snapshot
from scanner_kit.telling import Speaker
from scanner_kit.triggers import Trigger
from scanner_kit.tuning.answer import Answer, prices_of
from scanner_kit.tuning.history import History, MeasuredDay
from scanner_kit.tuning.judging import BESIDE, COLUMNS, PLACES, Fired
from scanner_kit.tuning.outcomes import COST_BPS, outcomes
from scanner_kit.tuning.paths import check_horizon
from scanner_kit.tuning.table import outcome_table

BARS = ("open", "high", "low", "close", "volume", "vwap")
HERE = "◀"
"""Marks the minute of the decision among the bars."""


@dataclass(frozen=True, eq=False, repr=False)
class Decision:
    """What a scanner made of one symbol in one minute, step by step from the start of the day.

    `why` has every condition with value, threshold and margin; `trigger` is what fired, None where it kept quiet.
    """

    scanner: AnyScanner
    tape: Tape
    why: Why
    trigger: Trigger | None
    snapshot: Snapshot

    @property
    def symbol(self) -> str:
        """Whom it is about."""
        return self.why.symbol

    @property
    def k(self) -> int:
        """The minute, from 04:00 on."""
        return self.why.k

    def __repr__(self) -> str:
        told = "did not fire" if self.trigger is None else f"fired at {self.trigger.price:,.2f}, {self.identity}"
        return f"<{self.scanner.name} of {self.symbol} on {self.tape.universe.day.date} at {self._clock}: {told}>"

    @property
    def identity(self) -> str:
        """The identity of the trigger; empty where nothing fired."""
        return "" if self.trigger is None else self.trigger.identity

    def lifts(self) -> tuple[Lift, ...]:
        """Which threshold would have to stand where for each condition that blocked it, in the order of `why`."""
        return lifts(self.scanner, self.snapshot, self.symbol, self.why.kind)

    def bars(self, around: int = 10) -> pd.DataFrame:
        """The symbol's own bars up to `around` minutes before and after, and what the scanner measured with each.

        By the time in New York at which a bar starts; the last column marks the minute of the decision. Bars that came
        late stand in their minutes; what was measured in the minute of the decision is what was known then.
        """
        if not around >= 0 or around != int(around):
            raise InvalidInput(f"Bars are those of 0 or more minutes around; found {around!r}. Give, say, around=10.")
        row, day = self._row, self._day
        window = range(max(0, self.k - int(around)), min(len(self.tape), self.k + int(around) + 1))
        known = [k for k in window if np.isfinite(day.tape.close[k, row]) or k == self.k]
        columns = {name: getattr(day.tape, name)[known, row] for name in BARS}
        columns |= {metric.name: day.values[metric][known, row] for metric in self.scanner.metrics()}
        for metric in self.scanner.metrics():
            columns[metric.name][known.index(self.k)] = self.snapshot.values[metric][row]
        columns[""] = np.array([HERE if k == self.k else "" for k in known], dtype=object)
        return pd.DataFrame(columns, index=pd.Index([self._at(k) for k in known], name="bar"))

    def outcomes(self, *, cost_bps: float = COST_BPS, seed: int = 0) -> pd.DataFrame:
        """What the price did after the trigger, by horizon, and after random entries beside it.

        The columns are those of `replay --outcomes`. `InvalidInput` where nothing fired.
        """
        answer = self._answer(cost_bps, seed)
        assert self.trigger is not None, "an answer is made of what fired"
        table = outcome_table([self.trigger], answer.outcomes, answer.chance).to_pandas()
        told: pd.DataFrame = table.drop(columns=["day", "k", "symbol", "scanner", "kind"]).set_index("horizon")
        return told

    def chart(self, horizon: str = "30m", *, height: int = 420) -> Any:
        """The symbol's day around the decision; where it fired with entry, stop, target, MFE and MAE by a horizon."""
        import panel as pn

        from scanner_kit.answers import chart_metrics
        from scanner_kit.views.chart import MINUTE
        from scanner_kit.views.tuning.look import BEFORE, Subject, TradeChart, day_of

        check_horizon(horizon)
        self._history.require(chart_metrics())
        chart = TradeChart()
        if self.trigger is None:
            chart.chart.show(day_of(self._day, self._row, self.k))
            here = float(np.datetime64(self.tape.universe.day.date, "ms").astype(np.int64)) + (240 + self.k) * MINUTE
            chart.spoken.location = here
            chart.figure.x_range.update(start=here - BEFORE * MINUTE, end=here + BEFORE * MINUTE)
        else:
            chart.show(Subject("", self._answer(COST_BPS, 0), 0), horizon)
        chart.chart.between(chart.figure.x_range.start, chart.figure.x_range.end)
        return pn.pane.Bokeh(chart.figure, sizing_mode="stretch_width", height=height)

    @property
    def _row(self) -> int:
        return self.tape.universe.row(self.symbol)

    @cached_property
    def _history(self) -> History:
        return History.of_tapes([self.tape.in_time()], (*BESIDE, *self.scanner.metrics()))

    @property
    def _day(self) -> MeasuredDay:
        return self._history.days[0]

    @property
    def _clock(self) -> str:
        """The step's end."""
        return f"{self.tape.universe.day.time(self.k).astimezone(NEW_YORK):%H:%M}"

    def _at(self, k: int) -> str:
        start = self.tape.universe.day.time(k) - dt.timedelta(minutes=1)
        return f"{start.astimezone(NEW_YORK):%H:%M}"

    def _answer(self, cost_bps: float, seed: int) -> Answer:
        """The one trigger with its outcomes, as the lab looks at it."""
        one = self.trigger
        if one is None:
            raise InvalidInput(f"{self.scanner.name} did not fire: {self.why}. Lift what blocks it and ask again.")
        values = {"day": 0, "row": self._row, "kind": 0}
        told: dict[str, Any] = {
            name: np.array([values.get(name, getattr(one, name, None))], np.intp if name in PLACES else np.float64)
            for name in COLUMNS
        }
        fired = Fired(Speaker.of(fixed(self.scanner)), (one.kind,), **told)
        columns = (told[name] for name in ("row", "k", "side", "stop", "distance"))
        found = outcomes(prices_of(self._day), *columns, cost_bps=cost_bps)
        return Answer(self._history, self.scanner, fired, found, cost_bps, seed)


def decide(scanner: AnyScanner, tape: Tape, symbol: str, when: int | dt.datetime, *, kind: str = "") -> Decision:
    """Walk a tape with the engine up to a minute, and tell what the scanner made of a symbol in it.

    `when` is the minute k, or the instant at which its step ends. Of a scanner that says several kinds of things, what
    fired is told, or the `kind` that is named. `InvalidInput` for a minute that the day has not.
    """
    if not isinstance(tape, Tape):
        raise InvalidInput(f"A decision is made over the tape of a day; found {tape!r}. Give, say, source.tape(day).")
    k = _minute(tape, when)
    tape.universe.row(symbol)
    engine = Engine(tape.universe, [scanner])
    for minute in range(k + 1):
        engine.step(_concerning(tape.bars(minute), scanner.name))
    answers = [why for why in engine.why(symbol, k) if kind in ("", why.kind)]
    if not answers:
        raise InvalidInput(f"{scanner.name} never says {kind!r}. Leave the kind out.")
    why = next((why for why in answers if why.fired), answers[0])
    fired = (t for t in engine.triggers if (t.k, t.symbol, t.kind) == (k, symbol, why.kind))
    assert engine.scan is not None, "at least the first minute was walked"
    return Decision(engine.judge.scanners[0], tape, why, next(fired, None), engine.scan.snapshot)


def _minute(tape: Tape, when: int | dt.datetime) -> int:
    day = tape.universe.day
    if isinstance(when, bool) or not isinstance(when, int | np.integer | dt.datetime):
        raise InvalidInput(f"A decision is about an instant or a minute k; found {when!r}. Give a datetime.")
    if isinstance(when, dt.datetime) and (when.second or when.microsecond):
        raise InvalidInput(f"A step ends with a full minute; found {when}. Ask for a time without seconds.")
    k = day.minute_of(when) - 1 if isinstance(when, dt.datetime) else int(when)
    if not 0 <= k < day.minutes:
        raise InvalidInput(
            f"A decision is made in a minute of the day, k=0…{day.minutes - 1}; found k={k}. Give one of them."
        )
    return k


def _concerning(bars: Bars, name: str) -> Bars:
    """A minute with the changes of this scanner's thresholds; others are not in the roster."""
    return replace(bars, events=tuple(_of_scanner(bars, name))) if bars.events else bars


def _of_scanner(bars: Bars, name: str) -> Iterator[Any]:
    for event in bars.events:
        if not isinstance(event, SettingsChange):
            yield event
        elif mine := {scanner: dict(values) for scanner, values in event.values if scanner == name}:
            yield SettingsChange.of(**mine)
