"""What the commands print: a replay's summary, the answers to why, and the catalogues of scanners and metrics.

`scanner_facts` and `metric_facts` are the catalogues as plain values; all else here turns values into what rich prints.
"""

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import param
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from scanner_kit import metrics as m
from scanner_kit.calendar import NEW_YORK
from scanner_kit.engine import Scan
from scanner_kit.explain import Why
from scanner_kit.reason import Reason
from scanner_kit.replay import Replayed
from scanner_kit.scanner import Scanner
from scanner_kit.scanners import Hot

Facts = dict[str, Any]
WIDTH = 140
MARK = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def console(*, stderr: bool = False) -> Console:
    """Where to print; wide enough for a row in one line where it is no terminal."""
    there = Console(stderr=stderr, highlight=False)
    return there if there.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH)


# A replay


def summary(replayed: Replayed, seconds: float) -> RenderableType:
    """Days, symbols, steps, triggers by scanner, what entry refused or mended, and the time it took."""
    first, last = replayed.days[0].date, replayed.days[-1].date
    span = f"{first}" if first == last else f"{first} to {last}"
    table = Table.grid(padding=(0, 2))
    table.add_row("days", f"{len(replayed.days):,}  ({span})")
    table.add_row("symbols", f"{replayed.symbols:,}")
    table.add_row("steps", f"{replayed.steps:,}")
    table.add_row("triggers", f"{sum(replayed.triggers.values()):,}")
    for name, count in sorted(replayed.triggers.items(), key=lambda item: (-item[1], item[0])):
        table.add_row("", f"{count:>6,}  {name}")
    table.add_row(
        "refused or mended", "  ".join(f"{kind} {count:,}" for kind, count in replayed.report.items()) or "nothing"
    )
    table.add_row("seconds", f"{seconds:.1f}")
    return table


# Why


def answer(whys: Sequence[Why], scan: Scan) -> RenderableType:
    """What every scanner made of a symbol: those that spoke first, then those for which all holds, then the others."""
    ordered = sorted(whys, key=lambda why: (not why.fired, bool(why.blocking)))
    told = (part for why in ordered for part in (Text(), _verdict(why, scan), _conditions(why.reasons)))
    return Group(_headline(whys[0], scan), *told)


def answer_facts(whys: Iterable[Why], scan: Scan) -> list[Facts]:
    """The same answers as plain values; None where unknown."""
    return [
        {**_plain(dataclasses.asdict(why)), "rank": rank_of(why, scan), "verdict": _told(why, scan)[0]} for why in whys
    ]


def rank_of(why: Why, scan: Scan) -> int | None:
    """The symbol's rank on the scanner's list in that step; None where it is on none."""
    ranking = scan.lists.get(why.scanner)
    return ranking.symbols.index(why.symbol) + 1 if ranking is not None and why.symbol in ranking.symbols else None


def _headline(why: Why, scan: Scan) -> Text:
    row = scan.snapshot.universe.row(why.symbol)
    last, halted = scan.snapshot[m.Last()].values[row], "halted" if why.halted else "not halted"
    price = "no bar today yet" if math.isnan(last) else f"last {last:,.6g} $"
    local = scan.time.astimezone(NEW_YORK)
    step = f"step that ended {local:%Y-%m-%d %H:%M} New York ({scan.time:%H:%M} UTC), k={why.k}, {why.session}"
    return Text.assemble((why.symbol, "bold"), f"  {step}, {halted}, {price}")


def _verdict(why: Why, scan: Scan) -> Text:
    name = f"{why.scanner} ({why.kind})" if why.kind not in ("", "fired") else why.scanner
    told, colour = _told(why, scan)
    fired = (
        ""
        if why.last_fired_k is None or why.held_back
        else f"; it last fired at {_clock(scan, why.last_fired_k)} New York"
    )
    return Text.assemble((name, "bold"), "  ", (told, colour), fired)


def _told(why: Why, scan: Scan) -> tuple[str, str]:
    if why.scanner in scan.lists:
        return _listed(why, rank_of(why, scan))
    if why.fired:
        return "fired", "bold green"
    if why.held_back:
        return f"held back: {why.held_back}", "yellow"
    if any(reason.holds is False for reason in why.reasons):
        return "did not fire", "red"
    return ("unknown, so it did not fire", "yellow") if why.blocking else ("did not fire", "red")


def _listed(why: Why, rank: int | None) -> tuple[str, str]:
    if rank is not None:
        return f"on the list, rank {rank}", "green"
    if why.selected:
        return why.held_back, "yellow"
    return ("unknown, so not on the list", "yellow") if why.selected is None else ("not on the list", "red")


def _conditions(reasons: Iterable[Reason]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=3, justify="right")
    table.add_column(min_width=26, max_width=48)
    table.add_column(min_width=12, justify="right")
    table.add_column(min_width=22)
    table.add_column()
    for reason in reasons:
        mark, colour = MARK[reason.holds]
        compared = (
            ("", "")
            if reason.threshold is None
            else (told_value(reason.value), f"{reason.op} {told_value(reason.threshold)}")
        )
        table.add_row(Text(mark, colour), reason.what, *compared, _margin(reason))
    return table


