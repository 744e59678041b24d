"""The tape of triggers: one line per symbol and time, with every scanner that fired."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import param

from scanner_kit.triggers import Trigger
from scanner_kit.views.component import Screen, asset
from scanner_kit.views.deltas import number
from scanner_kit.views.lists import title

SEVERITY = 98.0
KEPT = 5_000


class Triggers(Screen):
    """The tape of triggers, newest on top, followed from `feed.triggers`."""

    chosen = param.String("", doc="The symbol that is open.")

    _esm = asset("common.js", "triggers.js")
    _stylesheets = [asset("base.css", "triggers.css")]  # noqa: RUF012  Panel reads a list


def notable(trigger: Trigger, severity: float = SEVERITY) -> bool:
    """Whether a trigger reaches a person by default: severe enough, of unknown severity, or a halt."""
    return not trigger.severity < severity or trigger.kind in ("halted", "resumed")


def lines(triggers: Iterable[Trigger], severity: float = SEVERITY) -> dict[str, dict[str, Any]]:
    """Triggers grouped by symbol and time, as plain lines by `SYMBOL time`."""
    groups: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        groups.setdefault(f"{trigger.symbol} {trigger.time.timestamp():.3f}", []).append(trigger)
    return {key: _line(group, severity) for key, group in groups.items()}


def add(
    tape: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]], kept: int = KEPT
) -> dict[str, Mapping[str, Any]]:
    """The tape with new lines at its end; lines of one symbol and time become one, the oldest beyond `kept` go."""
    merged = dict(tape)
    for key, line in new.items():
        merged[key] = _merge(merged[key], line) if key in merged else line
    surplus = len(merged) - kept
    return dict(list(merged.items())[surplus:]) if surplus > 0 else merged


def _line(group: list[Trigger], severity: float) -> dict[str, Any]:
    first = max(group, key=_weight)
    return {
        "time": first.time.timestamp(),
        "symbol": first.symbol,
        "session": str(first.session),
        "side": int(first.side),
        "severity": number(first.severity, 1),
        "price": number(first.price),
        "level": number(first.level),
        "stop": number(first.stop),
        "fired": [_chip(trigger, severity) for trigger in sorted(group, key=_weight, reverse=True)],
        "notable": any(notable(trigger, severity) for trigger in group),
    }


def _chip(trigger: Trigger, severity: float) -> list[Any]:
    """One scanner's word; with all that the line says where it is the only one that is not muted."""
    spoken = title(trigger.scanner) if trigger.kind == "fired" else trigger.kind.capitalize()
    figures = number(trigger.level), number(trigger.stop), notable(trigger, severity)
    return [trigger.scanner, trigger.kind, int(trigger.side), number(trigger.severity, 1), spoken, *figures]


def _weight(trigger: Trigger) -> float:
    return -1.0 if math.isnan(trigger.severity) else trigger.severity


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    leading = max((old, new), key=lambda line: -1.0 if line["severity"] is None else line["severity"])
    fired = {(chip[0], chip[1]): chip for chip in [*old["fired"], *new["fired"]]}
    return {**leading, "fired": list(fired.values()), "notable": old["notable"] or new["notable"]}
