"""Scheduled scanners at work over a real bus: due by the tape, ended in time, off and on again, nothing twice."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from buses import any_program, private_server
from desk import Writer, scanning
from typer.testing import CliRunner

from scanner_kit.bars import Leave
from scanner_kit.bus.beats import Beating, read_beats
from scanner_kit.bus.board import BoardReader, triggers_of
from scanner_kit.bus.connection import Bus
from scanner_kit.bus.tape import TapeReader
from scanner_kit.cli import app
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.isolation import IsolatingEngine
from scanner_kit.live.feed.joining import put_change
from scanner_kit.live.health.looking import Look
from scanner_kit.live.jobs import child
from scanner_kit.live.jobs import running as jobs
from scanner_kit.live.rosters import roster_of
from scanner_kit.operating import _stations
from scanner_kit.options import MarketOptions, PageOptions, SourceOptions
from scanner_kit.results import Result
from scanner_kit.scheduled import scheduled_in
from scanner_kit.settings import LiveSettings, Settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.widening import Widening

TAPE = simulated_tape(SimulatedMarket(symbols=5, seed=1))
DAY, SYMBOL = TAPE.universe.day, TAPE.universe.symbols[0]
NINE = 300
"""The k of 09:00."""

SCANS = '''
import os, subprocess, sys, time
from pathlib import Path
from scanner_kit.scheduled import ScanResult, ScheduledScanner
from scanner_kit.schedule import Schedule
from scanner_kit.results import Found

HERE = Path(__file__).parent
SYMBOL = "{symbol}"


class Counting(ScheduledScanner):
    """Counts its scans."""

    min_price = None
    min_dollar_volume = None
    schedule = Schedule(every=10, start="09:00", end="10:00")
    figures = ("minute", "lists", "symbols")

    def setup(self, context):
        (HERE / "setup").write_text(str(os.getpid()))

    def scan(self, context):
        n = context.state["n"] = context.state.get("n", 0) + 1
        figures = {{"minute": context.now.minute, "lists": len(context.lists), "symbols": len(context.symbols)}}
        context.log.info("scan %d", n)
        return ScanResult([Found(SYMBOL, n, fires=n == 2, note=f"scan {{n}}", figures=figures)])

    def teardown(self, context):
        (HERE / "teardown").write_text(str(context.state["n"]))


class Hanging(Counting):
    """Never comes back, and has started something that does not either."""

    timeout, retries, failures = 0.5, 0, 1

    def scan(self, context):
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        (HERE / "hanging").write_text(f"{{os.getpid()}} {{other.pid}}")
        while True:
            time.sleep(3600)


class Failing(Counting):
    """Fails until it is mended."""

    retries, failures = 1, 2

    def scan(self, context):
        with (HERE / "tries").open("a") as tries:
            tries.write("x")
        if not (HERE / "mended").exists():
            raise RuntimeError("the vendor is away")
        return super().scan(context)


class Leaving(Counting):
    """Ends its process."""

    retries, failures = 0, 1

    def scan(self, context):
        os._exit(3)


class Unknown(Counting):
    """Finds who is not scanned."""

    retries, failures = 0, 1

    def scan(self, context):
        return ScanResult([Found("NOSUCH", 1.0)])


class Adding(Counting):
    """Finds who is new to the market."""

    def scan(self, context):
        given = super().scan(context)
        (HERE / "symbols").write_text(" ".join(context.symbols))
        added = [{{"symbol": "NEWCO", "prev_close": 10.0, "sector": None}}, "PLAIN", SYMBOL]
        if (HERE / "wrong").exists():
            added.append({{"symbol": "OTHER", "prev_clsoe": 10.0}})
        return ScanResult([*given.found, Found("NEWCO", 9.0)], adds=added)


class Slow(Counting):
    """Waits until it is told to go on."""

    timeout = 120

    def scan(self, context):
        with (HERE / "began").open("a") as began:
            began.write(f"{{os.getpid()}} ")
        while not (HERE / "go").exists():
            time.sleep(0.02)
        return super().scan(context)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / f"scans_{tmp_path.name}.py").write_text(SCANS.format(symbol=SYMBOL))
    return tmp_path


def text(folder: Path, name: str) -> str:
    return f"{folder / f'scans_{folder.name}.py'}:{name}"


@contextmanager
def at_work(bus: Bus, folder: Path, *names: str) -> Iterator[jobs.Jobs]:
    """The jobs' process, as a thread of this one, until the block ends."""
    over = threading.Event()
    work = jobs.Jobs(bus, over, [text(folder, name) for name in names])
    thread = threading.Thread(target=work.run)
    thread.start()
    try:
        yield work
    finally:
        over.set()
        thread.join(150)
        assert not thread.is_alive()


