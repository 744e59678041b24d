"""Why a symbol is on each list and fired, or not: the board's explanation as a screen shows it.

`explain(symbol)` gives a dict for each scanner of the roster: `scanner` (its name), `category` (whether it is a list),
`holds` (True, False, or None for unknown), and where there is one: `rank`, `fired` (the time it last fired today),
`blocked` (a sentence: in cooldown, halted, out of session); and `conditions`, the `Reason` of each.
"""

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import param

from scanner_kit.calendar import NEW_YORK
from scanner_kit.reason import Reason
from scanner_kit.views.component import Screen, asset
from scanner_kit.views.lists import heading, title

RELATIONS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
STATES = {True: "yes", False: "no", None: "unknown"}


class Why(Screen):
    """Every list and trigger scanner, and each condition with value, threshold and margin."""

    shown = param.String("", doc="The explanation as JSON.")

    _esm = asset("common.js", "why.js")
    _stylesheets = [asset("base.css", "why.css")]  # noqa: RUF012  Panel reads a list


def explanation(symbol: str, scanners: Iterable[Mapping[str, Any]], fault: str = "") -> str:
    """What `explain` gave, as JSON in words."""
    return json.dumps({"symbol": symbol, "scanners": [_scanner(scanner) for scanner in scanners], "fault": fault})


def figure(value: Any, unit: str = "") -> str:
    """A value with its unit, in at most a few characters; words as they are.

    >>> figure(4.0, "%"), figure(1234567.0, "$"), figure(float("nan")), figure(("PRE", "POST"))
    ('4%', '$1,234,567', 'unknown', 'PRE, POST')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "unknown"
    if isinstance(value, tuple | list | frozenset | set):
        return ", ".join(figure(member, unit) for member in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.2f}".rstrip("0").rstrip(".")
    if unit == "$":
        return f"${text}"
    return f"{text}{unit if unit in ('%', '×') else f' {unit}' if unit in ('min', 'shares') else ''}"


def _scanner(scanner: Mapping[str, Any]) -> dict[str, Any]:
    conditions = [_condition(condition) for condition in scanner.get("conditions", ())]
    name = scanner["scanner"]
    return {
        "name": name,
        "title": heading(name).title if scanner["category"] else title(name),
        "category": bool(scanner["category"]),
        "state": "yes" if scanner.get("fired") else STATES[scanner.get("holds")],
        "verdict": _verdict(scanner, conditions),
        "conditions": conditions,
    }


def _condition(reason: Reason) -> dict[str, str]:
    limit = "" if reason.threshold is None else figure(reason.threshold, reason.unit)
    return {
        "what": reason.what,
        "value": figure(reason.value, reason.unit),
        "threshold": f"{RELATIONS.get(reason.op, reason.op)} {limit}".strip(),
        "margin": _margin(reason),
        "state": STATES[reason.holds],
        "unknown": reason.unknown,
    }


def _margin(reason: Reason) -> str:
    if reason.margin is None or not math.isfinite(reason.margin):
        return ""
    return f"{'by' if reason.holds else 'short by'} {figure(abs(float(reason.margin)), reason.unit)}"


def _verdict(scanner: Mapping[str, Any], conditions: list[dict[str, str]]) -> str:
    said = _said(scanner)
    if said:
        return said
    first = next((c for c in conditions if c["state"] != "yes"), None)
    if first is None:
        return "holds" if scanner.get("holds") else ""
    if first["state"] == "unknown":
        return f"{first['what']} is not known: {first['unknown']}"
    return f"{first['what']} {first['value']}, wants {first['threshold']}"


def _said(scanner: Mapping[str, Any]) -> str:
    fired, rank = scanner.get("fired"), scanner.get("rank")
    words = [
        f"fired at {fired.astimezone(NEW_YORK):%H:%M}" if isinstance(fired, dt.datetime) else "",
        f"on the list, number {rank}" if rank and scanner["category"] and scanner.get("holds") else "",
        str(scanner.get("blocked") or ""),
    ]
    return "; ".join(word for word in words if word)
