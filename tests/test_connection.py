"""The connection to the bus: nothing sent twice, a restart survived, and every kind of trouble said as what it is."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from buses import any_program, wait_until_written

from benchmarks.wire import Wire, wire
from scanner_kit.bus.connection import BLOCK_MS, CONNECTIONS, Bus, BusError, connect, persist, reason_of, redacted
from scanner_kit.errors import InvalidInput
from scanner_kit.live.server import Place, start, stop


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Bus]:
    """A server of this test alone, which it may ill-treat."""
    start(tmp_path, any_program())
    with connect(Place(tmp_path).url) as bus:
        yield bus
    stop(tmp_path)


@pytest.fixture
def wired(a_bus: Bus, tmp_path: Path) -> Iterator[tuple[Wire, Bus]]:
    """The server of all tests behind a wire."""
    path = Path(a_bus.redis.connection_pool.connection_kwargs["path"])
    with wire(tmp_path / "w.sock", path) as between, connect(between.url, a_bus.keys.prefix) as bus:
        yield between, bus


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://10.0.0.7:6379", "redis://10.0.0.7:6379"),
        ("redis://:secret@10.0.0.7", "redis://:***@10.0.0.7"),
        ("rediss://desk:se@cr/et@10.0.0.7:6379?ssl_cert_reqs=required", "rediss://desk:***@10.0.0.7:6379?ssl_cert_reqs=required"),
        ("redis://desk@10.0.0.7", "redis://desk@10.0.0.7"),
        ("unix:///run/r.sock?password=secret&db=0", "unix:///run/r.sock?password=***&db=0"),
    ],
)  # fmt: skip
def test_a_password_is_never_said(url: str, told: str) -> None:
    assert redacted(url) == told


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://u:secret@x", "redis://u:secret@host:port", "", "redis://u:se/cret@h"]
)
def test_what_is_no_url_is_said_without_its_password(url: str) -> None:
    with pytest.raises((InvalidInput, BusError)) as fault:
        connect(url)
    assert "SCANNER_KIT_REDIS_URL" in str(fault.value)
    assert "secret" not in str(fault.value)
    assert "cret" not in str(fault.value)


def test_a_database_number_is_refused(bus_url: str) -> None:
    with pytest.raises(InvalidInput, match=r"The bus uses no database numbers; found .* with number 1\."):
        connect(f"{bus_url}?db=1")


def test_an_answer_that_is_lost_sends_nothing_twice(wired: tuple[Wire, Bus]) -> None:
    between, bus = wired
    for write in (lambda: bus.redis.xadd("{p}:s", {"a": 1}), lambda: bus.redis.rpush("{p}:l", "1")):
        between.lose_answer_to(b"{p}:")
        with pytest.raises(redis.ConnectionError):
            write()
        assert between.lost.wait(5)
    assert (bus.redis.xlen("{p}:s"), bus.redis.llen("{p}:l")) == (1, 1)
    bus.redis.delete("{p}:s", "{p}:l")


def test_what_may_be_done_twice_is_done_until_it_is_answered(wired: tuple[Wire, Bus]) -> None:
    between, bus = wired
    key = bus.keys.today
    between.lose_answer_to(key.encode())
    assert persist(lambda: bus.redis.set(key, "2025-01-27"), threading.Event())
    between.part()
    threading.Timer(0.5, between.join).start()
    begin = time.monotonic()
    assert persist(lambda: bus.redis.get(key), threading.Event()) == b"2025-01-27"
    assert time.monotonic() - begin < 5


def test_a_reader_that_blocks_survives_a_cut_and_takes_what_follows(wired: tuple[Wire, Bus], a_bus: Bus) -> None:
    between, bus = wired
    over, key = threading.Event(), bus.keys.tape("2025-01-27")

    def read(after: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        while True:
            found: Any = persist(lambda: bus.redis.xread({key: after}, block=BLOCK_MS), over)
            if found:
                return list(found[0][1])

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(read, "0-0")
        time.sleep(0.1)
        between.cut()
        a_bus.redis.xadd(key, {"k": 1})
        assert [fields for _, fields in waiting.result(timeout=10)] == [{b"k": b"1"}]


def test_persist_ends_when_it_is_told_to() -> None:
    over = threading.Event()

    def work() -> None:
        over.set()
        raise redis.ConnectionError("gone")

    assert persist(work, over) is None


def test_persist_does_not_hide_what_is_wrong(a_bus: Bus) -> None:
    a_bus.redis.set(a_bus.keys.board, "text")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        persist(lambda: a_bus.redis.hgetall(a_bus.keys.board), threading.Event())


def test_a_full_server_takes_nothing_until_there_is_room_and_is_read_meanwhile(own_server: Bus) -> None:
    client, over = own_server.redis, threading.Event()
    client.set("x", 1)
    usual = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    for write in (lambda: client.set("x", 2), lambda: client.eval("return redis.call('SET', KEYS[1], 2)", 1, "x")):
        with pytest.raises(redis.RedisError) as fault:
            write()
        assert reason_of(fault.value) == "it is full"
    assert client.get("x") == b"1"
    threading.Timer(0.3, client.config_set, ["maxmemory", usual]).start()
    assert persist(lambda: client.set("x", 2), over)


def test_a_server_that_may_only_be_read_takes_nothing_until_it_leads(own_server: Bus) -> None:
    client = own_server.redis
    client.replicaof("127.0.0.1", 1)
    with pytest.raises(redis.RedisError) as fault:
        client.set("x", 1)
    assert reason_of(fault.value) == "it may only be read"
    threading.Timer(0.3, client.replicaof, ["NO", "ONE"]).start()
    assert persist(lambda: client.set("x", 1), threading.Event())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (redis.ResponseError("MISCONF Errors writing to the AOF file: No space left"), "it cannot write to its disk"),
        (redis.BusyLoadingError("Redis is loading the dataset", status_code="LOADING"), "it still loads what it has"),
        (redis.TimeoutError("Timeout reading from socket"), "it cannot be reached: Timeout reading from socket"),
        (redis.ResponseError("WRONGTYPE Operation against a key"), None),
        (redis.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"), None),
        (redis.exceptions.NoPermissionError("no permissions to run", status_code="NOPERM"), None),
    ],
)  # fmt: skip
def test_every_trouble_is_said_as_what_it_is(fault: redis.RedisError, reason: str | None) -> None:
    assert reason_of(fault) == reason


def test_a_restart_of_the_server_is_survived(own_server: Bus) -> None:
    client, over = own_server.redis, threading.Event()
    for number in range(20):
        if number in (5, 10):
            wait_until_written(own_server)
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        assert persist(lambda number=number: client.hset("x", str(number), 1), over) is not None  # type: ignore[misc]
    assert client.hlen("x") == 20


def test_a_wrong_password_fails_at_once_and_while_it_runs(own_server: Bus) -> None:
    own_server.redis.acl_setuser("desk", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"])
    path = own_server.redis.connection_pool.connection_kwargs["path"]
    begin = time.monotonic()
    with pytest.raises(BusError, match=r"The bus at unix://desk:\*\*\*@.* does not answer: .*"):
        connect(f"unix://desk:wrong@{path}")
    with connect(f"unix://desk:right@{path}") as bus:
        own_server.redis.acl_setuser("desk", enabled=True, passwords=["-right", "+other"])
        bus.redis.connection_pool.disconnect()
        with pytest.raises(BusError, match=r"The server of the bus refuses us: .* Mend SCANNER_KIT_REDIS_URL\."):
            persist(bus.redis.ping, threading.Event())
    assert time.monotonic() - begin < 2


def test_threads_wait_for_a_free_connection(a_bus: Bus) -> None:
    with ThreadPoolExecutor(4 * CONNECTIONS) as pool:
        done = list(pool.map(lambda _: a_bus.redis.xread({a_bus.keys.asks: "0-0"}, block=50), range(4 * CONNECTIONS)))
    assert done == [[]] * len(done)
    assert len(a_bus.redis.client_list()) <= CONNECTIONS + 10
