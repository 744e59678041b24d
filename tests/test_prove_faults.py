"""A desk says what is wrong with it: the quick faults of `make prove-faults`, on real processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if shutil.which("redis-server") is None and shutil.which("valkey-server") is None:
    pytest.skip("no redis-server on PATH: install it (apt install redis-server)", allow_module_level=True)

pytest.importorskip("panel", reason="the desk's pages need the extra `views`")

from benchmarks.faults import FAULTS

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "benchmarks" / "prove_faults.py"
QUICK = ("Redis full", "clock off", "disk full")
NOT_HERE = "not tried: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the proof wrote what it found, in a process of its own."""
    written = tmp_path_factory.mktemp("faults")
    only = ",".join(name.lower().replace(" ", "-") for name in QUICK)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(PROOF), "--only", only, "--out", str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert (written / "faults.md").exists(), done.stdout + done.stderr
    return written


@pytest.mark.parametrize("fault", QUICK)
def test_a_fault_is_named_in_time_and_gone_in_time(folder: Path, fault: str) -> None:
    found: dict[str, Any] = json.loads((folder / "faults.json").read_text())
    told = found["faults"][fault]
    if told["found"].startswith(NOT_HERE) and "CI" not in os.environ:
        pytest.skip(told["found"])
    assert told["holds"], told["found"]
    assert f"| {fault} |" in (folder / "faults.md").read_text()


def test_every_fault_of_the_list_is_tried() -> None:
    wanted = "feed silent, one symbol silent, halt, delayed feed, half day: early close, half day: end, holiday"
    wanted += ", Redis restarted, Redis full, disk full, clock off, engine stuck, wrong prefix, two engines"
    assert sorted(fault.name for fault in FAULTS) == sorted(wanted.split(", "))
