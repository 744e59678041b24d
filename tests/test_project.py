"""The files around the code agree with each other."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MACHINE_PATH = re.compile(rb"(?<![\w.~}])/(?:work|root|home|Users)/")


def requirements(extra: str) -> set[str]:
    """Names of the packages of an extra, those of the extras it is made of included."""
    names: set[str] = set()
    for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
        own = requirement.name == PROJECT["name"]
        names |= set().union(*map(requirements, requirement.extras)) if own else {requirement.name}
    return names


def files() -> list[Path]:
    """Every file that is, or would be, in the repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known")
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def commands(text: str) -> list[str]:
    """Lines of a Markdown text's code blocks, and its inline code."""
    blocks = re.findall(r"^```.*?$(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", text)


def test_environment_installs_the_project_with_all_extras() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-e .[all]"]


def test_all_extras_bring_one_client_of_interactive_brokers() -> None:
    names = requirements("all")
    assert "ib_insync" in names
    assert "ib_async" not in names


def test_all_extras_are_those_a_user_needs() -> None:
    extras = ["views", "notebook", "tuning", "live", "server", "postgres", "ibkr"]
    assert requirements("all") == set().union(*map(requirements, extras))


def test_changelog_has_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", changelog, flags=re.MULTILINE)


def test_no_file_names_a_path_of_one_machine() -> None:
    named = [str(path.relative_to(ROOT)) for path in files() if MACHINE_PATH.search(path.read_bytes())]
    assert named == []


def test_ci_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_make_command_of_the_readme_exists() -> None:
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    proofs = [f"prove-{path.stem.removeprefix('prove_')}" for path in (ROOT / "benchmarks").glob("prove_*.py")]
    lines = commands((ROOT / "README.md").read_text())
    used = {match[1] for line in lines if (match := re.match(r"make ([\w-]+)", line))}
    assert used <= {*targets, *proofs, "prove-NAME"}
