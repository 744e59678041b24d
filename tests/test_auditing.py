"""What processes did is in the audit: once each, however often and by whomever it is looked at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scanner_kit.bus.beats import Beat
from scanner_kit.calendar import TradingDay
from scanner_kit.cli import app
from scanner_kit.live.auditing import Doings
from scanner_kit.store import Store, open_store

DAY = TradingDay.of("2025-01-27")
START = 1_700_000_000.0
ENGINE = Beat("engine", "engine:here:7", "here", 7, began=START, at=START + 1, state="recovering", version=2)
STORE = Beat("store", "store:here:8", "here", 8, began=START, at=START + 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.db") as store:
        yield store


def told(store: Store) -> list[tuple[str, str]]:
    return [(row["who"], row["what"]) for row in reversed(store.audit.page().rows)]


def test_who_began_scanned_and_ended_is_told_once(store: Store) -> None:
    doings = Doings(store)
    doings.take([ENGINE, STORE], None)
    leads = replace(ENGINE, state="leading", at=START + 3, began=START + 0.004)  # its clock was compared anew
    for _ in range(2):
        doings.take([leads, replace(STORE, at=START + 3)], DAY)
    doings.take([leads, replace(STORE, at=START + 5)], TradingDay.after(DAY.date))
    doings.take([replace(leads, state="stopped", at=START + 6), replace(STORE, at=START + 6)], DAY)
    both = [("engine:here:7", "began"), ("store:here:8", "began")]
    assert told(store) == [*both, *[("engine:here:7", "scans")] * 2, ("engine:here:7", "ended")]


def test_another_store_process_does_not_tell_it_again(store: Store) -> None:
    Doings(store).take([replace(ENGINE, state="leading"), STORE], DAY)
    before = told(store)
    Doings(store).take([replace(ENGINE, state="leading"), STORE], DAY)
    assert told(store) == before


def test_who_is_gone_and_who_was_started_again_are_told(store: Store) -> None:
    doings = Doings(store)
    doings.take([ENGINE], None)
    for _ in range(2):
        doings.take([ENGINE, replace(STORE, began=START + 50, at=START + 60)], None)
    doings.take(
        [replace(ENGINE, began=START + 70, at=START + 71), replace(STORE, began=START + 50, at=START + 71)], None
    )
    assert told(store) == [
        ("engine:here:7", "began"),
        ("engine:here:7", "gone"),
        ("store:here:8", "began"),
        ("engine:here:7", "began"),
    ]


def test_the_audit_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANNER_KIT_STATE", str(tmp_path))
    run = CliRunner().invoke
    assert run(app, ["settings", "set", "winners.top=5", "--why", "shorter"]).exit_code == 0
    assert run(app, ["store", "prune", "--keep-days", "3"]).exit_code == 0
    listed = run(app, ["store", "audit"]).output
    assert "winners.top default → 5" in listed
    assert "store prune" in listed
    assert "store prune" not in run(app, ["store", "audit", "--what", "settings"]).output
