"""The tuning lab without a browser: what is moved, typed and clicked, and what the screens are told then."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource

import scanner_kit as sk
from scanner_kit.errors import InvalidInput
from scanner_kit.playing import simulated_days
from scanner_kit.tuning.groups import Part, groups_of
from scanner_kit.tuning.history import History
from scanner_kit.tuning.lab import STARTED, Lab
from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.views.thresholds import Field
from scanner_kit.views.tuning import Bench
from scanner_kit.views.tuning.changes import APPEARED, DISAPPEARED, MOVED, Asked, Changes, clock, place_of
from scanner_kit.views.tuning.thresholds import slider

DAYS, SYMBOLS = 5, 40


@pytest.fixture(scope="module")
def history() -> History:
    market = sk.SimulatedMarket(symbols=SYMBOLS)
    return History.of_tapes(itertools.islice(simulated_days(market), DAYS))


@pytest.fixture
def bench(history: History) -> Bench:
    return Bench(history, [sk.scanners.HodBreak(), sk.scanners.LodBreak(name="lows")])


def shown(screen: Any) -> Any:
    return json.loads(screen.shown)


def move(bench: Bench, seq: int = 1, sliding: bool = False, **values: Any) -> None:
    bench.controls._answer({"move": {"seq": seq, "values": values, "sliding": sliding}})


def control(bench: Bench, name: str) -> dict[str, Any]:
    fields = (field for section in shown(bench.controls)["sections"] for field in section["fields"])
    return next(field for field in fields if field["name"] == name)


def figure(bench: Bench, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(figure for figure in shown(bench.strip)["figures"] if figure["name"] == name)
    return found


def rows(bench: Bench, **asked: Any) -> list[dict[str, Any]]:
    bench.table._answer({"ask": {"start": 0, **asked}})
    found: list[dict[str, Any]] = shown(bench.table)["rows"]
    return found


# Thresholds


def test_what_makes_the_scanner_comes_first_and_unused_gates_last(bench: Bench) -> None:
    sections = {
        section["title"]: [field["name"] for field in section["fields"]]
        for section in shown(bench.controls)["sections"]
    }
    assert sections["Rule"] == ["breakout", "min_rvol"]
    assert "cooldown" in sections["Gates"]
    assert {"top", "risk", "max_price"} <= set(sections["Further gates"])
    assert sorted(itertools.chain(*sections.values())) == sorted(bench.lab.scanner.settings())


def test_a_move_changes_the_answer_and_every_screen(bench: Bench) -> None:
    before, few = figure(bench, "Triggers a day"), len(bench.lab.answer)
    move(bench, seq=7, min_rvol=1.5)
    assert bench.lab.scanner.settings()["min_rvol"] == 1.5
    assert len(bench.lab.answer) > few
    assert figure(bench, "Triggers a day")["value"] != before["value"]
    assert figure(bench, "Triggers a day")["beside"] == before["value"]
    assert shown(bench.controls)["answered"] == 7
    assert shown(bench.table)["counts"]["appeared"] == len(bench.lab.difference.appeared)
    assert shown(bench.line)["said"].startswith(f"{len(bench.lab.answer):,} triggers; ")


def test_what_is_typed_is_read_as_in_every_other_control(bench: Bench) -> None:
    move(bench, min_dollar_volume="200000, 500000", sessions="PRE, REGULAR", max_price="12.5")
    settings = bench.lab.scanner.settings()
    assert settings["min_dollar_volume"] == (200_000.0, 500_000.0)
    assert list(settings["sessions"]) == ["PRE", "REGULAR"]
    assert settings["max_price"] == 12.5
    move(bench, max_price="")
    assert bench.lab.scanner.settings()["max_price"] is None


def test_what_is_refused_is_said_beside_its_control_and_changes_nothing(bench: Bench) -> None:
    answer = bench.lab.answer
    move(bench, min_rvol="a lot", no_such_gate=3, max_price=-5)
    refused = shown(bench.controls)["refused"]
    assert "found 'a lot'" in refused["min_rvol"]
    assert set(refused) == {"min_rvol", "no_such_gate", "max_price"}
    assert bench.lab.answer is answer
    move(bench, min_rvol=2)
    assert shown(bench.controls)["refused"] == {}


def test_a_drag_is_one_step_for_undo(bench: Bench) -> None:
    for seq, value in enumerate((2.9, 2.5, 2.1), 1):
        move(bench, seq, sliding=True, min_rvol=value)
    move(bench, 4, min_rvol=2.0)
    bench.controls._answer({"undo": True})
    assert bench.lab.scanner.settings()["min_rvol"] == 3.0
    assert not bench.lab.can_undo
    bench.controls._answer({"redo": True})
    assert bench.lab.scanner.settings()["min_rvol"] == 2.0


def test_a_drag_that_comes_back_is_no_step(bench: Bench) -> None:
    move(bench, 1, sliding=True, min_rvol=2.0)
    move(bench, 2, sliding=True, min_rvol=3.0)
    move(bench, 3)
    assert not bench.lab.can_undo


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        (Field("min_rvol", "number", 3.0, 3.0, low=0), (0.0, 15.0, 0.1)),
        (Field("min_gap", "number", 40.0, 4.0, low=0, high=100), (0.0, 100.0, 0.5)),
        (Field("cooldown", "integer", 15, 15, low=0, high=960), (0.0, 75.0, 1.0)),
        (Field("change", "number", -3.0, -3.0, low=-100), (-15.0, 15.0, 0.2)),
        (Field("max_float", "number", None, None), None),
        (Field("symbols", "words", None, None), None),
    ],
)
def test_a_slider_reaches_about_five_times_as_far(field: Field, wanted: Any) -> None:
    assert slider(field) == wanted


# Variants, and the settings to take away


def test_variants_are_kept_compared_taken_and_dropped(bench: Bench) -> None:
    move(bench, min_rvol=2)
    bench.controls._answer({"keep": "loose"})
    move(bench, min_rvol=6)
    bench.controls._answer({"compare": "loose"})
    told = {one["name"]: one for one in shown(bench.controls)["variants"]}
    assert (told["loose"]["beside"], told[STARTED]["beside"]) == (True, False)
    assert shown(bench.strip)["beside"] == "loose"
    assert figure(bench, "Triggers a day")["beside"] == told["loose"]["a_day"]
    bench.controls._answer({"take": "loose"})
    assert bench.lab.scanner.settings()["min_rvol"] == 2.0
    assert shown(bench.table)["counts"]["stayed"] == len(bench.lab.answer)
    bench.controls._answer({"drop": "loose"})
    assert [one["name"] for one in shown(bench.controls)["variants"]] == [STARTED]


def test_a_name_that_is_taken_or_unknown_is_refused_in_words(bench: Bench) -> None:
    bench.controls._answer({"keep": STARTED})
    assert "A variant has a name of its own" in shown(bench.controls)["refused"]["variant"]
    bench.controls._answer({"take": "nosuch"})
    assert "There is no variant 'nosuch'" in shown(bench.controls)["refused"]["variant"]


def test_the_settings_to_take_away_are_those_of_the_lab(bench: Bench) -> None:
    move(bench, min_rvol=2.25)
    assert shown(bench.controls)["toml"] == "[scanners.hod_break]\nmin_rvol = 2.25\n"


def test_each_scanner_keeps_its_own_bench(bench: Bench) -> None:
    move(bench, min_rvol=2)
    bench.head._answer({"scanner": "lows"})
    assert shown(bench.controls)["scanner"] == "lows"
    assert not bench.lab.can_undo
    bench.head._answer({"scanner": "hod_break"})
    assert bench.lab.scanner.settings()["min_rvol"] == 2.0


def test_what_was_asked_of_the_scanner_before_is_not_done_to_the_next(bench: Bench) -> None:
    move(bench, min_rvol=2)
    bench.head._answer({"scanner": "lows"})
    late: list[dict[str, Any]] = [{"move": {"seq": 2, "values": {"min_rvol": 5}}}, {"keep": "late"}, {"undo": True}]
    for message in late:
        bench.controls._answer({**message, "of": "hod_break"})
    assert (bench.lab.scanner.settings()["min_rvol"], list(bench.lab.variants)) == (3.0, [STARTED])
    bench.controls._answer({**late[0], "of": "lows"})
    assert bench.lab.scanner.settings()["min_rvol"] == 5.0
    bench.head._answer({"scanner": "hod_break"})
    assert bench.lab.scanner.settings()["min_rvol"] == 2.0


def test_a_composite_is_tuned_by_the_thresholds_of_all_its_scanners(history: History) -> None:
    bench = Bench(history, [sk.scanners.HodBreak() | sk.scanners.LodBreak()])
    bench.move({"seq": 1, "values": {"lod_break.min_rvol": 9}})
    assert bench.lab.scanner.settings()["lod_break.min_rvol"] == 9
    assert control(bench, "lod_break.min_rvol")["label"] == "LOD break: Min RVOL, ×"
    assert "Export them one by one" in shown(bench.controls)["toml"]


# What it is worth


def test_every_setting_that_was_looked_at_is_a_try(bench: Bench) -> None:
    for seq, value in enumerate((2.9, 2.8, 2.9, 3.0), 1):
        move(bench, seq, sliding=True, min_rvol=value)
    assert shown(bench.line)["luck"].startswith(f"3 settings looked at, over {DAYS} days: too few")
    bench.head._answer({"scanner": "lows"})
    assert shown(bench.line)["luck"].startswith("4 settings looked at")
    assert "It is about the horizon 30m; once you choose another, all five count" in shown(bench.line)["hint"]
    bench.horizons._answer({"horizon": "5m"})
    assert shown(bench.line)["luck"].startswith("4 settings looked at, each at 5 horizons, over")
    assert len(bench.lab.register.tries) == 4 * 5
    assert "about the horizon" not in shown(bench.line)["hint"]
    bench.head._answer({"scanner": "hod_break"})
    assert shown(bench.line)["luck"].startswith("4 settings looked at")


def test_what_was_looked_at_without_screens_counts_on_them(history: History) -> None:
    before = Lab(history, sk.scanners.HodBreak())
    before.move(min_rvol=2)
    bench = Bench(history, [sk.scanners.HodBreak(min_rvol=2.5)], looks=before.looks)
    assert shown(bench.line)["luck"].startswith("3 settings looked at, over")
    bench = Bench(history, [sk.scanners.HodBreak(min_rvol=2.5)], "5m", looks=before.looks)
    assert shown(bench.line)["luck"].startswith("3 settings looked at, each at 5 horizons, over")


def test_figures_are_those_of_the_bench_without_screens(bench: Bench, history: History) -> None:
    own = Lab(history, sk.scanners.HodBreak()).answer.worth_of(slice(None))
    assert own.chance is not None
    h = HORIZONS.index("30m")
    assert figure(bench, "Win rate")["value"] == f"{100 * own.own.win_rate.value[h]:.1f} %"
    assert figure(bench, "Win rate")["random"] == f"{100 * own.chance.win_rate.value[h]:.1f} %"
    assert figure(bench, "Mean R")["n"] == f"{own.own.mean_r.n[h]:,}"
    assert figure(bench, "Mean R")["value"] == f"{own.own.mean_r.value[h]:+.2f} R".replace("-", "−")
    assert [row["n"] for row in shown(bench.horizons)["rows"]] == [f"{n:,}" for n in own.own.mean_r.n]


def test_where_nothing_fires_nothing_is_drawn(bench: Bench) -> None:
    assert (bench.where.figure.visible, shown(bench.where_head)["empty"]) == (True, False)
    move(bench, min_price=90_000)
    assert len(bench.lab.answer) == 0
    assert bench.where.figure.visible is False
    assert (shown(bench.where_head)["note"], shown(bench.where_head)["empty"]) == ("no trigger to group", True)
    bench.controls._answer({"undo": True})
    assert bench.where.figure.visible is True


def test_a_chart_is_there_only_for_a_trigger(bench: Bench) -> None:
    assert bench.chart.figure.visible is False
    bench.table._answer({"look": rows(bench)[0]["key"]})
    assert bench.chart.figure.visible is True
    bench.look_head._answer({"look": ""})
    assert bench.chart.figure.visible is False


def test_another_horizon_is_shown_everywhere(bench: Bench) -> None:
    before = figure(bench, "Mean R")["value"]
    bench.horizons._answer({"horizon": "5m"})
    assert figure(bench, "Mean R")["value"] != before
    assert {shown(screen)["horizon"] for screen in (bench.strip, bench.horizons, bench.table)} == {"5m"}
    bench.strip._answer({"horizon": "7m"})
    assert bench.lab.horizon == "5m"


def test_few_results_are_weak_and_have_no_colour(bench: Bench) -> None:
    move(bench, min_rvol=200)
    told = figure(bench, "Mean R")
    assert int(told["n"]) < 20
    assert told["weak"]
    assert told["tone"] == ""


def test_nothing_fires_and_nothing_breaks(bench: Bench) -> None:
    move(bench, min_rvol=1e6)
    assert figure(bench, "Mean R")["value"] == "–"
    assert shown(bench.table)["counts"]["disappeared"] == len(bench.lab.answer_of(STARTED))
    assert bench.where.bars.data["y"] == []


# What changed


@pytest.fixture
def changes(history: History) -> Callable[..., Changes]:
    lab = Lab(history, sk.scanners.HodBreak(min_rvol=2))
    lab.move(min_rvol=4, cooldown=40)

    def made(**kept: Any) -> Changes:
        old, new = lab.answer_of(STARTED), lab.answer
        before, after = (np.ones(len(one), dtype=np.bool_) for one in (old, new))
        return Changes(old, new, lab.difference, before, after, lab.horizon)

    made.lab = lab  # type: ignore[attr-defined]
    return made


def test_every_trigger_of_both_answers_is_a_row_once(changes: Callable[..., Changes]) -> None:
    lab: Lab = changes.lab  # type: ignore[attr-defined]
    table, found = changes(), lab.difference
    assert len(table) == len(lab.answer) + len(found.disappeared)
    assert table.counts == {
        "stayed": found.stayed,
        "moved": len(found.moved),
        "appeared": len(found.appeared),
        "disappeared": len(found.disappeared),
    }
    total, told = table.page(Asked(), 0, 10_000)
    assert total == len(table) == len({row["key"] + str(row["state"] == DISAPPEARED) for row in told})


def test_a_moved_row_tells_both_times(changes: Callable[..., Changes]) -> None:
    lab: Lab = changes.lab  # type: ignore[attr-defined]
    _, told = changes().page(Asked(which="moved"), 0, 10_000)
    pairs = {
        (clock(int(lab.answer_of(STARTED).fired.k[i])), clock(int(lab.answer.fired.k[j])))
        for i, j in lab.difference.moved
    }
    assert {(row["was"], row["time"]) for row in told} == pairs
    assert pairs


@pytest.mark.parametrize("sort", ["symbol", "day", "time", "price", "r"])
@pytest.mark.parametrize("down", [False, True])
def test_rows_are_sorted_and_the_unknown_come_last(changes: Callable[..., Changes], sort: str, down: bool) -> None:
    _, told = changes().page(Asked(sort=sort, down=down), 0, 10_000)
    values = [row["date" if sort == "day" else sort] for row in told]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=down)
    assert all(value is None for value in values[len(known) :])


def test_pages_put_together_are_the_whole(changes: Callable[..., Changes]) -> None:
    asked = Asked(sort="price", down=True)
    total, whole = changes().page(asked, 0, 10_000)
    pages = [changes().page(asked, start, 7)[1] for start in range(0, total, 7)]
    assert [row["key"] for page in pages for row in page] == [row["key"] for row in whole]


def test_rows_of_one_kind_and_of_one_symbol(bench: Bench) -> None:
    move(bench, min_rvol=8)
    assert {row["state"] for row in rows(bench, which="disappeared")} == {DISAPPEARED}
    assert rows(bench, which="appeared") == []
    symbol = rows(bench, which="all")[0]["symbol"]
    assert {row["symbol"] for row in rows(bench, find=symbol.lower())} == {symbol}
    assert rows(bench, find="??") == []
    assert {row["state"] for row in rows(bench, which="changed", find="")} <= {APPEARED, MOVED, DISAPPEARED}


def test_what_a_browser_asks_for_that_there_is_not_is_ignored(bench: Bench) -> None:
    before = bench.table.shown
    bench.table._answer({"ask": {"which": "everything"}})
    bench.table._answer({"ask": {"sort": "__class__"}})
    bench.table._answer({"look": "not a key"})
    assert bench.table.shown == before
    assert bench.look_head.shown == ""


# Where


def test_a_click_on_a_bar_filters_figures_and_rows_and_a_second_one_ends_it(bench: Bench) -> None:
    groups = groups_of(bench.lab.answer, "time", "30m")
    largest = int(np.argmax(groups.triggers))
    bench.where_head._answer({"group": groups.labels[largest]})
    assert shown(bench.strip)["parts"] == [["time", f"Time of day: {groups.labels[largest]}"]]
    assert figure(bench, "Triggers a day")["n"] == f"{groups.triggers[largest]:,}"
    assert figure(bench, "Mean R")["n"] == f"{groups.n[largest]:,}"
    assert shown(bench.table)["total"] == groups.triggers[largest]
    bench.where_head._answer({"group": groups.labels[largest]})
    assert shown(bench.strip)["parts"] == []
    assert shown(bench.table)["total"] == len(bench.lab.answer)


def test_filters_by_two_things_are_both_in_force_until_they_are_taken_away(bench: Bench) -> None:
    bench.where_head._answer({"group": bench.where.bars.data["y"][0]})
    bench.where_head._answer({"by": "symbol"})
    bench.where_head._answer({"group": bench.where.bars.data["y"][0]})
    symbols = {row["symbol"] for row in rows(bench)}
    assert len(symbols) == 1
    assert [by for by, _ in shown(bench.strip)["parts"]] == ["time", "symbol"]
    bench.strip._answer({"unpick": "time"})
    assert {row["symbol"] for row in rows(bench)} == symbols
    bench.strip._answer({"unpick": "symbol"})
    assert shown(bench.table)["total"] == len(bench.lab.answer)


def test_a_bucket_of_a_metric_means_the_same_under_other_thresholds(bench: Bench) -> None:
    bench.where_head._answer({"by": "rvol_tod"})
    bench.where_head._answer({"group": bench.where.bars.data["y"][0]})
    part = bench.parts[0]
    move(bench, min_rvol=1)
    inside = part.of(bench.lab.answer)
    assert shown(bench.table)["total"] >= inside.sum() > 0
    assert bench.parts == [part]


def test_groups_are_found_again_by_their_parts(bench: Bench) -> None:
    answer = bench.lab.answer
    for by in ("time", "session", "day", "symbol", "kind", "side", "rvol_tod"):
        groups = groups_of(answer, by, "30m")
        for i, part in enumerate(groups.parts):
            np.testing.assert_array_equal(part.of(answer), groups.which == i, err_msg=f"{by} {part.label}")
    assert not Part("symbol", "NOSUCH").of(answer).any()


def test_bars_are_the_means_of_the_groups_with_their_counts(bench: Bench) -> None:
    data = bench.where.bars.data
    groups = groups_of(bench.lab.answer, "time", "30m")
    assert data["y"] == list(groups.labels)
    assert data["count"] == [f"n {n:,}" for n in groups.n]
    sure = groups.n >= 20
    np.testing.assert_allclose(np.array(data["mean"])[sure], groups.mean_r[sure])
    assert [alpha == 0.2 for alpha in data["alpha"]] == (~sure).tolist()


# A look at one


def test_a_look_tells_the_trade_and_why_it_fires(bench: Bench) -> None:
    row = next(row for row in rows(bench) if row["result"] == "win")
    bench.table._answer({"look": row["key"]})
    told = shown(bench.look_head)
    assert (told["symbol"], told["time"], told["fires"], told["result"]) == (row["symbol"], row["time"], True, "win")
    assert all(condition["state"] == "yes" for condition in told["conditions"])
    at = place_of(bench.lab.answer, row["key"])
    assert at is not None
    lines: ColumnDataSource = bench.chart.lines
    fired, found = bench.lab.answer.fired, bench.lab.answer.outcomes
    target = found.entry[at] + fired.side[at] * found.r[at]
    np.testing.assert_allclose(lines.data["y"], [found.entry[at], fired.stop[at], target])
    assert bench.chart.points.data["y"][0] == pytest.approx(found.entry[at] * (1 + found.mfe_pct[at, 2] / 100))
    bench.look_head._answer({"look": ""})
    assert bench.look_head.shown == bench.table.chosen == ""


def test_the_chosen_one_stays_when_it_no_longer_fires_and_says_why(bench: Bench) -> None:
    row = rows(bench)[0]
    bench.table._answer({"look": row["key"]})
    move(bench, min_rvol=1000)
    told = shown(bench.look_head)
    assert (told["symbol"], told["fires"]) == (row["symbol"], False)
    assert told["spoken"].startswith("Does not fire now: rvol_tod ")
    assert told["spoken"].endswith("wants ≥ 1,000×.")
    assert bench.table.chosen == row["key"]
    assert next(line for line in rows(bench) if line["key"] == row["key"])["state"] == DISAPPEARED
    bench.controls._answer({"undo": True})
    assert shown(bench.look_head)["fires"]


def test_one_that_moved_says_when_it_fires_instead(history: History) -> None:
    bench = Bench(history, [sk.scanners.HodBreak(min_rvol=2)])
    old = bench.lab.answer
    move(bench, min_rvol=4, cooldown=40)
    i, j = bench.lab.difference.moved[0]
    bench.look_at(f"{old.fired.day[i]}.{old.fired.row[i]}.{old.fired.k[i]}.fired")
    assert f"It fires at {clock(int(bench.lab.answer.fired.k[j]))} instead." in shown(bench.look_head)["spoken"]


def test_every_trigger_can_be_looked_at(bench: Bench) -> None:
    bench.lab.judge_by("end")
    for row in rows(bench):
        bench.look_at(row["key"])
        told = shown(bench.look_head)
        assert told["fires"], told["spoken"]
        assert np.isfinite(bench.chart.chart.in_sight.data["y"]).all()


# The door


def test_a_category_and_no_scanner_are_refused(history: History) -> None:
    with pytest.raises(InvalidInput, match="ranks and never triggers"):
        Bench(history, [sk.scanners.GappersUp()])
    with pytest.raises(InvalidInput, match="nothing to tune"):
        sk.lab(history)


def test_in_a_cell_it_is_a_block(history: History) -> None:
    block = sk.lab(history, sk.scanners.HodBreak(), height=700)
    assert block.height == 700
    assert block.get_root() is not None
