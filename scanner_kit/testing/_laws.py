"""The laws of metrics and scanners, one home each; every one is two ways of asking that must give the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, takewhile
from typing import Any

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.day import STORED, Day
from scanner_kit.engine import Engine
from scanner_kit.errors import InvalidInput
from scanner_kit.meter import in_order, measure_day
from scanner_kit.metrics import Last, Level, Metric, Moment

from scanner_kit.snapshot import Snapshot
from scanner_kit.testing import _records as r
from scanner_kit.testing import _tapes as t
from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case, Key, Record
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Facts, Floats


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
    """A metric names the metrics it reads, a scanner those it asks the snapshot for; nobody lives on what others happen to need."""
    for metric in case.subject.metrics:
        _reads_only_named(repr(metric), case, (metric,), ())
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


@law("deterministic", "Keep nothing between calls but the state; take time from `now.k`, and chance from nowhere.")
def deterministic(case: Case) -> int:
    """Asked twice, it says the same."""
    again = r.stepped(case.subject, case.tape.universe, case.tape)
    return r.compare_all(case.steps, again, "when the same tape is taken a second time")


@law("silent without data", "Leave unknown (NaN) what needs a bar: `np.where(now.bars, …, np.nan)`, `now.unknown()`.")
def silent_without_data(case: Case) -> int:
    """Without any bar nothing is selected and nothing fires, and no metric claims to know what needs a bar.

    Known without a bar are 0, and what bars do not change at all; a level is a price, and 0 is none.
    """
    empty = case.on(t.emptied(case.tape))
    for record in (empty.steps, empty.whole):
        _nothing_said(record)
        for metric in case.subject.metrics:
            _claims_nothing(metric, record.columns[repr(metric), r.VALUES], case)
    return empty.steps.size + empty.whole.size


def _nothing_said(record: Record) -> None:
    if record.triggers:
        first = record.triggers[0]
        raise Broken(
            first.scanner,
            first.k,
            f"{first.scanner} fires for {first.symbol} at {r.instant(record.universe, first.k)} on a day without a bar",
        )
    for k, lists in enumerate(record.lists):
        for name, ranking in lists.items():
            if len(ranking):
                raise Broken(
                    name,
                    k,
                    f"the list {name} holds {ranking.symbols[:3]} at {r.instant(record.universe, k)} on a day without a bar",
                )


def _claims_nothing(metric: Metric, values: Floats, case: Case) -> None:
    needs_bar = isinstance(metric, Level) or "no bar" in (type(metric).__doc__ or "").partition("Unknown:")[2]
    silent = np.isnan(values) if needs_bar else np.isnan(values) | (values == 0.0)
    if silent.all() or np.array_equal(values, case.steps.columns[repr(metric), r.VALUES], equal_nan=True):
        return
    k, row = (int(i) for i in np.argwhere(~silent)[0])
    raise Broken(
        repr(metric),
        k,
        f"{metric!r} says {values[k, row]:g} of {case.tape.universe.symbols[row]} at {r.instant(case.tape.universe, k)} on a day without a bar",
    )


@law(
    "unknown is not false",
    "Let NaN through: compare columns (`now[a] >= 1`), combine with `&`, `|`, `~`; no `nan_to_num`, no `np.where` with a guess.",
)
def unknown_is_not_false(case: Case) -> int:
    """NaN is not known: with less known, an answer may become unknown but never another one, and nothing is selected on nothing.

    Of metrics: without the facts they say the same or nothing, and never ±inf.
    """
    compared = sum(_never_infinite(record) for record in (case.steps, case.whole))
    if case.subject.metrics:
        alone, poorer = (
            replace(case.subject, scanners=()),
            measure_day(t.without_facts(case.tape), case.subject.metrics),
        )
        compared += _not_otherwise(
            r.columns_of(alone, case.day), r.columns_of(alone, poorer), case, "facts of the days before"
        )
    return compared + sum(_with_less_known(scanner, case) for scanner in case.subject.scanners)


def _never_infinite(record: Record) -> int:
    for (who, what), values in record.columns.items():
        if what == r.VALUES and np.isinf(values).any():
            k, row = (int(i) for i in np.argwhere(np.isinf(values))[0])
            raise Broken(
                who,
                k,
                f"{who} says {values[k, row]} of {record.universe.symbols[row]} at {r.instant(record.universe, k)}; infinity is no number that is known",
            )
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
            at = f"{case.tape.universe.symbols[row]} at {r.instant(case.tape.universe, k)}"
            raise Broken(who, k, f"with {lost} unknown, {what} of {who} for {at} is {told}; with it known it was {was}")
    return sum(values.size for values in poorer.values())


def _with_less_known(scanner: AnyScanner, case: Case) -> int:
    known, compared = _conditions(scanner, case.day), 0
    for lost, day in _with_one_unknown(scanner, case.day):
        compared += _not_otherwise(known, _conditions(scanner, day), case, lost)
    nothing = _with_nothing_known(case.day)
    said = r.answers(scanner, nothing)
    due = [key for key in said if key[1] in scanner.verdict(nothing).kinds]
    ranked = [] if scanner.triggers else [(scanner.name, r.SELECTED)]
    for key in (*due, *ranked):
        yes = (
            (said[key] == 1.0)
            & (said[scanner.name, r.SELECTED] == 1.0)
            & (key in due or ~np.isnan(said[scanner.name, r.SCORE]))
        )
        if yes.any():
            k = int(np.argwhere(yes)[0][0])
            raise Broken(
                scanner.name,
                k,
                f"{scanner.name} says yes ({key[1]}) at {r.instant(case.tape.universe, k)} although nothing at all is known",
            )
    return compared


def _conditions(scanner: AnyScanner, now: Snapshot) -> dict[Key, Floats]:
    """Its answers; of an `|` only who is selected, for the right side may speak where it is not known that the left holds."""
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
    "Read the day up to now: `now.day.close[: now.k + 1]`, `now.window(…)`; a scanner asks `now[…]` and `now.before(…)` alone.",
)
def no_look_ahead(case: Case) -> int:
    """Whatever comes after minute k, absurd numbers or nothing at all, what is said up to k stays the same bit for bit."""
    compared = 0
    for k, future, told in _futures(case.tape):
        other, how = case.on(future).whole, f"once what comes after k={k} is {told}"
        compared += r.compare(case.whole, other, how, 0, k) + r.compare_triggers(case.whole, other, how, 0, k)
    return compared


def _futures(tape: Tape) -> Iterator[tuple[int, Tape, str]]:
    day = tape.universe.day
    yield day.open_k - 20, t.poisoned_after(tape, day.open_k - 20), "absurd"
    yield day.open_k + 12, t.poisoned_after(tape, day.open_k + 12, seed=2), "absurd"
    yield day.open_k + 40, t.cut_after(tape, day.open_k + 40), "nothing"
    yield day.close_k + 5, t.poisoned_after(tape, day.close_k + 5, seed=3), "absurd"


@law(
    "one engine",
    "Say the same of one step and of a whole day: use columns, `now.shape` and the last axis for symbols; keep accumulators in the state.",
)
def one_engine(case: Case) -> int:
    """Step by step and over whole-day arrays, everything said is the same bit for bit."""
    how = "over a whole day at once, unlike step by step"
    return r.compare(case.steps, case.whole, how) + r.compare_triggers(case.steps, case.whole, how)


@law("a question changes nothing", "Give the next state back as a new tuple of new arrays; keep nothing in the object.")
def questions_change_nothing(case: Case) -> int:
    """With previews of minutes that then come otherwise, and with questions asked in between, everything said is the same."""
    asked = r.stepped(case.subject, case.tape.universe, t.with_previews(case.tape), _ask)
    return r.compare_all(case.steps, asked, "after previews and questions")


def _ask(engine: Engine) -> None:
    if engine.k % 100 == 50 and engine.scan is not None:
        symbol = engine.universe.symbols[engine.k // 100 % len(engine.universe)]
        engine.why(symbol)
        for scanner in engine.judge.scanners:
            scanner.why(engine.scan.snapshot, symbol)


@law(
    "arrays are never rewritten",
    "Return new arrays from step(): `state[0] + …`, `np.fmax(state[0], …)`, `.copy()`; no `+=`, no `out=`, no view of the day.",
)
def arrays_never_rewritten(case: Case) -> int:
    """What a step handed out is the same after all later steps, late bars and previews; values are no view of the day, and states are not written to."""
    compared = _pure(case.subject.metrics, case.tape)
    held: list[Held] = []
    late = t.made_late(case.tape, case.tape.universe.day.open_k + 30)
    for now, _, _ in r.steps_of(case.subject, case.tape.universe, t.with_previews(late)):
        for metric, values in now.values.items():
            if values.flags.writeable:
                raise Broken(
                    repr(metric), int(now.k), f"the values of {metric!r} that a snapshot hands out can be written to"
                )
            held.append((repr(metric), int(now.k), values, values.copy()))
    return compared + _still(held)


def _pure(metrics: Sequence[Metric], tape: Tape) -> int:
    """Drive metrics by hand, and keep all that they are given and give."""
    day, order = Day.of(tape), in_order(metrics)
    states = {metric: metric.start(day) for metric in order}
    held: list[Held] = []
    with np.errstate(all="ignore"):
        for k in range(len(tape)):
            moment = Moment(day, k)
            for metric in order:
                values, states[metric] = metric.step(states[metric], moment)
                if any(np.may_share_memory(values, getattr(day, name)) for name in STORED):
                    raise Broken(
                        repr(metric), k, f"the values at {r.instant(day.universe, k)} are a view of the day, no array of their own"
                    )
                moment.values[metric] = values
                held += [(repr(metric), k, array, array.copy()) for array in (values, *states[metric])]
    return _still(held)


def _still(held: list[Held]) -> int:
    for who, k, array, was in held:
        if not np.array_equal(array, was, equal_nan=array.dtype.kind == "f"):
            raise Broken(who, k, f"an array that {who} gave at k={k} was rewritten by a later step")
    return sum(array.size for _, _, array, _ in held)


@law(
    "a restart changes nothing",
    "Keep all that matters in the state, made by start(day); nothing in the object, the class or the module.",
)
def restarts_change_nothing(case: Case) -> int:
    """A new engine that takes the tape up to k and goes on says what one engine says that never stopped, and nothing twice."""
    open_k = case.tape.universe.day.open_k
    tape, stop = t.made_late(case.tape, open_k + 35), open_k + 15
    entries = partial(t.with_previews, tape)
    before = r.stepped(case.subject, tape.universe, takewhile(lambda bars: bars.k <= stop, entries()))
    anew = r.stepped(case.subject, tape.universe, entries())
    _nothing_twice(anew)
    how = f"in an engine made anew after one that stopped at k={stop}"
    return r.compare(before, anew, how) + r.compare_triggers(before, anew, how, 0, stop)


def _nothing_twice(record: Record) -> None:
    known: set[str] = set()
    for trigger in record.triggers:
        if trigger.identity in known:
            raise Broken(
                trigger.scanner,
                trigger.k,
                f"{trigger.scanner} fires twice for {trigger.symbol} at {r.instant(record.universe, trigger.k)}",
            )
        known.add(trigger.identity)


@law(
    "late bars",
    "Keep accumulators as arrays with symbols last, `(…, symbols)`, so that a symbol can be measured again alone.",
)
def late_bars_are_made_good(case: Case) -> int:
    """From the step on with which late bars come, metrics and conditions are those of a tape that had them in their place.

    Firings already made stay as they are: none is taken back, none is made for a minute that is over.
    """
    first, last = case.tape.universe.day.open_k - 40, case.tape.universe.day.open_k + 25
    tape = t.made_late(t.made_late(case.tape, last), first, seed=2)
    late = r.stepped(case.subject, tape.universe, tape)
    never = r.stepped(case.subject, tape.universe, islice(replace(tape, late={}), first))
    _nothing_twice(late)
    compared = r.compare_triggers(never, late, f"although late bars came only with k={first}", 0, first - 1)
    return compared + r.compare(case.steps, late, f"after late bars that came with k={first} and k={last}", last)


@law(
    "symbols are independent",
    "Compute along symbols elementwise; a metric that must look across the market says `market = True`.",
)
def symbols_are_independent(case: Case) -> int:
    """Without other symbols, every metric and every condition of a symbol is the same; a market metric may differ."""
    rows, compared = np.arange(len(case.tape.universe)), 0
    for some in (rows[::2], rows[1::2], rows[len(rows) // 2 : len(rows) // 2 + 1]):
        if some.size:
            alone = case.on(t.taken(case.tape, some)).whole
            expected = Record(alone.universe, {key: values[:, some] for key, values in case.whole.columns.items()}, ())
            how = f"without the other {rows.size - some.size} symbols"
            compared += r.compare(
                expected,
                alone,
                how,
                keep=lambda key: key[0] not in case.subject.market and not key[1].startswith(r.SCORE),
            )
    return compared


@law(
    "order is indifferent",
    "Compute along symbols elementwise, and rank by a column; the row of a symbol means nothing.",
)
def order_is_indifferent(case: Case) -> int:
    """With the symbols in another order, everything said of each is the same: metrics, conditions, lists, severity.

    What is equal in score is in order of the symbol, so places among equals are not compared.
    """
    order = np.random.default_rng(1).permutation(len(case.tape.universe))
    other, symbols = case.on(t.reordered(case.tape, order)).steps, case.tape.universe.symbols
    place = {symbols[new]: symbols[old] for new, old in enumerate(order.tolist())}
    back = Record(
        other.universe,
        {key: values[:, np.argsort(order)] for key, values in other.columns.items()},
        tuple(replace(one, symbol=place[one.symbol]) for one in other.triggers),
    )
    how = "with the symbols in another order"
    compared = r.compare(case.steps, back, how)
    compared += r.compare_triggers(
        case.steps, back, how, told=lambda one: repr(replace(one, rank=_rank(one, case.steps)))
    )
    return compared + _same_places(case.steps, other, place)


def _rank(trigger: Trigger, record: Record) -> int:
    """Its rank where nobody selected has an equal score, else 0."""
    selected = record.columns[trigger.scanner, r.SELECTED][trigger.k] == 1.0
    scores = record.columns[trigger.scanner, r.SCORE][trigger.k][selected]
    return trigger.rank if np.count_nonzero(scores == trigger.score) == 1 else 0


def _same_places(expected: Record, found: Record, place: dict[str, str]) -> int:
    for k, (ours, theirs) in enumerate(zip(expected.lists, found.lists, strict=True)):
        for name, ranking in ours.items():
            other = theirs[name]
            alone = [ranking.scores.count(score) == 1 for score in ranking.scores]
            moved = [
                one
                for one, symbol, only in zip(ranking.symbols, other.symbols, alone, strict=False)
                if only and one != place[symbol]
            ]
            if ranking.scores != other.scores or moved:
                raise Broken(
                    name,
                    k,
                    f"the list {name} at {r.instant(expected.universe, k)} is in another order with the symbols in another order",
                )
    return sum(map(len, expected.lists))
