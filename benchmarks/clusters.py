"""A PostgreSQL cluster of one's own: in a folder that vanishes, on a socket, under a user who is not root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

MISSING = "no PostgreSQL: neither initdb on PATH nor /usr/lib/postgresql; apt install postgresql"
USER = "scanner"
QUICK = ["fsync=off", "full_page_writes=off", "max_connections=40", "shared_buffers=64MB"]


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest of those that are there."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return installed[-1].parent if installed else None


@contextmanager
def cluster(options: list[str] | None = None) -> Iterator[str]:
    """A running cluster; gives the address of its database."""
    programs = binaries()
    assert programs is not None, MISSING
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        home = Path(name)
        data, log = home / "data", home / "log"
        as_user = _own(home)
        _run([programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"], as_user)
        said = " ".join(f"-c {option}" for option in (QUICK if options is None else options))
        flags = f"-c listen_addresses='' -k {home} {said}"
        _run([programs / "pg_ctl", "-D", data, "-l", log, "-o", flags, "-w", "start"], as_user)
        try:
            yield f"postgresql://{USER}@/postgres?host={home}"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], as_user)


@contextmanager
def database(address: str, name: str) -> Iterator[str]:
    """An empty database of a cluster; gives its address."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield address.replace("/postgres?", f"/{name}?")
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _own(folder: Path) -> dict[str, Any]:
    """How to run a program as somebody who owns the folder: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _run(command: list[Any], as_user: dict[str, Any]) -> None:
    # Its output to a file: the server keeps what it was given, and a pipe would never end.
    with tempfile.TemporaryFile() as told:
        done = subprocess.run(command, stdout=told, stderr=told, cwd="/", check=False, **as_user)
        told.seek(0)
        assert done.returncode == 0, told.read().decode()
