"""The live board: what the engine publishes on the bus is on the screens of this process, once and as it was said."""

import datetime as dt
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published import DAY, leading, step

import scanner_kit as sk
from scanner_kit.bus.beats import Beating
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.lease import Lease
from scanner_kit.bus.plain import Announced
from scanner_kit.bus.publishing import Publisher
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.health import Health, State
from scanner_kit.live.pages import cell
from scanner_kit.live.pages.board import BusBoard
from scanner_kit.ranking import Published
from scanner_kit.scanners import HodBreak
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.store import Version
from scanner_kit.store.versions import BEGINNING
from scanner_kit.views.drawer import Drawer
from scanner_kit.views.feed import Feed, follow


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def publisher(a_bus: Bus) -> Publisher:
    return leading(a_bus)


@pytest.fixture
def board(a_bus: Bus) -> Iterator[BusBoard]:
    with BusBoard(a_bus) as board:
        yield board


def lists(board: BusBoard) -> Any:
    return {name: [symbol for symbol, _ in rows] for name, rows in board.state("lists").get("lists", {}).items()}


def lines(board: BusBoard) -> list[dict[str, Any]]:
    return list(board.state("triggers").get("lines", {}).values())


def clock(board: BusBoard) -> dict[str, Any]:
    return dict(board.state("status").get("clock", {}))


def test_what_is_published_is_on_the_board(publisher: Publisher, board: BusBoard) -> None:
    publisher.publish(step(0, {"winners": {"A": 5.0, "B": 4.0}, "hot": {"A": 9.0}}, fired="A"))
    until(lambda: lists(board) == {"winners": ["A", "B"]})
    assert [symbol for symbol, _ in board.state("hot")["lists"]["hot"]] == ["A"]
    publisher.publish(step(1, {"winners": {"B": 4.0}, "hot": {}}, fired="B"))
    until(lambda: lists(board) == {"winners": ["B"]})
    assert [line["symbol"] for line in lines(board)] == ["A", "B"]
    assert clock(board)["k"] == 1


def test_who_comes_later_has_the_triggers_of_the_day(a_bus: Bus, publisher: Publisher) -> None:
    for k, symbol in enumerate("ABC"):
        publisher.publish(step(k, fired=symbol))
    with BusBoard(a_bus) as board:
        until(lambda: len(lines(board)) == 3)
        assert [line["symbol"] for line in lines(board)] == ["A", "B", "C"]


def test_another_day_begins_without_the_triggers_of_the_last(publisher: Publisher, board: BusBoard) -> None:
    publisher.publish(step(0, fired="A"))
    until(lambda: lines(board))
    publisher.publish(step(0, fired="B", day=DAY.replace(day=28)))
    until(lambda: [line["symbol"] for line in lines(board)] == ["B"])


def test_what_was_said_late_says_so_and_what_fired_within_the_minute_too(a_bus: Bus, board: BusBoard) -> None:
    publisher = Publisher(a_bus, Lease(a_bus, seconds=60.0), clock=lambda: 1000.0)
    assert publisher.lease.hold()
    publisher.take_over()
    publisher.publish(step(0, fired="A", due=246.0))
    made = step(1, fired="B", due=1000.0)
    within = replace(made.triggers[0].trigger, intrabar=True)
    publisher.publish(replace(made, triggers=(Announced(within, 1),)))
    until(lambda: len(lines(board)) == 2)
    assert [[word for word, _ in line["marks"]] for line in lines(board)] == [["late 13 min"], ["intrabar"]]


def test_the_minute_so_far_is_shown_as_such(publisher: Publisher, board: BusBoard) -> None:
    publisher.publish(step(0))
    publisher.publish(step(1, {"winners": {"A": 1.0}}, forming=True))
    until(lambda: clock(board).get("forming"))
    assert lists(board) == {"winners": ["A"]}


