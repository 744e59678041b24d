"""State that the kit does not know of: what the object, its classes, its module and its functions keep by themselves.

A law that asks whether one day leaves something behind for the next must be able to begin as if nothing had been
asked yet: `Kept` remembers what was kept, and brings it back.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Scanner
from scanner_kit.testing._code import classes_of, functions_of, is_users, names_used

CONTAINERS = (dict, list, set, deque, bytearray, np.ndarray)
PLAIN = (int, float, complex, str, bytes, bool, tuple, frozenset, type(None))
Put = Callable[[Any], None]


@dataclass(frozen=True, eq=False)
class _Place:
    """A place that holds a value: its name, the value itself, a copy of what it said, and how another is put there."""

    name: str
    value: Any
    said: Any
    put: Put

    def restore(self) -> None:
        _refill(self.value, self.said)
        self.put(self.value)


class Kept:
    """All that some metrics and scanners keep outside the engine, as it was when this was made."""

    def __init__(self, things: Iterable[Metric | AnyScanner]) -> None:
        self._objects = [part for thing in things for part in _parts(thing)]
        self._owned = [(thing, set(vars(thing))) for thing in self._objects]
        classes = dict.fromkeys(cls for thing in self._objects for cls in classes_of(type(thing)))
        self._functions = dict.fromkeys(function for thing in self._objects for function in functions_of(type(thing)))
        self._classes = [(cls, set(vars(cls))) for cls in classes if is_users(cls.__module__)]
        self._places = {(place.name, id(place.value)): place for place in self._found()}

    def restore(self) -> None:
        """Bring back what was kept; what has come since is taken away."""
        for place in self._places.values():
            place.restore()
        for thing, names in self._owned:
            for name in [name for name in vars(thing) if name not in names and not name.startswith("_param")]:
                del vars(thing)[name]
        for cls, names in self._classes:
            for name in [name for name in vars(cls) if name not in names and not name.startswith("_abc")]:
                type.__delattr__(cls, name)
        for function in self._functions:
            for value in names_used(function).values():
                if is_users(getattr(value, "__module__", None)) and hasattr(value, "cache_clear"):
                    value.cache_clear()

    def changed(self) -> tuple[str, ...]:
        """The names of what is otherwise now."""
        now = {place.name: place.said for place in self._found()}
        before = {place.name: place.said for place in self._places.values()}
        return tuple(sorted(name for name in now if name not in before or not _same(before[name], now[name])))

    def _found(self) -> Iterator[_Place]:
        for thing in self._objects:
            yield from _places(type(thing).__name__, vars(thing), _putter(vars(thing)), own=True)
        for cls, _ in self._classes:
            yield from _places(cls.__name__, dict(vars(cls)), partial(_class_put, cls))
        for function in self._functions:
            if is_users(function.__module__):
                used = {name: value for name, value in names_used(function).items() if name in function.__globals__}
                yield from _places(function.__module__, used, _putter(function.__globals__))
                yield from _around(function)


def anew(thing: Any) -> Any:
    """A scanner of the same class and thresholds, or an equal metric, that was never asked anything."""
    return thing.with_settings() if isinstance(thing, Scanner | Composite) else copy.deepcopy(thing)


def _parts(thing: Metric | AnyScanner) -> list[Any]:
    scanners = list(thing.scanners().values()) if isinstance(thing, Composite) else [thing]
    used = (metric for one in scanners if isinstance(one, Scanner) for metric in one.metrics())
    return [*scanners, *used]


def _around(function: Any) -> Iterator[_Place]:
    """What stands in the scope around a function, and its defaults."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    values = {name: value for name, value in names_used(function).items() if name in cells}
    yield from _places(function.__qualname__, values, lambda name: _cell_put(cells[name]))
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount][-len(defaults) :] if defaults else ()
    yield from _places(function.__qualname__, dict(zip(names, defaults, strict=False)), lambda name: lambda value: None)
    yield from _places(function.__qualname__, dict(vars(function)), _putter(vars(function)))


def _places(owner: str, values: dict[str, Any], putter: Callable[[str], Put], *, own: bool = False) -> Iterator[_Place]:
    for name, value in list(values.items()):
        if name.startswith(("__", "_param", "_gates", "_abc")):
            continue
        if isinstance(value, (*CONTAINERS, *PLAIN)) or _users_object(value):
            try:
                said = copy.deepcopy(vars(value) if _users_object(value) else value)
            except Exception:  # what cannot be copied cannot be brought back
                continue
            yield _Place(f"{owner}.{name}", value, said, putter(name))


def _users_object(value: Any) -> bool:
    """Whether it is an object of a class of the user's own that keeps attributes; metrics and scanners are not."""
    kept_elsewhere = isinstance(value, type | Metric | Scanner | Composite | Enum)
    return is_users(type(value).__module__) and hasattr(value, "__dict__") and not kept_elsewhere


def _putter(values: MutableMapping[str, Any]) -> Callable[[str], Put]:
    return lambda name: lambda value: values.__setitem__(name, value)


def _class_put(cls: type, name: str) -> Put:
    return lambda value: type.__setattr__(cls, name, value)


def _cell_put(cell: Any) -> Put:
    return lambda value: setattr(cell, "cell_contents", value)


def _refill(value: Any, said: Any) -> None:
    """Make a container say again what it said, as the same object: others may hold it."""
    fresh = copy.deepcopy(said)
    match value:
        case dict() | set():
            value.clear()
            value.update(fresh)
        case list() | bytearray():
            value[:] = fresh
        case deque():
            value.clear()
            value.extend(fresh)
        case np.ndarray() if value.flags.writeable:
            value[...] = fresh
        case _ if _users_object(value):
            vars(value).clear()
            vars(value).update(fresh)


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(np.all(one == other))
    except Exception:  # what cannot be compared may well be another
        return False
