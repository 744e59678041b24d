"""Grids: the settings of a sweep, made of the values that each threshold is to take, and checked before any is judged.

>>> from scanner_kit.scanners import HodBreak
>>> grid = Grid.of(HodBreak(), {"min_rvol": [3, 2], "min_price": [1.0, 5.0]})
>>> grid.shape, grid.settings[:3]
((2, 2), ({'min_rvol': 2, 'min_price': 1.0}, {'min_rvol': 2, 'min_price': 5.0}, {'min_rvol': 3, 'min_price': 1.0}))
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.scanner import settings_hash

MOST = 100_000
"""Settings of a grid at the most: more are neither waited for nor looked at."""
Setting = Mapping[str, Any]
"""Threshold → value."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The values of each threshold: numbers ascending, all else as given. The last threshold varies fastest."""

    axes: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, scanner: AnyScanner, given: Any) -> "Grid":
        """The grid of a scanner; of a composite, thresholds are named `scanner.threshold`, or are tables by scanner.

        `InvalidInput` for an unknown threshold, a threshold without values, a value that is given twice, and for more
        than `MOST` settings.
        """
        if not isinstance(given, Mapping) or not given:
            raise InvalidInput(
                f"A grid maps thresholds to their values; found {given!r}. Write, say, {{'min_rvol': [2, 3, 4]}}."
            )
        known = scanner.settings()
        axes = {}
        for name, values in _flat(given):
            if name not in known:
                raise UnknownName.of(f"{scanner.name} has no threshold", name, known)
            axes[name] = _values(name, values)
        if (size := prod(map(len, axes.values()))) > MOST:
            raise InvalidInput(
                f"A grid has {MOST:,} settings at most; found {size:,}. Take wider steps, or sk.search the space."
            )
        return cls(axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each threshold has."""
        return tuple(len(values) for values in self.axes.values())

    def __len__(self) -> int:
        return prod(self.shape)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting."""
        return tuple(dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values()))

    def is_ordered(self, name: str) -> bool:
        """Whether a threshold's values have neighbours: they are numbers, and more than one."""
        return len(self.axes[name]) > 1 and all(_is_number(value) for value in self.axes[name])


def under(scanner: AnyScanner, settings: Iterable[Setting]) -> list[AnyScanner]:
    """The scanner under each setting; `InvalidInput` names the first that does not fit."""
    found: list[AnyScanner] = []
    for i, setting in enumerate(settings):
        try:
            found.append(scanner.with_settings(**setting))
        except InvalidInput as fault:
            raise type(fault)(f"Setting {i + 1}, {told(setting)}: {fault}") from None
    return found


def told(setting: Setting) -> str:
    """A setting in words.

    >>> told({"min_rvol": 2.5, "max_price": None})
    'min_rvol=2.5, max_price=None'
    """
    return ", ".join(f"{name}={value!r}" for name, value in setting.items())


def plain(value: Any) -> Any:
    """A value as Params take it: NumPy's numbers are Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _flat(given: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, values in given.items():
        if isinstance(values, Mapping):
            yield from ((f"{name}.{threshold}", its) for threshold, its in values.items())
        else:
            yield name, values


def _values(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput(f"A grid has several values for each threshold; found {name}={given!r}. Write [{given!r}].")
    values = [plain(value) for value in given]
    if not values:
        raise InvalidInput(f"A grid has several values for each threshold; found none for {name}. Leave it out.")
    seen = [settings_hash([value]) for value in values]
    twice = [value for i, value in enumerate(values) if seen[i] in seen[:i]]
    if twice:
        raise InvalidInput(f"A grid has each value once; found {name}={twice[0]!r} twice. Leave one out.")
    return tuple(sorted(values) if all(map(_is_number, values)) else values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
