"""Publishing: every step once and in order, whoever stalls, dies, or does not hear the answer."""

import itertools
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
from buses import any_program, private_server
from hypothesis import given
from hypothesis import strategies as st
from published import DAY, leading, step

from scanner_kit.bus.connection import Bus, connect, persist
from scanner_kit.bus.lease import Lease
from scanner_kit.bus.plain import unpacked
from scanner_kit.bus.publishing import LATE_SECONDS, Answer, Publisher, announced
from scanner_kit.bus.steps import News, Stand
from scanner_kit.ranking import Published


def stream(bus: Bus, day: Any = DAY) -> list[dict[str, Any]]:
    """What stands on a day's stream: of each entry its minute, its number, its changes and triggers."""
    entries: Any = bus.redis.xrange(bus.keys.scans(day))
    plain = ("changes", "triggers", "n", "k")
    return [{name: json.loads(fields[name.encode()]) for name in plain} for _, fields in entries]


def sequences(bus: Bus) -> list[int]:
    """The sequence numbers of the changes of `winners`, in order."""
    return [change[1] for entry in stream(bus) for change in entry["changes"] if change[0] == "winners"]


def pause(publisher: Publisher) -> None:
    """What happens to the lease of a process that is stopped for longer than it lasts."""
    publisher.bus.redis.pexpire(publisher.bus.keys.lease, 0)


