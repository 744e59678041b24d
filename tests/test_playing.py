"""Playing: days one after the other on a live board, with clocks that the test moves."""

import datetime as dt
import itertools
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from scanner_kit import playing as module
from scanner_kit.answers import explain, history
from scanner_kit.bars import Tape
from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.playing import Playing, days_of, play, simulated_days
from scanner_kit.scanners import Hot, Winners
from scanner_kit.sources.player import Player
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import TapeSource
from scanner_kit.testing import sample_tape
from scanner_kit.universe import Universe

QUICK = 1e9
ENOUGH = 30.0


@pytest.fixture(scope="module")
def tape() -> Tape:
    return sample_tape(symbols=5)


def next_day(tape: Tape) -> Tape:
    """The same bars a session later."""
    day = replace(tape.universe.day, date=TradingDay.after(tape.universe.day.date).date)
    return replace(tape, universe=replace(tape.universe, day=day))


def lists() -> list[Any]:
    return [Winners(), Hot()]


@pytest.fixture
def started() -> Iterator[list[Playing]]:
    """What a test started is ended, whatever became of it."""
    running: list[Playing] = []
    yield running
    for playing in running:
        playing.stop()


class Gate:
    """A tape in which the minute `k` comes only when it is let go."""

    def __init__(self, tape: Tape, k: int) -> None:
        self.tape, self.k = tape, k
        self.reached, self.go = threading.Event(), threading.Event()

    @property
    def day(self) -> Tape:
        """It plays as a tape does."""
        return cast(Tape, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tape, name)

    def __iter__(self) -> Iterator[Any]:
        for bars in self.tape:
            if bars.k == self.k:
                self.reached.set()
                assert self.go.wait(ENOUGH)
            yield bars


# The player


