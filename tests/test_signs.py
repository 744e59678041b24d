"""Health of a desk from what was seen: every fault is named in time and gone in time, under an injected clock."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from desks import START, beat, signs

from scanner_kit.bus.beats import Beat, Trouble
from scanner_kit.health import Health, State
from scanner_kit.live.health.signs import DeskHealth, Signs

IN_TIME = 15.0
POLL, RUN = 1.0, 600


@dataclass(frozen=True)
class Injected:
    """A fault: what is seen `since` seconds after it began, which the definition knows `after` seconds from then on."""

    name: str
    seen: Callable[[float, float], Signs]
    subject: str
    state: State
    reason: str
    after: float = 0.0
    since: float = 0.0
    length: float = 300.0


FULL = {"trouble": "it is full", "reached": True}
AWAY = {"trouble": "it cannot be reached: refused", "reached": False}


def frozen(t: float, begun: float, **says: Any) -> Signs:
    """A bus that takes nothing: every beat is the last that it took."""
    return replace(signs(begun), now=t, **says)


FAULTS = [
    Injected(
        "feed silent",
        lambda t, b: signs(t, ingest={"last_bar": b}),
        "feed IBKR",
        State.STALE,
        "no bar of any symbol for 1",
        180,
    ),
    Injected(
        "one symbol silent",
        lambda t, b: signs(t, ingest={"silent": (("NVDA", (t - b) / 60 + 3, 9e4),)}),
        "NVDA",
        State.STALE,
        "the vendor has newer bars",
        0,
        -180,
    ),
    Injected(
        "halt",
        lambda t, b: signs(t, engine={"halts": {"NVDA": b}, "lists": {"hot": 5}}),
        "NVDA",
        State.HALTED,
        "halted",
        0,
    ),
    Injected(
        "delayed feed",
        lambda t, b: signs(t, ingest={"delays": (12.0,) * 5, "last_bar": b}),
        "feed IBKR",
        State.DELAYED,
        "bars come 12 s after",
        0,
        length=100,
    ),
    Injected(
        "feed that says so",
        lambda t, b: signs(t, ingest={"vendor_delayed": True, "last_bar": b}),
        "feed IBKR",
        State.DELAYED,
        "the vendor says",
        0,
        length=100,
    ),
    Injected("Redis full", lambda t, b: frozen(t, b, **FULL), "Redis", State.FAULT, "it is full, and takes nothing", 0),
    Injected("Redis away", lambda t, b: frozen(t, b, **AWAY), "bus", State.DOWN, "no answer for ", 6),
    Injected(
        "disk full",
        lambda t, b: signs(t, store={"faults": (Trouble("disk of desk1", "it is full", b),)}),
        "disk of desk1",
        State.FAULT,
        "it is full",
        0,
    ),
    Injected(
        "store locked",
        lambda t, b: signs(t, store={"faults": (Trouble("store", "locked", b),)}),
        "store",
        State.FAULT,
        "locked",
        0,
    ),
    Injected(
        "clock off", lambda t, b: signs(t, engine={"offset": -2.5}), "clock of desk1", State.FAULT, "off by -2.5 s", 0
    ),
    Injected(
        "the looker's clock off", lambda t, b: signs(t, offset=3.0), "clock of desk1", State.FAULT, "off by +3.0 s", 0
    ),
    Injected(
        "engine stuck",
        lambda t, b: signs(t, engine={"last_tape": b, "last_step": b}),
        "engine",
        State.STUCK,
        "the tape moves, but no step for 9",
        90,
    ),
    Injected(
        "store stuck",
        lambda t, b: signs(t, store={"last_tape": b, "last_step": b}),
        "store",
        State.STUCK,
        "no step for 9",
        90,
    ),
    Injected("engine killed", lambda t, b: signs(t, engine={"at": b}), "engine", State.DOWN, "no heartbeat for ", 6),
    Injected("ingest killed", lambda t, b: signs(t, ingest={"at": b}), "feed IBKR", State.DOWN, "no heartbeat for ", 6),
    Injected(
        "store ended",
        lambda t, b: signs(t, store={"at": b, "state": "stopped"}),
        "store",
        State.DOWN,
        "it was ended",
        0,
    ),
    Injected(
        "store never started", lambda t, b: signs(t, without=("store",)), "store", State.DOWN, "no heartbeat yet", 0
    ),
    Injected(
        "wrong prefix",
        lambda t, b: signs(t, strangers=(replace(beat("engine", t), prefix="scaner"),)),
        "bus of engine",
        State.FAULT,
        "uses the prefix 'scaner' where its neighbours use 'scanner'",
        0,
    ),
    Injected(
        "two lead", lambda t, b: signs(t, beat("engine", t, host="desk2")), "engine lead", State.FAULT, "two lead: ", 0
    ),
    Injected(
        "none leads", lambda t, b: signs(t, engine={"state": "standby"}), "engine lead", State.FAULT, "none leads: ", 0
    ),
    Injected(
        "old version",
        lambda t, b: signs(t, store={"version": 0}),
        "settings of store",
        State.FAULT,
        "works under version 0 of the settings, its neighbours under 1",
        90,
    ),
    Injected(
        "warming",
        lambda t, b: signs(t, engine={"warmth": (("usual_volume", 6, 10),)}),
        "fact usual_volume",
        State.WARMING,
        "unknown for 60 %",
        0,
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_in_time_and_gone_in_time(fault: Injected) -> None:
    desk, begun, ended = DeskHealth(), START + 90, START + 90 + fault.length
    named: dict[float, Health] = {}
    for t in (START + second for second in range(RUN)):
        rows = desk.rows(fault.seen(t, begun) if begun <= t < ended else signs(t))
        found = [row for row in rows if (row.subject, row.state) == (fault.subject, fault.state)]
        named.update((t, row) for row in found)
        if t < begun or t > ended + IN_TIME:
            assert [row for row in rows if row.colour != "green"] == [], t - begun
    assert -POLL <= min(named) - (begun + fault.after) <= IN_TIME
    assert max(named) - ended <= IN_TIME
    assert len(named) == round(max(named) - min(named)) + 1, "it came and went"
    assert len({row.since for row in named.values()}) == 1, "since when it is, it is since one instant"
    since = named[min(named)].since
    assert since is not None
    assert begun + fault.since - 70 <= since.timestamp() <= min(named)
    assert fault.reason in named[min(named)].reason or fault.reason in named[max(named)].reason


def test_a_symbol_of_which_the_vendor_has_newer_bars_is_not_halted() -> None:
    silent = {"silent": (("NVDA", 4.0, 9e4),)}
    rows = DeskHealth().rows(signs(START + 30, ingest=silent, engine={"halts": {"NVDA": START, "AMD": START}}))
    assert [(row.subject, row.state) for row in rows if row.subject in ("NVDA", "AMD")] == [
        ("NVDA", State.STALE),
        ("AMD", State.HALTED),
    ]


def red(rows: tuple[Health, ...]) -> list[tuple[str, State]]:
    return [(row.subject, row.state) for row in rows if row.colour == "red" and not row.subject.startswith("list ")]


def test_a_desk_at_work_is_green_and_lists_are_live_or_quiet() -> None:
    rows = {row.subject: row for row in DeskHealth().rows(signs(START + 30))}
    assert {row.colour for row in rows.values()} == {"green"}
    assert (rows["list hot"].state, rows["list winners"].state) == (State.LIVE, State.QUIET)
    assert (rows["feed IBKR"].state, rows["bus"].reason) == (State.LIVE, "the private server answers")
    assert all(row.since is not None for row in rows.values())


def test_the_stand_in_is_called_demo_and_a_bus_that_fills_says_how_far() -> None:
    assert bus_says(signs(START, how="demo")) == "DEMO: a stand-in serves, which keeps nothing"
    assert bus_says(signs(START, memory=(71.0, 100.0))) == "the private server answers, 71 % of its memory is used"
    assert bus_says(signs(START, memory=(69.0, 100.0))) == "the private server answers"


def bus_says(seen: Signs) -> str:
    return next(row.reason for row in DeskHealth().rows(seen) if row.subject == "bus")


def test_while_the_bus_takes_nothing_nobody_else_is_called_down() -> None:
    for trouble, said in ((FULL, [("Redis", State.FAULT)]), (AWAY, [("bus", State.DOWN)])):
        desk, begun = DeskHealth(), START + 10
        for second in range(200):
            t = START + second
            away = begun <= t < begun + 100
            beats = frozen(t, begun, **trouble) if away else signs(t)
            if begun + 100 <= t < begun + 103:
                beats = frozen(t, begun)  # the first beats are not there yet
            rows = desk.rows(beats)
            assert red(rows) in (said, []), second
            assert not (away and t > begun + 7 and red(rows) == [])
            if away and t > begun + 7:
                assert all(row.state is said[0][1] for row in rows if row.subject.startswith("list "))


def test_who_died_while_the_bus_was_away_is_down_once_it_is_back() -> None:
    desk = DeskHealth()
    desk.rows(signs(START))
    for second in range(1, 20):
        desk.rows(frozen(START + second, START, **AWAY))
    rows = [desk.rows(signs(START + second, engine={"at": START})) for second in range(20, 40)]
    assert red(rows[0]) == []
    assert red(rows[-1]) == [("engine", State.DOWN)]


def test_one_engine_leads_and_one_stands_by_and_that_is_no_fault() -> None:
    other = beat("engine", START + 30, host="desk2", state="standby")
    rows = {row.subject: row for row in DeskHealth().rows(signs(START + 30, replace(other, id="engine:desk2:1")))}
    assert {row.colour for row in rows.values()} == {"green"}
    assert rows["engine"].reason.startswith("a step ")
    assert rows["engine on desk2 (process 1)"].reason == "stands by"


def test_one_that_was_started_again_replaces_the_one_that_is_gone() -> None:
    gone = replace(beat("engine", START), at=START, id="engine:desk1:0", pid=0)
    again = {"began": START + 9}
    rows = DeskHealth().rows(signs(START + 60, gone, engine=again))
    assert red(rows) == []
    pages = replace(beat("serve", START), at=START, host="desk2", id="serve:desk2:0", pid=0)
    assert red(DeskHealth().rows(signs(START + 60, pages))) == [("serve on desk2 (process 0)", State.DOWN)]


@pytest.mark.parametrize("role", ["ingest", "engine", "store"])
def test_a_standby_that_was_killed_is_said_and_is_no_fault(role: str) -> None:
    t = START + 60
    gone = replace(beat(role, START), at=START, host="desk2", id=f"{role}:desk2:0", pid=0, state="standby")

    def said(*more: Beat) -> list[tuple[str, str]]:
        rows = DeskHealth().rows(signs(t, *more))
        assert {row.colour for row in rows} == {"green"}
        return [(row.subject, row.reason) for row in rows if row.subject.endswith("standby")]

    is_gone = f"{role} on desk2 (process 0) is gone, and none was started in its place"
    assert said(gone) == [(f"{role} standby", f"no standby since 15:00 UTC: {is_gone}")]
    other = replace(beat(role, t), host="desk3", id=f"{role}:desk3:9", state="standby")
    assert said(gone, other) == [(f"{role} standby", f"1 fewer to stand by since 15:00 UTC: {is_gone}")]
    assert said(gone, replace(other, began=START + 30)) == [], "the role has as many as before"
    assert said(gone, replace(other, began=START + 30, at=START + 40)) != [], "and that one was killed too"
    assert said(replace(gone, state="stopped")) == [], "who was told to end is not missed"


def test_one_that_fails_whenever_it_is_started_is_down_and_says_how_until_it_works() -> None:
    why = Trouble("engine", "ended with exit status 1 after 0 s")
    fails = replace(
        beat("engine", START + 50), id="engine:desk1:failing", state="failing", began=START + 49, faults=(why,)
    )
    killed = {"at": START}
    rows = [row for row in DeskHealth().rows(signs(START + 60, fails, engine=killed)) if row.subject == "engine"]
    assert [(row.state, row.reason) for row in rows] == [(State.DOWN, "it ended with exit status 1 after 0 s")]
    assert red(DeskHealth().rows(signs(START + 60, fails, engine={"began": START + 55}))) == []
    (row,) = [row for row in DeskHealth().rows(signs(START + 60, fails)) if row.subject == "engine standby"]
    assert (row.colour, row.reason.endswith("(process 1) ended with exit status 1 after 0 s")) == ("green", True)


def test_an_engine_that_reads_the_day_so_far_says_so() -> None:
    seen = signs(START + 30, engine={"state": "recovering", "last_step": None, "began": START + 28})
    row = next(row for row in DeskHealth().rows(seen) if row.subject == "engine")
    assert (row.state, row.reason) == (State.LIVE, "reads the day so far")


def test_lists_rest_on_what_makes_them_and_on_nothing_else() -> None:
    def states(**says: Any) -> set[State]:
        rows = DeskHealth().rows(signs(START + 200, **says))
        return {row.state for row in rows if row.subject.startswith("list ")}

    assert states(store={"at": START}) == {State.LIVE, State.QUIET}
    assert states(engine={"at": START}) == {State.DOWN}
    assert states(ingest={"last_bar": START}) == {State.STALE}


@pytest.mark.parametrize(
    ("instant", "state"),
    [
        ("2024-11-29T17:30", State.STALE),  # 12:30 of a half day
        ("2024-11-29T18:30", State.LIVE),  # 13:30: POST, with few liquid symbols
        ("2024-11-29T22:30", State.CLOSED),  # 17:30: a half day ends at 17:00
        ("2025-01-28T00:30", State.LIVE),  # 19:30 of a whole day
        ("2025-01-20T15:00", State.CLOSED),  # a holiday
        ("2025-01-26T15:00", State.CLOSED),  # a Sunday
        ("2025-01-27T15:00", State.STALE),
    ],
)
def test_a_silent_feed_is_judged_by_the_calendar(instant: str, state: State) -> None:
    t = dt.datetime.fromisoformat(instant).replace(tzinfo=dt.UTC).timestamp()
    rows = DeskHealth().rows(signs(t, ingest={"last_bar": t - 500, "began": t - 9999}))
    assert next(row.state for row in rows if row.subject == "feed IBKR") is state


def test_a_day_that_is_played_has_its_own_session() -> None:
    sunday = dt.datetime(2025, 1, 26, 15, tzinfo=dt.UTC).timestamp()
    rows = DeskHealth().rows(signs(sunday, ingest={"last_bar": sunday - 200, "session": "REGULAR"}))
    assert red(rows) == [("feed IBKR", State.STALE)]


def test_a_pause_and_then_an_entry_is_not_stuck() -> None:
    desk = DeskHealth()
    for second in range(10):
        t = START + 3600 + second
        old = {"last_tape": t, "last_step": START}  # the entry came this moment, an hour after the last
        assert red(desk.rows(signs(t, engine=old if second == 5 else {}))) == []


def test_a_new_version_is_in_force_from_the_next_step_and_until_then_nobody_is_behind() -> None:
    desk, night = DeskHealth(), {"last_step": START, "last_tape": START, "version": 1}
    for second in range(300):
        seen = signs(START + second, engine=night, store={**night, "version": 2}, serve={"version": 2})
        assert not any(row.subject.startswith("settings") for row in desk.rows(seen))
