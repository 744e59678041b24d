"""The law that the core touches nothing, read from the code: a clock shows in no comparison of two quick runs."""

import builtins
import datetime as dt
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from scanner_kit.testing._code import asked_of_modules, functions_of, named, names_used
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
OF_NUMPY = frozenset(("random", "load", "loadtxt", "genfromtxt", "fromfile", "memmap"))
"""What of numpy leads to chance or to a file."""


@law(
    "the core touches nothing",
    "Time arrives in the bars (`now.k`, `now.day`), what was known before in the facts; "
    "ask the outside in a source, or in a scanner with scan(context).",
)
def touches_nothing(case: Case) -> int:
    """Its code asks no clock, file, network or environment, and does without pandas, asyncio and chance.

    What it calls by name, and the objects that it uses, are read too.
    """
    read = 0
    named: dict[str, Any] = {label: metric for metric, label in case.subject.labels.items()}
    for who, thing in (named | {scanner.name: scanner for scanner in case.subject.scanners}).items():
        for function in functions_of(type(thing)):
            for found in _outside(function):
                raise Broken(who, -1, f"{function.__qualname__} asks for {found}")
            read += 1
    return read


def _outside(function: FunctionType) -> Iterator[str]:
    code = function.__code__
    for name, value in names_used(function).items():
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
        is_builtin = value is not None and value is getattr(builtins, name, None)
        if str(home).partition(".")[0] in OUTSIDE or (name in CALLS and is_builtin):
            yield repr(name)
        if (value is dt or value is dt.datetime or value is dt.date) and CLOCKS & named(
            code, "LOAD_ATTR", "LOAD_METHOD"
        ):
            yield "the wall clock"
    for module, name in asked_of_modules(function):
        if module.__name__ == "numpy" and name in OF_NUMPY:
            yield f"'numpy.{name}'"
    yield from (f"module {name!r}" for name in named(code, "IMPORT_NAME") if name.partition(".")[0] in OUTSIDE)