class Standing:
    """A clock that stands still, and a wait that moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return False


def played(tape: Tape, speed: float, start_k: int, taking: float = 0.0) -> tuple[list[float], list[float]]:
    """When each of the first minutes came, and how long was waited before it; each takes its taker some time."""
    clock = Standing()
    player = Player(tape, speed, start_k, clock)
    player._stopped = clock  # type: ignore[assignment]
    came = []
    for _ in itertools.islice(player, start_k + 4):
        came.append(clock.now - 1000.0)
        clock.now += taking
    return came, clock.waited


def test_minutes_before_the_start_come_at_once_and_then_at_the_pace(tape: Tape) -> None:
    assert played(tape, speed=60, start_k=3)[0] == [0, 0, 0, 0, 1, 2, 3]
    assert played(tape, speed=120, start_k=0)[0] == [0, 0.5, 1, 1.5]
    assert played(tape, speed=1, start_k=0)[0] == [0, 60, 120, 180]


def test_a_slow_taker_does_not_shift_the_minutes_after(tape: Tape) -> None:
    came, waited = played(tape, speed=60, start_k=0, taking=0.25)
    assert came == [0, 1, 2, 3]
    assert waited == [0, 0.75, 0.75, 0.75]


def test_who_is_late_is_not_waited_for(tape: Tape) -> None:
    came, waited = played(tape, speed=60, start_k=0, taking=1.5)
    assert came == [0, 1.5, 3, 4.5]
    assert waited == [0, 0, 0, 0]


def test_a_player_that_is_stopped_ends_though_it_waits(tape: Tape) -> None:
    player, came = Player(tape, speed=0.001), []
    first = threading.Event()

    def take() -> None:
        for bars in player:
            came.append(bars.k)
            first.set()

    thread = threading.Thread(target=take)
    thread.start()
    assert first.wait(ENOUGH)
    player.stop()
    thread.join(5)
    assert (thread.is_alive(), came) == (False, [0])


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_is_above_zero(tape: Tape, speed: float) -> None:
    with pytest.raises(InvalidInput, match=r"A speed is above 0 \(60 is a minute a second\); found"):
        Player(tape, speed)


# Days


def test_several_days_are_played_one_after_the_other(tape: Tape, started: list[Playing]) -> None:
    started.append(playing := play([tape, next_day(tape)], lists(), speed=QUICK))
    assert playing.wait(ENOUGH)
    engine = playing.desk.engine
    assert (engine.universe.day.date, engine.k) == (next_day(tape).universe.day.date, 399)
    assert playing.board.step == 800


def test_only_so_many_days_are_made(tape: Tape, started: list[Playing]) -> None:
    made = []

    def days() -> Iterator[Tape]:
        for number in itertools.count():
            made.append(number)
            yield tape

    started.append(playing := play(days(), lists(), speed=QUICK, days=2))
    assert playing.wait(ENOUGH)
    assert made == [0, 1]


def test_another_day_may_have_other_symbols_and_fewer_minutes(tape: Tape, started: list[Playing]) -> None:
    short = Universe.of(replace(tape.universe.day, minutes=390), ["NVDA"])
    started.append(playing := play([tape, Tape.empty(short)], lists(), speed=QUICK))
    assert playing.wait(ENOUGH)
    assert (playing.desk.engine.k, playing.board.state("status")["clock"]["k"]) == (389, 389)
    assert playing.board.state("status")["health"]["engine"][1] == "CLOSED"


def test_without_a_day_there_is_nothing_to_play() -> None:
    with pytest.raises(InvalidInput, match="There is no day to play"):
        play([], lists())


def test_a_simulated_market_goes_on_with_the_next_session() -> None:
    days = simulated_days(SimulatedMarket(symbols=2, day=dt.date(2025, 7, 3)))
    first, second = next(days).universe, next(days).universe
    assert [str(first.day.date), str(second.day.date)] == ["2025-07-03", "2025-07-07"]
    assert first.label == second.label == "simulated"


def test_days_of_a_source_come_round_again() -> None:
    bars = SimulatedMarket(symbols=2, day=dt.date(2025, 7, 3)).frame()
    later = SimulatedMarket(symbols=2, day=dt.date(2025, 7, 7)).frame()
    source = TapeSource([bars, later])
    dates = [str(tape.universe.day.date) for tape in itertools.islice(days_of(source), 3)]
    assert dates == ["2025-07-03", "2025-07-07", "2025-07-03"]
    assert str(next(days_of(source, "2025-07-07")).universe.day.date) == "2025-07-07"
    with pytest.raises(InvalidInput, match=r"no bars on or after 2025-07-08\. Its last day is 2025-07-07"):
        days_of(source, "2025-07-08")


# While it plays


def test_the_board_has_the_market_clock_and_when_it_came(tape: Tape, started: list[Playing]) -> None:
    gate = Gate(tape, 340)
    started.append(playing := play([gate.day], lists(), speed=QUICK))
    before = time.time()
    assert gate.reached.wait(ENOUGH)
    clock = playing.board.state("status")["clock"]
    assert (clock["k"], clock["session"], clock["forming"]) == (339, "REGULAR", False)
    assert clock["time"] == tape.universe.day.time(339).timestamp()
    assert abs(clock["arrived"] - before) < ENOUGH
    gate.go.set()


def test_a_change_is_in_force_from_the_next_step(tape: Tape, started: list[Playing]) -> None:
    gate, winners = Gate(tape, 340), Winners()
    started.append(playing := play([gate.day], [winners, Hot()], speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    playing.board.change("winners", {"min_change_pct": 40.0})
    assert playing.board.scanner("winners").min_change_pct == 40.0
    assert playing.desk.roster[0] == winners or getattr(playing.desk.roster[0], "min_change_pct", 0) == 5.0
    gate.go.set()
    assert playing.wait(ENOUGH)
    assert getattr(playing.desk.roster[0], "min_change_pct", 0) == 40.0


def test_a_refused_change_says_its_sentence_and_changes_nothing(tape: Tape, started: list[Playing]) -> None:
    gate = Gate(tape, 340)
    started.append(playing := play([gate.day], lists(), speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    with pytest.raises(InvalidInput, match=r"There is no scanner 'winers'\. Did you mean 'winners'\?"):
        playing.board.change("winers", {"min_change_pct": 40.0})
    with pytest.raises(InvalidInput, match="min_change_pct"):
        playing.board.change("winners", {"min_change_pct": "much"})
    assert playing.board.scanner("winners").min_change_pct == 5.0
    gate.go.set()
    assert playing.wait(ENOUGH)
    assert getattr(playing.desk.roster[0], "min_change_pct", 0) == 5.0


def test_a_scanner_that_is_moved_in_code_moves_the_board(tape: Tape, started: list[Playing]) -> None:
    gate, winners = Gate(tape, 340), Winners()
    started.append(playing := play([gate.day], [winners], speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    winners.param.update(min_change_pct=12.0, top=3)
    gate.go.set()
    assert playing.wait(ENOUGH)
    assert playing.desk.roster[0].settings() == Winners(min_change_pct=12.0, top=3).settings()
    playing.stop()
    winners.top = 7
    assert playing.board.scanner("winners").top == 3


def test_thresholds_that_are_moved_between_two_days_hold_on_the_second(tape: Tape, started: list[Playing]) -> None:
    board: list[Any] = []

    def days() -> Iterator[Tape]:
        yield tape
        board[0].change("hot", {"top": 2})  # the last step of the first day is done
        yield next_day(tape)

    playing = Playing(days(), lists(), QUICK, 320)
    board.append(playing.board)
    started.append(playing.start())
    assert playing.wait(ENOUGH)
    assert getattr(playing.desk.roster[1], "top", 0) == 2


def test_stop_ends_it_promptly_though_it_waits_for_a_minute(tape: Tape) -> None:
    playing = play([tape], lists(), speed=0.01, start_k=2)
    playing.stop()
    assert not any(thread.is_alive() for thread in playing._threads)
    assert playing.board.step <= 3


def test_stop_makes_no_further_day(tape: Tape, started: list[Playing]) -> None:
    made = []

    def days() -> Iterator[Tape]:
        for number in itertools.count():
            made.append(number)
            yield tape

    started.append(playing := play(days(), lists(), speed=0.01))
    playing.stop()
    assert made == [0]


def test_an_error_in_the_engine_is_logged_seen_in_health_and_raised(
    tape: Tape, started: list[Playing], caplog: pytest.LogCaptureFixture
) -> None:
    def days() -> Iterator[Any]:
        yield tape
        raise OSError("the disk is gone")

    started.append(playing := play(days(), lists(), speed=QUICK))
    with caplog.at_level(logging.ERROR), pytest.raises(OSError, match="the disk is gone"):
        playing.wait(ENOUGH)
    playing._threads[0].join(ENOUGH)
    told = playing.board.state("status")["health"]["engine"]
    assert told[:4] == [0, "FAULT", "red", "the engine ended: OSError: the disk is gone"]
    assert [record.getMessage() for record in caplog.records] == ["The engine ended: the disk is gone"]


def test_the_beat_says_that_all_is_alive_while_it_waits(
    tape: Tape, started: list[Playing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.001)
    gate = Gate(tape, 340)
    started.append(playing := play([gate.day], lists(), speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    told = threading.Event()
    detach = playing.board.attach(told.set)
    assert told.wait(ENOUGH)
    detach()
    assert playing.board.state("status")["health"]["engine"][1] == "LIVE"
    gate.go.set()


# What screens ask


def test_the_history_of_a_symbol_is_its_own_bars_so_far(tape: Tape, started: list[Playing]) -> None:
    gate, symbol = Gate(tape, 340), tape.universe.symbols[0]
    started.append(playing := play([gate.day], lists(), speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    found = history(playing.desk, symbol)
    own = np.flatnonzero(np.isfinite(tape.close[:340, 0]))
    np.testing.assert_array_equal(found["k"], own)
    np.testing.assert_array_equal(found["close"], tape.close[own, 0])
    assert found["levels"]["HOD"] == np.nanmax(tape.high[:340, 0])
    assert found["day"] == tape.universe.day
    gate.go.set()


def test_every_scanner_explains_itself(tape: Tape, started: list[Playing]) -> None:
    gate = Gate(tape, 340)
    started.append(playing := play([gate.day], speed=QUICK))
    assert gate.reached.wait(ENOUGH)
    scan = playing.desk.engine.scan
    assert scan is not None
    name, symbols = next((name, found.symbols) for name, found in scan.lists.items() if len(found.symbols) > 1)
    answers = {answer["scanner"]: answer for answer in explain(playing.desk, symbols[1])}
    assert answers[name]["rank"] == 2
    assert answers[name]["holds"] is True
    assert {scanner.name for scanner in playing.desk.roster} <= {*answers, "halt_resume"}
    gate.go.set()
