"""Laws of one engine: stepping, whole days, previews, restarts, late bars, fewer symbols and another order agree."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice, takewhile

import numpy as np

from scanner_kit.day import Day
from scanner_kit.engine import Engine
from scanner_kit.ranking import Ranking
from scanner_kit.testing import _records as r
from scanner_kit.testing import _tapes as t
from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case, Key, Record, Subject
from scanner_kit.triggers import Trigger
from scanner_kit.universe import Rows


@law(
    "one engine",
    "Say the same of one step and of a whole day: use columns, `now.shape` and the last axis for symbols; "
    "keep accumulators in the state.",
)
def one_engine(case: Case) -> int:
    """Step by step and over whole-day arrays, everything said is the same bit for bit."""
    how = "over a whole day at once, unlike step by step"
    return r.compare(case.steps, case.whole, how) + r.compare_triggers(case.steps, case.whole, how)


@law("a question changes nothing", "Give the next state back as a new tuple of new arrays; keep nothing in the object.")
def questions_change_nothing(case: Case) -> int:
    """After previews of minutes that then come otherwise, and questions in between, everything said is the same."""
    asked = r.stepped(case.subject, case.tape.universe, t.with_previews(case.tape), _ask)
    return r.compare_all(case.steps, asked, "after previews and questions")


def _ask(engine: Engine) -> None:
    if engine.k % 100 == 50 and engine.scan is not None:
        symbol = engine.universe.symbols[engine.k // 100 % len(engine.universe)]
        engine.why(symbol)
        for scanner in engine.judge.scanners:
            scanner.why(engine.scan.snapshot, symbol)


@law(
    "a restart changes nothing",
    "Keep all that matters in the state, made by start(day); nothing in the object, the class or the module.",
)
def restarts_change_nothing(case: Case) -> int:
    """A new engine that takes the tape again from its start says what the one said that stopped, and nothing twice."""
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
            at = r.instant(record.universe, trigger.k)
            raise Broken(trigger.scanner, trigger.k, f"{trigger.scanner} fires twice for {trigger.symbol} at {at}")
        known.add(trigger.identity)


@law(
    "late bars",
    "Keep accumulators as arrays with symbols last, `(…, symbols)`, so that a symbol can be measured again alone.",
)
def late_bars_are_made_good(case: Case) -> int:
    """From the step on with which late bars come, all is measured as on a tape that had them in their place.

    Firings already made stay as they are: none is taken back, none is made for a minute that is over.
    """
    _kept_by_symbol(case)
    first, last = case.tape.universe.day.open_k - 160, case.tape.universe.day.open_k + 25
    tape = t.made_late(t.made_late(case.tape, last), first, seed=2)
    late = r.stepped(case.subject, tape.universe, tape)
    never = r.stepped(case.subject, tape.universe, islice(replace(tape, late={}), first))
    _nothing_twice(late)
    compared = r.compare_triggers(never, late, f"although late bars came only with k={first}", 0, first - 1)
    return compared + r.compare(case.steps, late, f"after late bars that came with k={first} and k={last}", last)


def _kept_by_symbol(case: Case) -> None:
    day, size = Day(case.tape.universe), len(case.tape.universe)
    for metric, label in case.subject.labels.items():
        for array in metric.start(day):
            if array.shape[-1:] != (size,):
                told = f"its state holds an array {array.shape} for {size} symbols"
                raise Broken(label, -1, f"{told}, which are not its last axis")


@law(
    "symbols that join or leave",
    "Keep accumulators as arrays with symbols last, and nothing that knows how many symbols there are.",
)
def joining_is_as_if_silent(case: Case) -> int:
    """From the step on in which symbols join or leave, all is as if they had been there, and silent."""
    _kept_by_symbol(case)
    tape = t.with_comings(case.tape)
    joined = {symbol: end for symbol, start, end in tape.universe.away if start == 0}
    first = min(joined.values(), default=0)
    since = np.array([joined.get(symbol, first) for symbol in tape.universe.symbols])
    own = partial(_sees_one_symbol, case.subject)
    expected, found = (_from(record, since, own) for record in (case.on(tape).steps, r.came(case.subject, tape)))
    return r.compare_all(expected, found, f"after symbols have joined and left from k={first} on")


def _from(record: Record, since: Rows, keep: Callable[[Key], bool]) -> Record:
    """What is said of each symbol from a minute on, but for scanners that look across the market."""
    first, columns = since.min(), {}
    for key, values in record.columns.items():
        if keep(key) or key[1] == r.VALUES:
            columns[key] = np.where(np.arange(len(values))[:, None] < since, np.nan, values)
    triggers = tuple(one for one in record.triggers if one.k >= first and keep((one.scanner, one.kind)))
    lists = ({} if k < first else {n: its for n, its in x.items() if keep((n, ""))} for k, x in enumerate(record.lists))
    return Record(record.universe, columns, triggers, tuple(lists))


@law(
    "symbols are independent",
    "Compute along symbols elementwise; a metric that must look across the market says `market = True`.",
)
def symbols_are_independent(case: Case) -> int:
    """Without other symbols, every metric and every condition of a symbol is the same; a market metric may differ."""
    rows, compared = np.arange(len(case.tape.universe)), 0
    own = partial(_sees_one_symbol, case.subject)
    for some in (rows[::2], rows[1::2], rows[len(rows) // 2 : len(rows) // 2 + 1]):
        if some.size:
            alone = case.on(t.taken(case.tape, some)).whole
            expected = Record(alone.universe, {key: values[:, some] for key, values in case.whole.columns.items()}, ())
            compared += r.compare(expected, alone, f"without the other {rows.size - some.size} symbols", keep=own)
    return compared


def _sees_one_symbol(subject: Subject, key: Key) -> bool:
    who, what = key
    return who not in subject.market and not what.startswith(r.SCORE)


@law(
    "order is indifferent",
    "Compute along symbols elementwise, and rank by a column; the row of a symbol means nothing, nor does its name: "
    "who only, or never, is to be found goes into the gates `symbols` and `exclude`.",
)
def order_is_indifferent(case: Case) -> int:
    """With the symbols in another order, everything said of each is the same: metrics, conditions, lists, severity.

    What is equal in score is in order of the symbol, so places among equals are not compared.
    """
    order = np.random.default_rng(1).permutation(len(case.tape.universe))
    symbols = case.tape.universe.symbols
    was = {symbols[new]: symbols[old] for new, old in enumerate(order.tolist())}
    subject = case.subject.renamed({old: new for new, old in was.items()})
    other = Case(subject, t.reordered(case.tape, order)).steps
    columns = {key: values[:, np.argsort(order)] for key, values in other.columns.items()}
    ids = {scanner.name: scanner.settings_id for scanner in case.subject.scanners}
    triggers = (replace(one, symbol=was[one.symbol], settings=ids[one.scanner]) for one in other.triggers)
    back = Record(other.universe, columns, tuple(triggers))
    how = "with the symbols in another order"
    compared = r.compare(case.steps, back, how)
    compared += r.compare_triggers(case.steps, back, how, told=partial(_but_for_equals, case.steps))
    return compared + _same_places(case.steps, other, was)


def _but_for_equals(record: Record, trigger: Trigger) -> str:
    return repr(replace(trigger, rank=_rank(trigger, record)))


def _rank(trigger: Trigger, record: Record) -> int:
    """Its rank where nobody selected has an equal score, else 0."""
    selected = record.columns[trigger.scanner, r.SELECTED][trigger.k] == 1.0
    scores = record.columns[trigger.scanner, r.SCORE][trigger.k][selected]
    return trigger.rank if np.count_nonzero(scores == trigger.score) == 1 else 0


def _same_places(expected: Record, found: Record, was: dict[str, str]) -> int:
    for k, (ours, theirs) in enumerate(zip(expected.lists, found.lists, strict=True)):
        for name, ranking in ours.items():
            other = theirs[name]
            if ranking.scores != other.scores or _moved(ranking, other, was):
                at = r.instant(expected.universe, k)
                raise Broken(name, k, f"the list {name} at {at} is in another order with the symbols in another order")
    return sum(map(len, expected.lists))


def _moved(ranking: Ranking, other: Ranking, was: dict[str, str]) -> bool:
    """Whether one whose score is nobody else's stands in another place."""
    pairs = zip(ranking.symbols, other.symbols, ranking.scores, strict=True)
    return any(ranking.scores.count(score) == 1 and one != was[symbol] for one, symbol, score in pairs)
