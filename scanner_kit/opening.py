"""Opening a trigger: its decision is made again from the tape, and a small notebook is written that shows it.

The notebook stands alone: it names the files that the bars are in, or the simulated market; where there are none to
name, the day's tape is saved beside it.
"""

import datetime as dt
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from scanner_kit import scanners as built_in
from scanner_kit.bars import SettingsChange, Tape
from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.composition import AnyScanner, Composite, Side
from scanner_kit.decision import Decision, decide
from scanner_kit.errors import InvalidInput
from scanner_kit.measuring import tape_of
from scanner_kit.naming import snake_case
from scanner_kit.scanner import Scanner
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource
from scanner_kit.triggers import Trigger, identity_of
from scanner_kit.tuning.history import History

NEEDED = ("day", "k", "time", "symbol", "scanner", "kind", "settings")
SAID = ("fills", "share_of_market", "daily_same_source", "label")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def open_trigger(
    trigger: "Trigger | Mapping[str, Any] | pd.Series[Any]",
    source: Any,
    *,
    scanner: AnyScanner | None = None,
    path: str | Path | None = None,
) -> Path:
    """Make the decision of a trigger again, write a notebook that shows it, and tell where it is.

    `trigger` is one, or a row of `triggers.parquet`. `source` is what `measure` takes, or a history. `scanner` is the
    one that spoke, under its thresholds; by default the built-in one of that name with its defaults. `path` is the
    notebook's, or a folder; by default the present one. A notebook of this trigger that is there already is left as it
    is, with what was written into it. `InvalidInput` where the tape does not give this trigger again.
    """
    told = _told(trigger)
    spoke = _scanner_of(told, scanner)
    day = TradingDay.of(told["day"])
    tape = tape_of(source, day)
    _check_settings(told, spoke, tape)
    again = decide(spoke, tape, told["symbol"], int(told["k"]), kind=told["kind"])
    if again.identity != told["identity"]:
        raise InvalidInput(_instead(told, again))
    place = _place(path, again)
    if _is_there(place, again.identity):
        return place
    code = _code_of(spoke)
    notebook = _notebook(again, code, _tape_code(source, tape, place))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return place


# The trigger, and its decision again


def _told(trigger: Any) -> dict[str, Any]:
    """What a trigger, or a row of a table of them, tells."""
    if isinstance(trigger, Trigger):
        return {name: getattr(trigger, name) for name in (*NEEDED, "identity")}
    row = dict(trigger.items()) if hasattr(trigger, "items") else {}
    lacking = [name for name in NEEDED if name not in row]
    if lacking:
        raise InvalidInput(
            f"A trigger is a Trigger, or a row of triggers.parquet; found {type(trigger).__name__} without "
            f"{', '.join(lacking)}. Give, say, triggers.iloc[0]."
        )
    told = {name: row[name] for name in NEEDED}
    day, instant = told["day"], told["time"]
    told["day"] = day.date() if isinstance(day, dt.datetime) else day
    told["time"] = instant.to_pydatetime() if hasattr(instant, "to_pydatetime") else instant
    return told | {"identity": identity_of(*(told[name] for name in NEEDED if name != "k"))}


def _scanner_of(told: Mapping[str, Any], scanner: AnyScanner | None) -> AnyScanner:
    if scanner is None:
        if told["scanner"] not in built_in.CLASSES:
            raise InvalidInput(
                f"{told['scanner']!r} is none of the kit's own scanners. Give the one that spoke: scanner=…."
            )
        return built_in.CLASSES[told["scanner"]]()
    if scanner.name != told["scanner"]:
        raise InvalidInput(
            f"The trigger was said by {told['scanner']!r}; found {scanner.name!r}. Give the scanner that spoke, "
            f"under its name."
        )
    return scanner


def _check_settings(told: Mapping[str, Any], scanner: AnyScanner, tape: Tape) -> None:
    """The thresholds are those of the trigger, unless they changed while the tape ran."""
    events = (event for these in tape.events.values() for event in these)
    changed = {name for event in events if isinstance(event, SettingsChange) for name, _ in event.values}
    if scanner.settings_id != told["settings"] and scanner.name not in changed:
        raise InvalidInput(_other_settings(told, scanner.settings_id))


def _other_settings(told: Mapping[str, Any], found: str) -> str:
    return (
        f"The trigger was said under the settings {told['settings']}; found {told['scanner']} under {found}. Give "
        f"scanner=… with the thresholds that were in force, of a settings file "
        f"sk.read_settings(path).roster([{told['scanner']!r}])[0]."
    )


def _instead(told: Mapping[str, Any], again: Decision) -> str:
    """What came instead of a trigger, in a sentence with the remedy."""
    found = again.trigger
    if found is not None and found.settings != told["settings"]:
        return _other_settings(told, found.settings)
    came = f"it came at {found.time:%H:%M:%S} UTC" if found is not None else str(again.why)
    return (
        f"{told['symbol']} at {told['time']:%Y-%m-%d %H:%M} UTC does not come again from this tape: {came}. Give the "
        f"bars, daily and reference rows that it was said over."
    )


# The notebook


def _place(path: str | Path | None, again: Decision) -> Path:
    when = again.tape.universe.day.time(again.k).astimezone(NEW_YORK)
    name = "".join(c if c.isalnum() or c in "-." else "_" for c in f"{again.scanner.name}_{again.symbol}")
    given = Path() if path is None else Path(path)
    return given if given.suffix == ".ipynb" else given / f"{name}_{when:%Y-%m-%d_%H%M}.ipynb"


