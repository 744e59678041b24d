"""Units and the compose file keep to their schemas, and name commands that there are."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from scanner_kit.cli import app

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("scanner-kit*"))


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH")
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command that a file here runs, and its options."""
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=\S+/scanner-kit (.*)$", unit.read_text(), re.MULTILINE):
            yield unit.name, line.split()
    for name, service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].items():
        if service.get("image") == "scanner-kit":
            yield f"compose.yaml: {name}", service["command"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    there = shutil.which("true")
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S+", f"ExecStart={there}", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    given = [str(tmp_path / unit.name.replace("@.", "@1.")) for unit in UNITS]
    for unit in UNITS:
        if "@." in unit.name:
            (tmp_path / unit.name.replace("@.", "@1.")).write_text((tmp_path / unit.name).read_text())
    said = subprocess.run([analyze, "verify", "--man=no", *given], capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "scanner-kit" in line]
    assert (said.returncode, ours) == (0, [])


def test_compose_takes_its_file() -> None:
    compose = tool("docker-compose")
    given = {**os.environ, "SCANNER_KIT_STORE_PASSWORD": "secret"}
    command = [compose, "--file", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    said = subprocess.run(command, capture_output=True, text=True, env=given, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_what_is_deployed_are_commands_with_these_options() -> None:
    known = typer.main.get_command(app)
    found = list(commands())
    assert len(found) == 10
    for where, (name, *words) in found:
        command = known.commands[name]  # type: ignore[attr-defined]
        options = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= options, f"{where}: {name} {words}"


def test_the_example_names_variables_that_are_read() -> None:
    read = (ROOT / "scanner_kit" / "settings.py").read_text()
    units = "".join(unit.read_text() for unit in UNITS)
    lines = (DEPLOY / "systemd" / "environment.example").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert names
    assert [name for name in names if name not in read and not re.search(rf"\$\{{?{name}\b", units)] == []
