"""Scanners made of scanners: `a & b`, `a | b`, and `~b` beside `&`.

Whatever is written becomes a list of sides, tried from left to right; a side is a head that ranks and speaks,
others that only select, and others that only exclude. `&` distributes over `|`.

- `a & b` ranks, levels and triggers as `a` does, under the stricter of each gate.
- `a | b` keeps each side's own gates and is, for each symbol, the side that holds; the left where both do. What is
  one for the whole scanner, `top`, `risk` and `stop_atr`, is the left side's; with `hot` as a side it is a plain list,
  neither smoothed nor sticky.
- `~b` negates, as one, b's conditions and its gates but sessions, price and dollar volume.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import zip_longest
from typing import Any

import numpy as np

from scanner_kit.circumstances import Within
from scanner_kit.columns import Column
from scanner_kit.conditions import AllOf, AnyOf, Condition, Not, full, lazy
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.gates import Gates
from scanner_kit.metrics import Metric
from scanner_kit.reason import Reason
from scanner_kit.scanner import Figure, Kind, Scanner, Verdict, settings_hash
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Bools, Floats


@dataclass(frozen=True)
class Side:
    """A head, and those that only select (`also`) or only exclude (`unless`) beside it."""

    head: Scanner
    also: tuple[Scanner, ...] = ()
    unless: "tuple[Side, ...]" = ()

    @cached_property
    def gates(self) -> Gates:
        """The stricter of each gate of the head and those beside it."""
        return reduce(Gates.stricter, (scanner.gates for scanner in self.also), self.head.gates)

    def verdict(self, now: Snapshot) -> Verdict:
        """What the head makes of a snapshot under the gates and conditions of all."""
        further = [condition for scanner in self.also for condition in scanner.select(now)]
        return self.head.verdict(now, self.gates, (*further, *(Not(side.negatable(now)) for side in self.unless)))

    def negatable(self, now: Snapshot) -> Condition:
        """What `~` negates of this side, as one condition."""
        own = [condition for scanner in (self.head, *self.also) for condition in scanner.select(now)]
        return AllOf((*self.gates.negatable(now), *own, *(Not(side.negatable(now)) for side in self.unless)))

    def scanners(self) -> tuple[Scanner, ...]:
        """Every scanner in it, the head first."""
        return (self.head, *self.also, *(scanner for side in self.unless for scanner in side.scanners()))

    def __str__(self) -> str:
        told = [scanner.name for scanner in (self.head, *self.also)]
        return " & ".join([*told, *(f"~({side})" if side.also or side.unless else f"~{side}" for side in self.unless)])


@dataclass(frozen=True)
class Negation:
    """`~scanner`: it only selects, and stands only beside `&`."""

    scanner: "Scanner | Composite"

    def __and__(self, other: Any) -> "Composite":
        return both(other, self)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        raise InvalidInput(
            "~ stands only beside &: a scanner that is only what another is not has no ranking. Write `a & ~b`."
        )

    __ror__ = __or__

    def __invert__(self) -> Any:
        raise InvalidInput("~~ says nothing more than the scanner itself. Write it without ~.")


class Composite:
    """A scanner made of others; for the engine a scanner like any other."""

    def __init__(self, sides: Iterable[Side], name: str = "") -> None:
        self.sides = tuple(sides)
        _check_names(scanner for side in self.sides for scanner in side.scanners())
        self.name = name or " | ".join(map(str, self.sides))

    def named(self, name: str) -> "Composite":
        """The same scanner under another name in the roster."""
        return Composite(self.sides, name)

    def verdict(self, now: Snapshot) -> Verdict:
        """What the side that holds makes of each symbol."""
        return reduce(lambda left, right: _either(now, left, right), (side.verdict(now) for side in self.sides))

    def scanners(self) -> dict[str, Scanner]:
        """Every scanner in it, by name."""
        return {scanner.name: scanner for side in self.sides for scanner in side.scanners()}

    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that one of them uses."""
        return tuple(dict.fromkeys(metric for scanner in self.scanners().values() for metric in scanner.metrics()))

    @property
    def triggers(self) -> bool:
        """Whether a side speaks up."""
        return any(side.head.triggers for side in self.sides)

    @property
    def listed(self) -> bool:
        """Whether it has a list: where none of its sides speaks up, or each has one all the same."""
        return not self.triggers or all(side.head.listed for side in self.sides)

    @property
    def top(self) -> int:
        """Rows that are shown: those of the first side."""
        return self.sides[0].gates.top

    @property
    def risk(self) -> float:
        """Dollars lost at the stop: those of the first side's head."""
        return float(self.sides[0].head.risk)

    @property
    def stop_atr(self) -> float:
        """Room before the stop in ATR: that of the first side's head."""
        return float(self.sides[0].head.stop_atr)

    def settings(self) -> dict[str, Any]:
        """The thresholds of every scanner in it, as `scanner.threshold`."""
        return {
            f"{name}.{key}": value
            for name, scanner in sorted(self.scanners().items())
            for key, value in scanner.settings().items()
        }

    @property
    def settings_id(self) -> str:
        """A hash of what it is made of and of all thresholds."""
        return settings_hash(
            [str(Composite(self.sides).name), [[type(s).__name__, s.settings()] for s in self.scanners().values()]]
        )

    def with_settings(self, **thresholds: Any) -> "Composite":
        """The same with other thresholds, given as `**{"scanner.threshold": value}`."""
        changes: dict[str, dict[str, Any]] = {}
        for key, value in thresholds.items():
            name, _, threshold = key.rpartition(".")
            if name not in self.scanners():
                raise UnknownName.of(f"{self.name} has no threshold", key, self.settings())
            changes.setdefault(name, {})[threshold] = value
        return Composite([_changed(side, changes) for side in self.sides], self.name)

    def fixed(self) -> "Composite":
        """A copy that nobody can change."""
        return Composite(map(_fixed_side, self.sides), self.name)

    def why(self, now: Snapshot, symbol: str) -> tuple[Reason, ...]:
        """What each condition of each side says of a symbol."""
        row = now.universe.row(symbol)
        verdicts = [side.verdict(now) for side in self.sides]
        told = [
            condition for v in verdicts for condition in (v.selected, *(kind.condition for kind in v.kinds.values()))
        ]
        return tuple(part.explain(row) for condition in told for part in condition.parts())

    def __and__(self, other: Any) -> "Composite":
        return both(self, other)

    def __or__(self, other: Any) -> "Composite":
        return either(self, other)

    def __invert__(self) -> Negation:
        return Negation(self)

    def __repr__(self) -> str:
        return f"<Composite {self.name}>"