def until(what: Callable[[], Any], seconds: float = 150.0) -> Any:
    """Wait until something holds, and give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.02)
    return found


def number(bus: Bus, name: str) -> int:
    """The number of the last result of a scanner that is on the tape."""
    found: Any = bus.redis.hget(bus.keys.writers(DAY.date), f"scan:{name}")
    return int(found or 0)


def results(bus: Bus) -> list[Result]:
    """The results on the tape, in order."""
    entries = TapeReader(bus, DAY).recover()
    return [event for e in entries if e.bars for event in e.bars.events if isinstance(event, Result)]


def minutes(bus: Bus) -> list[float]:
    return [found.figures["minute"] for result in results(bus) for found in result.found]


def is_through(bus: Bus, k: int) -> bool:
    """Whether the scan that was due at a minute is on the tape."""
    return number(bus, "counting") == k + 1


def is_shown(bus: Bus, k: int) -> bool:
    """Whether that minute was published."""
    board = BoardReader(bus).whole()
    return board is not None and board.k == k


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(jobs, "FIRST_WAIT", 0.01)


def test_a_scan_runs_when_the_tape_says_so_and_what_was_missed_is_made_up_for_once(a_bus: Bus, folder: Path) -> None:
    desk = Writer(a_bus, TAPE).write(NINE - 2)
    with at_work(a_bus, folder, "Counting") as work:
        until(lambda: work.jobs)
        assert number(a_bus, "counting") == 0
        desk.write(NINE)
        until(lambda: number(a_bus, "counting") == NINE + 1)
        desk.write(NINE + 35)
        until(lambda: number(a_bus, "counting") == NINE + 31)
        desk.write(NINE + 40)
        until(lambda: work.jobs[0].scans == 3)
    desk.write(NINE + 70)
    assert minutes(a_bus) == [1.0, 36.0, 41.0]
    assert [found.score for result in results(a_bus) for found in result.found] == [1.0, 2.0, 3.0]
    assert [found.figures["symbols"] for found in results(a_bus)[0].found] == [5.0]
    assert (folder / "teardown").read_text() == "3"
    assert is_gone(int((folder / "setup").read_text()))


def test_the_engine_lists_and_fires_it_and_a_replay_of_the_tape_says_the_same(a_bus: Bus, folder: Path) -> None:
    desk, own = Writer(a_bus, TAPE).write(NINE), [text(folder, "Counting")]
    with at_work(a_bus, folder, "Counting"), scanning(a_bus, scanners=own) as engine:
        for k in (NINE, NINE + 10, NINE + 20):
            desk.write(k)
            until(partial(is_through, a_bus, k))
            desk.write(k + 3)
            until(partial(is_shown, a_bus, k + 3))
        assert engine.today is not None
        live = engine.today.engine
    fired = [trigger for trigger in live.triggers if trigger.scanner == "counting"]
    assert [(trigger.symbol, trigger.score, trigger.note) for trigger in fired] == [(SYMBOL, 2.0, "scan 2")]
    told = [one.trigger for one in triggers_of(a_bus, DAY.date)]
    assert [repr(one) for one in told if one.scanner == "counting"] == [repr(one) for one in fired]
    assert results(a_bus)[1].found[0].figures["lists"] > 10  # the lists as they were published
    (folder / f"scans_{folder.name}.py").write_text(SCANS.format(symbol=SYMBOL).replace("def scan", "def scan_no_more"))
    again = IsolatingEngine(TAPE.universe, roster_of({}, own)[0])
    for entry in TapeReader(a_bus, DAY).recover():
        if entry.bars is not None:
            again.step(entry.bars)
    assert repr(again.triggers) == repr(live.triggers)
    assert again.lists_at(NINE + 23) == live.lists_at(NINE + 23)
    assert again.lists_at(NINE + 23)["counting"].scores == (3.0,)
    with scanning(a_bus, scanners=own):  # one that is started again
        desk.write(NINE + 24)
        until(partial(is_shown, a_bus, NINE + 24))
    assert [one.trigger.identity for one in triggers_of(a_bus, DAY.date)] == [one.identity for one in told]


def test_a_scan_that_hangs_is_ended_with_all_it_started_and_others_go_on(a_bus: Bus, folder: Path) -> None:
    desk = Writer(a_bus, TAPE).write(NINE)
    with at_work(a_bus, folder, "Hanging", "Counting") as work:
        until(lambda: number(a_bus, "counting") == NINE + 1)
        until(lambda: any(job.off for job in work.jobs))
        pids = [int(pid) for pid in (folder / "hanging").read_text().split()]
        until(lambda: all(map(is_gone, pids)))
        desk.write(NINE + 10)
        until(lambda: number(a_bus, "counting") == NINE + 11)
        off = {job.name: job.off for job in work.jobs if job.off}
    assert off == {
        "hanging": "switched off after 1 scans in a row that failed: It took longer than 0.5 s. "
        "On again: scanner-kit jobs on hanging"
    }
    assert number(a_bus, "hanging") == 0


def test_who_fails_again_and_again_is_off_and_said_so_until_it_is_switched_on(a_bus: Bus, folder: Path) -> None:
    desk = Writer(a_bus, TAPE).write(NINE)
    with at_work(a_bus, folder, "Failing") as work, Beating(a_bus, "jobs", work.facts):
        until(lambda: work.jobs and work.jobs[0].failed == 1)
        desk.write(NINE + 10)
        until(lambda: any(beat.faults for beat in read_beats(a_bus)))
        desk.write(NINE + 20)
        assert (folder / "tries").read_text() == "xxxx"  # two scans, each with one more try; none while it is off
        rows = {row.subject: row for row in Look(a_bus, expected=()).health()}
        assert (rows["scan failing"].state, rows["scan failing"].reason) == (
            "FAULT",
            "switched off after 2 scans in a row that failed: RuntimeError: the vendor is away. "
            "On again: scanner-kit jobs on failing",
        )
        (folder / "mended").touch()
        with pytest.raises(UnknownName, match=r"There is no scheduled scanner 'fialing'\. Did you mean 'failing'\?"):
            jobs.switch_on(a_bus, "fialing", ["failing"])
        assert jobs.switch_on(a_bus, "failing", ["failing"])
        until(lambda: number(a_bus, "failing") == NINE + 21)
        until(lambda: not any(beat.faults for beat in read_beats(a_bus)))
        assert not jobs.switch_on(a_bus, "failing", ["failing"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Leaving", "Its process ended with exit status 3"),
        ("Unknown", "A result is of symbols that are scanned today, or that it adds; found ['NOSUCH']"),
    ],
)
def test_whatever_a_scan_does_is_a_fault_of_its_own(a_bus: Bus, folder: Path, name: str, why: str) -> None:
    Writer(a_bus, TAPE).write(NINE)
    with at_work(a_bus, folder, name) as work:
        off = until(lambda: work.jobs and work.jobs[0].off)
    assert off.startswith(f"switched off after 1 scans in a row that failed: {why}")
    assert results(a_bus) == []


def test_who_is_off_stays_off_over_a_restart_and_its_state_is_there_again(a_bus: Bus, folder: Path) -> None:
    desk = Writer(a_bus, TAPE).write(NINE)
    with at_work(a_bus, folder, "Counting", "Leaving") as work:
        until(lambda: number(a_bus, "counting") == NINE + 1 and any(job.off for job in work.jobs))
    with at_work(a_bus, folder, "Counting", "Leaving") as work:
        until(lambda: any(job.off for job in work.jobs))
        desk.write(NINE + 10)
        until(lambda: work.jobs[0].scans == 1)
    desk.write(NINE + 11)
    assert [found.score for result in results(a_bus) for found in result.found] == [1.0, 2.0]


def test_symbols_that_a_result_adds_join_before_it(a_bus: Bus, folder: Path) -> None:
    desk, own = Writer(a_bus, TAPE).write(NINE), [text(folder, "Adding")]
    with at_work(a_bus, folder, "Adding") as work:
        until(lambda: number(a_bus, "adding") == NINE + 1)
        universe, desk.writer.changes = TapeReader(a_bus, DAY).stands()
        assert (universe.symbols, desk.writer.changes) == (tuple(sorted((*TAPE.universe.symbols, "NEWCO", "PLAIN"))), 1)
        assert universe.facts.prev_close[universe.row("NEWCO")] == 10.0
        wide = Widening.of(TAPE.universe.symbols, universe.symbols)
        for k in range(NINE + 1, NINE + 12):
            desk.writer.closed(TAPE.bars(k).onto(wide), at=time.time())
        until(lambda: number(a_bus, "adding") == NINE + 11)
        assert TapeReader(a_bus, DAY).stands()[1] == 1  # who is there does not join again
        assert (folder / "symbols").read_text().split() == list(universe.symbols)
        (folder / "wrong").touch()
        for k in range(NINE + 12, NINE + 22):
            desk.writer.closed(TAPE.bars(k).onto(wide), at=time.time())
        until(lambda: work.jobs[0].failed == 1)
        assert number(a_bus, "adding") == NINE + 11
    engine = IsolatingEngine(TAPE.universe, roster_of({}, own)[0])
    for entry in TapeReader(a_bus, DAY).recover():
        if entry.bars is not None:
            engine.step(entry.bars)
    assert (engine.universe.symbols, engine.off) == (universe.symbols, {})
    assert engine.lists_at(engine.k)["adding"].symbols == ("NEWCO", SYMBOL)
    assert "adding: yes" in map(str, engine.why("NEWCO"))


def test_the_tape_may_go_on_while_a_scan_that_adds_symbols_runs(a_bus: Bus, folder: Path) -> None:
    desk, own = Writer(a_bus, TAPE).write(NINE), text(folder, "Adding")
    scanner = scheduled_in(roster_of({}, [own])[0])["adding"]
    job = jobs.Job(a_bus, own, scanner, TAPE.universe)
    desk.write(NINE + 5)
    job._join(["NEWCO", {"symbol": "PLAIN", "prev_close": 3.0}])
    job._join(["PLAIN", "NEWCO"])
    assert TapeReader(a_bus, DAY).stands()[1] == 1
    put_change(a_bus, DAY, Leave.of("PLAIN"))
    job._join(["PLAIN", "NEWCO"])  # who has left comes back
    assert TapeReader(a_bus, DAY).stands()[1] == 3
    with pytest.raises(InvalidInput, match="There is no fact 'no_such'"):
        job._join([{"symbol": "OTHER", "no_such": 3.0}])


def command(folder: Path, *words: str) -> list[str]:
    settings = folder / "settings.toml"
    return [sys.executable, "-m", "scanner_kit", "jobs", f"--settings={settings}", *words]


@pytest.fixture
def desk_of_its_own(folder: Path) -> Iterator[tuple[Bus, Path]]:
    """A desk whose settings name a scan that waits."""
    from scanner_kit.bus.connection import connect

    with private_server(folder / "state", any_program()) as url, connect(url, "scanner") as bus:
        (folder / "settings.toml").write_text(
            f'[live]\nredis = "{url}"\nstate = "{folder / "state"}"\nscanners = ["{text(folder, "Slow")}"]\n'
        )
        yield bus, folder


def test_a_runner_that_is_killed_leaves_nothing_behind_and_puts_nothing_there_twice(
    desk_of_its_own: tuple[Bus, Path],
) -> None:
    bus, folder = desk_of_its_own
    desk = Writer(bus, TAPE).write(NINE)
    began = folder / "began"

    def pids() -> list[int]:
        return [int(pid) for pid in began.read_text().split()] if began.exists() else []

    for runs in (1, 2):
        runner = subprocess.Popen(command(folder), stdin=subprocess.PIPE)
        until(lambda: len(pids()) == runs)  # noqa: B023  called at once
        if runs == 1:
            runner.send_signal(signal.SIGKILL)
            runner.communicate()
            until(lambda: is_gone(pids()[0]))
            assert number(bus, "slow") == 0
    (folder / "go").touch()
    until(lambda: number(bus, "slow") == NINE + 1)
    beat = until(lambda: [one for one in read_beats(bus) if one.role == "jobs" and one.figures.get("scans") == 1])
    assert beat[0].state == "running"
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    third = subprocess.Popen(command(folder, "--with-parent"), stdin=subprocess.PIPE)
    desk.write(NINE + 10)
    until(lambda: number(bus, "slow") == NINE + 11)
    third.communicate()  # its parent is gone
    assert third.returncode == 0
    desk.write(NINE + 11)
    assert [found.score for result in results(bus) for found in result.found] == [1.0, 2.0]


def test_a_result_that_is_there_is_not_put_there_again(a_bus: Bus, folder: Path) -> None:
    desk = Writer(a_bus, TAPE).write(NINE)
    with at_work(a_bus, folder, "Counting"), at_work(a_bus, folder, "Counting"):  # two runners of one desk
        until(lambda: number(a_bus, "counting") == NINE + 1)
        desk.write(NINE + 10)
        until(lambda: number(a_bus, "counting") == NINE + 11)
    desk.write(NINE + 12)
    assert len(results(a_bus)) == 2


def test_a_desk_has_jobs_where_a_scanner_of_ones_own_is_scheduled(folder: Path) -> None:
    def names(*scanners: str) -> list[str]:
        known = Settings(live=LiveSettings(redis="redis://x", scanners=scanners))
        return [one.name for one in _stations(known, MarketOptions(), SourceOptions(), PageOptions(), None)]

    assert names() == ["ingest", "engine", "store", "serve"]
    assert names("scanner_kit.scanners:Hot") == ["ingest", "engine", "store", "serve"]
    assert names("no.such.module:News") == ["ingest", "engine", "store", "serve"]
    assert names(text(folder, "Counting")) == ["ingest", "engine", "store", "serve", "jobs"]


def test_commands_list_the_scheduled_scanners_and_switch_them_on(desk_of_its_own: tuple[Bus, Path]) -> None:
    bus, folder = desk_of_its_own

    def said(*words: str) -> str:
        return CliRunner().invoke(app, command(folder, *words)[3:]).output.strip()

    assert said("list") == "slow: on"
    jobs.keep(bus, "slow", off="switched off after 3 scans", since=1.0, failures=3)
    assert said("list") == "slow: switched off after 3 scans, 3 failed in a row"
    assert '"failures": 3' in said("list", "--json")
    assert said("on", "slow") == "slow is on again."
    assert said("on", "slow") == "slow is on, as it was."
    assert said("list") == "slow: on"


def test_a_child_that_cannot_begin_says_why() -> None:
    made = child.Made("no.such.module:News", "news", {}, DAY)
    with pytest.raises(child.ScanFault, match=r"There is no module 'no'"):
        child.Child(made, 1.0).scan(child.Order(DAY.time(NINE), {}, {}), TAPE.universe, threading.Event())
