"""Documentation as tests: what is public is documented, what is documented exists, and what is shown runs."""

import dataclasses
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import scanner_kit as sk
from scanner_kit import cli, metrics, scanners, testing, views
from scanner_kit.entry import KINDS
from scanner_kit.health import State

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
PUBLIC = {module.__name__: module for module in (sk, metrics, scanners, testing, views)}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(path), flags=re.DOTALL | re.MULTILINE)


def make_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported() -> Iterator[tuple[str, Any]]:
    for name, module in PUBLIC.items():
        for member in module.__all__:
            yield f"{name}.{member}", getattr(module, member)


def documentable(thing: Any) -> bool:
    return inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing)


THINGS = [(name, thing) for name, thing in exported() if documentable(thing)]


@pytest.mark.parametrize(("name", "thing"), THINGS, ids=[name for name, _ in THINGS])
def test_every_exported_name_has_a_docstring_of_its_own(name: str, thing: Any) -> None:
    own = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    made = dataclasses.is_dataclass(thing) and (own or "").startswith(f"{getattr(thing, '__name__', '')}(")
    assert own, f"{name} has no docstring"
    assert own.strip(), f"{name} has an empty docstring"
    assert not made, f"{name} has only the docstring that dataclass writes"


def test_no_exported_name_is_also_a_module_that_would_take_its_place() -> None:
    folder = Path(sk.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {name for name in sk.__all__ if name in modules and not inspect.ismodule(getattr(sk, name))} == set()


@pytest.mark.parametrize("cls", scanners.ALL, ids=lambda cls: cls.__name__)
def test_every_threshold_says_what_it_is(cls: type[sk.Scanner]) -> None:
    assert [name for name in cls().settings() if not (cls.param[name].doc or "").strip()] == []


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_every_metric_is_defined_and_says_when_it_is_unknown(metric: sk.Metric) -> None:
    told = inspect.getdoc(type(metric)) or ""
    assert metric.doc
    assert "nknown" in told or metric.name.startswith(("volume", "day_", "dollar_volume"))


@pytest.mark.parametrize("name", make_tables().PAGES)
def test_the_tables_are_those_of_the_code(name: str) -> None:
    assert text(DOCS / name) == make_tables().page(name), "Run: python docs/make_tables.py"


def test_every_metric_and_scanner_and_threshold_is_on_a_page() -> None:
    pages = text(DOCS / "metrics.md"), text(DOCS / "scanners.md")
    assert [metric.name for metric in metrics.ALL if f"| `{metric.name}` |" not in pages[0]] == []
    assert [name for name in scanners.CLASSES if f"### `{name}`" not in pages[1]] == []
    thresholds = {name for scanner in scanners.roster() for name in scanner.settings()}
    assert [name for name in sorted(thresholds) if f"| `{name}` |" not in pages[1]] == []


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(cli.app)
    return dict(group.commands)


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name: str) -> None:
    _, _, rest = text(DOCS / "commands.md").partition(f"## `scanner-kit {name}`\n")
    section = rest.partition("\n## ")[0]
    assert commands()[name].help in section
    for param in commands()[name].params:
        if param.hidden:
            continue
        assert param.help, f"{name} {param.name} has no help"
        assert param.opts[0] in section or (param.metavar and param.metavar in section)


def test_every_state_of_health_and_kind_of_entry_is_explained() -> None:
    assert [state for state in State if f"`{state}`" not in text(DOCS / "live.md")] == []
    assert [kind for kind in KINDS if f"| `{kind}` |" not in text(DOCS / "sources.md")] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_code_of_a_page_runs(path: Path) -> None:
    scope: dict[str, Any] = {"__name__": "page"}
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), scope)


def test_the_scanner_of_the_readme_is_fifteen_lines_at_most_and_speaks() -> None:
    first = blocks(ROOT / "README.md", "python")[0]
    _, _, scanner = first.partition("class ")
    assert len([line for line in scanner.splitlines() if line.strip()]) <= 15
    scope: dict[str, Any] = {"__name__": "page"}
    exec(compile(first, "README.md", "exec"), scope)
    tape = sk.simulated_tape(sk.SimulatedMarket(symbols=100))
    day = sk.measure_day(tape, scope["Rebound"]().metrics())
    assert sk.judge_day(day, [scope["Rebound"]()])


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    broken = [link for link in LINK.findall(text(path)) if not resolves(link, path)]
    assert broken == []


def resolves(link: str, page: Path) -> bool:
    if link.startswith("https://"):
        return True
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.is_file() and (not anchor or anchor in anchors(target))


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_links_of_notebooks_resolve(notebook: Path) -> None:
    assert [link for link in LINK.findall(text(notebook)) if not resolves(link, notebook)] == []


def test_every_page_is_found_from_the_first() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(text(DOCS / "index.md"))}
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= linked


def test_the_classes_to_copy_exist_and_are_short() -> None:
    rows = re.findall(r"\[[^\]]+\]\(\.\./([\w/]+)\.py\) \| `(\w+)`", text(DOCS / "index.md"))
    assert len(rows) >= 7
    for module, name in rows:
        cls = getattr(importlib.import_module(module.replace("/", ".")), name)
        assert len(inspect.getsource(cls).splitlines()) < 50


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_pages_name_exist(path: Path) -> None:
    shown = [*blocks(path, "console"), *re.findall(r"`([^`\n]+)`", text(path))]
    for line in (line for block in shown for line in block.splitlines()):
        if match := re.match(r"scanner-kit (\w+)(.*)", line):
            assert match[1] in commands(), line
            known = {opt for param in commands()[match[1]].params for opt in (*param.opts, *param.secondary_opts)}
            assert set(re.findall(r"--[\w-]+", match[2])) <= {*known, "--help"}, line


def test_the_screenshot_is_small() -> None:
    assert (DOCS / "live.png").stat().st_size <= 400_000


def test_the_readme_has_a_place_for_the_figures() -> None:
    assert re.search(r"<!-- figures -->\n.*<!-- /figures -->", text(ROOT / "README.md"), flags=re.DOTALL)