def _margin(reason: Reason) -> str:
    if reason.holds is None:
        return f"not known: {reason.unknown}" if reason.unknown else "not known"
    if reason.margin is None:
        return ""
    return f"by {told_value(abs(reason.margin))} {reason.unit}".rstrip() + ("" if reason.holds else " missed")


def _clock(scan: Scan, k: int) -> str:
    time: dt.datetime = scan.snapshot.universe.day.time(k)
    return f"{time.astimezone(NEW_YORK):%H:%M}"


def told_value(value: Any) -> str:
    """A value as a reader wants it.

    >>> told_value(1234567.0), told_value(float("nan")), told_value(["PRE", "POST"]), told_value((1e5, 1e6))
    ('1,234,567', 'unknown', 'PRE, POST', '100,000, 1,000,000')
    """
    if value is None:
        return "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(told_value, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "unknown" if math.isnan(value) else f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"
    return str(value)


# Catalogues


def scanner_facts(roster: Iterable[Scanner]) -> list[Facts]:
    """Each scanner: name, kind, what it is for, the metrics it uses, and its thresholds with defaults and bounds."""
    return [
        {
            "name": scanner.name,
            "kind": "trigger" if scanner.triggers else "hot" if isinstance(scanner, Hot) else "category",
            "doc": _first_line(scanner),
            "metrics": [metric.name for metric in scanner.metrics()],
            "thresholds": {name: _threshold(scanner.param[name], value) for name, value in scanner.settings().items()},
        }
        for scanner in roster
    ]


def metric_facts() -> list[Facts]:
    """Each metric of the definitions: name, unit, parameters and definition."""
    return [
        {
            "name": metric.name,
            "unit": metric.unit,
            "parameters": {f.name: _plain(getattr(metric, f.name)) for f in dataclasses.fields(metric)},
            "definition": " ".join((type(metric).__doc__ or "").split()),
        }
        for metric in m.ALL
    ]


def scanners_table(facts: Sequence[Facts], whole: bool) -> RenderableType:
    """The scanners with thresholds of their own, then the gates that all have; or (`whole`) each with everything."""
    if whole:
        return Group(
            *(part for told in facts for part in (_scanner_title(told), _thresholds(told["thresholds"]), Text()))
        )
    gates = {name: told for name, told in facts[0]["thresholds"].items() if name in Scanner.param}
    usual = {name: _plain(value) for name, value in Scanner(name="any").settings().items()}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("scanner", "kind", "what", "its own thresholds"):
        table.add_column(heading)
    for told in facts:
        table.add_row(told["name"], told["kind"], told["doc"], _own(told["thresholds"], usual))
    gates = {name: {**told, "default": usual[name]} for name, told in gates.items()}
    return Group(table, Text("\nGates that every scanner has, and their usual defaults", "bold"), _thresholds(gates))


def metrics_table(facts: Iterable[Facts]) -> RenderableType:
    """The metrics with their units and definitions."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("metric", "unit", "definition"):
        table.add_column(heading, no_wrap=heading != "definition")
    for told in facts:
        table.add_row(told["name"], told["unit"], Text(told["definition"]))
    return table


def _scanner_title(told: Facts) -> Text:
    return Text.assemble(
        (told["name"], "bold"), f"  {told['kind']}  {told['doc']}\nmetrics: {', '.join(told['metrics'])}"
    )


def _own(thresholds: Mapping[str, Facts], usual: Mapping[str, Any]) -> str:
    differing = (
        (name, told["default"])
        for name, told in thresholds.items()
        if name not in usual or told["default"] != usual[name]
    )
    return "  ".join(f"{name} {told_value(default)}" for name, default in differing)


def _thresholds(thresholds: Mapping[str, Facts]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("threshold", "default", "unit", "takes", "what"):
        table.add_column(heading)
    for name, told in thresholds.items():
        table.add_row(name, told_value(told["default"]), told["unit"], _takes(told), told["doc"])
    return table


def _threshold(parameter: param.Parameter[Any], value: Any) -> Facts:
    bounds = None if isinstance(parameter, param.List) else getattr(parameter, "bounds", None)
    choices = getattr(parameter, "objects", None)
    return {
        "default": _plain(value),
        "unit": (parameter.metadata or {}).get("unit", ""),
        "bounds": None
        if bounds is None
        else [None if limit is None or math.isinf(limit) else limit for limit in bounds],
        "inclusive": list(getattr(parameter, "inclusive_bounds", (True, True))),
        "choices": None if choices is None else [str(choice) for choice in choices],
        "doc": parameter.doc or "",
    }


def _takes(told: Facts) -> str:
    if told["choices"]:
        return ", ".join(told["choices"])
    if told["bounds"] is None:
        return "texts"
    low, high = told["bounds"]
    if high is None:
        return "" if low is None else f"{'≥' if told['inclusive'][0] else '>'} {low:g}"
    return f"{low:g}…{high:g}"


def _first_line(scanner: Scanner) -> str:
    return (type(scanner).__doc__ or "").strip().split("\n")[0]


def _plain(value: Any) -> Any:
    """A value as JSON has it: NaN is null, a metric is its name."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return list(_plain_of(value))
    if isinstance(value, m.Metric):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _plain_of(values: Iterable[Any]) -> Iterator[Any]:
    return (_plain(value) for value in values)
