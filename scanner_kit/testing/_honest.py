"""Laws of an honest object: it reads, names what it reads, says the same twice, and leaves all arrays as they are."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.composition import AnyScanner
from scanner_kit.day import STORED, Day
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import in_order, measure_day
from scanner_kit.metrics import Last, Metric, Moment
from scanner_kit.testing import _records as r
from scanner_kit.testing import _tapes as t
from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case, Record, Subject

Held = tuple[str, int, np.ndarray, np.ndarray]
"""Who gave an array, at which minute, the array, and what it said then."""


@law("inputs untouched", "Compute into a new array: `np.where(…)` or `array.copy()`, never `now.volume[…] = …`.")
def inputs_untouched(case: Case) -> int:
    """Bars, tape, universe and facts are bit for bit the same afterwards, and may be read-only."""
    tape = t.copied(case.tape)
    _only_reads(str(case.subject), lambda: case.on(tape).whole)
    for name, before in t.arrays_of(case.tape).items():
        after = t.arrays_of(tape)[name]
        same = after == before if before.dtype == object else r.bits(after) == r.bits(before)
        if not np.all(same):
            raise Broken(str(case.subject), -1, f"{name} of the tape was written to")
    _only_reads(str(case.subject), lambda: case.on(t.copied(case.tape, writeable=False)).steps)
    return sum(array.size for array in t.arrays_of(tape).values())


def _only_reads(who: str, ask: Callable[[], Record]) -> None:
    try:
        ask()
    except ValueError as fault:
        if "read-only" not in str(fault):
            raise
        raise Broken(who, -1, f"it writes into an array that it was given to read ({fault})") from fault


@law(
    "what is read is named",
    "Name what a metric reads in `needs()`; make what a scanner reads a class attribute or a property.",
)
def names_what_it_reads(case: Case) -> int:
    """A metric names the metrics that it reads, a scanner those that it asks the snapshot for.

    Nobody lives on what others happen to need.
    """
    for metric, label in case.subject.labels.items():
        _reads_only_named(label, case, (metric,), ())
    for scanner in case.subject.scanners:
        _reads_only_named(scanner.name, case, scanner.metrics(), (scanner,))
    return len(case.subject.metrics) + len(case.subject.scanners)


def _reads_only_named(who: str, case: Case, metrics: tuple[Metric, ...], scanners: tuple[AnyScanner, ...]) -> None:
    try:
        day = measure_day(t.emptied(case.tape), (*metrics, Last()))
        for scanner in scanners:
            r.answers(scanner, day)
    except InvalidInput as fault:
        raise Broken(who, -1, str(fault).rstrip(".")) from fault
    except ValueError as fault:
        if "read-only" not in str(fault):
            raise
        # What it writes to is the matter of another law.


@law("deterministic", "Keep nothing between calls but the state; take time from `now.k`, and chance from nowhere.")
def deterministic(case: Case) -> int:
    """Asked twice, it says the same."""
    again = r.stepped(case.subject, case.tape.universe, case.tape)
    return r.compare_all(case.steps, again, "when the same tape is taken a second time")


@law(
    "arrays are never rewritten",
    "Return new arrays from step(): `state[0] + …`, `np.fmax(state[0], …)`, `.copy()`; "
    "no `+=`, no `out=`, no view of the day.",
)
def arrays_never_rewritten(case: Case) -> int:
    """What a step handed out is the same after all later steps, late bars and previews.

    Values are no view of the day, and no state is written to.
    """
    compared = _pure(case.subject, case.tape)
    held: list[Held] = []
    late = t.made_late(case.tape, case.tape.universe.day.open_k + 30)
    for now, _, _ in r.steps_of(replace(case.subject, scanners=()), late.universe, t.with_previews(late)):
        for metric, values in now.values.items():
            if values.flags.writeable:
                raise Broken(repr(metric), int(now.k), "the values that a snapshot hands out can be written to")
            held.append((repr(metric), int(now.k), values, values.copy()))
    return compared + _still(held)


def _pure(subject: Subject, tape: Tape) -> int:
    """Drive metrics by hand, and keep all that they are given and give."""
    day, order = Day.of(tape), in_order(subject.metrics)
    states = {metric: metric.start(day) for metric in order}
    held: list[Held] = []
    with np.errstate(all="ignore"):
        for k in range(len(tape)):
            moment = Moment(day, k)
            for metric in order:
                values, states[metric] = metric.step(states[metric], moment)
                if any(np.may_share_memory(values, getattr(day, name)) for name in STORED):
                    at = r.instant(day.universe, k)
                    raise Broken(repr(metric), k, f"the values at {at} are a view of the day, no array of their own")
                moment.values[metric] = values
                held += [(repr(metric), k, array, array.copy()) for array in (values, *states[metric])]
    return _still(held)


def _still(held: list[Held]) -> int:
    for who, k, array, was in held:
        if not np.array_equal(array, was, equal_nan=array.dtype.kind == "f"):
            raise Broken(who, k, f"an array that {who} gave at k={k} was rewritten by a later step")
    return sum(array.size for _, _, array, _ in held)