def _is_there(place: Path, identity: str) -> bool:
    """Whether the notebook of this trigger is there; `InvalidInput` where something else is."""
    if not place.exists():
        return False
    try:
        known = json.loads(place.read_text(encoding="utf-8"))["metadata"]["scanner_kit"]["trigger"]
    except (OSError, ValueError, KeyError, TypeError):
        known = "something else"
    if known != identity:
        raise InvalidInput(
            f"The notebook of {identity} goes to {str(place)!r}; found there {known}. Name another with path=…."
        )
    return True


def _tape_code(source: Any, tape: Tape, place: Path) -> str:
    """An expression that gives the tape: from its files, from the simulated market, or from beside the notebook."""
    day = str(tape.universe.day.date)
    if isinstance(source, str | Path):
        source = TapeSource(source)
    if isinstance(source, TapeSource) and (files := _files_code(source)):
        return f"{files}.tape({_text(day)})"
    if type(source) is SimulatedMarket:
        return (
            f"sk.simulated_tape(sk.SimulatedMarket(symbols={source.symbols}, seed={source.seed}, "
            f"day=sk.TradingDay.of({_text(day)}).date))"
        )
    beside = place.with_suffix(".tape")
    History.of_tapes([tape]).save(beside)
    return f"sk.History.load({_text(beside.name)}).days[0].tape"


def _files_code(source: TapeSource) -> str:
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
        shown = _value(paths if isinstance(given, list | tuple) else paths[0])
        told.append(shown if name == "bars" else f"{name}={shown}")
    said = {name: getattr(source, name) for name in SAID if getattr(source, name) != source.param[name].default}
    return f"sk.TapeSource({', '.join([*told, *(f'{name}={_value(value)}' for name, value in said.items())])})"


def _code_of(scanner: AnyScanner) -> tuple[str, str]:
    """The expression that makes a scanner, and the imports that it needs."""
    needed: dict[str, None] = {}
    if isinstance(scanner, Scanner):
        return _made(scanner, needed), "\n".join(needed)
    made = " | ".join(_side(side, needed) for side in scanner.sides)
    if scanner.name != Composite(scanner.sides).name:
        made = f"({made}).named({_text(scanner.name)})"
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
        _check_importable(cls)
        named = cls.__name__
        needed[f"from {cls.__module__} import {cls.__name__}"] = None
    told = [f"{name}={_value(v)}" for name, v in scanner.settings().items() if v != cls.param[name].default]
    if scanner.name != snake_case(cls.__name__):
        told.insert(0, f"name={_text(scanner.name)}")
    return f"{named}({', '.join(told)})"


def _check_importable(cls: type) -> None:
    module = cls.__module__
    found = None if module == "__main__" else getattr(import_module(module), cls.__qualname__, None)
    if found is not cls:
        raise InvalidInput(
            f"A notebook of its own imports the scanners that are not the kit's; {cls.__name__} cannot be imported, "
            f"for it was written in a notebook or inside a function. Put it into a module and import it from there."
        )


def _value(value: Any) -> str:
    """A threshold as it is written; sessions as their words."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(map(_value, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    return repr(float(value)) if isinstance(value, float) else repr(value)


def _text(words: str) -> str:
    """A text in double quotes, as Python reads it."""
    return json.dumps(words, ensure_ascii=False)


def _notebook(again: Decision, scanner: tuple[str, str], tape: str) -> dict[str, Any]:
    made, needed = scanner
    cells = [
        ("markdown", _heading(again)),
        ("code", "\n".join(filter(None, ["import scanner_kit as sk", needed, "\nsk.notebook.setup()"]))),
        ("code", _decision_code(again, made, tape)),
        ("code", "sk.notebook.table(again.why.reasons)"),
        ("code", "again.bars(around=8)"),
        ("code", 'again.chart("30m")'),
        ("code", "again.outcomes()"),
        ("markdown", FURTHER),
    ]
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "scanner_kit": {"trigger": again.identity}}
    return {
        "cells": [_cell(i, kind, text) for i, (kind, text) in enumerate(cells, 1)],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


FURTHER = (
    "Move a threshold of `scanner` above and run the cells again: `again.why` tells what it would have said. To see "
    "what a threshold does to weeks of triggers, and whether that is more than luck: "
    "`sk.lab(sk.measure(…), scanner)`."
)


def _heading(again: Decision) -> str:
    one = again.trigger
    assert one is not None, "a notebook is written of what fired"
    when, side = one.time.astimezone(NEW_YORK), "long" if one.side > 0 else "short"
    risk = "no stop" if one.stop != one.stop else f"stop {one.stop:,.2f}, {one.shares:,.0f} shares"
    severity = "" if one.severity != one.severity else f", severity {one.severity:.0f}"
    what = one.scanner if one.kind == "fired" else f"{one.scanner} ({one.kind})"
    label = f" The data is **{again.tape.universe.label}**." if again.tape.universe.label else ""
    return "\n".join(
        [
            f"# {one.symbol}, {when:%H:%M} on {when:%A, %B} {when.day}, {when.year}: {what}",
            "",
            f"{side.capitalize()} at {one.price:,.2f}, {risk}{severity}, rank {one.rank}.{label}",
            "",
            f"The decision `{one.identity}`, made again from the day's tape minute by minute: its conditions, the bars "
            "around it, the trade on the chart, and what came after, in R and percent, beside random entries.",
        ]
    )


def _decision_code(again: Decision, made: str, tape: str) -> str:
    call = f"sk.decide(scanner, tape, {_text(again.symbol)}, {again.k})"
    if again.why.kind not in ("", "fired"):
        call = f"{call[:-1]}, kind={_text(again.why.kind)})"
    return "\n".join([f"tape = {tape}", f"scanner = {made}", f"again = {call}", "again"])


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number:02d}", "metadata": {}, "source": lines}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