AnyScanner = Scanner | Composite
FLAT = Column(np.array(0.0), "none")
"""The further key of a side that orders by fewer."""


def both(a: Any, b: Any) -> Composite:
    """`a & b`: a's ranking and trigger where both select."""
    if isinstance(a, Negation):
        if isinstance(b, Negation):
            raise InvalidInput(
                "~a & ~b selects but has no ranking. Write it beside a scanner that ranks: `c & ~a & ~b`."
            )
        return both(b, a)
    if isinstance(b, Negation):
        unless = sides_of(b.scanner)
        return Composite(Side(x.head, x.also, (*x.unless, *unless)) for x in sides_of(a))
    return Composite(
        Side(x.head, (*x.also, y.head, *y.also), (*x.unless, *y.unless)) for x in sides_of(a) for y in sides_of(b)
    )


def either(a: Any, b: Any) -> Composite:
    """`a | b`: for each symbol the side that holds, a where both do."""
    if isinstance(b, Negation):
        return b.__or__(a)  # type: ignore[no-any-return]
    return Composite((*sides_of(a), *sides_of(b)))


def sides_of(scanner: Any) -> tuple[Side, ...]:
    """The sides of a composite; a plain scanner is one side."""
    if isinstance(scanner, Composite):
        return scanner.sides
    if isinstance(scanner, Scanner):
        return (Side(scanner),)
    raise InvalidInput(f"&, | and ~ combine scanners; found {scanner!r}. Give an instance, such as HodBreak().")


def _changed(side: Side, changes: Mapping[str, Mapping[str, Any]]) -> Side:
    def new(scanner: Scanner) -> Scanner:
        return scanner.with_settings(**changes.get(scanner.name, {}))

    return Side(new(side.head), tuple(map(new, side.also)), tuple(_changed(s, changes) for s in side.unless))


