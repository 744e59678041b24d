"""Laws of what may be known: nothing without data, nothing of the future, and nothing made of the unknown."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.meter import measure_day
from scanner_kit.metrics import Level, Metric
from scanner_kit.snapshot import Snapshot
from scanner_kit.testing import _records as r
from scanner_kit.testing import _tapes as t
from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case, Key, Record
from scanner_kit.universe import Facts, Floats


@law("silent without data", "Leave unknown (NaN) what needs a bar: `np.where(now.bars, …, np.nan)`, `now.unknown()`.")
def silent_without_data(case: Case) -> int:
    """Without any bar nothing is selected and nothing fires, and no metric claims to know what needs a bar.

    Known without a bar are 0, and what bars do not change at all; a level is a price, and 0 is none.
    """
    empty = case.on(replace(t.emptied(case.tape), events={}))
    for record in (empty.steps, empty.whole):
        _nothing_said(record)
        for metric, label in case.subject.labels.items():
            _claims_nothing(metric, label, record.columns[label, r.VALUES], case)
    return empty.steps.size + empty.whole.size


def _nothing_said(record: Record) -> None:
    if record.triggers:
        first = record.triggers[0]
        told = f"{first.scanner} fires for {first.symbol} at {r.instant(record.universe, first.k)}"
        raise Broken(first.scanner, first.k, f"{told} on a day without a bar")
    for k, lists in enumerate(record.lists):
        for name, ranking in lists.items():
            if len(ranking):
                told = f"the list {name} holds {ranking.symbols[:3]} at {r.instant(record.universe, k)}"
                raise Broken(name, k, f"{told} on a day without a bar")


def _claims_nothing(metric: Metric, label: str, values: Floats, case: Case) -> None:
    needs_bar = isinstance(metric, Level) or "no bar" in (type(metric).__doc__ or "").partition("Unknown:")[2]
    silent = np.isnan(values) if needs_bar else np.isnan(values) | (values == 0.0)
    if silent.all() or np.array_equal(values, case.steps.columns[label, r.VALUES], equal_nan=True):
        return
    k, row = (int(i) for i in np.argwhere(~silent)[0])
    told = f"{label} says {values[k, row]:g} of {r.place(case.tape.universe, k, row)} on a day without a bar"
    raise _said_of(case.tape, label, k, row, told, f"{values[k, row]:g}", "unknown", r.VALUES)


def _said_of(tape: Tape, who: str, k: int, row: int, told: str, found: str, expected: str, what: str) -> Broken:
    """What was said of one symbol, in a sentence and in parts."""
    symbol = tape.universe.symbols[row]
    return Broken(who, k, told, what=what, symbol=symbol, found=found, expected=expected)


@law(
    "unknown is not false",
    "Let NaN through: compare columns (`now[a] >= 1`), combine with `&`, `|`, `~`; "
    "no `nan_to_num`, no `np.where` with a guess.",
)
def unknown_is_not_false(case: Case) -> int:
    """NaN is not known: with less known, an answer may become unknown but never another one.

    Nothing is selected on nothing. Without the facts a metric says the same or nothing; it never says ±inf.
    """
    compared = _never_infinite(case.whole)
    if case.subject.metrics:
        metrics, poorer = (
            replace(case.subject, scanners=()),
            measure_day(t.without_facts(case.tape), case.subject.metrics),
        )
        known, left = r.columns_of(metrics, case.day), r.columns_of(metrics, poorer)
        compared += _not_otherwise(known, left, case, "facts of the days before")
    return compared + sum(_with_less_known(scanner, case) for scanner in case.subject.scanners)


def _never_infinite(record: Record) -> int:
    for (who, what), values in record.columns.items():
        if what == r.VALUES and np.isinf(values).any():
            k, row = (int(i) for i in np.argwhere(np.isinf(values))[0])
            where = r.place(record.universe, k, row)
            raise Broken(who, k, f"{who} says {values[k, row]} of {where}; infinity is no number that is known")
    return record.size


def _not_otherwise(known: Any, poorer: Any, case: Case, lost: str) -> int:
    """What is known with less known is what was known with more."""
    for key, values in poorer.items():
        before = known[key]
        other = ~np.isnan(values) & (r.bits(values) != r.bits(before))
        if other.any():
            k, row = (int(i) for i in np.argwhere(other)[0])
            who, what = key
            told, was = (r.shown(array[k, row], what) for array in (values, before))
            said = f"{what} of {who} for {r.place(case.tape.universe, k, row)} is {told}"
            shown = f"with {lost} unknown, {said}; with it known it was {was}"
            raise _said_of(case.tape, who, k, row, shown, told, was, what)
    return sum(values.size for values in poorer.values())


def _with_less_known(scanner: AnyScanner, case: Case) -> int:
    known, compared = _conditions(scanner, case.day), 0
    for lost, day in _with_one_unknown(scanner, case.day):
        compared += _not_otherwise(known, _conditions(scanner, day), case, lost)
    _silent_about_nothing(scanner, _with_nothing_known(case.day))
    return compared


def _silent_about_nothing(scanner: AnyScanner, nothing: Snapshot) -> None:
    said, name = r.answers(scanner, nothing), scanner.name
    due = [said[name, kind] == 1.0 for kind in scanner.verdict(nothing).kinds]
    listed = [~np.isnan(said[name, r.SCORE])] if scanner.listed else []
    for asked in (*due, *listed):
        yes = asked & (said[name, r.SELECTED] == 1.0)
        if yes.any():
            k = int(np.argwhere(yes)[0][0])
            at = r.instant(nothing.universe, k)
            raise Broken(name, k, f"{name} says yes at {at} although nothing at all is known")


def _conditions(scanner: AnyScanner, now: Snapshot) -> dict[Key, Floats]:
    """Its answers; of an `|` only who is selected: its right side speaks where the left is not known to hold."""
    choosing = isinstance(scanner, Composite) and len(scanner.sides) > 1
    with np.errstate(all="ignore"):
        said, kinds = r.answers(scanner, now), () if choosing else scanner.verdict(now).kinds
    return {key: values for key, values in said.items() if key[1] == r.SELECTED or key[1] in kinds}


def _with_one_unknown(scanner: AnyScanner, day: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    unknown = np.full(day.shape, np.nan)
    for metric in scanner.metrics():
        yield (
            metric.name,
            replace(day, values={**day.values, metric: unknown}, before_values={**day.before_values, metric: unknown}),
        )
    yield "the bar", replace(day, open=unknown, high=unknown, low=unknown, close_so_far=unknown)
    facts = Facts.of(len(day.universe), day.universe.day.minutes)
    yield "facts of the days before", replace(day, universe=replace(day.universe, facts=facts))


def _with_nothing_known(day: Snapshot) -> Snapshot:
    unknown = np.full(day.shape, np.nan)
    values = dict.fromkeys(day.values, unknown)
    return replace(
        day, open=unknown, high=unknown, low=unknown, close_so_far=unknown, values=values, before_values=values
    )


@law(
    "no look-ahead",
    "Read the day up to now: `now.day.close[: now.k + 1]`, `now.window(…)`; "
    "a scanner asks `now[…]` and `now.before(…)` alone.",
)
def no_look_ahead(case: Case) -> int:
    """Whatever comes after minute k, absurd numbers or nothing, what is said up to k stays the same bit for bit."""
    compared = sum(_same_until(case, *future) for future in _futures(case.tape))
    return compared + sum(
        _same_until(case, k, t.poisoned_after(case.tape, k, seed=4), "absurd") for k in _otherwise_in_steps(case)
    )


def _same_until(case: Case, k: int, future: Tape, told: str) -> int:
    other, how = case.on(future).whole, f"once what comes after k={k} is {told}"
    return r.compare(case.whole, other, how, 0, k) + r.compare_triggers(case.whole, other, how, 0, k)


def _otherwise_in_steps(case: Case) -> list[int]:
    """The first minutes of which a whole day says other things than steps, which cannot look ahead."""
    said, whole = case.steps.columns, case.whole.columns
    differs = [(r.bits(said[key]) != r.bits(whole[key])).any(axis=1) for key in said]
    return np.flatnonzero(np.any(differs, axis=0))[:3].tolist() if differs else []


def _futures(tape: Tape) -> Iterator[tuple[int, Tape, str]]:
    day = tape.universe.day
    yield day.open_k - 20, t.poisoned_after(tape, day.open_k - 20), "absurd"
    yield day.open_k + 12, t.poisoned_after(tape, day.open_k + 12, seed=2), "absurd"
    yield day.open_k + 40, t.cut_after(tape, day.open_k + 40), "nothing"
    yield day.close_k + 5, t.poisoned_after(tape, day.close_k + 5, seed=3), "absurd"
