"""A scanner: an idea of what matters now, as thresholds, conditions, a ranking and, where it speaks up, a trigger.

A category ranks and never triggers. Everything on a screen is a scanner.

>>> from scanner_kit import metrics as m
>>> class GapAndGo(Scanner):
...     '''Gapped up, trading heavy, and through the premarket high.'''
...
...     min_gap = param.Number(4.0, bounds=(0, 100), doc="Percent above the previous close.")
...     min_rvol = 3.0
...     gap, pmh = m.GapPct(), m.PremarketHigh()
...
...     def select(self, now):
...         return [now[self.gap] >= self.min_gap]
...
...     def trigger(self, now):
...         return now.breaks_above(self.pmh)
>>> GapAndGo(min_gap=5)
GapAndGo(min_gap=5)
>>> GapAndGo(min_gpa=5)
Traceback (most recent call last):
...
scanner_kit.errors.UnknownName: GapAndGo has no parameter 'min_gpa'. Did you mean 'min_gap'?
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import param

from scanner_kit import metrics as m
from scanner_kit.calendar import Session
from scanner_kit.circumstances import Known, Within
from scanner_kit.columns import Column
from scanner_kit.conditions import AllOf, Condition, Node
from scanner_kit.errors import InvalidInput, UnknownName, short
from scanner_kit.gates import Gates
from scanner_kit.naming import snake_case
from scanner_kit.reason import Reason
from scanner_kit.snapshot import Snapshot
from scanner_kit.thresholds import PerSession, check, limit, parameter_of, with_default, words

FIRED = "fired"
EVERY_SESSION = [Session.PRE, Session.REGULAR, Session.POST]
Keys = tuple[tuple[Column, bool], ...]
"""Columns to order by, and whether the largest comes first."""
Figure = Column | float
"""A number for each symbol, or one for all."""


@dataclass(eq=False, slots=True)
class Kind:
    """One thing that a scanner can say: where, at what level, to which side, and when it may say it again."""

    condition: Condition
    level: Figure
    side: Figure
    rearm: Figure
    cooldown: Figure
    rearm_pct: Figure

    def nodes(self) -> Iterator[Node]:
        """What it is computed from."""
        figures = (self.level, self.side, self.rearm, self.cooldown, self.rearm_pct)
        yield from (self.condition, *(figure for figure in figures if isinstance(figure, Column)))


@dataclass(eq=False, slots=True)
class Verdict:
    """What a scanner makes of a snapshot: who is selected, in what order, with what score, and what it may say."""

    selected: Condition
    keys: Keys
    score: Column
    kinds: Mapping[str, Kind]

    def nodes(self) -> Iterator[Node]:
        """What it is computed from."""
        yield from (self.selected, *(column for column, _ in self.keys), self.score)
        for kind in self.kinds.values():
            yield from kind.nodes()


class Scanner(param.Parameterized):
    """The gates that every scanner has; subclass it and write `select`, `rank` and, to speak up, `trigger`.

    Thresholds are Params and metrics are class attributes (or properties, where a Param chooses the metric).
    """

    sessions = param.ListSelector([Session.REGULAR], objects=EVERY_SESSION, doc="Sessions in which it looks.")
    min_price = limit("Dollars; the last price at least.", "$", default=1.0)
    max_price = limit("Dollars; the last price at most.", "$")
    min_dollar_volume = PerSession(
        (100_000.0, 1_000_000.0),
        allow_None=True,
        doc="Dollars traded since 04:00 at least: in PRE, and after.",
        metadata={"unit": "$"},
    )
    top = param.Integer(20, bounds=(1, 1000), doc="Rows that are shown; what fires is not cut.")
    cooldown = param.Number(
        15,
        bounds=(0, 960),
        doc="Minutes before it may speak again of a symbol, on a fresh rise.",
        metadata={"unit": "min"},
    )
    rearm_pct = param.Number(
        1.0,
        bounds=(0, 100),
        doc="Percent that the level must have moved on for a break to speak again; 0 turns it off.",
        metadata={"unit": "%"},
    )
    sectors = words("Sectors, as spelled in the reference rows.")
    industries = words("Industries, as spelled in the reference rows.")
    exchanges = words("Exchanges, as spelled in the reference rows.")
    kinds = words("Kinds: common, adr, etf, preferred, warrant, unit, …")
    min_market_cap = limit("Dollars; market capitalisation at least.", "$")
    max_market_cap = limit("Dollars; market capitalisation at most.", "$")
    max_float = limit("Shares; free float at most.", "shares")
    min_avg_volume = limit("Shares; mean daily volume of 30 days at least.", "shares")
    min_volume = limit("Shares traded today at least.", "shares")
    min_volume_1m = limit("Shares traded in this minute at least.", "shares")
    min_change_pct = limit("Percent, signed; change since the previous close at least.", "%", (-100, None))
    max_change_pct = limit("Percent, signed; change since the previous close at most.", "%", (-100, None))
    min_rvol = limit("Relative volume for the time of day at least.", "×")
    max_rvol = limit("Relative volume for the time of day at most.", "×")
    max_spread_pct = limit("Percent; quoted spread at most. Unknown where the source has no quotes.", "%")
    symbols = words("Only these symbols.")
    exclude = words("Never these symbols.")
    risk = param.Number(
        100.0, bounds=(0, None), inclusive_bounds=(False, True), doc="Dollars lost at the stop.", metadata={"unit": "$"}
    )
    stop_atr = param.Number(
        0.1, bounds=(0, 10), doc="Room between level or low and the stop, in atr_14d.", metadata={"unit": "ATR"}
    )

    if TYPE_CHECKING:
        name: str

    direction: ClassVar[int] = 1
    needs_bar: ClassVar[bool] = True
    _origin: ClassVar[Any] = None
    rvol: m.Metric = m.RelativeVolume()

    def __init__(self, **thresholds: Any) -> None:
        cls = type(self)
        for name in thresholds:
            if name not in cls.param:
                raise UnknownName.of(f"{cls.__name__} has no parameter", name, set(cls.param))
        thresholds.setdefault("name", snake_case(cls.__name__))
        try:
            super().__init__(**thresholds)
        except InvalidInput:
            raise
        except (ValueError, TypeError) as fault:
            raise InvalidInput(f"{cls.__name__}: {fault}") from None

    def __init_subclass__(cls, **options: Any) -> None:
        # A plain value in a class body would hide the Parameter, and with it its bounds and its watchers.
        super().__init_subclass__(**options)
        for name, value in list(vars(cls).items()):
            inherited = parameter_of(cls, name)
            if inherited is not None and not isinstance(value, param.Parameter):
                type.__setattr__(cls, name, with_default(inherited, cls, name, value))

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            check(type(self), name, value)
        self.__dict__.pop("_gates", None)
        super().__setattr__(name, value)

    # What a scanner is made of

    def select(self, now: Snapshot) -> Iterable[Condition]:
        """The conditions that must hold beside the gates."""
        return ()

    def rank(self, now: Snapshot) -> Column | Keys:
        """The score by which the list is ordered, largest first; symbols of equal score in their own order.

        Or several columns, each with whether its largest comes first.
        """
        return now[self.rvol]

    def trigger(self, now: Snapshot) -> Condition | Mapping[str, Condition] | None:
        """The condition on which it speaks, or one for each kind of thing it says; None for a category."""
        return None

    def side(self, now: Snapshot) -> Column | int:
        """+1 for long, −1 for short."""
        return self.direction

    # What the engine asks of it

    def verdict(self, now: Snapshot, gates: Gates | None = None, also: Iterable[Condition] = ()) -> Verdict:
        """What it makes of a snapshot; under other gates and further conditions where it is part of an `&`."""
        gates = gates or self.gates
        selected = AllOf((gates.passed(now), *self._conditions("select", self.select(now)), *also))
        keys = tuple((now.of_each(column), largest) for column, largest in self._keys(self.rank(now)))
        return Verdict(selected, keys, keys[0][0], self._kinds(now, gates))

    def _keys(self, told: Any) -> Keys:
        keys = ((told, True),) if isinstance(told, Column) else told
        if isinstance(keys, tuple) and keys and all(_is_key(key) for key in keys):
            return keys
        raise InvalidInput(
            f"{type(self).__name__}.rank gives a column, or a tuple of (column, whether its largest comes first); "
            f"found {short(told)}. Return, say, now[self.rvol]."
        )

    def _kinds(self, now: Snapshot, gates: Gates) -> dict[str, Kind]:
        said = self.trigger(now)
        if said is None:
            return {}
        conditions = said if isinstance(said, Mapping) else {FIRED: said}
        self._conditions("trigger", conditions.values())
        return {kind: self._kind(now, condition, gates) for kind, condition in conditions.items()}

    def _conditions(self, method: str, told: Iterable[Any]) -> tuple[Condition, ...]:
        if isinstance(told, Condition) or not isinstance(told, Iterable):
            raise InvalidInput(
                f"{type(self).__name__}.{method} gives a list of conditions; found {short(told)} alone. "
                f"Return them in brackets, an empty list for none."
            )
        conditions = tuple(told)
        for condition in conditions:
            if not isinstance(condition, Condition):
                raise InvalidInput(
                    f"{type(self).__name__}.{method} gives conditions; found {short(condition)}. "
                    "Compare a column with a number or another column; for equality write column.equals(…)."
                )
        return conditions

    def _kind(self, now: Snapshot, condition: Condition, gates: Gates) -> Kind:
        side: Any = self.side(now)
        if not isinstance(side, Column | int):
            raise InvalidInput(
                f"{type(self).__name__}.side gives +1, −1 or a column of them; found {short(side)}. Make a column "
                f"with now.choose(condition, 1, -1)."
            )
        level = math.nan if condition.level is None else condition.level
        told = now.only_with_bar(condition) if self.needs_bar else condition
        if isinstance(side, Column):
            told = Within(told, Known(side), "its side is not known")
        return Kind(told, level, side, condition.rearm, gates.cooldown, gates.rearm_pct)

    def metrics(self) -> tuple[m.Metric, ...]:
        """Every metric that it uses: its attributes, and those of its gates."""
        names = ("rvol",) if type(self).rank is Scanner.rank else ()
        own = [
            value
            for name in (*names, *attributes_of(self._origin or type(self)))
            if isinstance(value := getattr(self, name), m.Metric)
        ]
        return tuple(dict.fromkeys((*own, *self.gates.metrics())))

    @property
    def triggers(self) -> bool:
        """Whether it speaks up; a category only ranks."""
        return type(self).trigger is not Scanner.trigger

    @property
    def listed(self) -> bool:
        """Whether it has a list: a category has."""
        return not self.triggers

    @property
    def gates(self) -> Gates:
        """Its gates as plain values, read once for each change of a threshold."""
        known: Gates | None = self.__dict__.get("_gates")
        if known is None:
            values = self._values()
            known = Gates(**{name: _frozen(name, values[name]) for name in Gates.__dataclass_fields__})
            self.__dict__["_gates"] = known
        return known

    # Settings

    def _values(self) -> dict[str, Any]:
        return {name: value for name, value in self.param.values().items() if name != "name"}

    def settings(self) -> dict[str, Any]:
        """Its thresholds by name."""
        return dict(sorted(self._values().items()))

    @property
    def settings_id(self) -> str:
        """A hash of its class and its thresholds: twelve hexadecimal digits."""
        return settings_hash([type(self).__name__, self.settings()])

    def with_settings(self, **thresholds: Any) -> Self:
        """The same scanner with other thresholds, checked as a whole; this one stays as it is."""
        return (self._origin or type(self))(**{**self._values(), "name": self.name, **thresholds})

    def fixed(self) -> Self:
        """A copy that nobody can change, whose thresholds are read like plain attributes.

        Reading a Param costs more than judging with it, and a verdict reads a hundred of them: at every step of a
        scanner that looks at what changes, and for every setting of a sweep.
        """
        if self._origin is not None:
            return self
        cls = type(self)
        fixed_class = type(cls.__name__, (cls,), {"__doc__": cls.__doc__, "__module__": cls.__module__})
        copy: Self = fixed_class(**self._values(), name=self.name)
        for name, value in {**self.param.values(), "_origin": cls}.items():
            type.__setattr__(fixed_class, name, value)
        return copy

    def why(self, now: Snapshot, symbol: str) -> tuple[Reason, ...]:
        """What each of its conditions says of a symbol, the gates first and the trigger's last."""
        verdict, row = self.verdict(now), now.universe.row(symbol)
        conditions = (verdict.selected, *(kind.condition for kind in verdict.kinds.values()))
        return tuple(part.explain(row) for condition in conditions for part in condition.parts())

    def __and__(self, other: Any) -> Any:
        from scanner_kit.composition import both

        return both(self, other)

    def __or__(self, other: Any) -> Any:
        from scanner_kit.composition import either

        return either(self, other)

    def __invert__(self) -> Any:
        from scanner_kit.composition import Negation

        return Negation(self)

    def __repr__(self) -> str:
        cls = type(self)
        told = [f"{name}={value!r}" for name, value in self.settings().items() if value != cls.param[name].default]
        if self.name != snake_case(cls.__name__):
            told.insert(0, f"name={self.name!r}")
        return f"{cls.__name__}({', '.join(told)})"

    __str__ = __repr__


def _is_key(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], Column) and isinstance(key[1], bool)


def settings_hash(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a value as canonical JSON."""
    text = json.dumps(_plain(value), sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """A value whose equal, 3 or 3.0, gives the same JSON."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@cache
def attributes_of(cls: type) -> tuple[str, ...]:
    """The names under which a class may hold metrics: class attributes and properties of its own, in order."""
    own = [c for c in reversed(cls.__mro__) if issubclass(c, Scanner) and c is not Scanner]
    names = [
        name
        for c in own
        for name, value in vars(c).items()
        if isinstance(value, m.Metric | property) and not name.startswith("_")
    ]
    return tuple(dict.fromkeys(names))


def _frozen(name: str, value: Any) -> Any:
    if name == "sessions":
        return tuple(session for session in EVERY_SESSION if session in value)
    return frozenset(value) if isinstance(value, list) else value
