"""The screens without a browser: what is sent, what is shown by default, and what a session leaves behind."""

import datetime as dt
import gc
import json
import logging
import math
import socket
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_board import DAY, GapScanner, Market, Row, Trigger, make_board
from hypothesis import given
from hypothesis import strategies as st
from loops import in_own_loop
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClosedError

from benchmarks.serving import serving, until
from scanner_kit import scanners
from scanner_kit.errors import InvalidInput
from scanner_kit.reason import Reason
from scanner_kit.views import Board, controls
from scanner_kit.views.chart import Chart
from scanner_kit.views.deltas import apply, difference
from scanner_kit.views.drawer import Drawer
from scanner_kit.views.feed import CHANNELS, Feed
from scanner_kit.views.lists import spark, state
from scanner_kit.views.serve import extension
from scanner_kit.views.thresholds import fields, from_text
from scanner_kit.views.triggers import add, lines, notable
from scanner_kit.views.why import explanation

SECTIONS = st.dictionaries(st.sampled_from("xyz"), st.lists(st.integers(0, 3), max_size=2))
STATES = st.dictionaries(st.sampled_from("ab"), SECTIONS)
NOON = dt.datetime(2025, 1, 27, 17, 0, tzinfo=dt.UTC)


def trigger(**changes: Any) -> Any:
    return Trigger(**{"time": NOON, "session": "REGULAR", "symbol": "NVDA", "scanner": "hod_break", **changes})


