"""The live page, looked at for a minute: `make prove-live-page` at a tenth of its length."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import MISSING, executable

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "benchmarks" / "prove_live_page.py"
CLAIMS = (
    "triggers appear without a reload",
    "a threshold moved in the drawer changes the lists",
    "selection and scroll survive updates",
    "who reads the tape is left in peace",
    "the page keeps up",
    "the server's memory is flat",
    "the page's memory is flat",
    "the document is flat",
    "no error in the console, no request to the outside",
    "Ctrl-C ends it",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the proof found, in a process of its own: it has a server and a browser to itself."""
    if executable() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("live-page")
    command = [sys.executable, str(PROOF), "--seconds", "60", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    kept = folder / "live-page.json"
    assert kept.exists(), done.stdout + done.stderr
    whole: dict[str, Any] = json.loads(kept.read_text())
    whole["table"] = (folder / "live-page.md").read_text()
    return whole


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_claimed_of_the_live_page(found: dict[str, Any], claim: str) -> None:
    told = found["claims"].get(claim, {"holds": False, "found": "it was not tried"})
    assert told["holds"], told["found"]


def test_nothing_is_claimed_that_is_not_tested(found: dict[str, Any]) -> None:
    assert set(found["claims"]) == set(CLAIMS)
    assert all(f"| {claim} |" in found["table"] for claim in CLAIMS)
    assert len(found["samples"]) > 10
