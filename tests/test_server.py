"""The private server: one per user, found again, started once, and nothing lost when it is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from buses import any_program, program, wait_until_written

from scanner_kit.bus.connection import Bus, BusError, connect
from scanner_kit.errors import InvalidInput
from scanner_kit.live import server
from scanner_kit.live.server import Place, bus_of, kept_up, owner_of, running, start, stop
from scanner_kit.live.standin import StandIn
from scanner_kit.settings import LiveSettings, Settings


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    stop(tmp_path / "state")


def pid_of(bus: Bus) -> int:
    return int(bus.redis.info("server")["process_id"])


def until(state: Path, before: int) -> Bus:
    """The bus, once another process serves it."""
    for _ in range(500):
        if running(state):
            bus = connect(Place(state).url)
            if pid_of(bus) != before:
                return bus
            bus.close()
        time.sleep(0.02)
    raise AssertionError("the server did not come back")


@pytest.mark.parametrize("kind", ["redis", "valkey", "demo"])
def test_every_kind_of_server_is_started_found_and_ended(kind: str, state: Path) -> None:
    named = program(kind)
    how = "demo" if kind == "demo" else "private"
    assert running(state) is None
    assert not stop(state)
    with bus_of(Settings(live=LiveSettings(state=str(state), server=named))) as bus:
        assert bus.how == how
        bus.redis.set("x", b"1" * 9_000_000)
        assert len(bus.redis.get("x") or b"") == 9_000_000
        assert bus.redis.eval("return redis.call('XADD', KEYS[1], '*', 'a', ARGV[1])", 1, "s", "1")
    assert running(state) == (Place(state).url, how)
    assert start(state) == (Place(state).url, how)
    assert stop(state)
    assert (running(state), owner_of(state)) == (None, None)


def test_folder_and_socket_are_the_users_alone(state: Path) -> None:
    start(state, any_program())
    place = Place(state)
    assert [path.stat().st_mode & 0o077 for path in (place.folder, place.socket)] == [0, 0]
    with connect(place.url) as bus:
        config = {str(name): str(value) for name, value in bus.redis.config_get().items()}
    wanted = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    assert {name: config[name] for name in wanted} == wanted
    assert 0 < int(config["maxmemory"]) <= 2 << 30
    assert config["lazyfree-lazy-expire"] == "yes"


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    state = tmp_path / ("a long name, with spaces " * 5)
    start(state, any_program())
    try:
        assert len(os.fsencode(Place(state).socket)) <= server.LONGEST_SOCKET
        assert Place(state).socket.parent.stat().st_mode & 0o077 == 0
        assert running(state)
    finally:
        stop(state)


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_what_was_answered_is_there_after_kill_9_and_after_a_clean_end(kind: str, state: Path) -> None:
    start(state, program(kind))
    with connect(Place(state).url) as bus:
        for number in range(1000):
            bus.redis.rpush("all", number)
        wait_until_written(bus)
        first = pid_of(bus)
    os.kill(first, signal.SIGKILL)
    with until(state, first) as bus:
        assert [int(one) for one in bus.redis.lrange("all", 0, -1)] == list(range(1000))
        bus.redis.rpush("all", 1000)
    stop(state)
    start(state, program(kind))
    with connect(Place(state).url) as bus:
        assert bus.redis.llen("all") == 1001


def test_a_server_whose_owner_was_killed_is_taken_over(state: Path) -> None:
    start(state, any_program())
    owner = owner_of(state)
    assert owner is not None
    with connect(Place(state).url) as bus:
        before = pid_of(bus)
        os.kill(owner, signal.SIGKILL)
        while owner_of(state) is not None:
            time.sleep(0.01)
        assert start(state) == (Place(state).url, "private")
        while owner_of(state) in (None, owner):
            time.sleep(0.01)
        assert pid_of(bus) == before
    os.kill(before, signal.SIGKILL)
    until(state, before).close()


def test_five_that_start_it_at_once_have_one(state: Path) -> None:
    code = """
import sys
from pathlib import Path
from scanner_kit.bus.connection import connect
from scanner_kit.live.server import start

url, _ = start(Path(sys.argv[1]), sys.argv[2])
print(connect(url).redis.info("server")["process_id"])
"""
    command = [sys.executable, "-c", code, str(state), any_program()]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    told = [starter.communicate(timeout=60)[0].strip() for starter in starters]
    assert len(set(told)) == 1
    assert told[0].isdigit()


def test_a_server_that_is_kept_up_for_a_process_ends_with_it_and_another_s_does_not(state: Path) -> None:
    settings = Settings(live=LiveSettings(state=str(state), server=any_program()))
    with kept_up(settings):
        owner = owner_of(state)
        assert running(state)
        with kept_up(settings):
            assert owner_of(state) == owner
        assert running(state)
    assert (running(state), owner_of(state)) == (None, None)
    start(state, any_program())
    with kept_up(settings):
        pass
    assert running(state)


def test_the_program_used_before_is_used_again(state: Path) -> None:
    wheel = program("valkey")
    start(state, wheel)
    stop(state)
    assert next(server.programs(state)) == wheel


def test_a_configured_url_is_never_replaced(state: Path) -> None:
    live = LiveSettings(redis="redis://desk:secret@127.0.0.1:1", state=str(state))
    begin = time.monotonic()
    sentence = r"redis://desk:\*\*\*@127\.0\.0\.1:1 does not answer: .* mend SCANNER_KIT_REDIS_URL"
    with pytest.raises(BusError, match=sentence):
        bus_of(Settings(live=live))
    assert time.monotonic() - begin < 2.0
    assert not state.exists()


def test_a_program_that_is_none_is_named(state: Path) -> None:
    with pytest.raises(InvalidInput, match=re.escape("'no-such-server' cannot be run. Mend SCANNER_KIT_REDIS_SERVER.")):
        start(state, "no-such-server")


def test_a_server_that_does_not_come_up_is_an_error_that_says_why(state: Path) -> None:
    place = Place(state)
    place.make()
    (place.folder / "appendonlydir").write_text("in its way")
    with pytest.raises(BusError, match=r"The private server does not start: .* See '.*redis\.log'\."):
        start(state, any_program())
    assert owner_of(state) is None


def test_the_stand_in_takes_a_large_value_before_its_client_gives_up(state: Path) -> None:
    start(state, server.DEMO)
    value = os.urandom(24 << 20)
    with redis.Redis(unix_socket_path=str(Place(state).socket), protocol=2, socket_timeout=30.0) as client:
        client.set("large", value)
        assert client.get("large") == value


def test_all_clients_of_the_stand_in_find_one_database(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.make()
    with StandIn.at(place) as demo:
        assert list(demo.fake_server.dbs) == [0]


def test_the_stand_in_stays_connected_when_it_tells_of_an_error(tmp_path: Path) -> None:
    start(tmp_path, server.DEMO)
    with connect(Place(tmp_path).url) as bus:
        client = bus.redis.client()
        number = client.client_id()
        client.set("x", 1)
        for wrong in (
            lambda: client.lpush("x", 1),
            lambda: client.evalsha("0" * 40, 0),
            lambda: client.execute_command("NO"),
        ):
            with pytest.raises(redis.ResponseError, match=r"^(WRONGTYPE|No matching script|unknown command)"):
                wrong()
        assert client.client_id() == number
        client.close()
    stop(tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(InvalidInput, match=r"state folder; '.*redis' cannot be made: .*SCANNER_KIT_STATE"):
        start(tmp_path / "state")
