"""The notebooks run from top to bottom in a kernel of their own, stand without outputs, and leave nothing running."""

import re
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

import scanner_kit as sk
from scanner_kit import notebook as setting_up
from scanner_kit.run import Desk
from scanner_kit.settings import CACHE

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 300
LEFT = """
import threading, time

deadline = time.monotonic() + 20
running = lambda: [t.name for t in threading.enumerate() if t.name.startswith("scanner_kit")]
while running() and time.monotonic() < deadline:
    time.sleep(0.1)
assert not running(), running()
"""


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks() -> None:
    names = ["01_tour", "02_write_a_scanner", "03_tune_thresholds", "04_explore_triggers", "05_operate"]
    assert [path.stem for path in NOTEBOOKS][:5] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_leaves_nothing_running(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv(CACHE, str(tmp_path))
    notebook = read(path)
    for cell in notebook.cells:  # it looks on for half a minute: here a second will do
        cell.source = re.sub(r"stop\(after=\d+\)", "stop(after=1)", cell.source)
    notebook.cells.append(nbformat.v4.new_code_cell(LEFT))
    client.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute()


def test_every_name_of_the_kit_that_a_notebook_uses_is_public() -> None:
    used = {name for path in NOTEBOOKS for name in re.findall(r"\bsk\.(\w+)", path.read_text(encoding="utf-8"))}
    assert used <= set(sk.__all__)


def in_force(desk: Desk) -> Any:
    return getattr(desk.roster[0], "min_rvol", None)


def test_a_threshold_that_is_moved_while_a_day_plays_is_in_force() -> None:
    hod_break = sk.scanners.HodBreak()
    playing = sk.play([sk.simulated_tape(sk.SimulatedMarket(symbols=5))], [hod_break], speed=600, start_k=0)
    hod_break.min_rvol = 1.5
    deadline = time.monotonic() + 20
    while in_force(playing.desk) != 1.5 and time.monotonic() < deadline:
        playing.wait(0.05)
    playing.stop()
    assert in_force(playing.desk) == 1.5
    assert playing.board.scanner("hod_break").min_rvol == 1.5


def test_a_scanner_that_is_no_longer_played_is_free() -> None:
    hod_break = sk.scanners.HodBreak()
    playing = sk.play([sk.simulated_tape(sk.SimulatedMarket(symbols=5))], [hod_break], speed=60)
    playing.stop()
    hod_break.min_rvol = 1.5
    assert playing.board.scanner("hod_break").min_rvol == 3.0


def test_a_table_has_a_row_for_each_thing() -> None:
    tape = sk.testing.sample_tape()
    engine = sk.Engine(tape.universe, [sk.scanners.HodBreak(min_rvol=None), sk.scanners.Hot()])
    for bars in tape:
        scan = engine.step(bars)
    assert len(setting_up.table(engine.triggers)) == len(engine.triggers) > 0
    assert list(setting_up.table(scan.rows("hot"))["symbol"]) == list(scan.lists["hot"].symbols)
    answers = engine.why(tape.universe.symbols[0])
    assert list(setting_up.table(answers)["scanner"]) == ["hod_break", "hot"]
    reasons = setting_up.table(answers[0].reasons)
    assert list(reasons["condition"]) == [reason.what for reason in answers[0].reasons]
    assert reasons["holds"].str.partition(":")[0].isin(["yes", "no", "unknown"]).all()