def test_changes_that_were_missed_are_made_up_for(a_bus: Bus, publisher: Publisher, board: BusBoard) -> None:
    publisher.publish(step(0, {"winners": {"A": 1.0}}))
    until(lambda: lists(board))
    a_bus.redis.xtrim(a_bus.keys.scans(DAY), maxlen=0, approximate=False)
    for k in range(1, 4):
        publisher.publish(step(k, {"winners": {f"S{k}": 1.0}}))
    a_bus.redis.xtrim(a_bus.keys.scans(DAY), maxlen=1, approximate=False)
    until(lambda: lists(board) == {"winners": ["S3"]})


def test_sparklines_are_of_the_bars_on_the_bus_and_then_of_what_is_published(
    a_bus: Bus, publisher: Publisher, board: BusBoard
) -> None:
    start = int(dt.datetime(2025, 1, 27, 9, tzinfo=dt.UTC).timestamp() * 1000)
    bars = [json.dumps([start + 60_000 * k, 1, 1, 1, 10.0 + k, 100, None]) for k in range(3)]
    a_bus.redis.rpush(a_bus.keys.bars(DAY, "A"), *bars)
    made = step(3, {"winners": {"A": 1.0}})
    figures = {"A": {"score": 1.0, "last": 20.0}}
    publisher.publish(replace(made, lists={"winners": Published.of("winners", figures)}))
    until(lambda: lists(board))
    assert board.closes is not None
    closes = board.closes(["A", "B"])
    assert closes.shape == (60, 2)
    assert closes[np.isfinite(closes[:, 0]), 0].tolist() == [10.0, 11.0, 12.0, 20.0]
    assert board.state("lists")["figures"]["A"][-1] == "047z"


