"""Opening a trigger: its decision is made again from the tape, and a small notebook is written that shows it.

The notebook stands alone: it names the files that the bars are in, or the simulated market; where there are none to
name, the day's tape is saved beside it.
"""

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from scanner_kit import scanners as built_in
from scanner_kit.bars import SettingsChange, Tape
from scanner_kit.calendar import NEW_YORK, TradingDay, as_date
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.decision import Decision, decide
from scanner_kit.errors import InvalidInput
from scanner_kit.expressions import code_of, files_code, text_of
from scanner_kit.measuring import tape_of
from scanner_kit.scanner import Scanner
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource
from scanner_kit.triggers import Trigger, identity_of
from scanner_kit.tuning.kept import save_tape

NEEDED = ("day", "k", "time", "symbol", "scanner", "kind", "settings")
FIGURES = ("side", "price", "level", "score", "severity", "rank", "stop", "distance", "shares")
"""What else a trigger says, and must say again."""
NEAR = 1e-9
"""What differs by less, relative, was rounded on its way through a file."""
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
    is, with what was written into it. `InvalidInput` where the tape does not give this very trigger again, or where
    the notebook cannot be written.
    """
    told = _told(trigger)
    spoke = _scanner_of(told, scanner)
    day = TradingDay.of(told["day"])
    tape = tape_of(source, day)
    _check_settings(told, spoke, tape)
    again = decide(spoke, tape, told["symbol"], int(told["k"]), kind=told["kind"])
    if again.identity != told["identity"]:
        raise InvalidInput(_instead(told, again))
    _check_figures(told, again)
    code = code_of(spoke)
    place = _place(path, again)
    with _writing(place):
        if not _is_there(place, again.identity):
            place.parent.mkdir(parents=True, exist_ok=True)
            notebook = _notebook(again, code, _tape_code(source, tape, place))
            draft = place.with_name(f".{place.name}.part")
            draft.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            draft.replace(place)
    return place


# The trigger, and its decision again


def _told(trigger: Any) -> dict[str, Any]:
    """What a trigger, or a row of a table of them, tells."""
    if isinstance(trigger, Trigger):
        _check_whole(trigger.time)
        return {name: getattr(trigger, name) for name in (*NEEDED, *FIGURES, "identity")}
    row = _row_of(trigger)
    lacking = [name for name in NEEDED if name not in row]
    if lacking:
        raise InvalidInput(
            f"A trigger is a Trigger, or a row of triggers.parquet; found {type(trigger).__name__} without "
            f"{', '.join(lacking)}. Give, say, triggers.iloc[0]."
        )
    told = {name: row[name] for name in (*NEEDED, *FIGURES) if name in row}
    told["day"], told["time"], told["k"] = as_date(told["day"]), _instant(told["time"]), _whole("k", told["k"])
    _check_whole(told["time"])
    return told | {"identity": identity_of(*(told[name] for name in NEEDED if name != "k"))}


def _row_of(given: Any) -> dict[str, Any]:
    """A row as a dict: of a Series, a dict or a named tuple; nothing of anything else."""
    if hasattr(given, "_asdict"):
        return dict(given._asdict())
    return dict(given.items()) if hasattr(given, "items") and not isinstance(given, pd.DataFrame) else {}


def _instant(given: Any) -> dt.datetime:
    """An instant in UTC, of a time or a text in whatever zone; one without a zone is New York's."""
    try:
        instant = pd.Timestamp(given)
        aware = instant if instant.tzinfo else instant.tz_localize(NEW_YORK)
        found: Any = aware.tz_convert(dt.UTC).to_pydatetime()
    except (ValueError, TypeError, OverflowError):
        found = pd.NaT
    if not isinstance(found, dt.datetime) or found is pd.NaT:
        raise InvalidInput(f"A trigger's time is when it was said; found {given!r}. Give the whole row.")
    return found


def _whole(name: str, given: Any) -> int:
    try:
        whole = int(given)
    except (ValueError, TypeError, OverflowError):
        whole = None
    if whole is None or whole != given:
        raise InvalidInput(f"A trigger's {name} is a whole number; found {given!r}. Give the whole row.")
    return whole


def _check_whole(time: dt.datetime) -> None:
    if time.second or time.microsecond:
        raise InvalidInput(
            f"The trigger was said at {time:%H:%M:%S} UTC, while its minute was still forming; a tape of whole minutes "
            f"does not hold what was known then. Open one that was said at the end of a minute."
        )


def _scanner_of(told: Mapping[str, Any], scanner: AnyScanner | None) -> AnyScanner:
    if scanner is None:
        if told["scanner"] not in built_in.CLASSES:
            raise InvalidInput(
                f"{told['scanner']!r} is none of the kit's own scanners. Give the one that spoke: scanner=…."
            )
        return built_in.CLASSES[told["scanner"]]()
    if not isinstance(scanner, Scanner | Composite):
        raise InvalidInput(f"The scanner is the one that spoke; found {scanner!r}. Give one, such as HodBreak().")
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


def _check_figures(told: Mapping[str, Any], again: Decision) -> None:
    """The figures are those of the trigger: daily rows that are others make another stop of the same moment."""
    other = [
        f"{name} {getattr(again.trigger, name):,.10g} instead of {told[name]}"
        for name in FIGURES
        if name in told and not _same(told[name], getattr(again.trigger, name))
    ]
    if other:
        raise InvalidInput(
            f"{told['symbol']} at {told['time']:%Y-%m-%d %H:%M} UTC comes again from this tape, but with "
            f"{', '.join(other)}. Give the bars, daily and reference rows that it was said over."
        )


def _same(told: Any, found: float) -> bool:
    known = math.nan if told is None or told is pd.NA else float(told)
    return (math.isnan(known) and math.isnan(found)) or math.isclose(known, found, rel_tol=NEAR)


# The notebook


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """`InvalidInput` where a notebook cannot be written."""
    try:
        yield
    except OSError as fault:
        raise InvalidInput(
            f"The notebook goes to {str(place)!r}, which cannot be written: {fault.strerror or fault}. Name another "
            f"place with path=…."
        ) from fault


def _place(path: str | Path | None, again: Decision) -> Path:
    when = again.tape.universe.day.time(again.k).astimezone(NEW_YORK)
    name = "".join(c if c.isalnum() or c in "-." else "_" for c in f"{again.scanner.name}_{again.symbol}")
    given = Path() if path is None else Path(path).expanduser()
    return given if given.suffix.lower() == ".ipynb" else given / f"{name}_{when:%Y-%m-%d_%H%M}.ipynb"


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
    if type(source) is TapeSource and (files := files_code(source)):
        return f"{files}.tape({text_of(day)})"
    if type(source) is SimulatedMarket:
        return (
            f"sk.simulated_tape(sk.SimulatedMarket(symbols={source.symbols}, seed={source.seed}, "
            f"day=sk.TradingDay.of({text_of(day)}).date))"
        )
    beside = place.with_suffix(".tape")
    save_tape(tape, beside)
    return f"sk.load_tape({text_of(beside.name)})"


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
    call = f"sk.decide(scanner, tape, {text_of(again.symbol)}, {again.k})"
    if again.why.kind not in ("", "fired"):
        call = f"{call[:-1]}, kind={text_of(again.why.kind)})"
    return "\n".join([f"tape = {tape}", f"scanner = {made}", f"again = {call}", "again"])


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number:02d}", "metadata": {}, "source": lines}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
