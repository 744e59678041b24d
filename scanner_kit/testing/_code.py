"""The code behind a metric or a scanner: its functions, those that they call, and the names that they use."""

import builtins
import dis
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scanner_kit.scheduled import OUTSIDE, ScheduledScanner

LIBRARIES = ("builtins", "dataclasses", "param", "numpy", "numba", "functools", "abc", "typing", "enum", "collections")
"""Whose code is trusted."""
KIT = "scanner_kit"


def functions_of(cls: type) -> Iterator[FunctionType]:
    """The functions of a class and of those it is made of, and all that they reach by name.

    Functions, classes of one's own and objects made of them, in the module or around the class.
    """
    seen: set[FunctionType] = set()
    waiting = list(_within(cls))
    while waiting:
        function = waiting.pop()
        if function not in seen:
            seen.add(function)
            yield function
            for value in names_used(function).values():
                waiting += _reached(value)


def classes_of(cls: type) -> tuple[type, ...]:
    """A class and those it is made of, libraries left out."""
    return tuple(base for base in cls.__mro__ if is_own(base.__module__))


def names_used(function: FunctionType) -> dict[str, Any]:
    """What a function takes from its module and from around it, by name; builtins too."""
    own, names = function.__globals__, named(function.__code__, "LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
    found = {name: own[name] if name in own else getattr(builtins, name, None) for name in sorted(names)}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not filled yet
            found[name] = None
    return found


def named(code: CodeType, *operations: str) -> set[str]:
    """The names that a piece of code, and the code within it, uses in some operations."""
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname in operations}
    return own.union(*(named(part, *operations) for part in _parts(code)))


def asked_of_modules(function: FunctionType) -> Iterator[tuple[ModuleType, str]]:
    """Every `module.name` in a function, and in the code within it."""
    known = {name: value for name, value in names_used(function).items() if isinstance(value, ModuleType)}
    yield from _asked(function.__code__, known)


def _asked(code: CodeType, known: dict[str, ModuleType]) -> Iterator[tuple[ModuleType, str]]:
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "PUSH_NULL")]
    for step, after in pairwise(steps):
        if step.argval in known and step.opname.startswith("LOAD_") and after.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            yield known[step.argval], str(after.argval)
    for part in _parts(code):
        yield from _asked(part, known)


def _parts(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def is_own(module: str) -> bool:
    """Whether it is nobody's library: param, numpy and the like are trusted."""
    return module.partition(".")[0] not in LIBRARIES


def is_users(module: str | None) -> bool:
    """Whether it is neither a library's nor the kit's."""
    return bool(module) and is_own(str(module)) and str(module).partition(".")[0] != KIT


def _within(cls: type) -> Iterator[FunctionType]:
    beside = OUTSIDE if issubclass(cls, ScheduledScanner) else ()
    for base in classes_of(cls):
        for name, value in list(vars(base).items()):
            if name not in beside:
                yield from _unwrapped(value)


def _reached(value: Any) -> Iterator[FunctionType]:
    """The functions that a named value brings along."""
    plain = getattr(value, "__wrapped__", value) if callable(value) else value
    if isinstance(plain, FunctionType):
        if is_own(plain.__module__ or ""):
            yield plain
        return
    cls = value if isinstance(value, type) else type(value)
    if is_users(cls.__module__) and not isinstance(value, ModuleType):
        yield from _within(cls)


def _unwrapped(value: Any) -> list[FunctionType]:
    if isinstance(value, property):
        value = value.fget
    inner = getattr(value, "__func__", getattr(value, "func", value))
    inner = getattr(inner, "__wrapped__", inner)
    return [inner] if isinstance(inner, FunctionType) else []
