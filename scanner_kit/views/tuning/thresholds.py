"""The thresholds of the scanner on the bench, as the controls of the lab show and change them.

A control shows a slider where a range can be told, and always a box to type in. What is typed is read as everywhere
else: `views.thresholds` says what a text means.
"""

import math
from typing import Any

from scanner_kit.scanner import Scanner
from scanner_kit.tuning.lab import STARTED, Lab
from scanner_kit.views.lists import title
from scanner_kit.views.thresholds import Field, fields, from_text, to_text

STEPS = 200
"""Into how many parts a slider's range is cut at the most."""
IDLE = ("top", "risk")
"""Thresholds of every scanner that change no trigger and nothing that comes of one."""
RULE, GATES, FURTHER = "Rule", "Gates", "Further gates"


def sections(lab: Lab) -> list[dict[str, Any]]:
    """The controls in groups, as JSON may carry them: what makes the scanner what it is, gates in use, all others."""
    values = {field.key: field.value for field in fields(lab.scanner)}
    groups: dict[str, list[dict[str, Any]]] = {RULE: [], GATES: [], FURTHER: []}
    for first in fields(lab.variants[STARTED]):
        groups[_group(first)].append(_control(first, values[first.key]))
    return [{"title": name, "open": name != FURTHER, "fields": told} for name, told in groups.items() if told]


def meant(lab: Lab, name: str, value: Any) -> Any:
    """What was moved or typed means as a value of that threshold; `InvalidInput` where it means nothing."""
    field = next((field for field in fields(lab.scanner) if field.key == name), None)
    if field is None or field.kind == "switch":
        return value
    text = value if isinstance(value, str) else to_text(value)
    if field.kind == "choice":
        return {str(option): option for option in field.options}.get(text, text)
    return from_text(field.kind, text)


def slider(field: Field) -> tuple[float, float, float] | None:
    """Lowest, highest and step of a slider; None where a range makes no sense.

    >>> slider(Field("min_rvol", "number", 3.0, 3.0, unit="×", low=0))
    (0.0, 15.0, 0.1)
    >>> slider(Field("cooldown", "integer", 15, 15, low=0, high=960))
    (0.0, 75.0, 1.0)
    >>> slider(Field("max_float", "number", None, None))
    """
    if field.kind not in ("number", "integer") or field.value is None:
        return None
    reach = max(abs(float(field.value)), abs(float(field.default or 0.0)))
    high = _round_up(5.0 * reach) if reach else 10.0
    low = -high if float(field.value) < 0 else 0.0
    low, high = max(low, _or(field.low, -math.inf)), min(high, _or(field.high, math.inf))
    step = max(_round_up((high - low) / STEPS, (1.0, 2.0, 5.0, 10.0)), 1.0 if field.kind == "integer" else 0.0)
    return (low, high, step) if high > low else None


def _or(bound: float | None, other: float) -> float:
    return other if bound is None else float(bound)


def _round_up(x: float, digits: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5, 5.0, 7.5, 10.0)) -> float:
    """The next number of one of the digits, with zeros.

    >>> _round_up(14.0), _round_up(75.0), _round_up(0.075, (1.0, 2.0, 5.0, 10.0))
    (15.0, 75.0, 0.1)
    """
    power = 10.0 ** math.floor(math.log10(x))
    return next(float(f"{digit * power:.6g}") for digit in digits if digit * power >= x * (1 - 1e-9))


def _group(field: Field) -> str:
    if field.name in IDLE:
        return FURTHER
    if not field.gate or field.default != Scanner.param[field.name].default:
        return RULE
    return FURTHER if field.value is None and field.default is None else GATES


def _control(first: Field, value: Any) -> dict[str, Any]:
    reach = slider(first)
    return {
        "name": first.key,
        "label": f"{title(first.part)}: {first.label}" if first.part else first.label,
        "doc": first.doc,
        "kind": first.kind,
        "options": list(map(str, first.options)),
        "limits": first.limits,
        "range": reach,
        "value": _shown(first, value),
        "number": float(value) if reach and value is not None else None,
        "default": _shown(first, first.value),
    }


def _shown(field: Field, value: Any) -> Any:
    if field.kind == "switch":
        return bool(value)
    return str(value) if field.kind == "choice" else to_text(value)