def follow(board: Board, channel: str, since: int, known: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What a browser does with a message."""
    _, text = board.message(channel, since)
    if not text:
        return since, known
    message = json.loads(text)
    assert message["since"] in (None, since)
    return message["seq"], apply({} if message["since"] is None else known, message["sections"])


def plain(state: Any) -> Any:
    return json.loads(json.dumps(state))


@given(STATES, STATES)
def test_applying_a_difference_gives_the_new_state(old: Any, new: Any) -> None:
    assert {k: v for k, v in apply(old, difference(old, new)).items() if v} == {k: v for k, v in new.items() if v}


@given(STATES)
def test_nothing_changed_is_nothing_sent(same: Any) -> None:
    assert difference(same, same) == {}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_reader_of_changes_and_a_reader_of_the_whole_see_the_same(channel: str) -> None:
    market = Market(symbols=30, k=360)
    board = make_board(market)
    since, known = follow(board, channel, 0, {})
    for _ in range(8):
        market.step()
        board.publish(market.scan())
        since, known = follow(board, channel, since, known)
        assert known == follow(board, channel, -1, {})[1] == plain(board.state(channel))


def test_a_reader_who_missed_a_step_gets_the_whole() -> None:
    market = Market(symbols=30, k=360)
    board = make_board(market)
    since, _ = follow(board, "lists", 0, {})
    for _ in range(2):
        market.step()
        board.publish(market.scan())
    assert json.loads(board.message("lists", since)[1])["since"] is None


def test_an_unknown_figure_is_sent_as_null() -> None:
    rows = [Row("NVDA", 1.0, {"last": 2.0, "rvol_tod": math.nan})]
    sent = state({"winners": SimpleNamespace(rows=rows)})
    assert sent["figures"]["NVDA"] == [2.0, None, None, None, None, None, ""]


def test_a_list_that_becomes_empty_is_sent_empty() -> None:
    old = state({"winners": SimpleNamespace(rows=[Row("NVDA", 1.0, {"last": 2.0})])})
    new = state({"winners": SimpleNamespace(rows=[])})
    assert difference(old, new) == {
        "lists": {"set": {"winners": []}, "drop": []},
        "figures": {"set": {}, "drop": ["NVDA"]},
    }


def test_sparkline_of_an_unmoved_price_is_flat() -> None:
    assert spark(np.array([5.0, 5.0, np.nan, 5.0])) == "hhh"


def test_triggers_of_one_symbol_and_time_are_one_line() -> None:
    made = lines(
        [trigger(severity=98.5), trigger(scanner="momentum", severity=99.5, level=9.0), trigger(symbol="AAPL")]
    )
    assert sorted(made) == ["AAPL 1737997200.000", "NVDA 1737997200.000"]
    line = made["NVDA 1737997200.000"]
    assert [chip[4] for chip in line["fired"]] == ["Momentum", "HOD break"]
    assert (line["severity"], line["level"]) == (99.5, 9.0)
    assert line["fired"][1][3:] == [98.5, "HOD break", 9.9, 9.5, True]


def test_later_triggers_of_the_same_symbol_and_time_join_their_line() -> None:
    tape = add(lines([trigger(severity=50.0)]), lines([trigger(scanner="momentum", severity=99.0)]))
    (line,) = tape.values()
    assert {chip[0] for chip in line["fired"]} == {"hod_break", "momentum"}
    assert line["notable"]


def test_the_tape_keeps_the_latest_lines() -> None:
    tape = add({}, lines([trigger(time=NOON + dt.timedelta(minutes=i)) for i in range(5)]), kept=2)
    assert [line["time"] for line in tape.values()] == [1737997380.0, 1737997440.0]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"severity": 98.0}, True),
        ({"severity": 97.9}, False),
        ({"severity": math.nan}, True),
        ({"severity": 3.0, "scanner": "halt_resume", "kind": "halted"}, True),
        ({"severity": 3.0, "scanner": "halt_resume", "kind": "resumed"}, True),
    ],
)
def test_severe_unknown_and_halted_reach_a_person(changes: dict[str, Any], shown: bool) -> None:
    assert notable(trigger(**changes)) is shown


def test_a_line_is_shown_when_one_of_its_triggers_is() -> None:
    (line,) = lines([trigger(severity=99.0), trigger(scanner="momentum", severity=10.0)]).values()
    assert line["notable"]


def test_a_new_day_begins_with_an_empty_tape() -> None:
    market = Market(symbols=30, k=360)
    board = make_board(market)
    board.remember([trigger()])
    scan = market.scan()
    scan.day, scan.triggers = dt.date(2025, 1, 28), ()
    board.publish(scan)
    assert board.state("triggers")["lines"] == {}


def test_a_link_without_a_symbol_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"starts with https:// and holds \{symbol\}; found 'javascript:alert"):
        Board(link="javascript:alert(1)")


def test_a_board_that_only_shows_refuses_a_change() -> None:
    with pytest.raises(InvalidInput, match="hod_break cannot be changed here"):
        Board().change("hod_break", {"min_rvol": 2.0})


def test_a_feed_pulls_only_what_is_new() -> None:
    market = Market(symbols=30, k=360)
    board = make_board(market)
    feed = Feed(board)
    before = feed.hot
    board.report([])
    feed.pull()
    assert feed.hot == before
    assert json.loads(feed.status)["sections"]["health"]["drop"] == ["facts", "feed iex", "engine"]


def test_the_chart_patches_the_last_bar_and_appends_new_ones() -> None:
    market = Market(symbols=10, k=400)
    chart = Chart()
    chart.show(market.history("NVDA"))
    source, length = chart.bars, len(chart.bars.data["x"])
    market.step()
    chart.update(market.history("NVDA"))
    assert chart.bars is source
    assert len(source.data["x"]) == length + 1
    assert list(source.data["close"]) == list(market.history("NVDA")["close"])


def test_the_chart_shows_new_york_time() -> None:
    chart = Chart()
    chart.show({**Market(symbols=10, k=331).history("NVDA")})
    assert np.datetime64(int(chart.bars.data["x"][-1]), "ms") == np.datetime64("2025-01-27T09:31")


def test_a_mark_stands_on_the_bar_that_fired() -> None:
    market, chart = Market(symbols=10, k=400), Chart()
    (line,) = lines([trigger(time=DAY.time(400))]).values()
    chart.show(market.history("NVDA"), [line])
    assert chart.marks.data["x"] == [chart.bars.data["x"][-1]]
    assert chart.marks.data["text"] == ["HOD break"]


def told(holds: bool | None, reason: Reason) -> dict[str, Any]:
    answers = [{"scanner": "hod_break", "category": False, "holds": holds, "conditions": [reason]}]
    (scanner,) = json.loads(explanation("NVDA", answers))["scanners"]
    return dict(scanner)


def test_an_explanation_says_what_blocked() -> None:
    answer = told(False, Reason("rvol_tod", ">=", 1.8, 3.0, -1.2, False, unit="×"))
    assert (answer["state"], answer["verdict"]) == ("no", "rvol_tod 1.8×, wants ≥ 3×")
    assert answer["conditions"][0]["margin"] == "short by 1.2×"


def test_an_explanation_says_what_is_not_known() -> None:
    answer = told(None, Reason("rvol_tod", ">=", math.nan, 3.0, None, None, "fewer than 5 sessions", "×"))
    assert (answer["state"], answer["verdict"]) == ("unknown", "rvol_tod is not known: fewer than 5 sessions")


def test_fields_have_bounds_units_and_words_of_the_params() -> None:
    first = fields(GapScanner(name="gap"))[0]
    assert (first.label, first.limits) == ("Min gap, %", "0 to 100")
    assert (first.doc, first.gate) == ("Percent above the previous close.", False)


def test_own_thresholds_come_before_the_gates() -> None:
    assert [field.gate for field in fields(GapScanner(name="gap"))] == [False, False, True, True, True, True, True]


def test_a_text_that_is_no_number_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"A threshold is a whole number; found '1\.5'"):
        from_text("integer", "1.5")


def opened(name: str, roster: Any = ()) -> tuple[Drawer, Board]:
    board = make_board(Market(symbols=10, k=340))
    if roster:
        board.configure(roster)
    drawer = Drawer(board, Feed(board))
    drawer.draw()
    drawer.open(name)
    return drawer, board


def thresholds(drawer: Drawer) -> dict[str, Any]:
    return {field["name"]: field for field in json.loads(drawer.pane.shown)["fields"]}


def test_the_drawer_names_every_scanner_and_sends_no_threshold_before_one_is_opened() -> None:
    drawer, board = opened("")
    shown = json.loads(drawer.pane.shown)
    assert [name for name, _, _ in shown["scanners"]] == [scanner.name for scanner in board.roster]
    assert (shown["scanners"][0], shown["fields"]) == (["gappers_up", "Gappers ▲", False], [])


def test_the_drawer_asks_for_a_change_and_keeps_what_was_refused_with_the_reason() -> None:
    drawer, board = opened("hod_break")
    drawer.enter("min_gap", "5.5")
    shown = thresholds(drawer)["min_gap"]
    assert (board.scanner("hod_break").min_gap, shown["value"], shown["changed"], shown["said"]) == (
        5.5,
        "5.5",
        True,
        "",
    )
    drawer.enter("min_gap", "150")
    assert thresholds(drawer)["min_gap"]["said"].endswith("must be at most 100, not 150.0. Still 5.5.")
    drawer.enter("min_gap", "six")
    assert thresholds(drawer)["min_gap"]["said"] == (
        "A threshold is a number; found 'six'. Write digits, a point for decimals."
    )
    drawer.enter("min_gap", "6")
    assert (board.scanner("hod_break").min_gap, thresholds(drawer)["min_gap"]["said"]) == (6.0, "")


def test_the_drawer_resets_the_scanner_that_is_opened() -> None:
    drawer, board = opened("hod_break")
    drawer.enter("min_gap", "7")
    drawer.enter("breakout", "close")
    drawer.reset()
    assert (board.scanner("hod_break").min_gap, board.scanner("hod_break").breakout) == (4.0, "wick")
    assert not any(field["changed"] for field in thresholds(drawer).values())


def test_the_drawer_follows_what_others_change() -> None:
    drawer, board = opened("hod_break")
    board.change("hod_break", {"min_gap": 9.0})
    drawer._board.configure(board.roster)
    drawer._follow()
    assert thresholds(drawer)["min_gap"]["value"] == "9"


@pytest.mark.parametrize(
    "message", [{"open": 7}, {"open": "nosuch"}, {"enter": ["min_gap"]}, {"enter": [1, 2]}, {"x": 1}]
)
def test_what_a_browser_makes_up_changes_nothing(message: dict[str, Any]) -> None:
    drawer, board = opened("")
    before = [scanner.param.values() for scanner in board.roster]
    drawer.pane._handle_msg(message)
    drawer.pane._handle_msg({"enter": ["min_gap", "7"]})
    assert [scanner.param.values() for scanner in board.roster] == before


@pytest.mark.parametrize("scanner", scanners.roster(), ids=str)
def test_a_list_has_no_thresholds_of_triggers(scanner: Any) -> None:
    shown = {field.name for field in fields(scanner)}
    assert shown.isdisjoint({"cooldown", "rearm_pct", "risk", "stop_atr"}) is not scanner.triggers
    assert {"min_price", "top", "sessions"} <= shown


def test_a_composite_has_the_thresholds_of_its_scanners() -> None:
    both = (scanners.HodBreak() & scanners.Winners()).named("both")
    drawer, _ = opened("both", [both])
    shown = thresholds(drawer)
    assert (shown["hod_break.min_rvol"]["value"], shown["hod_break.min_rvol"]["group"]) == (
        "3",
        "HOD break: gates, which every scanner has",
    )
    changed = both.with_settings(**{name: field.default for name, field in keyed(both).items()})
    assert changed.settings() == both.settings()


def keyed(scanner: Any) -> dict[str, Any]:
    return {field.key: field for field in fields(scanner)}


def test_notebook_controls_and_params_follow_each_other() -> None:
    pytest.importorskip("ipywidgets", reason="no ipywidgets: install scanner-kit[notebook]")
    scanner = GapScanner(name="gap")
    box = controls(scanner)
    slider = next(row.children[0] for row in box.children[1:] if row.children[0].description == "Min gap, %")
    slider.value = 9.5
    assert scanner.min_gap == 9.5
    scanner.min_gap = 2.0
    assert slider.value == 2.0


def said(caplog: pytest.LogCaptureFixture, fault: Exception, of: str) -> list[str]:
    """What is logged of a task that failed and that nobody asks."""
    with caplog.at_level(logging.WARNING):
        task = f"<Task finished coro=<{of}() done> exception={fault!r}>"
        logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %s", task, exc_info=fault)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("fault", "of", "silent"),
    [
        (WebSocketClosedError(), "WebSocketProtocol13.write_message.<locals>.wrapper", True),
        (WebSocketClosedError(), "Player.play", False),
        (RuntimeError("no room"), "WebSocketProtocol13.write_message.<locals>.wrapper", False),
    ],
)
def test_a_browser_that_leaves_is_not_said_and_all_else_is(
    caplog: pytest.LogCaptureFixture, fault: Exception, of: str, silent: bool
) -> None:
    extension()
    assert (said(caplog, fault, of) == []) is silent


def test_the_warnings_after_a_browser_has_left_are_not_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension()
    log = logging.getLogger("bokeh.server.views.ws")
    monkeypatch.setattr(log, "propagate", False)  # as it is where Dask, once imported, has set Bokeh's loggers
    log.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING, log.name):
        log.warning("Failed sending message as connection was closed")
        log.warning("Something else")
    log.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records] == ["Something else"]


def test_thirty_sessions_leave_nothing_behind() -> None:
    import panel as pn
    from bokeh.client import pull_session
    from bokeh.document import Document

    from scanner_kit import views

    market = Market(symbols=30, k=360)
    board = make_board(market)
    limits: dict[str, Any] = {"unused_session_lifetime_milliseconds": 200, "check_unused_sessions_milliseconds": 100}
    with serving(lambda: views.serve(board, port=0, threaded=True, **limits)) as address:
        _open_and_close(address, pull_session, 2)
        until(lambda: board.sessions == 0)
        before = _left(Document, Feed), len(pn.state.param.watchers.get("busy", {}).get("value", []))
        _open_and_close(address, pull_session, 30)
        until(lambda: board.sessions == 0)
        until(lambda: _left(Document, Feed) <= before[0])
        assert len(pn.state.param.watchers.get("busy", {}).get("value", [])) == before[1]


def test_no_connection_outlives_a_served_page() -> None:
    from scanner_kit import views

    board = make_board(Market(symbols=30, k=360))
    with serving(lambda: views.serve(board, port=0, threaded=True)) as address:
        host = "127.0.0.1", int(address.rstrip("/").rpartition(":")[2])
        kept = [socket.create_connection(host, timeout=20) for _ in range(4)]
    for connection in kept:
        with connection:
            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(host, timeout=20)


def _open_and_close(url: str, pull_session: Any, times: int) -> None:
    def visit() -> None:
        loop = IOLoop(make_current=False)
        session = pull_session(url=url, io_loop=loop)
        assert session.document.roots
        session.close()
        loop.close(all_fds=True)

    for _ in range(times):
        in_own_loop(visit)


def _left(*kinds: type) -> int:
    gc.collect()
    return sum(isinstance(thing, kinds) for thing in gc.get_objects())
