"""The roster of a live engine: the built-in scanners and the user's own, under the thresholds in force.

What cannot be had is left out and said: a module that is not found never keeps the others from scanning.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scanner_kit import scanners as built_in
from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.metrics import Metric
from scanner_kit.tuning.named import named

Thresholds = Mapping[str, Mapping[str, Any]]


def roster_of(thresholds: Thresholds, own: Sequence[str] = ()) -> tuple[list[AnyScanner], dict[str, str]]:
    """The scanners, and what could not be had, by what it is: why.

    `own` are named as `module:Scanner`; `thresholds` are by a scanner's name.
    """
    found: dict[str, AnyScanner] = {scanner.name: scanner for scanner in built_in.roster()}
    faults: dict[str, str] = {}
    for text in own:
        try:
            scanner = _own(text, found)
        except InvalidInput as fault:
            faults[f"scanner {text}"] = str(fault)
        else:
            found[scanner.name] = scanner
    for name, values in thresholds.items():
        try:
            if name not in found:
                raise UnknownName.of("There is no scanner", name, found)
            found[name] = found[name].with_settings(**values)
        except InvalidInput as fault:
            faults[f"thresholds of {name}"] = str(fault)
    return list(found.values()), faults


def _own(text: str, known: Mapping[str, AnyScanner]) -> AnyScanner:
    scanner = named(text)
    if isinstance(scanner, Metric):
        raise InvalidInput(f"What scans is a scanner; found the metric {text}. Name a scanner.")
    if scanner.name in known:
        raise InvalidInput(
            f"A scanner's name is unique in the roster; {text} is called {scanner.name!r}, as another is. "
            "Name it with name='…' or .named('…')."
        )
    return scanner
