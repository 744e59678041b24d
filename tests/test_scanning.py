"""The engine as a process: what it publishes is what the engine makes of the tape, once each and in order."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from desk import LAST_K, Writer, expected, published, scanning, wait, wait_for
from unreliable import Killable

from scanner_kit import scanners as built_in
from scanner_kit.bars import SettingsChange, Tape, VendorHalt
from scanner_kit.bus.asking import Asking
from scanner_kit.bus.beats import Beat
from scanner_kit.bus.board import BoardReader, triggers_of
from scanner_kit.bus.connection import Bus, BusError, persist
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.live.scanning import Scanning
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape

DAY = TradingDay.of("2025-06-18")


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulated_tape(SimulatedMarket(symbols=25, seed=5, day=DAY.date))


@pytest.fixture(scope="module")
def next_tape(tape: Tape) -> Tape:
    return simulated_tape(SimulatedMarket(symbols=25, seed=6, day=TradingDay.after(DAY.date).date))


@pytest.fixture(scope="module")
def undisturbed(tape: Tape) -> Any:
    made = expected(tape)
    assert made[1], "something fires"
    return made


def test_what_is_published_is_what_the_engine_makes_of_the_tape(any_bus: Bus, tape: Tape, undisturbed: Any) -> None:
    writer = Writer(any_bus, tape).write(200)
    with scanning(any_bus) as engine:
        wait_for(any_bus, DAY, 200)
        for last in range(201, LAST_K + 1, 7):
            writer.write(last)
        writer.write(LAST_K)
        wait_for(any_bus, DAY, LAST_K)
        assert engine.state == "leading"
    assert published(any_bus, DAY) == undisturbed


def test_an_engine_that_comes_back_goes_on_where_it_was(a_bus: Bus, tape: Tape, undisturbed: Any) -> None:
    writer = Writer(a_bus, tape)
    for last in (120, 345, 346, LAST_K):
        with scanning(a_bus):
            writer.write(last)
            wait_for(a_bus, DAY, last)
        writer.write(min(last + 20, LAST_K))
    assert published(a_bus, DAY) == undisturbed


def test_what_fired_while_nobody_listened_is_announced_once_and_says_that_it_is_late(a_bus: Bus, tape: Tape) -> None:
    writer = Writer(a_bus, tape)
    with scanning(a_bus):
        writer.write(345)
        wait_for(a_bus, DAY, 345)
    writer.write(370, at=time.time() - 100, delay=20)
    with scanning(a_bus):
        wait_for(a_bus, DAY, 370)
        writer.write(LAST_K)
        wait_for(a_bus, DAY, LAST_K)
    told = triggers_of(a_bus, DAY.date)
    late = {one.trigger.k: one.late for one in told if one.late}
    assert {one.trigger.k for one in told if 345 < one.trigger.k <= 370} == set(late)
    assert all(115 < seconds < 180 for seconds in late.values()), "100 s and what the bars themselves were late"
    assert len({one.trigger.identity for one in told}) == len(told)


def test_of_two_engines_one_leads_and_the_other_takes_over(a_bus: Bus, tape: Tape, undisturbed: Any) -> None:
    writer = Writer(a_bus, tape).write(100)
    with scanning(a_bus, lease_seconds=1.0) as first:
        wait(lambda: first.leads)
        with scanning(a_bus, lease_seconds=1.0) as second:
            wait(lambda: second.state == "standby")
            writer.write(350)
            wait_for(a_bus, DAY, 350)
            first.over.set()
            wait(lambda: second.leads)
            writer.write(LAST_K)
            wait_for(a_bus, DAY, LAST_K)
            wait(lambda: first.published + second.published == LAST_K + 1)
            assert 0 < second.published < LAST_K
    assert published(a_bus, DAY) == undisturbed


def test_an_engine_that_stood_still_publishes_nothing_when_it_goes_on(
    a_bus: Bus, tape: Tape, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(a_bus, tape).write(100)
    stopped, go_on = threading.Event(), threading.Event()
    with scanning(a_bus, lease_seconds=0.5) as first:
        wait(lambda: first.leads)
        publish = first.publisher.publish

        def still(step: Any) -> Any:
            if step.k == 360 and not go_on.is_set():
                stopped.set()
                go_on.wait(60)
            return publish(step)

        monkeypatch.setattr(first.publisher, "publish", still)
        with scanning(a_bus, lease_seconds=0.5) as second:
            writer.write(LAST_K - 10)
            stopped.wait(60)
            wait_for(a_bus, DAY, LAST_K - 10)
            assert second.leads
            assert not first.leads
            go_on.set()
            writer.write(LAST_K)
            wait_for(a_bus, DAY, LAST_K)
            wait(lambda: first.state == "standby" and not first.facts()["figures"]["waiting"])
    assert published(a_bus, DAY) == undisturbed


def test_a_change_of_settings_is_in_force_from_the_next_step_and_on_its_triggers(a_bus: Bus, tape: Tape) -> None:
    change = SettingsChange.of(hod_break={"min_rvol": 0.5}, pmh_break={"min_rvol": 0.5}).numbered(8)
    writer = Writer(a_bus, tape, version=7, thresholds={"winners": {"min_change_pct": 1.0}}).write(340)
    settings = type(writer.writer)(a_bus, DAY, "settings")
    settings.go_on()
    with scanning(a_bus):
        wait_for(a_bus, DAY, 340)
        settings.settings(change, time.time())
        writer.write(360)
        wait_for(a_bus, DAY, 360)
    with scanning(a_bus):
        writer.write(LAST_K)
        wait_for(a_bus, DAY, LAST_K)
    roster = built_in.roster()
    changed = [s.with_settings(min_change_pct=1.0) if s.name == "winners" else s for s in roster]
    assert published(a_bus, DAY) == expected(tape, events={341: (change,)}, roster=changed)
    told = triggers_of(a_bus, DAY.date)
    assert {one.version for one in told if one.trigger.k <= 340} == {7}
    assert {one.version for one in told if one.trigger.k > 340} == {8}


def test_triggers_within_the_minute_need_a_tape_that_keeps_it_and_health_says_so(
    a_bus: Bus, tape: Tape, undisturbed: Any
) -> None:
    writer = Writer(a_bus, tape, keeps_forming=False).write(345)
    with scanning(a_bus, intrabar=True) as engine:
        wait_for(a_bus, DAY, 345)
        told = {trouble.resource: trouble.reason for trouble in engine.facts()["faults"]}
        assert told["intrabar"].startswith("the day's tape was begun without it")
        for last in range(346, LAST_K + 1):
            writer.form().write(last)
        wait_for(a_bus, DAY, LAST_K)
    assert not [one for one in triggers_of(a_bus, DAY.date) if one.trigger.intrabar]
    assert published(a_bus, DAY) == undisturbed


def test_forming_steps_are_shown_and_fire_nothing(a_bus: Bus, tape: Tape, undisturbed: Any) -> None:
    writer, over = Writer(a_bus, tape).write(340), threading.Event()
    with scanning(a_bus):
        wait_for(a_bus, DAY, 340)
        steps = BoardReader(a_bus).follow(over)
        next(steps)
        for last in range(341, LAST_K + 1):
            writer.form(0.5)
            assert (following := next(steps)).forming
            assert (following.k, following.fired) == (last, ())
            writer.write(last)
            assert not next(steps).forming
        over.set()
    assert published(a_bus, DAY) == undisturbed


def test_within_the_minute_triggers_fire_where_it_is_asked_for(a_bus: Bus, tape: Tape) -> None:
    writer = Writer(a_bus, tape).write(340)
    with scanning(a_bus, intrabar=True):
        wait_for(a_bus, DAY, 340)
        for last in range(341, LAST_K + 1):
            writer.form().write(last)
        wait_for(a_bus, DAY, LAST_K)
    within = [one.trigger for one in triggers_of(a_bus, DAY.date) if one.trigger.intrabar]
    assert within
    before = [repr(one.trigger) for one in triggers_of(a_bus, DAY.date)]
    with scanning(a_bus, intrabar=True):
        writer.form().write(LAST_K + 1)
        wait_for(a_bus, DAY, LAST_K + 1)
    after = [repr(one.trigger) for one in triggers_of(a_bus, DAY.date)]
    assert after[: len(before)] == before
    assert not set(after[len(before) :]) & set(before)


def test_a_day_that_was_left_is_ended_before_the_next_is_begun(
    a_bus: Bus, tape: Tape, next_tape: Tape, undisturbed: Any
) -> None:
    writer, following = Writer(a_bus, tape), next_tape.universe.day
    with scanning(a_bus):
        writer.write(350)
        wait_for(a_bus, DAY, 350)
    writer.write(LAST_K)
    writer.writer.end(time.time())
    Writer(a_bus, next_tape).write(50)
    with scanning(a_bus):
        wait_for(a_bus, following, 50)
    assert published(a_bus, DAY) == undisturbed
    assert published(a_bus, following) == expected(next_tape, 50)


def test_days_follow_each_other_and_the_lists_numbers_go_on(a_bus: Bus, tape: Tape, next_tape: Tape) -> None:
    with scanning(a_bus):
        writer = Writer(a_bus, tape).write(350)
        wait_for(a_bus, DAY, 350)
        before = BoardReader(a_bus).whole()
        writer.writer.end(time.time())
        Writer(a_bus, next_tape).write(20)
        after = wait_for(a_bus, next_tape.universe.day, 20)
    assert before is not None
    assert all(after.lists[name].seq >= its.seq for name, its in before.lists.items())
    assert after.n == 351 + 21


def test_a_board_that_was_lost_is_made_again(a_bus: Bus, tape: Tape, undisturbed: Any) -> None:
    writer = Writer(a_bus, tape)
    with scanning(a_bus) as engine:
        writer.write(350)
        wait_for(a_bus, DAY, 350)
        a_bus.redis.delete(a_bus.keys.board, a_bus.keys.scans(DAY.date))
        writer.write(LAST_K)
        wait_for(a_bus, DAY, LAST_K)
        wait(lambda: engine.published == 351 + LAST_K + 1)
    assert published(a_bus, DAY) == undisturbed


def test_the_bus_may_be_killed_while_it_scans(tmp_path: Path, tape: Tape, undisturbed: Any) -> None:
    server = Killable(tmp_path)
    try:
        writer = Writer(server.bus, tape)
        with scanning(server.bus):
            for last in (100, 345, 360):
                writer.write(last)
                wait_for(server.bus, DAY, last - 5)
                server.kill()
                server.start()
                persist(server.bus.redis.ping, threading.Event())
            writer.write(LAST_K)
            wait_for(server.bus, DAY, LAST_K)
        assert published(server.bus, DAY) == undisturbed
    finally:
        server.close()


OWN = '''
from scanner_kit.metrics import ChangePct
from scanner_kit.scanner import Scanner


class Idea(Scanner):
    """Moved."""

    change = ChangePct()

    def select(self, now):
        return [now[self.change] >= 0.5]

    def rank(self, now):
        return now[self.change]


class Faulty(Idea):
    """Raises after the open."""

    def select(self, now):
        if int(now.k) >= 345:
            raise RuntimeError("out of ideas")
        return super().select(now)
'''


def test_a_scanner_of_the_user_s_own_is_scanned_and_one_that_raises_stops_nobody(
    a_bus: Bus, tape: Tape, undisturbed: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "own_ideas.py"
    path.write_text(OWN)
    own = [f"{path}:Idea", f"{path}:Faulty", f"{path}:Missing", "hot"]
    Writer(a_bus, tape, thresholds={"idea": {"top": 3}, "nobody": {"top": 3}}).write(LAST_K)
    with scanning(a_bus, scanners=own) as engine:
        wait_for(a_bus, DAY, LAST_K)
        beat = Beat.of(Beat("engine", "a", **engine.facts()).text())
    steps, triggers = published(a_bus, DAY)
    own_lists = {"idea", "faulty"}
    others = [(k, {name: its for name, its in lists.items() if name not in own_lists}) for k, lists in steps]
    assert (others, triggers) == undisturbed
    assert [("idea" in lists, "faulty" in lists) for k, lists in steps if k in (344, 345)] == [
        (True, True),
        (True, False),
    ]
    assert max(len(lists["idea"]) for _, lists in steps) == 3
    assert {one.resource for one in beat.faults} == {
        "faulty", f"scanner {path}:Missing", "scanner hot", "thresholds of nobody"
    }  # fmt: skip
    assert [record.getMessage() for record in caplog.records if record.getMessage().startswith("faulty")] == [
        "faulty is off: RuntimeError: out of ideas"
    ]


def test_the_engine_that_leads_answers_questions(a_bus: Bus, tape: Tape) -> None:
    symbol = tape.universe.symbols[3]
    Writer(a_bus, tape).write(360)
    ask = Asking(a_bus)
    with scanning(a_bus) as engine:
        wait_for(a_bus, DAY, 360)
        wait(lambda: engine.leads)
        assert engine.today is not None
        with engine.today.desk.still() as own:
            whys = own.why(symbol, 350)
        told = ask.why(symbol, 350)
        assert [one["scanner"] for one in told] == [
            why.scanner if why.kind in ("", "fired") else why.kind for why in whys
        ]
        assert [[str(reason) for reason in one["conditions"]][:1] for one in told if one["category"]]
        history = ask.history(symbol)
        row = tape.universe.row(symbol)
        assert history["day"] == DAY
        assert history["close"].tolist() == tape.close[history["k"], row].tolist()
        with pytest.raises(InvalidInput, match="no symbol 'NOBODY'"):
            ask.why("NOBODY")
        with pytest.raises(InvalidInput, match="found k=700"):
            ask.why(symbol, 700)


def test_where_no_engine_leads_a_question_is_not_answered(a_bus: Bus) -> None:
    with pytest.raises(BusError, match=r"No engine answered within 0\.1 s when it was asked about NVDA"):
        Asking(a_bus, seconds=0.1).why("NVDA")


def test_a_probe_passes_with_the_next_step_and_is_stamped(a_bus: Bus, tape: Tape) -> None:
    writer, over = Writer(a_bus, tape).write(100), threading.Event()
    probes = type(writer.writer)(a_bus, DAY, "probe")
    with scanning(a_bus):
        wait_for(a_bus, DAY, 100)
        steps = BoardReader(a_bus).follow(over)
        next(steps)
        probes.probe(1, "p1", time.time())
        writer.write(101)
        assert next(steps).probes == ("p1",)
        wait(lambda: a_bus.redis.hexists(a_bus.keys.probe("p1"), "engine"))
        over.set()


def test_halts_of_a_vendor_are_heeded(a_bus: Bus, tape: Tape) -> None:
    writer = Writer(a_bus, tape).write(340)
    vendor = type(writer.writer)(a_bus, DAY, "vendor")
    symbol = tape.universe.symbols[0]
    vendor.halt(1, [VendorHalt(symbol, halted=True), VendorHalt("NOBODY", halted=True)], time.time())
    writer.write(341)
    with scanning(a_bus):
        wait_for(a_bus, DAY, 341)
    (fired,) = (one.trigger for one in triggers_of(a_bus, DAY.date) if one.trigger.kind == "halted")
    assert (fired.symbol, fired.k) == (symbol, 341)


def test_a_beat_says_what_the_engine_does(a_bus: Bus, tape: Tape) -> None:
    engine = Scanning(a_bus, threading.Event())
    assert Beat("engine", "a", **engine.facts()).state == "starting"
    Writer(a_bus, tape, version=3).write(345)
    with scanning(a_bus) as engine:
        wait_for(a_bus, DAY, 345)
        wait(lambda: engine.facts()["warmth"])
        wait(lambda: engine.published == 346)
        beat = Beat.of(Beat("engine", "a", **engine.facts()).text())
    assert (beat.state, beat.version, beat.label, beat.session) == ("leading", 3, "simulated", "REGULAR")
    assert beat.figures["k"] == 345
    assert beat.figures["published"] == 346
    assert beat.lists.keys() >= {"winners", "hot"}
    assert beat.last_tape is not None
    assert beat.last_step is not None
    assert beat.last_tape <= beat.last_step