def test_steps_are_published_in_order_and_numbered(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    assert [publisher.publish(step(k)) for k in range(3)] == [Answer.OK] * 3
    assert [(entry["k"], entry["n"]) for entry in stream(any_bus)] == [(0, 1), (1, 2), (2, 3)]
    assert any_bus.redis.hget(any_bus.keys.board, "entry") == b"2025-01-27 1002-0"


def test_a_stalled_leader_is_refused_after_another_took_over(any_bus: Bus) -> None:
    stalled = leading(any_bus)
    stalled.publish(step(0))
    pause(stalled)
    following = leading(any_bus)
    assert following.publish(step(1)) is Answer.OK
    assert stalled.publish(step(1)) is Answer.FENCED
    assert stalled.publish(step(2)) is Answer.FENCED
    assert following.publish(step(2)) is Answer.OK
    assert [entry["k"] for entry in stream(any_bus)] == [0, 1, 2]


def test_a_leader_whose_lease_ended_is_refused_though_nobody_took_over(any_bus: Bus) -> None:
    stalled = leading(any_bus)
    pause(stalled)
    assert stalled.publish(step(0)) is Answer.FENCED
    assert stalled.lease.hold()
    stalled.take_over()
    assert stalled.publish(step(0)) is Answer.OK


def test_a_call_made_again_after_a_lost_answer_changes_nothing(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    before, stood = publisher.place, publisher._stand
    publisher.publish(step(1, fired="NVDA"))
    board = any_bus.redis.hgetall(any_bus.keys.board)
    publisher.place, publisher._stand = before, stood  # as if the answer had not come
    assert publisher.publish(step(1, fired="NVDA")) is Answer.DUP
    assert any_bus.redis.hgetall(any_bus.keys.board) == board
    assert publisher.publish(step(2)) is Answer.OK
    assert [entry["k"] for entry in stream(any_bus)] == [0, 1, 2]
    assert sequences(any_bus) == [1, 2, 3]


def test_nothing_is_published_where_the_board_stands_elsewhere(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    any_bus.redis.hset(any_bus.keys.board, "entry", "2025-01-27 9-9")
    assert publisher.publish(step(1)) is Answer.MOVED
    assert len(stream(any_bus)) == 1


def test_sequence_numbers_go_on_over_restarts_and_days(any_bus: Bus) -> None:
    days = [DAY, DAY, DAY.replace(day=28)]
    for n, day in enumerate(days):
        publisher = leading(any_bus)
        publisher.publish(step(n, {"winners": {"NVDA": float(n), "AAPL": 0.5}}, day=day))
        publisher.lease.give_back()
    assert sequences(any_bus) == [1, 2, 3]
    last = stream(any_bus, days[-1])[0]
    assert last["n"] == 3
    assert last["changes"][0][:4] == ["winners", 4, "updated", "NVDA"]


def test_a_list_that_no_scanner_makes_any_more_keeps_its_number(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0, {"mine": {"NVDA": 1.0}}))
    publisher.publish(step(1, {"winners": {}}))
    publisher.publish(step(2, {"mine": {"NVDA": 1.0}}))
    changes = [change[:4] for entry in stream(any_bus) for change in entry["changes"]]
    assert changes == [["mine", 1, "added", "NVDA"], ["mine", 2, "removed", "NVDA"], ["mine", 3, "added", "NVDA"]]


def test_a_closed_step_carries_every_list_whole_and_a_forming_one_does_not(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0, {"winners": {"NVDA": 1.0}, "losers": {}}))
    publisher.publish(step(1, {"winners": {"NVDA": 1.0}, "losers": {}}, forming=True))
    entries: Any = any_bus.redis.xrange(any_bus.keys.scans(DAY))
    closed, forming = (fields for _, fields in entries)
    assert unpacked(closed[b"lists"]) == {
        "winners": {"seq": 1, "rows": [["NVDA", {"score": 1.0}]]},
        "losers": {"seq": 0, "rows": []},
    }
    assert b"lists" not in forming


def test_the_day_s_stream_expires(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    first = any_bus.redis.ttl(any_bus.keys.scans(DAY))
    assert 47 * 3600 < first <= 48 * 3600
    any_bus.redis.expire(any_bus.keys.scans(DAY), 100)
    publisher.publish(step(1))
    assert any_bus.redis.ttl(any_bus.keys.scans(DAY)) <= 100, "48 h after it was made, not after it was written"


@pytest.mark.parametrize(("behind", "late"), [(LATE_SECONDS, 0.0), (61.25, 61.2), (-3.0, 0.0)])
def test_what_is_announced_late_says_so(behind: float, late: float) -> None:
    (told,) = announced(step(5, fired="NVDA", due=100.0), now=100.0 + behind).triggers
    assert told.late == late


ROWS = st.dictionaries(st.sampled_from("ABCDE"), st.floats(0, 9), max_size=5)
LISTS = st.dictionaries(st.sampled_from(["winners", "losers", "mine"]), ROWS, max_size=3)


@given(st.lists(LISTS, min_size=1, max_size=5))
def test_after_any_news_the_lists_are_those_that_were_wanted(versions: list[dict[str, dict[str, float]]]) -> None:
    stand = Stand()
    for lists in versions:
        wanted = step(0, lists).lists
        news = News.of(stand, wanted)
        for name, its in itertools.groupby(news.changes, key=lambda change: change.name):
            stood = stand.lists.get(name) or Published(name, 0, ())
            assert [change.seq - stood.seq for change in its] == list(
                range(1, news.after.lists[name].seq - stood.seq + 1)
            )
        stand = news.after
        shown = {name: found.symbols for name, found in stand.lists.items() if name not in stand.gone}
        assert shown == {name: found.symbols for name, found in wanted.items()}


class Cut:
    """A script whose answer is lost after it was carried out."""

    def __init__(self, script: Any) -> None:
        self.script, self.lost = script, False

    def __call__(self, **given: Any) -> Any:
        answer = self.script(**given)
        if not self.lost:
            self.lost = True
            raise redis.ConnectionError("the answer was lost")
        return answer


@given(st.lists(st.sampled_from(["publish", "lose", "pause", "restart", "swap"]), max_size=25))
def test_whatever_happens_to_two_publishers_every_step_stands_once_and_in_order(happens: list[str]) -> None:
    bus = Whatever.bus
    assert bus is not None
    bus.redis.flushall()
    pair = [Publisher(bus, Lease(bus, seconds=60)) for _ in range(2)]
    steps = [step(k, {"winners": {"AB"[k % 2]: float(k)}}, fired="A") for k in range(30)]
    at, places = 0, [one.place for one in steps]
    for what in happens:
        one = pair[at]
        match what:
            case "pause":
                pause(one)
            case "restart":
                pair[at] = Publisher(bus, Lease(bus, seconds=60))
            case "swap":
                at = 1 - at
            case _:
                held = one.lease.number
                if not one.lease.hold():
                    continue
                if one.lease.number != held:
                    one.take_over()
                following = steps[places.index(one.place) + 1 if one.place else 0]
                plain = one._publish
                one._publish = Cut(plain) if what == "lose" else plain
                try:
                    one.publish(following)
                except redis.ConnectionError:
                    assert one.publish(following) is Answer.DUP
                one._publish = plain
    ks = [entry["k"] for entry in stream(bus)]
    assert ks == list(range(len(ks)))
    seqs = sequences(bus)
    assert seqs == list(range(1, len(seqs) + 1))


class Whatever:
    """The bus of the property: made once, for Hypothesis makes the test's own arguments."""

    bus: Bus | None = None


@pytest.fixture(autouse=True, scope="module")
def _a_server_of_the_property(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with private_server(tmp_path_factory.mktemp("own"), any_program()) as url, connect(url) as bus:
        Whatever.bus = bus
        yield


def test_what_was_published_stands_after_the_server_was_killed(tmp_path: Path) -> None:
    with private_server(tmp_path, any_program()) as url, connect(url) as bus:
        publisher = leading(bus)
        for k in range(20):
            publisher.publish(step(k, fired="NVDA"))
        os.kill(bus.redis.info("server")["process_id"], signal.SIGKILL)
        persist(bus.redis.ping, threading.Event())
        assert [entry["k"] for entry in stream(bus)] == list(range(20))
        assert publisher.publish(step(20)) is Answer.OK
        assert sequences(bus) == list(range(1, 22))
