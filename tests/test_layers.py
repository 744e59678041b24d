"""The core touches nothing: no clock, file, network, environment, pandas or asyncio; read from its code, and tried."""

import ast
import builtins
import os
import re
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from scanner_kit import metrics
from scanner_kit.engine import Engine, Scan
from scanner_kit.meter import measure_day
from scanner_kit.testing import sample_tape

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scanner_kit"
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
LAYERS = [set(re.findall(r"\w+", layer)) for layer in CONTRACTS[0]["layers"]]
CORE = LAYERS[-1]

ALLOWED = {
    *(
        "ast",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "json",
    ),
    *("math", "operator", "re", "statistics", "types", "typing", "warnings", "weakref", "zoneinfo"),
    *("numba", "numpy", "param", "scanner_kit"),
}
"""All that the core may import; what is not named here, such as a clock, it may not."""
FURTHER = {"calendar.py": {"exchange_calendars"}, "_code.py": {"builtins", "dis"}, "_outside.py": {"builtins"}}
"""What one module alone may import: who asks the calendar, and who reads the code of others."""
CALLS = {"breakpoint", "eval", "exec", "input", "open", "print"}
CLOCKS = {"localtime", "now", "perf_counter", "today", "utcnow"}


def modules(names: set[str]) -> list[Path]:
    """The files of some modules and packages."""
    return sorted(
        path for name in names for path in (PACKAGE / f"{name}.py", *(PACKAGE / name).glob("**/*.py")) if path.exists()
    )


def imported(tree: ast.AST) -> Iterator[str]:
    """The roots of all that a module imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def called(tree: ast.AST) -> Iterator[str]:
    """What a module calls: a name, or the attribute of something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield function.id if isinstance(function, ast.Name) else f".{getattr(function, 'attr', '')}"


def test_every_module_has_its_layer() -> None:
    found = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found - {"__init__", "__main__"} <= set().union(*LAYERS)


def test_no_module_of_the_core_is_excused_from_the_contract() -> None:
    excused = {line.split(" ")[0].split(".")[1] for line in CONTRACTS[1]["ignore_imports"]}
    assert excused.isdisjoint(CORE | {"testing"})


@pytest.mark.parametrize("path", modules(CORE | {"testing"}), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_imports_and_calls_nothing_of_the_outside(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert set(imported(tree)) <= ALLOWED | FURTHER.get(path.name, set())
    assert set(called(tree)).isdisjoint({*CALLS, *(f".{name}" for name in CLOCKS)})


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    """Stands where the outside was."""
    raise AssertionError(f"the core touched the outside: {args!r} {kwargs!r}")


class NoEnvironment(dict[str, str]):
    """An environment that nobody may ask."""

    __getitem__ = __contains__ = get = refuse


def scan_the_day() -> Scan:
    """A day of everything: steps, a question, and the whole day at once."""
    tape = sample_tape()
    engine = Engine(tape.universe)
    scans = [engine.step(bars) for bars in tape]
    engine.why(tape.universe.symbols[0])
    measure_day(tape, metrics.ALL)
    return scans[-1]


def test_a_day_runs_without_clock_files_network_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    scan_the_day()  # what is compiled once is read from its cache before the doors close
    with monkeypatch.context() as closed:
        closed.setattr(builtins, "open", refuse)
        closed.setattr(os, "open", refuse)
        closed.setattr(os, "environ", NoEnvironment())
        closed.setattr(os, "getenv", refuse)
        closed.setattr(socket, "socket", refuse)
        for clock in ("time", "time_ns", "monotonic", "sleep", "localtime"):
            closed.setattr(time, clock, refuse)
        scan = scan_the_day()
    assert scan.k == 399