def test_a_lost_bus_is_said_and_its_return_too(a_bus: Bus, board: BusBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    until(lambda: board.state("health").get("rows", {}).get("bus", [0, ""])[1] == "LIVE")

    def lost(*_: Any, **__: Any) -> Any:
        import redis

        raise redis.ConnectionError("cut")

    with monkeypatch.context() as cut:
        cut.setattr(a_bus.redis, "ping", lost)
        until(lambda: board.state("health")["rows"]["bus"][1] == "DOWN")
        assert board.state("health")["rows"]["bus"][3] == "it does not answer: cut"
    until(lambda: board.state("health")["rows"]["bus"][1] == "LIVE")


def test_health_and_beats_of_the_desk_are_on_the_board(a_bus: Bus) -> None:
    beats = [{"id": "engine:d:1", "role": "engine", "prefix": "x", "version": 3, "label": "simulated"}]
    with BusBoard(a_bus, signs=lambda: ([Health("engine", State.LIVE, "a step 1 s ago")], beats)) as board:
        until(lambda: board.state("health").get("processes"))
        assert board.state("health")["processes"]["engine:d:1"][:4] == ["engine", "", "3", "x"]
        assert board.state("status")["about"]["label"] == "simulated"


class Numbered:
    """Thresholds by version, in memory; an edit of an old version is refused."""

    def __init__(self) -> None:
        self.version, self.asked = 4, list[Any]()

    def roster(self, version: int) -> list[Any]:
        return [HodBreak(min_rvol=float(version))]

    def change(self, base: int, values: Any, who: str, why: str = "") -> Version:
        if base != self.version:
            raise InvalidInput(f"Version {self.version} came meanwhile: eve set hod_break.min_rvol at 09:31.")
        self.asked.append((values, base, who, why))
        self.version += 1
        return replace(BEGINNING, n=self.version)


def test_thresholds_in_force_follow_what_is_published_and_a_stale_edit_says_what_changed(
    a_bus: Bus, publisher: Publisher
) -> None:
    desk = Numbered()
    with BusBoard(a_bus, desk=desk) as board:
        made = step(0)
        publisher.publish(replace(made, version=4))
        until(lambda: board.settings == 4)
        assert board.scanner("hod_break").min_rvol == 4.0
        drawer = Drawer(board, Feed(board))
        drawer.open("hod_break")
        drawer.pane._handle_msg({"by": ["ann", " a quiet  day "]})
        drawer.enter("min_rvol", "2", 4)
        assert desk.asked == [({"hod_break": {"min_rvol": 2.0}}, 4, "ann", "a quiet day")]
        assert (board.settings, board.scanner("hod_break").min_rvol) == (5, 5.0)
        with pytest.raises(InvalidInput, match="eve set hod_break"):
            board.change("hod_break", {"min_rvol": 2.5}, base=4, who="ann")
        publisher.publish(replace(step(1), version=4))  # a step that was made before
        until(lambda: board.step == 2)
        assert board.settings == 5


class Answering:
    """An engine that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = list[str]()

    def why(self, symbol: str, k: int | None = None) -> list[dict[str, Any]]:
        self.asked.append(symbol)
        return []

    def history(self, symbol: str) -> dict[str, Any]:
        raise InvalidInput(f"No symbol {symbol!r}.")


def test_the_engine_is_asked_once_for_all_who_look_at_a_symbol(a_bus: Bus, publisher: Publisher) -> None:
    engine = Answering()
    with BusBoard(a_bus, engine=engine) as board:
        publisher.publish(step(0))
        until(lambda: board.step == 1)
        assert board.explain is not None
        for _ in range(5):
            board.explain("A")
        publisher.publish(step(1))
        until(lambda: board.step == 2)
        board.explain("A")
        assert engine.asked == ["A", "A"]


def test_a_test_trigger_is_shown_named_so_and_its_receipt_is_stamped(
    a_bus: Bus, publisher: Publisher, board: BusBoard
) -> None:
    made = step(0)
    publisher.publish(replace(made, probes=("p1",)))
    until(lambda: lines(board))
    assert [(line["symbol"], line["probe"], line["marks"][0][0]) for line in lines(board)] == [("TEST", "p1", "test")]
    board.seen("nobody sent this")
    board.seen("p1")
    until(lambda: a_bus.redis.hget(a_bus.keys.probe("p1"), "screen"))
    assert a_bus.redis.ttl(a_bus.keys.probe("p1")) > 0
    assert not a_bus.redis.exists(a_bus.keys.probe("nobody sent this"))


def test_sessions_that_end_leave_nothing_and_a_stopped_board_no_thread(a_bus: Bus) -> None:
    board = BusBoard(a_bus).start()
    feeds = [Feed(board) for _ in range(3)]
    ends = [board.attach(feed.pull) for feed in feeds]
    assert board.sessions == 3
    for end in ends:
        end()
    assert board.sessions == 0
    board.stop()
    del feeds, ends
    gc.collect()
    assert not [
        thread for thread in threading.enumerate() if thread.name in ("scanner_kit _read", "scanner_kit _watch")
    ]


def test_a_board_that_nobody_follows_any_more_ends_by_itself_and_begins_again(a_bus: Bus) -> None:
    board = BusBoard(a_bus, idle=1.0).start()
    feed = follow(board)
    until(lambda: board.state("health").get("rows"))
    assert board.runs
    del feed
    gc.collect()
    until(lambda: not board.runs, 20)
    assert board.start().runs
    board.stop()


def test_one_reader_serves_every_cell_of_a_kernel_until_it_is_closed(
    bus_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANNER_KIT_REDIS_URL", bus_url)
    monkeypatch.setenv("SCANNER_KIT_STATE", str(tmp_path))
    shown = [sk.board(), sk.board(show="health")]
    reading = [thread for thread in threading.enumerate() if thread.name == "scanner_kit _read"]
    assert len(reading) == 1
    cell.close()
    until(lambda: not reading[0].is_alive())
    assert shown
    with pytest.raises(UnknownName, match="The board can be shown as"):
        sk.board(show="lives")


def test_a_desk_runs_where_an_ingest_or_an_engine_is_at_work(a_bus: Bus, tmp_path: Path) -> None:
    live = LiveSettings(redis=a_bus.url, prefix=a_bus.keys.prefix, state=str(tmp_path))
    assert not cell.runs(Settings(live=LiveSettings(state=str(tmp_path))))
    assert not cell.runs(Settings(live=live))
    with Beating(a_bus, "engine", lambda: {"state": "leading"}):
        until(lambda: cell.runs(Settings(live=live)))
    until(lambda: not cell.runs(Settings(live=live)))
