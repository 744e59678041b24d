"""Minutes come to all who look on: `make prove-browsers` with few of them; how soon, it says on a quiet machine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import MISSING, executable

PROOF = Path(__file__).resolve().parent.parent / "benchmarks" / "prove_browsers.py"
FEW = ("--browsers", "5", "--real", "1", "--minutes", "8", "--symbols", "100")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if executable() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("browsers")
    command = [sys.executable, str(PROOF), *FEW, "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert (folder / "browsers.md").exists(), done.stdout + done.stderr
    whole: dict[str, Any] = json.loads((folder / "browsers.json").read_text())
    return whole


@pytest.mark.parametrize("part", ["all look on", "beside slow ones"])
def test_minutes_come_to_the_sessions(found: dict[str, Any], part: str) -> None:
    measured = found["ms"][f"{part}: the message is there"]
    assert measured["of"] == 4 * 8
    assert measured["n"] >= measured["of"] / 2  # on a busy machine two may come in one message


def test_cells_change_and_no_browser_complains(found: dict[str, Any]) -> None:
    parts = {name.split(":")[0] for name, ms in found["ms"].items() if name.endswith("a cell has changed") and ms["n"]}
    assert len(parts) == 3
    assert found["said"] == []
