"""Lifting: which threshold would have to stand where for a condition that blocks a symbol to hold.

Nothing is guessed: a threshold is moved to the value that the condition found (or its bound, or none), and the scanner
is asked again. A condition that no threshold decides (a break of a level, a bullish bar) is taken to hold instead, and
said to be such a one.

>>> from scanner_kit.engine import Engine
>>> from scanner_kit.scanners import HodBreak
>>> from scanner_kit.sources.simulated import SimulatedMarket
>>> from scanner_kit.sources.tape import simulated_tape
>>> tape = simulated_tape(SimulatedMarket(symbols=20))
>>> engine = Engine(tape.universe, [HodBreak()])
>>> scans = [engine.step(tape.bars(k)) for k in range(400)]
>>> [(lift.reason.what, sorted(lift.thresholds)) for lift in lifts(HodBreak(), scans[-1].snapshot, "OGU")]
[('rvol_tod', ['min_rvol']), ('high vs hod before', [])]
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import param

from scanner_kit.circumstances import Depending, Within
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.conditions import AllOf, AnyOf, Condition, Spoken, lazy
from scanner_kit.errors import InvalidInput
from scanner_kit.explain import reasons_of
from scanner_kit.gates import Gates
from scanner_kit.reason import Reason
from scanner_kit.scanner import Scanner, Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.thresholds import PerSession
from scanner_kit.universe import Bools

HIGHEST = 1e12
Told = tuple[str, str]
"""What a condition compares, and how: by this it is the same one under other thresholds."""


@dataclass(frozen=True)
class Lift:
    """What lifts one condition that blocks a symbol.

    `thresholds` has the one to move, with its value; it is empty where none decides it, and then the condition is taken
    to hold. `scanner` is the scanner after this and all lifts before it.
    """

    reason: Reason
    thresholds: Mapping[str, Any]
    scanner: AnyScanner

    def __str__(self) -> str:
        moved = ", ".join(f"{name} {value!r}" for name, value in self.thresholds.items())
        return f"{self.reason.what}: {moved or 'no threshold decides it'}"


def lifts(scanner: AnyScanner, now: Snapshot, symbol: str, kind: str = "") -> tuple[Lift, ...]:
    """What lifts the conditions that block a symbol at an instant, one after the other, in the order of `why`.

    `now` is a scan's snapshot; `kind` is that of the trigger, by default the first that the scanner has. Whoever has
    all conditions may still be held back by what was said before: `Why.even_then` tells.
    """
    alone = _alone(now, now.universe.row(symbol))
    with np.errstate(all="ignore"):
        return tuple(_lifts(scanner, alone, kind))


def _lifts(scanner: AnyScanner, now: Snapshot, kind: str) -> Iterator[Lift]:
    for reason in _blocking(scanner, now, kind):
        left = _blocking(scanner, now, kind)
        if _told(reason) in map(_told, left):
            moved = next(_moves(scanner, now, kind, reason, left), None)
            scanner = scanner.with_settings(**moved) if moved else taken_to_hold(scanner, [_told(reason)])
        else:
            moved = {}
        yield Lift(reason, moved or {}, scanner)


def _blocking(scanner: AnyScanner, now: Snapshot, kind: str) -> list[Reason]:
    return [reason for reason in reasons_of(scanner, now, kind) if reason.holds is not True]


def _told(reason: Reason) -> Told:
    return reason.what, reason.op


def _alone(now: Snapshot, row: int) -> Snapshot:
    """One symbol of an instant."""
    rows = np.array([row], dtype=np.intp)
    open_, high, low, close = (getattr(now, name)[rows] for name in ("open", "high", "low", "close_so_far"))
    values, before = ({m: found[rows] for m, found in known.items()} for known in (now.values, now.before_values))
    return Snapshot(now.universe.take(rows), now.k, open_, high, low, close, values, before, now.forming)


# Thresholds


def _moves(
    scanner: AnyScanner, now: Snapshot, kind: str, reason: Reason, left: Iterable[Reason]
) -> Iterator[dict[str, Any]]:
    """The threshold that lifts a condition and makes no other one fail; the least move first."""
    before = {_told(one) for one in left}
    for name, value in _tries(scanner, reason):
        try:
            after = {_told(one) for one in _blocking(scanner.with_settings(**{name: value}), now, kind)}
        except InvalidInput:  # out of its bounds, or a metric that was not measured
            continue
        if after < before and _told(reason) not in after:
            yield {name: value}


def _tries(scanner: AnyScanner, reason: Reason) -> Iterator[tuple[str, Any]]:
    """Thresholds and the values that may lift a condition: all at what it found first, then what is further away.

    Those that stand where the condition's does come before the others, and a limit that is none yet is made one last.
    """
    ordered = sorted(scanner.settings().items(), key=lambda one: bool(one[1] != reason.threshold))
    for unset in (False, True):
        known = [(name, value) for name, value in ordered if (value is None) is unset]
        ladders = [(name, list(_values(_parameter(scanner, name), value, reason))) for name, value in known]
        for step in range(max((len(values) for _, values in ladders), default=0)):
            yield from ((name, values[step]) for name, values in ladders if step < len(values))


def _parameter(scanner: AnyScanner, name: str) -> Any:
    if isinstance(scanner, Composite):
        part, _, name = name.rpartition(".")
        return type(scanner.scanners()[part]).param[name]
    return type(scanner).param[name]


def _values(parameter: Any, value: Any, reason: Reason) -> Iterator[Any]:
    """The values to try of one threshold, the least move first."""
    found = reason.value
    if isinstance(parameter, PerSession):
        for one in _numbers(found, parameter.bounds):
            yield from ((one, value[1]), (value[0], one)) if value else ()
    elif isinstance(parameter, param.Number):
        whole = isinstance(parameter, param.Integer)
        numbers = _numbers(found, parameter.bounds)
        yield from (int(f(one)) for one in numbers for f in (math.floor, math.ceil)) if whole else numbers
    elif isinstance(value, list) and isinstance(found, str):
        yield from ([*value, found], [word for word in value if word != found])
    elif isinstance(parameter, param.Boolean):
        yield not value
    elif isinstance(parameter, param.Selector) and not isinstance(value, list):
        yield from (other for other in parameter.objects if other != value)
    if getattr(parameter, "allow_None", False):
        yield None


def _numbers(found: Any, bounds: tuple[float | None, float | None] | None) -> list[float]:
    """A number that a condition found, the next beside it for what is strict, its mirror images, and the bounds."""
    low, high = bounds or (None, None)
    ends = [0.0 if low is None else float(low), HIGHEST if high is None else float(high)]
    if not isinstance(found, float) or math.isnan(found):
        return ends
    near = [found, math.nextafter(found, -math.inf), math.nextafter(found, math.inf)]
    return [*near, *(-one for one in near), *ends]


# Conditions that no threshold decides


def taken_to_hold(scanner: AnyScanner, told: Iterable[Told]) -> AnyScanner:
    """The scanner, with some of its conditions taken to hold; for a question about an instant."""
    if isinstance(scanner, Composite):
        return _LooseComposite(scanner.sides, scanner.name, frozenset(told) | getattr(scanner, "loose", frozenset()))
    cls: Any = type(scanner.with_settings())
    loose = frozenset(told)
    if issubclass(cls, _Loose):
        loose, cls = loose | cls.loose, cls.__bases__[1]
    made: type[Scanner] = type(cls.__name__, (_Loose, cls), {"__doc__": cls.__doc__, "loose": loose})
    values = {name: value for name, value in scanner.param.values().items() if name in cls.param}
    return made(**values)


def _loosened(verdict: Verdict, loose: frozenset[Told]) -> Verdict:
    kinds = {name: replace(kind, condition=_without(kind.condition, loose)) for name, kind in verdict.kinds.items()}
    return replace(verdict, selected=_without(verdict.selected, loose), kinds=kinds)


class _Loose(Scanner):
    """Some of its conditions are taken to hold."""

    loose: frozenset[Told] = frozenset()

    def verdict(self, now: Snapshot, gates: Gates | None = None, also: Iterable[Condition] = ()) -> Verdict:
        """That of the scanner, loosened."""
        return _loosened(super().verdict(now, gates, also), self.loose)


class _LooseComposite(Composite):
    def __init__(self, sides: Any, name: str, loose: frozenset[Told]) -> None:
        super().__init__(sides, name)
        self.loose = loose

    def verdict(self, now: Snapshot) -> Verdict:
        return _loosened(super().verdict(now), self.loose)

    def with_settings(self, **thresholds: Any) -> Composite:
        moved = super().with_settings(**thresholds)
        return _LooseComposite(moved.sides, moved.name, self.loose)

    def fixed(self) -> Composite:
        return _LooseComposite(super().fixed().sides, self.name, self.loose)


class _Held(Condition):
    """A condition that is taken to hold."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.level, self.rearm = condition.level, condition.rearm

    @lazy
    def true(self) -> Bools:
        """Everywhere."""
        return np.asarray(True)

    @lazy
    def false(self) -> Bools:
        """Nowhere."""
        return np.asarray(False)

    def __str__(self) -> str:
        return str(self.condition)


def _without(condition: Condition, loose: frozenset[Told]) -> Condition:
    """A condition in which some parts are taken to hold."""
    if condition.told in loose:
        return _Held(condition)
    if isinstance(condition, AllOf | AnyOf):
        return type(condition)([_without(part, loose) for part in condition.conditions])
    if isinstance(condition, Spoken) and condition.level is not None:
        return Spoken(_without(condition.condition, loose), condition.level, condition.rearm)
    if isinstance(condition, Within):
        return Within(_without(condition.condition, loose), condition.where, condition.outside)
    if isinstance(condition, Depending):
        return Depending(condition.where, *(_without(one, loose) for one in (condition.then, condition.otherwise)))
    return condition
