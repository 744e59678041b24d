"""The users in deploy/acl: each does its work and no more, on a plain Redis and on Valkey."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from buses import listens, program
from published import leading, step

from scanner_kit.bars import SettingsChange
from scanner_kit.bus.asking import Asking, Questions
from scanner_kit.bus.beats import Beating, read_beats
from scanner_kit.bus.board import BoardReader, triggers_of
from scanner_kit.bus.connection import Bus, BusError, connect
from scanner_kit.bus.keys import PREFIX
from scanner_kit.bus.lease import Lease
from scanner_kit.bus.tape import Head, TapeReader, TapeWriter, current_day, set_current_day
from scanner_kit.errors import InvalidInput
from scanner_kit.live.feed.backlog import backlog_of
from scanner_kit.live.feed.inbox import Inbox, put
from scanner_kit.live.health.doctor import send_probe
from scanner_kit.live.health.looking import Look
from scanner_kit.live.jobs.running import Job, Kept, switch_on
from scanner_kit.live.lists import Lists, bars
from scanner_kit.live.storing import Keeper
from scanner_kit.results import Result
from scanner_kit.scheduled import ScheduledScanner
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "acl"
USERS = ("ingest", "engine", "jobs", "store", "serve", "notebook")
TAPE = simulated_tape(SimulatedMarket(symbols=3, seed=1))
DAY = TAPE.universe.day


@dataclass(frozen=True)
class Guarded:
    """A server that knows these users alone."""

    path: Path

    def bus(self, user: str) -> Bus:
        return connect(f"unix://{user}:change-me@{self.path}", PREFIX)

    def try_as(self, user: str, *command: Any) -> Any:
        with self.bus(user) as bus:
            return bus.redis.execute_command(*command)


@pytest.fixture(scope="module", params=["redis", "valkey"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp(request.param)
    users, socket = folder / "users.acl", folder / "r.sock"
    users.write_text("".join(path.read_text() for path in sorted(FOLDER.glob("*.acl"))))
    said = f"--port 0 --unixsocket {socket} --aclfile {users} --save".split()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([program(request.param), *said, "", "--dir", str(folder)], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while not listens(socket):
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)
        made = Guarded(socket)
        with made.bus("ingest") as bus:
            writer = TapeWriter(bus, DAY)
            writer.open(Head(TAPE.universe))
            writer.closed(TAPE.bars(0), at=1.0)
            set_current_day(bus, DAY)
        with made.bus("engine") as bus:
            publisher = leading(bus)
            publisher.publish(step(0, fired="NVDA", day=DAY.date))
            publisher.lease.give_back()
        yield made
    finally:
        server.kill()
        server.wait()


def test_there_is_a_file_for_each_user_and_nobody_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.acl")} == {*USERS, "default"}
    for user in USERS:
        assert (FOLDER / f"{user}.acl").read_text().startswith(f"user {user} reset on >change-me ")


def test_who_has_no_name_or_a_wrong_password_is_refused(guarded: Guarded) -> None:
    for url in (f"unix://{guarded.path}", f"unix://engine:wrong@{guarded.path}"):
        with pytest.raises(BusError, match="does not answer"):
            connect(url)


def test_the_ingest_writes_the_tape_and_the_bars(guarded: Guarded) -> None:
    with guarded.bus("ingest") as bus, Beating(bus, "ingest"):
        lease = Lease(bus, bus.keys.ingest, bus.keys.fence)
        assert lease.hold()
        writer = TapeWriter(bus, DAY, token=lease.token)
        writer.go_on()
        writer.closed(TAPE.bars(writer.k + 1), at=1.0)
        entries = list(TapeReader(bus, DAY).recover())
        Lists(bus, DAY).take(entries)
        put(bus, SimulatedMarket(symbols=3, seed=1).frame().head(2))
        inbox = Inbox(bus, DAY)
        for at, _ in inbox.read(0.1):
            inbox.came(at, 0)
        inbox.closed(0)
        assert backlog_of(bus).reason is None
        lease.give_back()
        assert bars(TAPE.universe.symbols[0], DAY.date, bus=bus) is not None
        beats_of(bus, "ingest")


def test_the_engine_reads_the_tape_publishes_and_answers(guarded: Guarded) -> None:
    with guarded.bus("engine") as bus, Beating(bus, "engine"):
        assert len(list(TapeReader(bus, DAY).recover())) >= 1
        publisher = leading(bus)
        assert publisher.publish(step(1, fired="TSLA", day=DAY.date)) == "ok"
        publisher.lease.give_back()
        questions = Questions(bus)
        questions.begin()
        with guarded.bus("notebook") as notebook:
            asked = threading.Thread(target=answer_all, args=[questions, over := threading.Event()])
            asked.start()
            try:
                with pytest.raises(InvalidInput, match="no such symbol"):
                    Asking(notebook).why("NVDA")
            finally:
                over.set()
                asked.join()
        bus.redis.hsetnx(bus.keys.probe("p"), "engine", 1)
        beats_of(bus, "engine")


def test_the_store_reads_in_its_group_and_puts_settings_on_the_tape(guarded: Guarded, tmp_path: Path) -> None:
    over = threading.Event()
    with guarded.bus("store") as bus, Beating(bus, "store"):
        keeper = Keeper(bus, tmp_path / "store.db", over, keep_days=None)
        thread = threading.Thread(target=keeper.run)
        thread.start()
        try:
            end = time.monotonic() + 20
            while not keeper.facts()["figures"]["steps"]:  # each step is acknowledged
                assert time.monotonic() < end, keeper.facts()
                time.sleep(0.05)
        finally:
            over.set()
            thread.join()
        TapeWriter(bus, DAY, "settings").settings(SettingsChange.of(hot={"top": 4}).numbered(8), at=1.0)
        beats_of(bus, "store")


def test_jobs_read_the_board_and_put_results_on_the_tape(guarded: Guarded) -> None:
    with guarded.bus("jobs") as bus, Beating(bus, "jobs"):
        over = threading.Event()
        assert BoardReader(bus).whole() is not None
        assert current_day(bus) == DAY
        job = Job(bus, "no.module:News", ScheduledScanner(name="news"), TapeReader(bus, DAY).head().universe)
        assert job._due() is None
        job._put(Result("news", DAY.time(0), ()), 1)
        job._keep(over, failures=0, state={"n": 1})
        assert Kept.read(bus, "news").state == {"n": 1}
        assert not switch_on(bus, "news", ["news"])
        beats_of(bus, "jobs")


def test_a_page_reads_everything_sends_probes_and_changes_of_settings(guarded: Guarded) -> None:
    with guarded.bus("serve") as bus, Beating(bus, "serve"):
        board = BoardReader(bus).whole()
        assert board is not None
        assert triggers_of(bus, board.day)
        TapeWriter(bus, DAY, "settings").settings(SettingsChange.of(hot={"top": 3}).numbered(9), at=1.0)
        assert send_probe(bus, threading.Event(), seconds=0.0).passed.keys() == {"tape"}
        beats_of(bus, "serve")
        assert backlog_of(bus).reason is None
        rows = {row.subject: row.reason for row in Look(bus).health()}
        assert rows["bus"] == "the configured server answers"
        assert "Redis" not in rows


def test_a_notebook_reads(guarded: Guarded) -> None:
    with guarded.bus("notebook") as bus:
        assert BoardReader(bus).whole() is not None
        assert current_day(bus) == DAY
        assert TapeReader(bus, DAY).head().universe.symbols == TAPE.universe.symbols
        bars(TAPE.universe.symbols[0], DAY.date, bus=bus)


FORBIDDEN = [
    ("SET", "other:x", 1),
    ("GET", "other:x"),
    ("XADD", "{other}:tape:2025-01-27", "*", "a", 1),
    ("EVAL", "return redis.call('GET', KEYS[1])", 1, "other:x"),
    ("EVAL", "return redis.call('GET', 'other:x')", 0),
    ("PUBLISH", "scanner:x", 1),
    ("SUBSCRIBE", "scanner:x"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("KEYS", "*"),
    ("RANDOMKEY",),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "ID", 1),
    ("SHUTDOWN",),
    ("MONITOR",),
    ("REPLICAOF", "10.0.0.1", 1),
    ("SAVE",),
]
TOLD = ("NOPERM", "ACL failure in script", "The user executing the script can't access")
NOT_ITS_OWN: dict[str, list[tuple[Any, ...]]] = {
    "ingest": [("HSET", "{scanner}:board", "entry", 1), ("XADD", f"{{scanner}}:scans:{DAY.date}", "*", "a", 1)],
    "engine": [
        ("XADD", f"{{scanner}}:tape:{DAY.date}", "*", "a", 1),
        ("SET", "{scanner}:today", 1),
        ("RPUSH", "scanner:bars:x:y", 1),
    ],
    "jobs": [
        ("HSET", "{scanner}:board", "entry", 1),
        ("SET", "{scanner}:today", 1),
        ("XADD", "{scanner}:asks", "*", "a", 1),
    ],
    "store": [("HSET", "{scanner}:board", "entry", 1), ("SET", "{scanner}:today", 1), ("RPUSH", "scanner:bars:x:y", 1)],
    "serve": [
        ("HSET", "{scanner}:board", "entry", 1),
        ("SET", "{scanner}:lease", 1),
        ("XADD", f"{{scanner}}:scans:{DAY.date}", "*", "a", 1),
    ],
    "notebook": [
        ("HSET", "{scanner}:beats", "x", 1),
        ("XADD", f"{{scanner}}:tape:{DAY.date}", "*", "a", 1),
        ("SCAN", 0),
    ],
}


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_do_more_than_his_work(guarded: Guarded, user: str) -> None:
    done = [command for command in FORBIDDEN + NOT_ITS_OWN[user] if not refused(guarded, user, command)]
    assert done == []


def refused(guarded: Guarded, user: str, command: tuple[Any, ...]) -> bool:
    """Whether the server says that this user may not do that; another fault is none of permission, and raised."""
    try:
        guarded.try_as(user, *command)
    except redis.ResponseError as fault:
        if not isinstance(fault, redis.exceptions.NoPermissionError) and not any(one in str(fault) for one in TOLD):
            raise
        return True
    return False


def answer_all(questions: Questions, over: threading.Event) -> None:
    """Answer every question with a refusal."""

    def refuse() -> Any:
        raise InvalidInput("no such symbol")

    while not over.is_set():
        for question in questions.read():
            questions.answer(question, refuse)


def beats_of(bus: Bus, role: str) -> None:
    """Wait for a beat of a role."""
    known: Callable[[], bool] = lambda: any(beat.role == role for beat in read_beats(bus))  # noqa: E731
    end = time.monotonic() + 10
    while not known():
        assert time.monotonic() < end, f"no beat of {role}"
        time.sleep(0.05)
