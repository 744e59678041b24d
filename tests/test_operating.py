"""A whole desk in processes of its own: started by one command, asked by the others, ended cleanly."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from buses import any_program
from typer.testing import CliRunner

from benchmarks.looking import address_of
from scanner_kit.bus.connection import Bus
from scanner_kit.cli import app
from scanner_kit.errors import InvalidInput
from scanner_kit.live.archive import Archive
from scanner_kit.live.feed.feeds import SimulatedFeed
from scanner_kit.live.feed.listening import InboxFeed
from scanner_kit.live.ingest import Ingest
from scanner_kit.live.server import running, start, stop
from scanner_kit.options import MarketOptions, SourceOptions
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.store import open_store

PATIENCE = 120.0
ROLES = ["ingest", "engine", "store", "serve"]


@dataclass(frozen=True)
class Running:
    """A desk, and the commands of somebody who looks after it."""

    process: "subprocess.Popen[str]"
    address: str
    environment: dict[str, str]

    def says(self, *words: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "scanner_kit", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def told(self, *words: str) -> Any:
        return json.loads(self.says(*words, "--json"))

    def figures(self, role: str) -> dict[str, float]:
        found: dict[str, float] = next(beat["figures"] for beat in self.told("status") if beat["role"] == role)
        return found

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert self.process.poll() is None, "the desk has ended"
            assert time.monotonic() < end, f"waited too long for {what}"
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("state")
    environment = {**os.environ, "SCANNER_KIT_STATE": str(state)}
    command = [sys.executable, "-m", "scanner_kit", "up", "--port=0", "--symbols=40", "--start=10:30", "--speed=60"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        running = Running(process, address_of(process), environment)
        yield running
        pids = [beat["pid"] for beat in running.told("status") if beat["state"] != "silent"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert len(pids) == len(ROLES)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "a process outlived its desk"


def test_every_process_is_at_work(desk: Running) -> None:
    desk.until(lambda: desk.figures("engine").get("published", 0) > 0, "the engine")
    beats = desk.told("status")
    assert [beat["role"] for beat in beats] == ROLES
    assert [beat["state"] for beat in beats] == ["running", "leading", "running", "running"]
    assert not [fault for beat in beats for fault in beat["faults"]]


def test_what_is_published_is_stored(desk: Running) -> None:
    desk.until(lambda: desk.figures("store")["steps"] > 390, "the steps in the store")


def test_the_pages_are_served(desk: Running) -> None:
    for page in ("", "/explorer", "/health"):
        with urllib.request.urlopen(desk.address + page, timeout=30) as answer:
            assert answer.status == 200
            assert "scanner_kit" in answer.read().decode()


def test_settings_change_while_it_runs_and_are_brought_back(desk: Running) -> None:
    assert desk.says("settings", "set", "hod_break.min_rvol=2.5", "--why", "a try") == (
        "Version 1 is in force from the next step on.\n"
    )
    assert "min_rvol = 2.5" in desk.says("settings", "show")
    stale = desk.says("settings", "set", "hod_break.min_rvol=2", "--base", "0", status=1)
    assert "version 1 of the settings" in stale or "version 1 is in force" in stale
    desk.until(lambda: desk.told("status")[1]["version"] == 1, "the engine under version 1")
    assert "Version 2" in desk.says("settings", "restore", "0")
    history = desk.told("settings", "history")
    assert [(one["version"], one["why"]) for one in history] == [(2, "version 0 brought back"), (1, "a try")]
    assert "min_rvol" not in desk.says("settings", "show")


def test_symbols_join_and_leave_while_it_runs(desk: Running, tmp_path: Path) -> None:
    facts, gone = tmp_path / "facts.csv", SimulatedMarket(symbols=40).names()[0]
    facts.write_text("symbol,prev_close,sector\nNEW1,12.5,Energy\n")
    assert desk.says("tape", "join", "NEW1", "NEW2", "--facts", str(facts)) == (
        "NEW1 joins, from the next step on.\nNEW2 joins, from the next step on.\n"
    )
    desk.until(lambda: desk.figures("engine")["symbols"] == 42, "who joined")
    assert desk.says("tape", "leave", gone) == f"{gone} leaves, from the next step on.\n"
    desk.until(lambda: desk.figures("engine")["symbols"] == 41, "who left")
    assert "NEW1 is of it. Name others" in desk.says("tape", "join", "NEW1", status=1)
    assert f"{gone} is not of it. Name one that is." in desk.says("tape", "leave", gone, status=1)
    with open_store(Path(desk.environment["SCANNER_KIT_STATE"]) / "store.db") as store:
        done = [(row["what"], row["detail"]) for row in store.audit.page().rows[:2]]
    assert done == [("leave", {"symbols": [gone]}), ("join", {"symbols": ["NEW1", "NEW2"]})]


def test_a_killed_engine_comes_back(desk: Running) -> None:
    first = desk.told("status")[1]["pid"]
    os.kill(first, signal.SIGKILL)

    def leads() -> bool:
        return any(
            beat["role"] == "engine" and beat["pid"] != first and beat["state"] == "leading"
            for beat in desk.told("status")
        )

    desk.until(leads, "another engine")
    desk.until(lambda: desk.figures("engine").get("symbols") == 41, "who joined and left")


def test_nobody_takes_the_server_from_a_desk_at_work(desk: Running) -> None:
    told = desk.says("stop", status=1)
    assert "ends when nobody works on it; found engine on " in told
    assert told.endswith("End scanner-kit up first, with Ctrl-C or SIGTERM.\n")


def test_looking_starts_nothing_and_stop_ends_what_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def says(word: str, status: int) -> str:
        done = CliRunner().invoke(app, [word], prog_name="scanner-kit")
        assert done.exit_code == status, done.output
        return done.output

    monkeypatch.setenv("SCANNER_KIT_STATE", str(tmp_path))
    for name in ("SCANNER_KIT_REDIS_URL", "SCANNER_KIT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    assert f"No desk is running: no private server answers in '{tmp_path}'. Start it with" in says("status", 1)
    assert says("stop", 0) == f"The private server in '{tmp_path}' does not run.\n"
    assert running(tmp_path) is None
    start(tmp_path, any_program())
    assert "No process of a desk has been seen at " in says("status", 0)
    assert says("stop", 0) == f"The private server in '{tmp_path}' has ended.\n"
    assert running(tmp_path) is None


@pytest.fixture
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state folder of a desk that does not run, and must not when the test is over."""
    monkeypatch.setenv("SCANNER_KIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SCANNER_KIT_REDIS_SERVER", any_program())
    for name in ("SCANNER_KIT_REDIS_URL", "SCANNER_KIT_PREFIX", "SCANNER_KIT_STORE_URL", "SCANNER_KIT_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "state"
    try:
        assert running(tmp_path / "state") is None
    finally:
        stop(tmp_path / "state")


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), prog_name="scanner-kit")
    return done.exit_code, done.output


