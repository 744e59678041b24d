"""Public checks: do your own metric and your own scanner keep the laws of the kit?

>>> from scanner_kit.metrics import HighOfDay
>>> from scanner_kit.testing import check_metric, sample_tape
>>> print(check_metric(HighOfDay, tape=sample_tape(symbols=3)))
HighOfDay() keeps 17 laws over 3 symbols × 400 minutes, known in 100 % of them.

A law that is broken is said with the smallest example found and a remedy, as an AssertionError (`LawBroken`). Each law
can be checked alone, on several metrics and scanners at once, and on a tape of one's own:
`no_look_ahead(HodBreak, tape=tape)`.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Scanner
from scanner_kit.scheduled import scheduled_in
from scanner_kit.testing._engine import (
    joining_is_as_if_silent,
    late_bars_are_made_good,
    one_engine,
    order_is_indifferent,
    questions_change_nothing,
    restarts_change_nothing,
    symbols_are_independent,
)
from scanner_kit.testing._honest import arrays_never_rewritten, deterministic, inputs_untouched, names_what_it_reads
from scanner_kit.testing._known import no_look_ahead, silent_without_data, unknown_is_not_false
from scanner_kit.testing._law import Law, LawBroken, Tried
from scanner_kit.testing._outside import touches_nothing
from scanner_kit.testing._past import days_begin_anew, short_past
from scanner_kit.testing._records import SELECTED, VALUES, Case, Checkable, Subject
from scanner_kit.testing._tapes import sample_tape, with_results

LAWS: tuple[Law, ...] = (
    touches_nothing,
    names_what_it_reads,
    inputs_untouched,
    deterministic,
    days_begin_anew,
    silent_without_data,
    unknown_is_not_false,
    no_look_ahead,
    short_past,
    one_engine,
    questions_change_nothing,
    arrays_never_rewritten,
    restarts_change_nothing,
    late_bars_are_made_good,
    joining_is_as_if_silent,
    symbols_are_independent,
    order_is_indifferent,
)
"""Every law, in the order in which they are checked: the plainest fault is named first."""


class HardlyTried(UserWarning):
    """A scanner keeps the laws on a tape on which it had nothing to say: little was shown."""


@dataclass(frozen=True)
class Report:
    """What was tried on a metric or a scanner that keeps every law.

    `selected` counts symbols × recorded minutes, `fired` triggers; `silent` says what a scanner never did.
    """

    subject: str
    symbols: int
    minutes: int
    tried: tuple[Tried, ...]
    known_pct: float
    selected: int = 0
    fired: int = 0
    silent: str = ""

    @property
    def remark(self) -> str:
        """That a scanner was hardly tried, and what to do about it; empty where it had something to say."""
        if not self.silent:
            return ""
        return (
            f"It was hardly tried: it {self.silent} on this tape. "
            "Loosen its thresholds, or give a tape on which it has something to say."
        )

    def __str__(self) -> str:
        said = f", selected {self.selected:,} times, fired {self.fired:,} times" if self.selected or self.fired else ""
        over = f"{self.symbols} symbols × {self.minutes} minutes, known in {self.known_pct:.0f} % of them"
        return f"{self.subject} keeps {len(self.tried)} laws over {over}{said}. {self.remark}".rstrip()


def check_metric(metric: Metric | type[Metric], *, tape: Tape | None = None) -> Report:
    """Check every law on a metric (a class stands for its defaults), over the `sample_tape` or a tape of one's own.

    `LawBroken`, an AssertionError, for the first law that does not hold; `InvalidInput` for what is no metric.
    """
    _expect(metric, Metric, "check_metric checks a metric", "A scanner goes to check_scanner.")
    return _check(metric, tape)


def check_scanner(scanner: AnyScanner | type[Scanner], *, tape: Tape | None = None) -> Report:
    """Check every law on a scanner (a class stands for its defaults) and on the metrics that it uses.

    `a & b` and `a | b` are scanners too; to a `ScheduledScanner` results are made up, and its own code is not run.
    `LawBroken` for the first law that does not hold; `InvalidInput` for what is no scanner. One that never selected, or
    that speaks up and never fired, was hardly tried: a warning, `HardlyTried`.
    """
    _expect(scanner, AnyScanner, "check_scanner checks a scanner", "A metric goes to check_metric.")
    report = _check(scanner, tape)
    if report.remark:
        warnings.warn(f"{report.subject}: {report.remark}", HardlyTried, stacklevel=2)
    return report


def _expect(thing: object, kind: object, rule: str, remedy: str) -> None:
    fits = issubclass(thing, kind) if isinstance(thing, type) else isinstance(thing, kind)  # type: ignore[arg-type]
    if not fits:
        raise InvalidInput(f"{rule}, its class or an instance; found {thing!r}. {remedy}")


def _check(thing: Checkable, tape: Tape | None) -> Report:
    subject, on = Subject.of([thing]), sample_tape() if tape is None else tape
    for scanner in scheduled_in(subject.scanners).values():
        on = with_results(on, scanner)
    case = Case(subject, on)
    tried = tuple(law.on(case) for law in LAWS)
    values = [values for (_, what), values in case.whole.columns.items() if what == VALUES]
    known = float(np.mean([~np.isnan(column) for column in values])) if values else 0.0
    selected = sum(int((values == 1.0).sum()) for (_, what), values in case.whole.columns.items() if what == SELECTED)
    fired = len(case.steps.triggers)
    speaks = any(scanner.triggers for scanner in case.subject.scanners)
    silent = "" if not case.subject.scanners else "never selected" if not selected else "never fired"
    return Report(
        str(case.subject),
        len(case.tape.universe),
        len(case.tape),
        tried,
        100.0 * known,
        selected,
        fired,
        silent if not selected or (speaks and not fired) else "",
    )


__all__ = [
    "LAWS",
    "HardlyTried",
    "Law",
    "LawBroken",
    "Report",
    "Tried",
    "arrays_never_rewritten",
    "check_metric",
    "check_scanner",
    "days_begin_anew",
    "deterministic",
    "inputs_untouched",
    "joining_is_as_if_silent",
    "late_bars_are_made_good",
    "names_what_it_reads",
    "no_look_ahead",
    "one_engine",
    "order_is_indifferent",
    "questions_change_nothing",
    "restarts_change_nothing",
    "sample_tape",
    "short_past",
    "silent_without_data",
    "symbols_are_independent",
    "touches_nothing",
    "unknown_is_not_false",
]
