"""After a day at work the bus holds no key but those of keys.py, and each expires two days on or is bounded."""

import inspect
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from buses import any_program, fresh, listens

from scanner_kit.bus.asking import MOST_QUESTIONS, Asking
from scanner_kit.bus.connection import Bus, connect
from scanner_kit.bus.keys import KEPT_SECONDS, Keys
from scanner_kit.bus.publishing import MOST_STEPS
from scanner_kit.bus.tape import current_day
from scanner_kit.live.feed.feeds import SimulatedFeed
from scanner_kit.live.health.doctor import send_probe
from scanner_kit.live.health.looking import Look
from scanner_kit.live.ingest import ingest
from scanner_kit.live.scanning import scan
from scanner_kit.live.storing import Keeper
from scanner_kit.sources.simulated import SimulatedMarket

SYMBOLS = 4
WAIT = 120.0
BOUNDED = {"today": 10, "fence": 20, "taken": 20, "board": 64}
"""Keys that stay, and the most letters or fields that each has; all others expire."""
SHORT = {"ingest", "lease", "store", "asks", "answer", "probe"}
"""Keys that live for seconds or minutes."""
JITTER = 600


@pytest.fixture(scope="module")
def a_day(bus_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A bus on which the whole chain has carried a simulated day."""
    folder = tmp_path_factory.mktemp("day")
    with fresh(bus_url) as bus:
        work(bus, folder)
        yield bus


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A bus on the one node of a Cluster: it refuses what touches several slots at once."""
    folder = tmp_path_factory.mktemp("node")
    words = ["--port", "0", "--unixsocket", "s", "--cluster-enabled", "yes", "--cluster-port", "1", "--save", ""]
    with subprocess.Popen([any_program(), *words], cwd=folder, stdout=subprocess.DEVNULL) as server:
        until(lambda: listens(folder / "s"))
        with connect(f"unix://{folder / 's'}") as bus:
            bus.redis.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: b"cluster_state:ok" in bus.redis.execute_command("CLUSTER", "INFO", NEVER_DECODE=True))
            yield bus
        server.terminate()


def work(bus: Bus, folder: Path) -> None:
    over = threading.Event()
    feed = SimulatedFeed(SimulatedMarket(symbols=SYMBOLS))
    day = next(feed.days())
    keeper = Keeper(bus, folder / "store.db", over, keep_days=None)
    jobs: list[Callable[[], Any]] = [
        partial(ingest, bus, feed, over=over, state=folder, speed=60_000.0, days=1, forming_seconds=0.0),
        partial(scan, bus, over, state=folder),
        keeper.run,
    ]
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(job) for job in jobs]
        try:
            until(lambda: current_day(bus) is not None)
            assert "tape" in send_probe(bus, over, seconds=0.0).passed
            until(lambda: keeper.facts()["figures"]["steps"] >= day.minutes)
            assert Asking(bus).why(feed.universe(day).symbols[0])
            assert Look(bus, folder, expected=("ingest", "engine")).health()
        finally:
            over.set()
        for job in running:
            job.result()


def until(known: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not known():
        assert time.monotonic() < end
        time.sleep(0.05)


def kinds(keys: Keys) -> dict[str, re.Pattern[str]]:
    """How the keys of each kind look, by the kind's name: all public members of `Keys`."""
    found = {}
    for name, member in inspect.getmembers(Keys):
        if isinstance(member, property):
            found[name] = re.escape(getattr(keys, name))
        elif inspect.isfunction(member) and not name.startswith("_"):
            marks = [f"MARK{place}" for place in range(len(inspect.signature(member).parameters) - 1)]
            found[name] = re.sub(r"MARK\d", "[^{}]+", re.escape(getattr(keys, name)(*marks)))
    return {name: re.compile(f"{pattern}\\Z") for name, pattern in found.items()}


def keys_of(bus: Bus) -> dict[str, str]:
    """Every key of the bus, and its kind: the one that fits it most closely."""
    prefix = bus.keys.prefix
    found = {
        key.decode() for match in (f"{prefix}:*", f"{{{prefix}}}:*") for key in bus.redis.scan_iter(match, count=1000)
    }
    known = kinds(bus.keys)
    fitting = {key: [kind for kind, pattern in known.items() if pattern.match(key)] for key in found}
    return {key: max(names, key=lambda kind: len(known[kind].pattern), default="") for key, names in fitting.items()}


def test_there_is_no_key_that_keys_py_does_not_name(a_day: Bus) -> None:
    found = keys_of(a_day)
    assert [key for key, kind in found.items() if not kind] == []
    there = set(found.values())
    assert {"tape", "writers", "bars", "scans", "today", "board", "fence", "beats", "asks", "probe"} <= there
    assert sum(kind == "bars" for kind in found.values()) == SYMBOLS


def test_every_key_expires_two_days_on_by_the_wall_clock_or_is_bounded(a_day: Bus) -> None:
    for key, kind in keys_of(a_day).items():
        left: Any = a_day.redis.ttl(key)
        if kind in BOUNDED:
            size: Any = a_day.redis.hlen(key) if kind == "board" else a_day.redis.strlen(key)
            assert (left, size <= BOUNDED[kind]) == (-1, True), key
        elif kind in SHORT:
            assert 0 < left <= KEPT_SECONDS, key
        else:
            assert KEPT_SECONDS - WAIT - JITTER <= left <= KEPT_SECONDS, key


def test_every_stream_has_a_bound(a_day: Bus) -> None:
    day = current_day(a_day)
    assert day is not None
    lengths = {kind: a_day.redis.xlen(key) for key, kind in keys_of(a_day).items() if kind in ("tape", "scans", "asks")}
    assert day.minutes <= lengths["tape"] <= 2 * day.minutes
    assert day.minutes <= lengths["scans"] <= MOST_STEPS
    assert 1 <= lengths["asks"] <= MOST_QUESTIONS


def test_the_chain_works_on_a_node_of_a_cluster(node: Bus, tmp_path: Path) -> None:
    with pytest.raises(redis.ResponseError, match="same slot"):
        node.redis.eval("return redis.call('GET', KEYS[1])", 2, "a", "b")
    work(node, tmp_path)
    day = current_day(node)
    assert day is not None
    assert len(list(node.redis.scan_iter(node.keys.bars(day.date, "*")))) > 1
