"""Write the tables of metrics, scanners and commands from the code: `python docs/make_tables.py`.

What stands between `<!-- tables -->` and `<!-- /tables -->` is replaced; the rest of a page is written by hand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from scanner_kit import cli, metrics, printing, scanners
from scanner_kit.scanner import Scanner

PAGES = ("metrics.md", "scanners.md", "commands.md")
DOCS = Path(__file__).resolve().parent
PLACE = re.compile(r"(<!-- tables -->\n).*?(<!-- /tables -->)", re.DOTALL)
KINDS = {
    "category": "## Categories",
    "hot": "## The hot list",
    "trigger": "## Trigger scanners",
}
Facts = Mapping[str, Any]


def page(name: str) -> str:
    """A page with its tables as the code has them now."""
    tables = {"metrics.md": metric_tables, "scanners.md": scanner_tables, "commands.md": command_tables}[name]()
    text = (DOCS / name).read_text(encoding="utf-8")
    return PLACE.sub(lambda found: f"{found[1]}\n{tables}\n{found[2]}", text)


def metric_tables() -> str:
    """Every metric: name, how it is written in code, unit and definition."""
    facts = zip(metrics.ALL, printing.metric_facts(), strict=True)
    rows = ((f"`{metric.name}`", f"`m.{metric!r}`", metric.unit, told["definition"]) for metric, told in facts)
    return table(("metric", "in code", "unit", "definition"), rows) + "\n"


def scanner_tables() -> str:
    """Every scanner with the thresholds in which it differs, by kind; then the gates that all have."""
    facts = printing.scanner_facts(scanners.roster())
    usual = printing.scanner_facts([Scanner(name="any")])[0]["thresholds"]
    parts = [part for kind, heading in KINDS.items() for part in (heading, *_of_kind(kind, facts, usual))]
    return "\n\n".join([*parts, "## Gates, which every scanner has", _gates(usual)]) + "\n"


def command_tables() -> str:
    """Every command: what it does, how it is called, and its arguments and options."""
    group: Any = typer.main.get_command(cli.app)
    parts = [part for name, command in group.commands.items() for part in _command(name, command)]
    return "\n\n".join(parts) + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *(list(row) for row in rows)]
    told = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([told[0], "|" + " --- |" * len(lines[0]), *told[1:]])


def _of_kind(kind: str, facts: Iterable[Facts], usual: Facts) -> Iterator[str]:
    for told in facts:
        if told["kind"] == kind:
            yield f"### `{told['name']}`"
            yield told["doc"]
            yield "Metrics: " + ", ".join(f"`{name}`" for name in told["metrics"]) + "."
            yield from _own(told["thresholds"], usual)


def _own(thresholds: Facts, usual: Facts) -> Iterator[str]:
    """The thresholds of a scanner's own, and the gates whose default it changes."""
    own = {name: told for name, told in thresholds.items() if told != usual.get(name)}
    if own:
        yield table(("threshold", "default", "unit", "takes", "what"), map(_threshold, own.items()))


def _gates(usual: Facts) -> str:
    return table(("gate", "default", "unit", "takes", "what"), map(_threshold, usual.items()))


def _command(name: str, command: Any, heading: str = "##") -> Iterator[str]:
    yield f"{heading} `scanner-kit {name}`"
    yield command.help
    shown = [param for param in command.params if param.name != "help" and not param.hidden]
    if shown:
        yield table(("argument or option", "default", "what"), map(_parameter, shown))
    for own, one in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {own}", one, "###")


def _parameter(param: Any) -> tuple[str, str, str]:
    names = ", ".join((*param.opts, *param.secondary_opts)) if param.opts[0].startswith("-") else param.metavar
    default = (
        "" if param.required or param.default in (None, False, ()) or callable(param.default) else str(param.default)
    )
    return f"`{names}`", default, param.help or ""


def _threshold(item: tuple[str, Facts]) -> tuple[str, ...]:
    name, told = item
    default = "" if told["default"] is None else printing.told_value(told["default"])
    return f"`{name}`", default, told["unit"], _takes(told), told["doc"]


def _takes(told: Facts) -> str:
    if told["choices"]:
        return ", ".join(told["choices"])
    if told["bounds"] is None:
        return "words"
    low, high = told["bounds"]
    if high is not None:
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if told["inclusive"][0] else f"more than {low:g}"


if __name__ == "__main__":
    for name in PAGES:
        (DOCS / name).write_text(page(name), encoding="utf-8")
