"""A scanner or a metric as named in a command: `module:Name` or `file.py:Name`, and the thresholds set on it."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Scanner


def named(text: str, settings: Mapping[str, Any] | None = None) -> Metric | AnyScanner:
    """The scanner, composite or metric of that name, under other settings; a class stands for its defaults.

    Modules are looked for in the present folder too. `InvalidInput` says what is not there, and what is.

    >>> named("scanner_kit.scanners:HodBreak", {"min_rvol": 2})
    HodBreak(min_rvol=2)
    """
    home, colon, name = text.rpartition(":")
    if not (colon and home and name):
        raise InvalidInput(f"A scanner is named as module:Scanner; found {text!r}. Write, say, my_scanners:GapAndGo.")
    module = _file(Path(home)) if home.endswith(".py") else _module(home)
    known = {key: value for key, value in vars(module).items() if _is_checkable(value) and not key.startswith("_")}
    if not hasattr(module, name):
        raise UnknownName.of(f"{home} has no", name, known)
    if not _is_checkable(found := getattr(module, name)):
        raise InvalidInput(
            f"What is certified is a Scanner or a Metric; found {home}:{name}, {_article(found)}. "
            f"Name one of {', '.join(sorted(known)) or 'these: there are none'}."
        )
    return _set(_made(found, text), settings or {}, text)


def _made(found: Any, text: str) -> Any:
    if not isinstance(found, type):
        return found
    try:
        return found()
    except InvalidInput:
        raise
    except Exception as fault:
        raise InvalidInput(
            f"{text} is made with its defaults; found {type(fault).__name__}: {fault}. Name an instance, or mend it."
        ) from fault


def _set(thing: Metric | AnyScanner, settings: Mapping[str, Any], text: str) -> Metric | AnyScanner:
    known = {f.name for f in fields(thing)} if isinstance(thing, Metric) else set(thing.settings())
    for name in settings:
        if name not in known:
            raise UnknownName.of(f"{text} has no setting", name, known)
    if not settings:
        return thing
    return replace(thing, **settings) if isinstance(thing, Metric) else thing.with_settings(**settings)


def _module(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name is not None and (name == fault.name or name.startswith(f"{fault.name}.")):
            raise InvalidInput(
                f"There is no module {fault.name!r}, neither installed nor in {Path.cwd()}. "
                "Give its dotted name, or the path of a file: my/scanners.py:GapAndGo."
            ) from None
        raise _not_imported(name, fault) from fault
    except Exception as fault:
        raise _not_imported(name, fault) from fault


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InvalidInput(f"There is no file {str(path)!r}. Give the path of a Python file, or a module's name.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path} is a Python file; found none. Give one that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise _not_imported(str(path), fault) from fault
    return module


def _not_imported(name: str, fault: Exception) -> InvalidInput:
    return InvalidInput(f"{name} cannot be imported; found {type(fault).__name__}: {fault}. Mend it first.")


def _is_checkable(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, Scanner | Metric) and value not in (Scanner, Metric)
    return isinstance(value, Scanner | Metric | Composite)


def _article(found: Any) -> str:
    return f"a {type(found).__name__}"
