"""The store's process over a real bus: nothing lost, nothing twice, through whatever dies; what fails it is named."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from published import DAY, leading, step
from sqlalchemy import text
from unreliable import Killable, Lossy

from scanner_kit.bus.beats import read_beats
from scanner_kit.bus.connection import Bus, persist
from scanner_kit.bus.heads import Head, Pace
from scanner_kit.bus.plain import plain_list
from scanner_kit.bus.publishing import Answer, Publisher
from scanner_kit.bus.steps import Step
from scanner_kit.bus.tape import TapeWriter, set_current_day
from scanner_kit.calendar import TradingDay
from scanner_kit.live import storing
from scanner_kit.live.storing import GROUP, Keeper, keep
from scanner_kit.store import Filter, Progress, Store, open_store
from scanner_kit.universe import Universe

TODAY = TradingDay.of(DAY)
NEXT = TradingDay.after(DAY)
NOW = time.monotonic


@contextmanager
def at_work(bus: Bus, address: str, **more: Any) -> Iterator[Keeper]:
    """The store's process, as a thread of this one, until the block ends."""
    over = threading.Event()
    keeper = Keeper(bus, address, over, **{"keep_days": None, **more})
    thread = threading.Thread(target=keeper.run)
    thread.start()
    try:
        yield keeper
    finally:
        over.set()
        thread.join(30)
        assert not thread.is_alive()


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something holds, and give it."""
    end = NOW() + seconds
    while not (found := what()):
        assert NOW() < end, "it did not come to hold"
        time.sleep(0.02)
    return found


def publish(publisher: Publisher, *steps: Step) -> None:
    """Publish them, through whatever becomes of the bus meanwhile."""
    for one in steps:
        answer = persist(partial(publisher.publish, one), threading.Event())
        assert answer in (Answer.OK, Answer.DUP)


def steps(first: int, last: int, **more: Any) -> list[Step]:
    """A step a minute, with two triggers each."""
    return [step(k, {"winners": {"NVDA": float(k), "AAPL": 1.0}}, "NVDA AAPL", **more) for k in range(first, last)]


def pending(bus: Bus) -> int:
    return int(bus.redis.xpending(bus.keys.scans(DAY), GROUP)["pending"])


def whole(store: Store, ks: range, day: Any = DAY) -> bool:
    """Whether the store has everything of these minutes, and nothing twice."""
    rows = store.page(Filter(days=[day]), "oldest", size=10_000).rows
    return store.minutes(day) == list(ks) and [row["k"] for row in rows] == sorted([*ks, *ks])


@pytest.fixture
def store(store_address: str) -> Iterator[Store]:
    with open_store(store_address) as store:
        yield store


def test_what_is_published_is_stored_as_it_was(a_bus: Bus, store_address: str, store: Store) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    early = steps(0, 5)
    publish(publisher, *early)
    with at_work(a_bus, store_address) as keeper:
        until(lambda: whole(store, range(5)))
        publish(publisher, step(5, fired="TSLA", forming=True), *steps(5, 10))
        until(lambda: store.minutes(DAY) == list(range(10)))
        assert len(store.page(Filter(symbols=["TSLA"])).rows) == 1
        until(lambda: pending(a_bus) == 0)
        assert keeper.facts()["figures"] == {"steps": 11, "triggers": 21, "lost": 0, "unreadable": 0}
    board = store.board_at(DAY, 3)
    assert board is not None
    assert board.lists == {name: plain_list(list_) for name, list_ in early[3].lists.items()} | {
        "winners": {"seq": board.lists["winners"]["seq"], "rows": plain_list(early[3].lists["winners"])["rows"]}
    }
    assert (board.entry, board.time) == (early[3].entry, early[3].time)
    (row,) = store.page(Filter(symbols=["TSLA"])).rows
    assert (row["entry"], row["late"], row["version"]) == ("1005-1", 0.0, 0)


def test_a_day_that_was_not_read_to_its_end_is_read_too(a_bus: Bus, store_address: str, store: Store) -> None:
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 5), *steps(0, 3, day=NEXT.date))
    set_current_day(a_bus, NEXT)
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(5)) and whole(store, range(3), NEXT.date))


def test_a_batch_that_was_written_and_not_acknowledged_changes_nothing(
    a_bus: Bus, store_address: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "_acknowledge", lambda *_: None)
        with at_work(a_bus, store_address):
            until(lambda: whole(store, range(5)))
    assert pending(a_bus) == 5
    with at_work(a_bus, store_address) as keeper:
        until(lambda: pending(a_bus) == 0)
        assert keeper.facts()["figures"]["triggers"] == 0
    assert whole(store, range(5))


def test_what_was_taken_and_never_written_is_written_by_the_next(a_bus: Bus, store_address: str, store: Store) -> None:
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    key = a_bus.keys.scans(DAY)
    a_bus.redis.xgroup_create(key, GROUP, id="0")
    a_bus.redis.xreadgroup(GROUP, storing.CONSUMER, {key: ">"}, count=3)
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(5)))


def test_what_another_consumer_left_lying_is_claimed(
    a_bus: Bus, store_address: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "IDLE_MS", 1)
    monkeypatch.setattr(storing, "CLAIM_SECONDS", 0.1)
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    key = a_bus.keys.scans(DAY)
    a_bus.redis.xgroup_create(key, GROUP, id="0")
    a_bus.redis.xreadgroup(GROUP, "dead", {key: ">"}, count=3)
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(5)) and pending(a_bus) == 0)


def test_of_two_writers_one_stands_by_and_takes_over_at_once_with_what_the_other_was_given(
    a_bus: Bus, store_address: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    with at_work(a_bus, store_address) as first:
        until(lambda: first.state == "running")
        with at_work(a_bus, store_address) as second:
            publish(publisher, *steps(0, 5))
            until(lambda: whole(store, range(5)) and pending(a_bus) == 0)
            assert (second.state, second.facts()["figures"]["steps"]) == ("standby", 0)
            with monkeypatch.context() as patch:
                patch.setattr(first, "_put", lambda *_: None)  # it dies with what it was given
                publish(publisher, *steps(5, 8))
                until(lambda: pending(a_bus) == 3)
                first.over.set()
                until(lambda: second.state == "running")
            publish(publisher, *steps(8, 12))
            until(lambda: whole(store, range(12)) and pending(a_bus) == 0)


def test_of_two_processes_one_writes_and_the_other_goes_on_when_it_is_killed(
    a_bus: Bus, bus_url: str, store_address: str, store: Store, tmp_path: Path
) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    said = {"REDIS_URL": bus_url, "PREFIX": a_bus.keys.prefix, "STORE_URL": store_address, "STATE": str(tmp_path)}
    environment = {**os.environ, **{f"SCANNER_KIT_{name}": value for name, value in said.items()}}
    command = [sys.executable, "-m", "scanner_kit", "store"]

    def states() -> dict[str, int]:
        return {beat.state: beat.pid for beat in read_beats(a_bus)}

    with ExitStack() as stack:
        writers = [stack.enter_context(subprocess.Popen(command, env=environment)) for _ in range(2)]
        for writer in writers:
            stack.callback(writer.kill)
        until(lambda: states().keys() == {"running", "standby"}, 120)
        other = states()["standby"]
        publish(publisher, *steps(0, 20))
        until(lambda: len(store.minutes(DAY)) > 0)
        os.kill(states()["running"], signal.SIGKILL)
        publish(publisher, *steps(20, 40))
        until(lambda: whole(store, range(40)) and pending(a_bus) == 0, 60)
        until(lambda: any((beat.pid, beat.state) == (other, "running") for beat in read_beats(a_bus)))


def test_a_bus_that_lost_everything_is_read_from_its_new_beginning(
    a_bus: Bus, store_address: str, store: Store
) -> None:
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(5)))
        a_bus.redis.delete(a_bus.keys.scans(DAY), a_bus.keys.board, a_bus.keys.lease)
        publish(leading(a_bus), *steps(0, 8))
        until(lambda: whole(store, range(8)))


def test_a_group_that_is_gone_is_made_again_where_the_store_stands(
    a_bus: Bus, store_address: str, store: Store
) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 5))
    with at_work(a_bus, store_address) as keeper:
        until(lambda: whole(store, range(5)) and pending(a_bus) == 0)
        a_bus.redis.xgroup_destroy(a_bus.keys.scans(DAY), GROUP)
        publish(publisher, *steps(5, 8))
        until(lambda: whole(store, range(8)))
        assert keeper.facts()["figures"]["steps"] == 8


def test_another_store_has_the_day_from_its_beginning(a_bus: Bus, tmp_path: Path) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    for first, last in (0, 5), (5, 8):
        publish(publisher, *steps(first, last))
        with open_store(tmp_path / f"{last}.db") as store, at_work(a_bus, str(store.url)):
            until(lambda: whole(store, range(last)))  # noqa: B023  called at once


def test_a_day_far_from_today_is_read_too(a_bus: Bus, store_address: str, store: Store) -> None:
    publish(leading(a_bus), *steps(0, 5))
    set_current_day(a_bus, TradingDay.of("2025-06-03"))
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(5)))


def played(bus: Bus, *symbols: str) -> None:
    """Begin the tape of a day that is played, in place of the one that was."""
    bus.redis.delete(bus.keys.tape(DAY), bus.keys.writers(DAY), bus.keys.scans(DAY), bus.keys.board, bus.keys.lease)
    TapeWriter(bus, TODAY).open(Head(Universe.of(TODAY, symbols), pace=Pace(time.time(), 60.0, 0)))


def test_a_day_that_is_played_anew_takes_the_place_of_the_one_before(
    a_bus: Bus, store_address: str, store: Store
) -> None:
    set_current_day(a_bus, TODAY)
    for first, last in (0, 5), (2, 4):
        played(a_bus, "AAPL", "NVDA")
        publish(leading(a_bus), *steps(first, last))
        with at_work(a_bus, store_address):
            until(lambda: whole(store, range(first, last)))  # noqa: B023  called at once
    assert [row["detail"] for row in store.audit.page(what="replaced").rows] == [{"day": "2025-01-27"}]
    with at_work(a_bus, store_address):  # nor is it replaced again
        time.sleep(0.5)
        assert whole(store, range(2, 4))


def test_a_day_that_another_desk_has_stored_is_left_to_it_and_said(
    a_bus: Bus, store_address: str, store: Store
) -> None:
    store.write([], [], Progress(GROUP, "{other}:scans:2025-01-27", "5-0"))
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    with at_work(a_bus, store_address) as keeper:
        faults = until(lambda: keeper.facts()["faults"])
        assert "A store has each day from one desk; found 2025-01-27 from {other}." in faults[0].reason
        assert store.minutes(DAY) == []


def test_an_answer_that_was_lost_loses_no_step(tmp_path: Path, store_address: str, store: Store) -> None:
    server = Killable(tmp_path)
    line = Lossy(server.socket, tmp_path)
    try:
        set_current_day(line.bus, TODAY)
        publisher = leading(line.bus)
        with at_work(line.bus, store_address):
            for k in range(12):
                publish(publisher, *steps(k, k + 1))
                line.lose_answers = k % 3 == 0
                until(lambda k=k: whole(store, range(k + 1)))  # type: ignore[misc]
        assert line.lost >= 3
    finally:
        line.close()
        server.close()


def test_a_bus_that_dies_and_comes_back_loses_no_step(tmp_path: Path, store_address: str, store: Store) -> None:
    server = Killable(tmp_path)
    try:
        set_current_day(server.bus, TODAY)
        publisher = leading(server.bus)
        publish(publisher, *steps(0, 3))
        with at_work(server.bus, store_address):
            until(lambda: whole(store, range(3)))
            time.sleep(1.2)  # its file is written once a second
            server.kill()
            server.start()
            publish(publisher, *steps(3, 6))
            until(lambda: whole(store, range(6)))
    finally:
        server.close()


def test_a_trimmed_entry_is_counted_and_the_work_goes_on(a_bus: Bus, store_address: str, store: Store) -> None:
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), *steps(0, 5))
    key = a_bus.keys.scans(DAY)
    a_bus.redis.xgroup_create(key, GROUP, id="0")
    a_bus.redis.xreadgroup(GROUP, storing.CONSUMER, {key: ">"}, count=3)
    a_bus.redis.xtrim(key, maxlen=3, approximate=False)
    with at_work(a_bus, store_address) as keeper:
        until(lambda: whole(store, range(2, 5)) and pending(a_bus) == 0)
        assert keeper.facts()["figures"]["lost"] == 2


def test_an_entry_that_cannot_be_read_is_in_the_audit_and_stops_nothing(
    a_bus: Bus, store_address: str, store: Store
) -> None:
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 2))
    wrong = {"entry": "9-9", "k": 2, "time": "2025-01-27T10:00:00+00:00", "triggers": '[{"symbol": "NVDA"}]'}
    a_bus.redis.xadd(a_bus.keys.scans(DAY), wrong)  # type: ignore[arg-type]
    a_bus.redis.xadd(a_bus.keys.scans(DAY), {"other": "fields"})
    publish(publisher, *steps(2, 4))
    with at_work(a_bus, store_address) as keeper:
        until(lambda: whole(store, range(4)) and pending(a_bus) == 0)
        assert keeper.facts()["figures"]["unreadable"] == 2
    found = store.audit.page(who="store", what="unreadable").rows
    assert len(found) == 2
    assert "without day, distance, k" in found[1]["detail"]["fault"]


def test_a_store_that_is_locked_is_named_until_it_takes_the_batch(
    a_bus: Bus, store_address: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner_kit.store.connection.WAIT_SECONDS", 0.2)
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 2))
    with at_work(a_bus, store_address) as keeper:
        until(lambda: whole(store, range(2)))
        with store.database.writing():
            publish(publisher, *steps(2, 4))
            (trouble,) = until(lambda: keeper.facts()["faults"])
            assert trouble.resource == "store"
            assert "is locked by another process" in trouble.reason
        until(lambda: whole(store, range(4)) and not keeper.facts()["faults"])


def test_a_full_disk_is_named_until_there_is_room(a_bus: Bus, tmp_path: Path) -> None:
    address = str(tmp_path / "store.sqlite")
    set_current_day(a_bus, TODAY)
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 2))
    with open_store(address) as store, at_work(a_bus, address) as keeper:
        until(lambda: whole(store, range(2)))
        limit_pages(keeper.store, 1)
        publish(publisher, *steps(2, 300))
        (trouble,) = until(lambda: keeper.facts()["faults"])
        assert "is full" in trouble.reason
        limit_pages(keeper.store, 1_000_000)
        until(lambda: whole(store, range(300)) and not keeper.facts()["faults"])


def limit_pages(store: Store, more: int) -> None:
    """Let the file of a store grow by so many pages, by each connection that writes to it."""
    with store.database.writer.connect() as connection:
        connection.execute(text(f"PRAGMA max_page_count={more}"))


def test_a_store_that_is_not_there_yet_is_waited_for_and_named(a_bus: Bus, tmp_path: Path) -> None:
    (tmp_path / "place").touch()
    address, over = f"sqlite:///{tmp_path / 'place' / 'store.sqlite'}", threading.Event()
    thread = threading.Thread(target=keep, args=(a_bus, address, over))
    thread.start()
    try:
        (trouble,) = until(lambda: [trouble for beat in read_beats(a_bus) for trouble in beat.faults])
        assert trouble.resource == "store"
        assert "cannot be used" in trouble.reason
        (tmp_path / "place").unlink()
        (beat,) = until(lambda: [one for one in read_beats(a_bus) if one.state == "running" and not one.faults])
        assert beat.role == "store"
    finally:
        over.set()
        thread.join(30)
    assert [beat.state for beat in read_beats(a_bus)] == ["stopped"]


def test_a_probe_that_is_stored_says_when(a_bus: Bus, store_address: str, store: Store) -> None:
    set_current_day(a_bus, TODAY)
    publish(leading(a_bus), replace(step(0), probes=("p1",)))
    with at_work(a_bus, store_address):
        until(lambda: a_bus.redis.hexists(a_bus.keys.probe("p1"), "store"))
    passed: Any = a_bus.redis.hget(a_bus.keys.probe("p1"), "store")
    assert float(passed) == pytest.approx(time.time(), abs=60)
    assert a_bus.redis.ttl(a_bus.keys.probe("p1")) > 0


def test_old_days_are_pruned_beside_the_work(a_bus: Bus, store_address: str, store: Store) -> None:
    publisher = leading(a_bus)
    publish(publisher, *steps(0, 5), *steps(0, 3, day=NEXT.date))
    set_current_day(a_bus, NEXT)
    with at_work(a_bus, store_address):
        until(lambda: whole(store, range(3), NEXT.date))
    with at_work(a_bus, store_address, keep_days=1):
        until(lambda: store.days() == [NEXT.date])
    assert whole(store, range(3), NEXT.date)
