"""The explorer without a browser: what is asked, paged, looked at, and the board at a minute."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kept
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import fired

from scanner_kit.calendar import NEW_YORK, TradingDay
from scanner_kit.decision import decide
from scanner_kit.live.pages.records import StoredRecords
from scanner_kit.store import open_store, searching
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.views.explorer import Asked, Explorer, Page, Remembered
from scanner_kit.views.explorer.asked import Condition

DAYS = [dt.date(2025, 6, 18), dt.date(2025, 7, 2), dt.date(2025, 7, 3)]
WORDS = st.lists(st.sampled_from(["NVDA", "AAPL", "BRK.B"]), unique=True, max_size=2).map(tuple)
CONDITIONS = st.builds(
    Condition, st.sampled_from(["rvol_tod", "rsi_14"]), st.sampled_from([">=", "<="]), st.sampled_from([-1.5, 3.0])
)
ASKED = st.builds(
    Asked,
    first=st.none() | st.sampled_from(DAYS[:2]),
    last=st.none() | st.sampled_from(DAYS[2:]),
    symbols=WORDS,
    severity=st.none() | st.sampled_from([0.0, 98.0, 99.5]),
    conditions=st.lists(CONDITIONS, max_size=2, unique=True).map(tuple),
    order=st.sampled_from(["newest", "oldest", "severity"]),
)


@pytest.fixture
def explorer(tmp_path: Path) -> Explorer:
    return Explorer(kept.records(), kept.reviewing(tmp_path), scanners=kept.SPEAKERS, metrics=kept.metrics(), size=50)


def shown(screen: Any) -> Any:
    return json.loads(screen.shown)


def rows(explorer: Explorer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown(explorer.rows)["rows"]
    return found


def pages(records: Remembered, asked: Asked, size: int) -> Iterator[Page]:
    at = None
    while True:
        page = records.page(asked, at, size)
        yield page
        if page.next is None:
            return
        at = page.next


@given(ASKED)
def test_a_link_asks_for_what_was_asked(asked: Asked) -> None:
    assert Asked.of(asked.query) == asked


@pytest.mark.parametrize("order", ["newest", "oldest", "severity"])
def test_the_pages_of_an_order_are_every_trigger_once_forwards_and_backwards(order: str) -> None:
    records, asked = kept.records(), Asked(order=order)
    forwards = list(pages(records, asked, 37))
    identities = [row["identity"] for page in forwards for row in page.rows]
    assert sorted(identities) == sorted(row["identity"] for row in records.triggers)
    back = forwards[-1]
    backwards = [row["identity"] for row in back.rows]
    while back.previous is not None:
        back = records.page(asked, back.previous, 37)
        backwards = [row["identity"] for row in back.rows] + backwards
    assert backwards == identities


def test_the_first_page_is_the_newest(explorer: Explorer) -> None:
    newest = max(row["time"] for row in kept.records().triggers)
    assert rows(explorer)[0]["time"] == f"{dt.datetime.fromisoformat(newest).astimezone(NEW_YORK):%H:%M}"
    assert rows(explorer)[0]["date"] == "Thursday, July 03, 2025"


def test_what_is_asked_is_all_that_is_shown_and_stands_in_the_link(explorer: Explorer) -> None:
    explorer.question._answer({"ask": {"days": "2025-07-02", "scanner": "hod_break", "severity": "60"}})
    asked = [row for row in kept.records().triggers if row["day"] == "2025-07-02" and row["scanner"] == "hod_break"]
    wanted = {row["identity"] for row in asked if (row["severity"] or -1) >= 60}
    assert {row["key"] for row in rows(explorer)} == wanted
    assert explorer.link == "days=2025-07-02&scanner=hod_break&severity=60"


def test_a_metric_is_asked_for_and_the_unknown_does_not_answer(explorer: Explorer) -> None:
    explorer.question._answer({"ask": {"metric": "rvol_tod>=2"}})
    keys = {row["key"] for row in rows(explorer)}
    found = [row for row in kept.records().triggers if row["identity"] in keys]
    assert found
    assert all(row["metrics"]["rvol_tod"] >= 2 for row in found)


def test_what_cannot_be_asked_is_said_and_changes_nothing(explorer: Explorer) -> None:
    before = rows(explorer)
    explorer.question._answer({"ask": {"metric": "rvol_tod=2"}})
    assert "A metric is asked for as rvol_tod>=3" in shown(explorer.question)["fault"]
    assert rows(explorer) == before
    explorer.question._answer({"ask": {"days": "yesterday"}})
    assert "Days are asked for as 2025-01-27" in shown(explorer.question)["fault"]


def test_a_link_that_cannot_be_read_says_so_beside_what_is_shown_instead(tmp_path: Path) -> None:
    query = {"days": "yesterday"}
    explorer = Explorer(kept.records(), kept.reviewing(tmp_path), scanners=kept.SPEAKERS, query=query)
    assert rows(explorer)
    assert "Days are asked for as 2025-01-27" in shown(explorer.question)["fault"]


def test_pages_are_turned_and_what_is_looked_at_stays(explorer: Explorer) -> None:
    first = rows(explorer)
    explorer.rows._answer({"look": first[3]["key"]})
    explorer.rows._answer({"go": "next"})
    assert shown(explorer.rows)["page"] == 2
    assert explorer.rows.chosen == first[3]["key"]
    explorer.rows._answer({"go": "previous"})
    assert rows(explorer) == first
    assert not shown(explorer.rows)["previous"]


def test_outcomes_are_those_of_the_decision_made_again_and_not_yet_where_there_is_no_tape(explorer: Explorer) -> None:
    assert {row["after"] for row in rows(explorer)} == {"not yet"}
    assert json.loads(explorer.rows.outcomes) == {}
    explorer.question._answer({"ask": {"days": "2025-07-02", "scanner": "hod_break"}})
    found, held = json.loads(explorer.rows.outcomes), {scanner.name: scanner for scanner in kept.roster()}
    assert len(found) == len(rows(explorer))
    for row in [row for row in kept.records().triggers if row["identity"] in found][:4]:
        again = decide(held["hod_break"], kept.tape_of(DAYS[1]), row["symbol"], row["k"]).outcomes().loc["30m"]
        told = found[row["identity"]]
        assert told["result"] == (again["result"] or "not tradable")
        if again["result"] in ("win", "loss", "open"):
            assert told["sign"] == pytest.approx(again["result_r"])


def test_another_horizon_tells_other_outcomes(explorer: Explorer) -> None:
    explorer.question._answer({"ask": {"days": "2025-07-02"}})
    before = explorer.rows.outcomes
    explorer.rows._answer({"horizon": "5m"})
    assert explorer.rows.outcomes != before
    assert "horizon=5m" in explorer.link


def test_a_look_shows_the_trade_and_why_it_fired(explorer: Explorer) -> None:
    explorer.question._answer({"ask": {"days": "2025-07-02", "scanner": "hod_break"}})
    key = rows(explorer)[0]["key"]
    explorer.rows._answer({"look": key})
    told = shown(explorer.look.reasons)
    assert [row["horizon"] for row in told["after"]] == list(HORIZONS)
    assert {"session", "rvol_tod"} <= {one["what"] for one in told["conditions"]}
    assert {one["state"] for one in told["conditions"]} == {"yes"}
    assert len(explorer.look.chart.chart.bars.data["x"]) > 100
    assert shown(explorer.look.head)["notebook"]
    assert f"trigger={key}" in explorer.link
    explorer.rows._answer({"look": ""})
    assert explorer.rows.chosen == explorer.look.head.shown == ""


def test_a_look_at_a_day_that_is_not_archived_says_so(explorer: Explorer) -> None:
    explorer.rows._answer({"look": rows(explorer)[0]["key"]})
    assert "not archived" in shown(explorer.look.head)["said"]
    assert not shown(explorer.look.head)["notebook"]


def test_a_link_opens_a_trigger_that_is_on_no_page(tmp_path: Path) -> None:
    oldest = min(kept.records().triggers, key=lambda row: row["time"])
    query = {"trigger": oldest["identity"]}
    made = Explorer(kept.records(), kept.reviewing(tmp_path), query=query, size=5)
    assert shown(made.look.head)["symbol"] == oldest["symbol"]


def test_a_notebook_of_a_trigger_is_written(explorer: Explorer, tmp_path: Path) -> None:
    explorer.question._answer({"ask": {"days": "2025-07-02", "scanner": "hod_break"}})
    explorer.rows._answer({"look": rows(explorer)[0]["key"]})
    explorer.look.head._answer({"notebook": True})
    written = shown(explorer.look.head)["said"].removeprefix("Written to ")
    assert Path(written).parent == tmp_path
    assert "cells" in json.loads(Path(written).read_text())


def board(explorer: Explorer) -> dict[str, list[str]]:
    return {
        name: [symbol for symbol, _ in listed]
        for channel in ("hot", "lists")
        for name, listed in explorer.machine._channels[channel].state["lists"].items()
    }


def test_the_board_at_a_minute_is_what_was_published_with_it(explorer: Explorer) -> None:
    explorer.show("board")
    explorer.machine.minute._answer({"time": "9:37"})
    standing = kept.records().standing(DAYS[2], 336)
    assert standing is not None
    assert board(explorer) == {name: [symbol for symbol, _ in listed] for name, listed in standing.lists.items()}
    assert explorer.link == "view=board&day=2025-07-03&time=09:37"


def test_only_what_had_fired_by_then_is_on_its_tape(explorer: Explorer) -> None:
    explorer.show("board")
    explorer.machine.minute._answer({"time": "10:15"})
    until = TradingDay.of(DAYS[2]).time(374)
    wanted = {
        (row["symbol"], dt.datetime.fromisoformat(row["time"]).timestamp())
        for row in kept.records().triggers
        if row["day"] == "2025-07-03" and dt.datetime.fromisoformat(row["time"]) <= until
    }
    lines = explorer.machine._channels["triggers"].state["lines"].values()
    assert {(line["symbol"], line["time"]) for line in lines} == wanted


def test_one_steps_to_the_minute_beside(explorer: Explorer) -> None:
    explorer.show("board")
    explorer.machine.minute._answer({"time": "0937"})
    explorer.machine.minute._answer({"step": 1})
    assert explorer.machine.time == "09:38"
    explorer.machine.minute._answer({"step": -15})
    assert explorer.machine.time == "09:23"
    explorer.machine.minute._answer({"step": -10_000})
    assert explorer.machine.time == "09:01"


def test_a_time_without_lists_shows_the_nearest_and_says_so(explorer: Explorer) -> None:
    explorer.machine.turn_to("2025-06-18")
    explorer.machine.minute._answer({"time": "09:37"})
    assert shown(explorer.minute)["fault"] == "No lists are stored of 09:37; the nearest are those of 09:41."
    explorer.machine.minute._answer({"time": "half past"})
    assert "A time is written 09:37" in shown(explorer.minute)["fault"]


def test_a_symbol_on_the_board_of_then_opens_its_last_trigger(explorer: Explorer) -> None:
    explorer.show("board")
    explorer.machine.turn_to("2025-07-02")
    explorer.machine.minute._answer({"time": "15:00"})
    fired = [row for row in kept.records().triggers if row["day"] == "2025-07-02" and row["k"] <= 659]
    explorer.tape._answer({"choose": fired[-1]["symbol"]})
    last = [row for row in fired if row["symbol"] == fired[-1]["symbol"]][-1]
    assert f"trigger={last['identity']}" in explorer.link


def test_a_link_leads_to_a_minute(tmp_path: Path) -> None:
    query = {"view": "board", "day": "2025-07-02", "time": "11:11"}
    made = Explorer(kept.records(), kept.reviewing(tmp_path), query=query)
    assert (made.view, made.machine.day, made.machine.time) == ("board", DAYS[1], "11:11")


def test_nothing_stored_is_said(tmp_path: Path) -> None:
    made = Explorer(Remembered(), kept.reviewing(tmp_path))
    assert shown(made.rows)["none"] == "Nothing is stored yet."
    made.show("board")
    assert shown(made.minute)["minutes"] == []


def test_a_page_says_how_far_it_was_looked_for_and_the_next_one_looks_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED", 10)
    with open_store(tmp_path / "store.sqlite") as store:
        store.write([fired(k, metrics={"rvol_tod": 9.0 if k == 345 else 1.0}) for k in range(335, 360)])
        made = Explorer(StoredRecords(store), kept.reviewing(tmp_path), query={"metric": "rvol_tod>=8"})
        told = shown(made.rows)
        assert (told["rows"], told["next"], told["looked"]) == (
            [],
            True,
            "Looked at 10 triggers as far as Jan 27, 2025, 09:51",
        )
        assert told["none"] == told["looked"] + ": none of them is as asked. The next page looks on."
        made.rows._answer({"go": "next"})
        told = shown(made.rows)
        assert ([row["time"] for row in told["rows"]], told["page"], told["looked"] != "") == (["09:46"], 2, True)
        made.rows._answer({"go": "next"})
        assert (shown(made.rows)["next"], shown(made.rows)["looked"]) == (False, "")


def test_a_browser_that_sends_nonsense_changes_nothing(explorer: Explorer) -> None:
    before = explorer.rows.shown
    for nonsense in (None, 7, "x", [1], {"at": "x"}, {"step": "x"}):
        explorer.rows._answer(nonsense)
        explorer.machine.minute._answer(nonsense)
    explorer.rows._answer({"go": "away", "horizon": "1y", "look": 5})
    explorer.question._answer({"view": "x"})
    assert explorer.rows.shown == before
