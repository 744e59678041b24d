"""What every benchmark shares: its options, the line that says on which machine, its tables, and its results on disk.

A benchmark writes `NAME.md`, to be read, and `NAME.json`. The JSON's `figures` are the rows that the README shows
beside the budgets: whoever writes results brings `README-figures.md`, and the texts that quote it, up to date.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import psutil

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
QUOTING = (HERE.parent / "README.md", HERE / "README.md")
QUOTED = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
FIGURES = "README-figures.md"
ORDER = ("engine", "recovery", "lab", "store", "peers")
SIZES = (500, 5_000, 10_000)
PACKAGES = ("numpy", "numba", "pandas", "polars", "vectorbt")

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How much of a benchmark is run: a quick run does everything once; results None are printed only."""

    sizes: tuple[int, ...]
    quick: bool
    results: Path | None

    @property
    def rounds(self) -> int:
        """How often what is timed is repeated."""
        return 1 if self.quick else 3


@dataclass(frozen=True)
class Figure:
    """One row of the README's table: what was measured, its budget, the figure, and how the two compare."""

    what: str
    budget: str
    figure: str
    verdict: str


def options(about: str, arguments: Sequence[str] | None = None) -> Options:
    """The options of the command line; SCANNER_KIT_BENCH_SYMBOLS limits the sizes as `--symbols` does.

    A run of fewer sizes, or a quick one, is no replacement for the committed results: it writes where it is told to.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--symbols", help="sizes of the market, such as 500 or 500,5000 (default: all three)")
    parser.add_argument("--quick", action="store_true", help="everything once")
    parser.add_argument(
        "--results", type=Path, help="folder for the tables (default: benchmarks/results, of a full run)"
    )
    given = parser.parse_args(arguments)
    limited = given.symbols or os.environ.get("SCANNER_KIT_BENCH_SYMBOLS", "")
    sizes = tuple(int(size) for size in re.split(r"[,\s]+", limited.strip())) if limited.strip() else SIZES
    full = sizes == SIZES and not given.quick
    return Options(sizes, given.quick, given.results or (RESULTS if full else None))


def alone(measure: Callable[..., T], *arguments: Any) -> T:
    """What a function of a module gives in a process of its own: with nothing in memory but what it needs."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def machine() -> str:
    """The machine and the versions, in a line; no names and no paths."""
    memory = round(psutil.virtual_memory().total / 2**30)
    told = [f"{os.cpu_count()} cores ({_processor()})", f"{memory} GB", f"Python {platform.python_version()}"]
    return ", ".join([*told, *(f"{name} {found}" for name in PACKAGES if (found := _version(name)))])


def busy() -> str:
    """How much else was running: what makes wall time longer than processor time."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    return f"{load:.1f} processes wanted to run when it began"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    marks = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *rows))


def verdict(figure: float, budget: float, *, at_least: bool = False) -> str:
    """Whether a budget is met; where not, by how much."""
    if figure >= budget if at_least else figure <= budget:
        return "met"
    return f"missed: {figure / budget:.0%} of it" if at_least else f"missed: {figure / budget:.1f} × as much"


def write(name: str, text: str, data: Mapping[str, Any], figures: Iterable[Figure], folder: Path | None) -> None:
    """Print a benchmark's page, and write it with its data and figures to a folder."""
    print(text, flush=True)
    if folder is None:
        print("Nothing was written: this was no full run. Name a folder with --results to keep it.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    told = {**data, "figures": [asdict(figure) for figure in figures]}
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (folder / FIGURES).write_text(figures_of(folder), encoding="utf-8")
    if folder == RESULTS:
        for path in QUOTING:
            quote(path, folder)


def figures_of(folder: Path) -> str:
    """The table of the README: the figures of every benchmark in a folder, beside their budgets."""
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    found = {name: data for name, data in written.items() if isinstance(data, dict) and "figures" in data}
    names = [*(name for name in ORDER if name in found), *(name for name in found if name not in ORDER)]
    rows = [
        [row[part] for part in ("what", "budget", "figure", "verdict")] for n in names for row in found[n]["figures"]
    ]
    machines = dict.fromkeys(found[name]["machine"] for name in names)
    lines = table(["what", "budget", "measured", ""], rows)
    return f"{lines}\n\nMeasured by `make bench` on {'; and on '.join(machines)}.\n"


def quote(path: Path, folder: Path) -> None:
    """Put the figures between the markers of a text, if it has any."""
    if path.exists() and QUOTED.search(text := path.read_text(encoding="utf-8")):
        figures = (folder / FIGURES).read_text(encoding="utf-8")
        path.write_text(QUOTED.sub(lambda marks: marks[1] + figures + marks[2], text), encoding="utf-8")


def _processor() -> str:
    """The processor's model where the system tells it, else its kind."""
    told = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*:\s*(.+)$", told.read_text(), re.MULTILINE) if told.exists() else []
    return models[0].strip() if models else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
