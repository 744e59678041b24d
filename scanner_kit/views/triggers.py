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
        merged[key] = merge(merged[key], line) if key in merged else line
    surplus = len(merged) - kept
    return dict(list(merged.items())[surplus:]) if surplus > 0 else merged


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Two lines of one symbol and time as one; the more severe leads."""
    leading = max((old, new), key=lambda line: -1.0 if line["severity"] is None else line["severity"])
    fired = {(chip[0], chip[1]): chip for chip in [*old["fired"], *new["fired"]]}
    told: dict[str, str] = dict([*old.get("marks", ()), *new.get("marks", ())])
    some = {"marks": [[word, why] for word, why in told.items()]} if told else {}
    return {**leading, "fired": list(fired.values()), "notable": old["notable"] or new["notable"], **some}


def marks(
    *, intrabar: bool = False, late: float = 0.0, test: bool = False, notes: Iterable[str] = ()
) -> list[list[str]]:
    """What is to be said of how a trigger came about: a word and a sentence each.

    >>> marks(late=754.0)
    [['late 13 min', 'Nobody published when it fired; it was announced later']]
    >>> marks(notes=["Guidance raised", ""])
    [['note', 'Guidance raised']]
    """
    told = [["test", "A test of the chain; no stock did this"]] if test else []
    told += [["intrabar", "Fired within the minute, before it closed"]] if intrabar else []
    said = "; ".join(dict.fromkeys(filter(None, notes)))
    told += [["note", said]] if said else []
    if late > 0:
        told.append([f"late {_ago(late)}", "Nobody published when it fired; it was announced later"])
    return told


def _ago(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _line(group: list[Trigger], severity: float) -> dict[str, Any]:
    first = max(group, key=_weight)
    said = marks(
        intrabar=any(getattr(trigger, "intrabar", False) for trigger in group),
        late=max(float(getattr(trigger, "late", 0.0)) for trigger in group),
        test=all(getattr(trigger, "test", False) for trigger in group),
        notes=(getattr(trigger, "note", "") for trigger in group),
    )
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
        **({"marks": said} if said else {}),
    }


def _chip(trigger: Trigger, severity: float) -> list[Any]:
    """One scanner's word; with all that the line says where it is the only one that is not muted."""
    spoken = title(trigger.scanner) if trigger.kind == "fired" else trigger.kind.capitalize()
    figures = number(trigger.level), number(trigger.stop), notable(trigger, severity)
    return [trigger.scanner, trigger.kind, int(trigger.side), number(trigger.severity, 1), spoken, *figures]


def _weight(trigger: Trigger) -> float:
    return -1.0 if math.isnan(trigger.severity) else trigger.severity
