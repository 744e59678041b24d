"""Looking at a desk on a real server: full, gone, back, another prefix, and processes that beat."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from buses import any_program

from scanner_kit.bus.beats import Beat, Beating, read_beats
from scanner_kit.bus.connection import Bus, connect
from scanner_kit.health import Health, State
from scanner_kit.live.health.looking import Look
from scanner_kit.live.server import Place, start, stop

WAIT = 20.0
Rows = dict[str, Health]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Bus]:
    """A server of this test alone, which it may ill-treat."""
    start(tmp_path, any_program())
    with connect(Place(tmp_path).url, how="private") as bus:
        yield bus
    stop(tmp_path)


def until(look: Look, known: Callable[[Rows], bool]) -> Rows:
    """The rows, once they are as wanted."""
    end = time.monotonic() + WAIT
    while not known(rows := {row.subject: row for row in look.health()}):
        assert time.monotonic() < end, rows
        time.sleep(0.05)
    return rows


def test_processes_that_beat_are_seen_and_one_that_ended_is_named(any_bus: Bus, tmp_path: Path) -> None:
    look = Look(any_bus, tmp_path, expected=("engine", "store"))
    with Beating(any_bus, "store"):
        with Beating(any_bus, "engine", lambda: {"state": "leading", "lists": {"hot": 0}}):
            rows = until(
                look, lambda rows: rows["engine"].state is not State.DOWN and rows["store"].state is not State.DOWN
            )
            assert rows["bus"].state is State.LIVE
            assert rows["bus"].reason.startswith("DEMO" if any_bus.how == "demo" else "the private server answers")
            assert "list hot" in rows
        rows = until(look, lambda rows: rows["engine"].state is State.DOWN)
        assert rows["engine"].reason == "it was ended, and not started again"


def test_a_full_bus_is_named_and_forgotten_once_there_is_room(own_server: Bus) -> None:
    look, client = Look(own_server, expected=()), own_server.redis
    with Beating(own_server, "serve"):
        until(look, lambda rows: "serve" in rows)
        usual = str(client.config_get("maxmemory")["maxmemory"])
        client.config_set("maxmemory", 1)
        rows = until(look, lambda rows: "Redis" in rows)
        assert (rows["Redis"].state, rows["Redis"].reason) == (State.FAULT, "it is full, and takes nothing")
        client.config_set("maxmemory", usual)
        until(look, lambda rows: "Redis" not in rows and rows["serve"].colour == "green")


def test_a_bus_that_is_gone_is_down_and_then_back(own_server: Bus, tmp_path: Path) -> None:
    look, server = Look(own_server, expected=()), own_server.redis.info("server")["process_id"]
    own_server.redis.hset(own_server.keys.beats, "x", Beat("serve", "x").text())
    until(look, lambda rows: rows["bus"].state is State.LIVE)
    assert [told["id"] for told in look.told()[1]] == ["x"]
    os.kill(server, signal.SIGSTOP)
    try:
        look.bus.redis.connection_pool.connection_kwargs["socket_timeout"] = 0.2
        rows = until(look, lambda rows: rows["bus"].state is State.DOWN)
        assert "no answer for " in rows["bus"].reason
    finally:
        os.kill(server, signal.SIGCONT)
    until(look, lambda rows: rows["bus"].state is State.LIVE)
    os.kill(server, signal.SIGKILL)
    until(look, lambda rows: rows["bus"].reason.startswith("no answer"))
    health, processes = look.told()
    assert [told["id"] for told in processes] == ["x"], "what was seen last is shown while the bus is away"
    assert any(row.subject == "bus" for row in health)
    until(look, lambda rows: rows["bus"].reason == "the private server answers")


def test_a_process_under_another_prefix_is_named_where_its_role_is_missing(a_bus: Bus, bus_url: str) -> None:
    look = Look(a_bus, expected=("engine",))
    with connect(bus_url, f"{a_bus.keys.prefix}-wrong") as elsewhere:
        with Beating(elsewhere, "engine"):
            rows = until(look, lambda rows: "bus of engine" in rows)
            told = f"uses the prefix '{a_bus.keys.prefix}-wrong' where its neighbours use '{a_bus.keys.prefix}'"
            assert told in rows["bus of engine"].reason
            assert rows["engine"].state is State.DOWN
        elsewhere.redis.delete(elsewhere.keys.beats)


def test_a_process_of_this_folder_on_another_bus_is_named(a_bus: Bus, own_server: Bus, tmp_path: Path) -> None:
    look = Look(a_bus, tmp_path, expected=())
    with Beating(own_server, "store", state=tmp_path):
        rows = until(look, lambda rows: "bus of store" in rows)
        assert f"the bus '{own_server.url}' where its neighbours use '{a_bus.url}'" in rows["bus of store"].reason
    until(look, lambda rows: "bus of store" not in rows)


def test_a_looker_that_may_not_write_still_sees(own_server: Bus) -> None:
    client = own_server.redis
    client.acl_setuser("eyes", enabled=True, nopass=True, keys=["*"], commands=["+@read", "+time", "+ping"])
    path = client.connection_pool.connection_kwargs["path"]
    client.hset(own_server.keys.beats, "x", replace(Beat("engine", "x"), at=time.time()).text())
    with connect(f"unix://eyes:x@{path}", how="private") as bus:
        rows = until(Look(bus, expected=()), lambda rows: "engine" in rows)
        assert rows["bus"].state is State.LIVE
        assert "Redis" not in rows
    assert [beat.id for beat in read_beats(own_server)] == ["x"]


def test_a_process_that_was_replaced_is_told_no_more(a_bus: Bus) -> None:
    now = time.time()
    for name, began, at in (("engine:d:1", now - 900, now - 60), ("engine:d:2", now - 50, now)):
        beat = Beat("engine", name, host="d", began=began, at=at, prefix=a_bus.keys.prefix, redis=a_bus.url)
        a_bus.redis.hset(a_bus.keys.beats, name, beat.text())
    assert [told["id"] for told in Look(a_bus, expected=()).told()[1]] == ["engine:d:2"]
