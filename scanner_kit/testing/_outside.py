"""The law that the core touches nothing, read from the code: a clock shows in no comparison of two quick runs."""

import builtins
import datetime as dt
import dis
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case

OUTSIDE = frozenset(
    (
        *("aiohttp", "asyncio", "ftplib", "glob", "http", "httpx", "io", "os", "pandas", "pathlib", "posix", "random"),
        *("redis", "requests", "secrets", "shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading"),
        *("time", "urllib", "uuid"),
    )
)
"""Modules that lead to a clock, a file, the network, the environment or chance; and pandas."""
CALLS = frozenset(("open", "input", "print", "breakpoint"))
CLOCKS = frozenset(("now", "today", "utcnow"))


@law(
    "the core touches nothing",
    "Time arrives in the bars (`now.k`, `now.day`), what was known before in the facts; "
    "ask the outside in a source, or in a scanner with scan(context).",
)
def touches_nothing(case: Case) -> int:
    """Its code asks no clock, file, network or environment, and does without pandas, asyncio and chance.

    What it calls by name is read too.
    """
    read = 0
    named: dict[str, Any] = {label: metric for metric, label in case.subject.labels.items()}
    for who, thing in (named | {scanner.name: scanner for scanner in case.subject.scanners}).items():
        for function in _functions(type(thing)):
            for found in _outside(function):
                raise Broken(who, -1, f"{function.__qualname__} asks for {found}")
            read += 1
    return read


def _functions(cls: type) -> Iterator[FunctionType]:
    """The functions of a class and of those it is made of, and those that they call by name."""
    seen: set[FunctionType] = set()
    waiting = [
        function
        for base in cls.__mro__
        for value in vars(base).values()
        for function in _unwrapped(value)
        if _is_own(base.__module__)
    ]
    while waiting:
        function = waiting.pop()
        if function not in seen:
            seen.add(function)
            yield function
            called = (function.__globals__.get(name) for name in _named(function.__code__, "LOAD_GLOBAL"))
            waiting += [one for one in called if isinstance(one, FunctionType) and _is_own(one.__module__)]


def _is_own(module: str) -> bool:
    """Whether it is nobody's library: param, numpy and the like are trusted."""
    return module.partition(".")[0] not in (
        "builtins",
        "dataclasses",
        "param",
        "numpy",
        "numba",
        "functools",
        "abc",
        "typing",
    )


def _unwrapped(value: Any) -> list[FunctionType]:
    parts = (
        (value.fget,) if isinstance(value, property) else (getattr(value, "__func__", getattr(value, "func", value)),)
    )
    return [part for part in parts if isinstance(part, FunctionType)]


def _outside(function: FunctionType) -> Iterator[str]:
    code = function.__code__
    for name in _named(code, "LOAD_GLOBAL"):
        own = function.__globals__.get(name)
        value = getattr(builtins, name, None) if own is None else own
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
        if home.partition(".")[0] in OUTSIDE or (name in CALLS and own is None):
            yield repr(name)
        if value in (dt, dt.datetime, dt.date) and CLOCKS & _named(code, "LOAD_ATTR", "LOAD_METHOD"):
            yield "the wall clock"
    yield from (f"module {name!r}" for name in _named(code, "IMPORT_NAME") if name.partition(".")[0] in OUTSIDE)


def _named(code: CodeType, *operations: str) -> set[str]:
    """The names that a piece of code, and the code within it, uses in some operations."""
    within = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname in operations}
    return own.union(*(_named(part, *operations) for part in within))
