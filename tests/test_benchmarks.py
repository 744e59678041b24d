"""The benchmarks run, and the README quotes what they found."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="the benchmarks need the extra `bench`")
pytest.importorskip("polars", reason="the benchmarks need the extra `bench`")

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
FIGURES = re.compile(r"<!-- figures -->\n(.*?)<!-- /figures -->", re.DOTALL)


def run(name: str, *arguments: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, str(BENCHMARKS / name), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.mark.parametrize("name", ["engine", "peers"])
def test_a_quick_run_writes_its_tables(name: str, tmp_path: Path) -> None:
    printed = run(f"bench_{name}.py", "--symbols", "500", "--quick", "--results", str(tmp_path))
    data = json.loads((tmp_path / f"{name}.json").read_text())
    page, figures = (tmp_path / f"{name}.md").read_text(), (tmp_path / "README-figures.md").read_text()
    assert page in printed
    assert list(data["sizes"]) == ["500"]
    assert all(row["figure"] in figures for row in data["figures"])
    assert data.get("agreement", {}).get("agreed", 66) == 66


def test_a_quick_run_of_the_lab_writes_its_table(tmp_path: Path) -> None:
    printed = run("bench_lab.py", "--quick", "--results", str(tmp_path))
    data = json.loads((tmp_path / "lab.json").read_text())
    assert (tmp_path / "lab.md").read_text() in printed
    assert all(found["page"]["p95"][0] >= found["page"]["p50"][0] > 0 for found in data["histories"].values())


def test_a_quick_run_of_the_store_writes_its_table(tmp_path: Path) -> None:
    printed = run("bench_store.py", "--quick", "--results", str(tmp_path))
    data = json.loads((tmp_path / "store.json").read_text())
    assert (tmp_path / "store.md").read_text() in printed
    for found in data["databases"].values():
        assert all(min(seconds) > 0 for seconds in found["pages"].values())
        assert found["pruned"]["busy"]


def test_a_quick_run_of_recoveries_writes_its_table(tmp_path: Path) -> None:
    printed = run("bench_recovery.py", "--symbols", "200", "--quick", "--results", str(tmp_path))
    data = json.loads((tmp_path / "recovery.json").read_text())
    assert (tmp_path / "recovery.md").read_text() in printed
    assert all(run["all"] >= run["first"] > 0 for run in data["found"]["200"])


def test_a_limited_run_leaves_the_committed_results_alone() -> None:
    from benchmarks import report

    assert report.options("", ["--symbols", "500"]).results is None
    assert report.options("", ["--quick"]).results is None
    assert report.options("", []).results == report.RESULTS


def test_a_missed_budget_says_by_how_much() -> None:
    from benchmarks.report import verdict

    assert [verdict(2.5, 2.5), verdict(5.0, 2.5)] == ["met", "missed: 2.0 × as much"]
    assert [verdict(5.0, 5.0, at_least=True), verdict(1.0, 5.0, at_least=True)] == ["met", "missed: 20% of it"]


@pytest.mark.parametrize("quoting", [ROOT / "README.md", BENCHMARKS / "README.md"], ids=["README", "benchmarks"])
def test_figures_that_are_quoted_are_those_that_were_measured(quoting: Path) -> None:
    from benchmarks import report

    measured = (report.RESULTS / report.FIGURES).read_text()
    assert measured == report.figures_of(report.RESULTS)
    for quoted in FIGURES.findall(quoting.read_text()):
        assert quoted == measured


def test_results_name_no_machine() -> None:
    import platform

    written = "".join(path.read_text() for path in (BENCHMARKS / "results").glob("*.[mj]*"))
    assert platform.node() not in written
    assert str(ROOT) not in written
