"""Reviewing: what came of a stored trigger and why it fired, from the archived tape of its day; of today, by asking.

A tape is read when somebody asks for its day. The last one stays at hand.
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scanner_kit.answers import answered, chart_metrics
from scanner_kit.bars import Tape
from scanner_kit.composition import AnyScanner, fixed
from scanner_kit.decision import decide
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import measure_day
from scanner_kit.metrics import Halt
from scanner_kit.opening import open_trigger
from scanner_kit.telling import Speaker
from scanner_kit.tuning.answer import Answer
from scanner_kit.tuning.history import History
from scanner_kit.tuning.judging import COLUMNS, PLACES, Fired
from scanner_kit.tuning.outcomes import COST_BPS, RESULTS, Outcomes, Prices, outcomes
from scanner_kit.universe import Floats
from scanner_kit.views.explorer.records import Row
from scanner_kit.views.explorer.review import Came, Look
from scanner_kit.views.tuning.look import Subject

NOT_YET = "What came of it is told when the day's tape is archived."
OTHERWISE = "This tape does not give it again: other thresholds were in force, or other bars."


@dataclass(frozen=True)
class Present:
    """Who answers for the day that runs: which day that is, why by symbol and minute, and a symbol's bars so far."""

    day: Callable[[], dt.date | None]
    why: Callable[[str, int], Sequence[Mapping[str, Any]]]
    history: Callable[[str], Mapping[str, Any]]


@dataclass(eq=False)
class Reviewing:
    """Answers over archived tapes.

    Parameters
    ----------
    has, tape
        Whether the tape of a day is archived, and the tape.
    scanner
        The scanner that said a trigger, under the thresholds that the day began with.
    present
        Who answers for the day that runs.
    folder
        Where notebooks are written.
    """

    has: Callable[[dt.date], bool]
    tape: Callable[[dt.date], Tape]
    scanner: Callable[[Row], AnyScanner]
    present: Present | None = None
    folder: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[dt.date, Tape, Floats] | None = None

    def archived(self, day: dt.date) -> bool:
        """Whether the tape of a day is there."""
        return self.has(day)

    def came(self, day: dt.date, rows: Sequence[Row]) -> Mapping[str, Came]:
        """What came of triggers of an archived day, by identity; who is not on the tape is left out."""
        tape, halt = self._read(day)
        there = set(tape.universe.symbols)
        known = [row for row in rows if row["symbol"] in there]
        found = _outcomes(tape, halt, known)
        return {row["identity"]: _came(found, i) for i, row in enumerate(known)}

    def look(self, row: Row) -> Look:
        """Chart and reasons: made again from the tape where the day is archived, else asked of the engine."""
        day = dt.date.fromisoformat(row["day"])
        if self.has(day):
            return self._again(day, row)
        if self.present is not None and self.present.day() == day:
            name = row["scanner"] if row["kind"] == "fired" else row["kind"]
            answers = [one for one in self.present.why(row["symbol"], int(row["k"])) if one["scanner"] == name]
            return Look(history=self.present.history(row["symbol"]), answers=answers, said=NOT_YET)
        return Look(said=f"The tape of {day} is not archived: there is nothing to draw.")

    def notebook(self, row: Row) -> Path:
        """Write the notebook of a trigger of an archived day; one that is there is left as it is."""
        day = dt.date.fromisoformat(row["day"])
        if not self.has(day):
            raise InvalidInput(
                f"A notebook makes a decision again from the tape of its day; that of {day} is not archived. "
                "Look when the day is over."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {**row, "day": day, "time": dt.datetime.fromisoformat(row["time"])}
        source = History.of_tapes([self._read(day)[0]])
        return open_trigger(told, source, scanner=self.scanner(row), path=self.folder).resolve()

    def _again(self, day: dt.date, row: Row) -> Look:
        tape, halt = self._read(day)
        again = decide(self.scanner(row), tape, row["symbol"], int(row["k"]), kind=row["kind"])
        answers = [answered(again.why, None, dt.datetime.fromisoformat(row["time"]))]
        subject = _subject(tape, again.scanner, _outcomes(tape, halt, [row]), row)
        return Look(subject=subject, answers=answers, said="" if again.trigger is not None else OTHERWISE)

    def _read(self, day: dt.date) -> tuple[Tape, Floats]:
        """The tape of a day and who was halted; one at a time is read and kept, for a tape is large."""
        with self._lock:
            if self._last is None or self._last[0] != day:
                self._last = None
                tape = self.tape(day)
                self._last = day, tape, measure_day(tape, [Halt()]).values[Halt()]
            return self._last[1], self._last[2]


def _outcomes(tape: Tape, halt: Floats, rows: Sequence[Row]) -> Outcomes:
    """The outcomes of triggers of a day, in their order; only the columns of their symbols are followed."""
    symbols = sorted({row["symbol"] for row in rows})
    columns = np.array([tape.universe.row(symbol) for symbol in symbols], dtype=np.intp)
    held = (*(getattr(tape, name) for name in ("open", "high", "low", "close")), halt)
    prices = Prices(tape.universe.day, *(np.ascontiguousarray(one[:, columns]) for one in held))
    place = {symbol: i for i, symbol in enumerate(symbols)}
    where = [place[row["symbol"]] for row in rows]
    figures = (_column(rows, name) for name in ("side", "stop", "distance"))
    return outcomes(prices, where, [int(row["k"]) for row in rows], *figures)


def _column(rows: Sequence[Row], name: str) -> Floats:
    return np.array([np.nan if row.get(name) is None else float(row[name]) for row in rows], dtype=np.float64)


def _came(found: Outcomes, i: int) -> Came:
    figures = (values[i].tolist() for values in (found.result_r, found.mfe_pct, found.mae_pct))
    return Came([RESULTS[code] for code in found.result[i]], *figures)


def _subject(tape: Tape, scanner: AnyScanner, found: Outcomes, row: Row) -> Subject:
    """The trade as the lab looks at it, over a day of this one symbol."""
    only = np.array([tape.universe.row(row["symbol"])], dtype=np.intp)
    columns = (getattr(tape, name)[:, only] for name in ("open", "high", "low", "close", "volume", "vwap"))
    history = History.of_tapes([Tape(tape.universe.take(only), *columns)], chart_metrics())
    placed = [{**row, "day": 0, "row": 0, "kind": 0}]
    told: dict[str, Any] = {name: _column(placed, name) for name in COLUMNS}
    told |= {name: told[name].astype(np.intp) for name in PLACES}
    fired = Fired(Speaker.of(fixed(scanner)), (row["kind"],), **told)
    return Subject(row["identity"], Answer(history, scanner, fired, found, COST_BPS, 0), 0)