def _either(now: Snapshot, left: Verdict, right: Verdict) -> Verdict:
    other = Instead(left.selected, right.selected)
    keys = tuple(
        (Picked(now, other, a, b), True) for a, b in zip_longest(*map(_largest_first, (left, right)), fillvalue=FLAT)
    )
    kinds = {
        name: _either_kind(now, left.selected, other, left.kinds.get(name), right.kinds.get(name))
        for name in {**left.kinds, **right.kinds}
    }
    return Verdict(AnyOf((left.selected, right.selected)), keys, Picked(now, other, left.score, right.score), kinds)


class Instead(Condition):
    """Where a second condition holds and a first does not."""

    def __init__(self, first: Condition, second: Condition) -> None:
        self.first, self.second = first, second

    @lazy
    def true(self) -> Bools:
        """Where the second takes the place of the first."""
        return np.asarray(self.second.true & ~self.first.true)


def _largest_first(verdict: Verdict) -> list[Column]:
    """The columns to order by, all so that the largest comes first: sides may run in different directions."""
    return [column if largest else -column for column, largest in verdict.keys]


class Picked(Column):
    """A column that is the right one where the right side takes the place of the left, else the left one."""

    def __init__(self, now: Snapshot, other: Instead, left: Column, right: Column) -> None:
        self.shape, self.other, self.left, self.right = now.shape, other, left, right
        super().__init__(None, left.label, now.memo, left.metric)

    def make(self) -> Floats:
        """The numbers of all symbols."""
        return np.where(full(self.other.true, self.shape), self.right.values, self.left.values)


def _either_kind(now: Snapshot, holds: Condition, other: Instead, left: Kind | None, right: Kind | None) -> Kind:
    sides = (left, holds, "this side does not hold"), (right, other, "this side does not hold, or one before it does")
    condition = _Spoken([Within(kind.condition, where, outside) for kind, where, outside in sides if kind])
    if left is None or right is None:
        kind = left or right
        assert kind is not None
        return replace(kind, condition=condition)
    names = ("level", "side", "rearm", "cooldown", "rearm_pct")
    return Kind(condition, *(_figure(now, other, getattr(left, name), getattr(right, name)) for name in names))


def _figure(now: Snapshot, other: Instead, left: Figure, right: Figure) -> Figure:
    return left if left is right else Picked(now, other, _column(left), _column(right))


def _column(figure: Figure) -> Column:
    return figure if isinstance(figure, Column) else Column(np.array(figure, dtype=np.float64), f"{figure:g}")


class _Spoken(AnyOf):
    """What the side that holds says; the others are unknown there, so any that is false decides."""

    @lazy
    def false(self) -> Bools:
        """Where the side that holds says no."""
        return reduce(np.logical_or, (condition.false for condition in self.conditions))


def _check_names(scanners: Iterable[Scanner]) -> None:
    """One name, one scanner: thresholds and settings go by the name."""
    found: dict[str, Scanner] = {}
    for scanner in scanners:
        other = found.setdefault(scanner.name, scanner)
        if other is not scanner and other.settings_id != scanner.settings_id:
            cls = type(scanner).__name__
            raise InvalidInput(
                f"Two variants of one class have two names; found {scanner.name!r} twice, with "
                f"other thresholds. Name one: {cls}(name='…')."
            )


def fixed(scanner: AnyScanner) -> AnyScanner:
    """The same scanner as an object of its own, which nobody else can change.

    `InvalidInput` for what no roster can hold.
    """
    if isinstance(scanner, Negation):
        raise InvalidInput(
            "~ stands only beside &: a scanner that is only what another is not has no ranking. Write `a & ~b`."
        )
    if not isinstance(scanner, Scanner | Composite):
        raise InvalidInput(
            f"A roster holds scanners; found {scanner!r}. Give instances, such as HodBreak(), or "
            f"scanners.roster(['hod_break'])."
        )
    return scanner.fixed()


def _fixed_side(side: Side) -> Side:
    return Side(side.head.fixed(), tuple(s.fixed() for s in side.also), tuple(map(_fixed_side, side.unless)))
