"""Reading what was published: a reader has exactly what was published, whatever it missed."""

import datetime as dt
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from buses import any_program, private_server
from published import DAY, leading, step, trigger

from scanner_kit.bus.board import BoardReader, triggers_of
from scanner_kit.bus.connection import Bus, connect, persist
from scanner_kit.bus.steps import Step

NEXT = DAY.replace(day=28)


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def told(one: Step) -> tuple[int, dict[str, dict[str, float]], list[str]]:
    """A step in short: its minute, its lists, and of whom something fired."""
    lists = {name: {symbol: dict(its)["score"] for symbol, its in p.rows} for name, p in one.lists.items()}
    return one.k, lists, [trigger.symbol for trigger in one.fired]


def test_the_board_is_read_whole_and_then_step_by_step(any_bus: Bus, over: threading.Event) -> None:
    publisher, reader = leading(any_bus), BoardReader(any_bus)
    assert reader.whole() is None
    publisher.publish(step(0, {"winners": {"A": 1.0}, "losers": {}}, fired="A B"))
    steps = reader.follow(over)
    first = next(steps)
    assert told(first) == (0, {"winners": {"A": 1.0}, "losers": {}}, ["A", "B"])
    assert first.whole
    publisher.publish(step(1, {"winners": {"B": 2.0, "A": 1.0}, "losers": {}}, fired="B"))
    publisher.publish(step(2, {"winners": {"A": 3.0}, "mine": {"C": 1.0}}, forming=True))
    following = [next(steps), next(steps)]
    assert [told(one) for one in following] == [
        (1, {"winners": {"B": 2.0, "A": 1.0}, "losers": {}}, ["B"]),
        (2, {"winners": {"A": 3.0}, "mine": {"C": 1.0}}, []),
    ]
    assert [(one.n, one.forming, one.whole) for one in following] == [(2, False, False), (3, True, False)]
    last = reader.whole()
    assert last is not None
    assert {name: its.seq for name, its in last.lists.items()} == {n: i.seq for n, i in following[1].lists.items()}


def test_a_step_is_read_as_it_was_published(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    given = step(1, {"winners": {"A": 1.5}}, fired="A", due=-7.0)
    publisher.publish(given)
    read = next(steps)
    same = ("day", "entry", "k", "time", "session", "forming", "version", "due", "probes")
    assert [getattr(read, name) for name in same] == [getattr(given, name) for name in same]
    assert [(repr(one.trigger), one.late) for one in read.triggers] == [(repr(trigger("A", 1)), 7.0)]


def test_a_reader_that_missed_steps_takes_the_whole(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    for k in range(1, 6):
        publisher.publish(step(k, fired="A"))
    any_bus.redis.xtrim(any_bus.keys.scans(DAY), maxlen=2, approximate=False)
    caught_up = next(steps)
    assert caught_up.whole
    assert told(caught_up) == (5, {"winners": {"NVDA": 5.0}}, ["A", "A"]), "of the triggers, what the stream still has"
    publisher.publish(step(6))
    assert next(steps).k == 6


def test_a_reader_follows_into_the_next_day_without_missing_a_step(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    publisher.publish(step(1, fired="A"))
    for k in range(3):
        publisher.publish(step(k, day=NEXT, fired="B"))
    read = [next(steps) for _ in range(4)]
    assert [(one.day, one.k, one.whole) for one in read] == [(DAY, 1, False), *((NEXT, k, False) for k in range(3))]


def test_a_reader_that_slept_over_a_day_takes_the_whole(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    for day in (NEXT, NEXT + dt.timedelta(days=1)):
        publisher.publish(step(0, day=day, fired="A"))
    read = next(steps)
    assert (read.day.day, read.whole, told(read)[2]) == (29, True, ["A"])


def test_a_reader_of_a_bus_that_lost_everything_takes_the_whole(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    for k in range(3):
        publisher.publish(step(k))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    any_bus.redis.delete(any_bus.keys.board, any_bus.keys.scans(DAY), any_bus.keys.lease)
    leading(any_bus).publish(step(7))
    read = next(steps)
    assert (read.k, read.n, read.whole) == (7, 1, True)


def test_a_reader_waits_for_the_first_step(any_bus: Bus, over: threading.Event) -> None:
    steps, found = BoardReader(any_bus).follow(over), list[Step]()
    reader = threading.Thread(target=lambda: found.append(next(steps)))
    reader.start()
    leading(any_bus).publish(step(0))
    reader.join(10)
    assert [one.k for one in found] == [0]


def test_a_reader_ends_when_it_is_told(any_bus: Bus, over: threading.Event) -> None:
    leading(any_bus).publish(step(0))
    steps = BoardReader(any_bus).follow(over)
    next(steps)
    over.set()
    assert list(steps) == []


def test_every_reader_has_every_step_at_its_own_pace(any_bus: Bus, over: threading.Event) -> None:
    publisher = leading(any_bus)
    publisher.publish(step(0))
    readers = [BoardReader(any_bus).follow(over) for _ in range(3)]
    for one in readers:
        next(one)
    for k in range(1, 200):
        publisher.publish(step(k))
    assert [[next(one).k for _ in range(199)] for one in readers] == [list(range(1, 200))] * 3


def test_a_reader_outlives_the_server(tmp_path: Path, over: threading.Event) -> None:
    with private_server(tmp_path, any_program()) as url, connect(url) as bus:
        publisher = leading(bus)
        publisher.publish(step(0))
        steps = BoardReader(bus).follow(over)
        next(steps)
        os.kill(bus.redis.info("server")["process_id"], signal.SIGKILL)
        persist(lambda: publisher.publish(step(1)), over)
        read = next(steps)
        assert (read.k, read.whole) == (1, False)


def test_the_triggers_of_a_day_are_read_in_order(any_bus: Bus) -> None:
    publisher = leading(any_bus)
    for k in range(150):
        publisher.publish(step(k, fired="A B" if k % 2 else ""))
    assert [(one.trigger.k, one.trigger.symbol) for one in triggers_of(any_bus, DAY)] == [
        (k, symbol) for k in range(1, 150, 2) for symbol in "AB"
    ]
    assert triggers_of(any_bus, "2025-01-28") == []