def test_what_needs_the_store_alone_starts_no_bus(nothing_runs: Path, tmp_path: Path) -> None:
    later = "is in force once a desk starts: none is running.\n"
    assert command("settings", "set", "hod_break.min_rvol=2.5") == (0, f"Version 1 {later}")
    assert command("settings", "restore", "0") == (0, f"Version 2, which is 0 again, {later}")
    (tmp_path / "tuned.toml").write_text("[scanners.winners]\ntop = 7\n")
    assert command("settings", "import", str(tmp_path / "tuned.toml")) == (0, f"Version 3 {later}")
    for words in (["settings", "show"], ["settings", "history"], ["store", "migrate"]):
        assert command(*words)[0] == 0
    for words in (["store", "prune", "--keep-days=3"], ["store", "export", f"--out={tmp_path / 'out'}"]):
        assert command(*words)[0] == 0
    with open_store(nothing_runs / "store.db") as store:
        assert [version.n for version in store.versions.history()] == [3, 2, 1]


def test_what_needs_a_desk_says_that_none_is_running(nothing_runs: Path) -> None:
    said = f"No desk is running: no private server answers in {str(nothing_runs)!r}. Start it with scanner-kit up"
    for words in (["tape", "export", "2025-01-27"], ["tape", "import", "2025-01-27"], ["status"]):
        status, told = command(*words)
        assert (status, told.startswith(said)) == (1, True), told
    assert not (nothing_runs / "redis").exists()


def test_a_day_that_has_ended_comes_out_of_the_archive(nothing_runs: Path, a_bus: Bus, tmp_path: Path) -> None:
    market = SimulatedMarket(symbols=3)
    work = Ingest(a_bus, SimulatedFeed(market), speed=1e6, days=1, forming_seconds=0.0, archive=nothing_runs / "tape")
    work.run(threading.Event())
    day = next(SimulatedFeed(market).days())
    for out in (nothing_runs / "tape", tmp_path / "out", tmp_path / "out"):
        assert command("tape", "export", str(day.date), f"--out={out}")[0] == 0
        assert list(Archive(out).entries(day)) == list(Archive(nothing_runs / "tape").entries(day))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("vendor", r"--source is simulated, tape:FILE\[,FILE…\] or redis; found 'vendor'"),
        ("tape:", "--source is simulated"),
        ("tape:nowhere.parquet", "nowhere.parquet"),
    ],
)
def test_a_source_that_there_is_not(source: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        MarketOptions(source=source).feed(SourceOptions())


def test_what_a_desk_cannot_work_with_is_said_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANNER_KIT_STATE", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["up", "--port", str(port)])
    assert done.exit_code == 1
    assert f"Port {port} of 127.0.0.1 cannot be served" in " ".join(done.output.split())
    done = CliRunner().invoke(app, ["up", "--source", "redis", "--port", "0"])
    assert "Nothing is known of any symbol before" in " ".join(done.output.split())
    assert not (tmp_path / "state" / "redis").exists()


def test_the_inbox_is_a_source() -> None:
    live = MarketOptions(source="redis").feed(SourceOptions(share_of_market=0.03))
    assert isinstance(live, InboxFeed)
    assert (live.day, live.ordered, live.said["share_of_market"]) == (None, False, 0.03)
    played = MarketOptions(source="redis", day="2025-06-18").feed(SourceOptions())
    assert isinstance(played, InboxFeed)
    assert [str(day.date) for day in played.days()] == ["2025-06-18"]
    assert played.ordered


@pytest.mark.parametrize("start", ["9:70", "03:59", "20:00", "noon"])
def test_a_start_that_is_no_time_of_the_day(start: str) -> None:
    with pytest.raises(InvalidInput, match=r"--start is a time from 04:00 to 19:59 New York; found"):
        assert MarketOptions(start=start).start_k


def test_options_are_handed_on_as_they_are_written() -> None:
    words = MarketOptions(symbols=40, day="2025-06-18").words()
    assert "--symbols=40" in words
    assert "--day=2025-06-18" in words
    assert not [word for word in words if "None" in word]
