"""Fingerprints: what a metric is made of, so that a changed metric is measured again, and only that one.

The fingerprint of a metric covers its class and parameters, the code of its methods and of the functions that they
call by name, and the metrics that it needs. Comments and the place in a file make no difference.
"""

import hashlib
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from scanner_kit.metrics import Metric


def fingerprint(metric: Metric) -> str:
    """Sixteen hexadecimal digits that change with anything that a metric's numbers depend on but the bars."""
    digest = hashlib.sha256(repr(metric).encode())
    for part in _parts(metric):
        digest.update(part)
    for needed in metric.needs():
        digest.update(fingerprint(needed).encode())
    return digest.hexdigest()[:16]


def _parts(metric: Metric) -> Iterator[bytes]:
    seen: set[int] = set()
    for cls in type(metric).__mro__:
        if cls in (object, Metric):
            continue
        for name, value in sorted(vars(cls).items()):
            function = getattr(value, "fget", value)
            if isinstance(function, FunctionType):
                yield name.encode()
                yield from _of_function(function, seen)
            elif not name.startswith("__") and isinstance(value, int | float | str | bool | tuple):
                yield f"{name}={value!r}".encode()


def _of_function(function: Any, seen: set[int]) -> Iterator[bytes]:
    """The code of a function and of those of the same project that it calls by name, each once."""
    function = getattr(function, "py_func", function)  # what is compiled knows what it was compiled of
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    yield from _of_code(function.__code__)
    yield repr((function.__defaults__, function.__kwdefaults__)).encode()
    for name in _names(function.__code__):
        known = function.__globals__.get(name)
        if isinstance(known, int | float | str | bool):
            yield f"{name}={known!r}".encode()
        elif callable(known) and _is_own(known, function):
            yield from _of_function(known, seen)


def _is_own(called: Any, function: FunctionType) -> bool:
    home = str(getattr(called, "__module__", ""))
    return home == function.__module__ or home.startswith("scanner_kit.")


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _of_code(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_argcount)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant).encode()
