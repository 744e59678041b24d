"""Expressions: a scanner, or a source of files, as the Python that makes it again.

>>> from scanner_kit.scanners import GappersUp, HodBreak
>>> code_of(HodBreak(min_rvol=2) & ~GappersUp())
('sk.scanners.HodBreak(min_rvol=2) & ~sk.scanners.GappersUp()', '')
"""

import json
import site
import sysconfig
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from scanner_kit import scanners as built_in
from scanner_kit.composition import AnyScanner, Composite, Side
from scanner_kit.errors import InvalidInput
from scanner_kit.naming import snake_case
from scanner_kit.scanner import Scanner
from scanner_kit.sources.tape import TapeSource

SAID = ("fills", "share_of_market", "daily_same_source", "label")


def files_code(source: TapeSource) -> str:
    """The source as it is written; nothing where a part of it is no file."""
    told = []
    for name in ("bars", "daily", "reference"):
        given = getattr(source, name)
        if given is None:
            continue
        several = list(given) if isinstance(given, list | tuple) else [given]
        if not all(isinstance(one, str | Path) for one in several):
            return ""
        paths = [str(Path(one).resolve()) for one in several]
        shown = value_of(paths if isinstance(given, list | tuple) else paths[0])
        told.append(shown if name == "bars" else f"{name}={shown}")
    said = {name: getattr(source, name) for name in SAID if getattr(source, name) != source.param[name].default}
    return f"sk.TapeSource({', '.join([*told, *(f'{name}={value_of(value)}' for name, value in said.items())])})"


def code_of(scanner: AnyScanner) -> tuple[str, str]:
    """The expression that makes a scanner, and the imports that it needs."""
    needed: dict[str, None] = {}
    if isinstance(scanner, Scanner):
        return _made(scanner, needed), "\n".join(needed)
    made = " | ".join(_side(side, needed) for side in scanner.sides)
    if scanner.name != Composite(scanner.sides).name:
        made = f"({made}).named({text_of(scanner.name)})"
    return made, "\n".join(needed)


def _side(side: Side, needed: dict[str, None]) -> str:
    parts = [_made(one, needed) for one in (side.head, *side.also)]
    for one in side.unless:
        inner = _side(one, needed)
        parts.append(f"~({inner})" if one.also or one.unless else f"~{inner}")
    return " & ".join(parts)


def _made(scanner: Scanner, needed: dict[str, None]) -> str:
    """The expression that makes one scanner; what has to be imported for it is noted."""
    cls = type(scanner.with_settings())
    if built_in.CLASSES.get(snake_case(cls.__name__)) is cls:
        named = f"sk.scanners.{cls.__name__}"
    else:
        named = cls.__name__
        needed.update(dict.fromkeys(_import_of(cls)))
    told = [f"{name}={value_of(v)}" for name, v in scanner.settings().items() if v != cls.param[name].default]
    if scanner.name != snake_case(cls.__name__):
        told.insert(0, f"name={text_of(scanner.name)}")
    return f"{named}({', '.join(told)})"


def _import_of(cls: type) -> Iterator[str]:
    """The lines that import a class, wherever the notebook is run; `InvalidInput` for one that cannot be imported."""
    name = cls.__module__
    module = None if name == "__main__" else import_module(name)
    if getattr(module, cls.__qualname__, None) is not cls:
        raise InvalidInput(
            f"A notebook of its own imports the scanners that are not the kit's; {cls.__name__} cannot be imported, "
            f"for it was written in a notebook or inside a function. Put it into a module and import it from there."
        )
    file = getattr(module, "__file__", None)
    if file and (folder := _room_of(Path(file), name)) not in _installed():
        yield "import sys"
        yield f"sys.path.append({text_of(str(folder))})"
    yield f"from {name} import {cls.__name__}"


def _room_of(file: Path, module: str) -> Path:
    """The folder in which Python must look for a module."""
    return file.resolve().parents[module.count(".") + (file.name == "__init__.py")]


def _installed() -> set[Path]:
    """The folders in which every Python of this environment looks."""
    known = [*site.getsitepackages(), site.getusersitepackages(), *sysconfig.get_paths().values()]
    return {Path(one).resolve() for one in known}


def value_of(value: Any) -> str:
    """A threshold as it is written; sessions as their words."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(map(value_of, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.generic):
        value = value.item()
    return repr(float(value)) if isinstance(value, float) else repr(value)


def text_of(words: str) -> str:
    """A text in double quotes, as Python reads it."""
    return json.dumps(words, ensure_ascii=False)
