"""The settings' versions and the audit: what was changed by whom, nothing over another's head, and nothing half."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from scanner_kit.errors import InvalidInput
from scanner_kit.settings import Settings, Thresholds
from scanner_kit.store import StaleEdit, Store, open_store


@pytest.fixture
def store(store_address: str) -> Iterator[Store]:
    with open_store(store_address) as store:
        yield store


def test_the_beginning_is_version_0(store: Store) -> None:
    assert (store.versions.now().n, store.versions.now().thresholds) == (0, {})
    assert store.versions.history() == []
    assert store.versions.get(0).n == 0


def test_a_change_is_a_version_with_who_when_why_and_the_difference(store: Store) -> None:
    first = store.versions.change(0, {"hod_break": {"min_rvol": 2.5}}, "ann", "too quiet")
    second = store.versions.change(1, {"hod_break": {"max_price": None}, "winners": {"top": 5}}, "bob")
    third = store.versions.change(2, {"hod_break": {"min_rvol": 3.0}}, "ann")
    assert store.versions.now() == third
    assert store.versions.history() == [third, second, first]
    assert store.versions.history(before=3, size=1) == [second]
    assert (first.who, first.why, first.base) == ("ann", "too quiet", 0)
    assert first.time <= second.time <= third.time
    assert third.thresholds == {"hod_break": {"min_rvol": 3.0, "max_price": None}, "winners": {"top": 5}}
    assert second.changes == (
        {"scanner": "hod_break", "threshold": "max_price", "after": None},
        {"scanner": "winners", "threshold": "top", "after": 5},
    )
    assert third.changes == ({"scanner": "hod_break", "threshold": "min_rvol", "before": 2.5, "after": 3.0},)
    assert store.versions.get(2) == second


def test_what_changes_nothing_is_no_version(store: Store) -> None:
    first = store.versions.change(0, {"winners": {"top": 5}}, "ann")
    assert store.versions.change(1, {"winners": {"top": 5}}, "bob") == first
    assert store.versions.change(1, {}, "bob") == first
    assert len(store.versions.history()) == 1


def test_a_stale_edit_is_told_what_changed_meanwhile(store: Store) -> None:
    store.versions.change(0, {"hod_break": {"min_rvol": 2.5}}, "ann")
    second = store.versions.change(1, {"hod_break": {"min_rvol": 2.0}, "winners": {"top": 5}}, "bob")
    with pytest.raises(StaleEdit) as told:
        store.versions.change(1, {"hod_break": {"min_rvol": 4.0}}, "cat")
    assert str(told.value) == (
        "This edit is of version 1 of the settings, and version 2 is in force. Meanwhile, bob at "
        f"{second.time:%Y-%m-%d %H:%M:%S} UTC: hod_break.min_rvol from 2.5 to 2.0, winners.top from its default to 5. "
        "Look at them, and make it again."
    )
    assert told.value.meanwhile == (second,)
    assert store.versions.now() == second


def test_what_the_check_refuses_is_not_written(store: Store) -> None:
    def check(whole: Thresholds) -> None:
        Settings.of({"scanners": whole}).roster()

    store.versions.change(0, {"hod_break": {"min_rvol": 2.5}}, "ann", check=check)
    for wrong in ({"hod_break": {"min_rvol": -1}}, {"hod_brake": {"min_rvol": 2}}, {"winners": {"tpo": 5}}):
        with pytest.raises(InvalidInput):
            store.versions.change(1, {"losers": {"top": 3}, **wrong}, "ann", check=check)
    assert store.versions.now().n == 1
    assert len(store.audit.page().rows) == 1


def test_only_one_of_many_edits_of_a_version_is_made(store_address: str) -> None:
    def edit(who: int) -> str:
        with open_store(store_address) as store:
            try:
                store.versions.change(0, {"winners": {"top": who}}, f"user {who}")
            except StaleEdit:
                return "stale"
            return "made"

    with open_store(store_address) as store, ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(edit, range(1, 7))) == ["made", *["stale"] * 5]
        assert len(store.versions.history()) == 1


def test_any_version_is_brought_back_as_a_new_one(store: Store) -> None:
    first = store.versions.change(0, {"winners": {"top": 5}}, "ann")
    store.versions.change(1, {"winners": {"top": 6}, "losers": {"top": 7}}, "bob")
    third = store.versions.bring_back(1, "ann")
    assert (third.n, third.thresholds, third.why) == (3, first.thresholds, "version 1 brought back")
    assert [(one["scanner"], "after" in one) for one in third.changes] == [("losers", False), ("winners", True)]
    fourth = store.versions.bring_back(0, "ann", "defaults", base=3)
    assert (fourth.n, fourth.thresholds) == (4, {})
    with pytest.raises(StaleEdit):
        store.versions.bring_back(1, "ann", base=3)
    with pytest.raises(InvalidInput, match=r"The settings have no version 9; the latest is 4\. Name one up to it\."):
        store.versions.bring_back(9, "ann")


def test_a_file_is_taken_once_and_again_only_when_it_says_something_else(store: Store) -> None:
    file = {"winners": {"top": 5}}
    assert store.versions.take_file({}, "up").n == 0
    assert store.versions.take_file(file, "up").n == 1
    assert store.versions.take_file(file, "up").n == 1
    live = store.versions.change(1, {"winners": {"top": 9}}, "ann")
    assert store.versions.take_file(file, "up") == live
    again = store.versions.take_file({"winners": {"top": 6}}, "up", "settings.toml")
    assert (again.n, again.thresholds, again.why) == (3, {"winners": {"top": 6}}, "settings.toml")
    assert store.versions.take_file({}, "up").thresholds == {}


def test_what_a_tape_still_lacks_comes_in_order(store: Store) -> None:
    for n in range(4):
        store.versions.change(n, {"winners": {"top": n + 1}}, "ann")
    assert [version.n for version in store.versions.after(1)] == [2, 3, 4]
    assert store.versions.after(4) == []


def test_thresholds_of_every_kind_come_back_as_they_were_set(store: Store) -> None:
    values = {"min_dollar_volume": (100_000, 500_000), "sectors": ["Energy"], "max_price": None, "min_rvol": 2.0}
    store.versions.change(0, {"hod_break": values}, "ann")
    found = store.versions.now().thresholds["hod_break"]
    assert found == values | {"min_dollar_volume": [100_000, 500_000]}
    scanner = Settings.of({"scanners": {"hod_break": found}}).roster(["hod_break"])[0]
    assert scanner.min_dollar_volume == (100_000, 500_000)


def test_the_audit_says_who_did_what_the_newest_first(store: Store) -> None:
    store.versions.change(0, {"winners": {"top": 5}}, "ann", "why not")
    for n in range(5):
        store.audit.write("bob", "command", {"line": f"prune {n}"})
    page = store.audit.page(size=2)
    assert [(row["who"], row["what"], row["detail"]) for row in page.rows] == [
        ("bob", "command", {"line": f"prune {n}"}) for n in (4, 3)
    ]
    second = store.audit.page(size=2, after=page.next)
    assert store.audit.page(size=2, after=second.previous) == page
    (settings,) = store.audit.page(what="settings").rows
    assert (settings["who"], settings["detail"]["n"], settings["detail"]["why"]) == ("ann", 1, "why not")
    assert settings["time"] <= page.rows[0]["time"]
    assert len(store.audit.page(who="bob").rows) == 5
    with pytest.raises(InvalidInput, match=r"recorded with who and what; found who=' '\. Name it\."):
        store.audit.write(" ", "command")
