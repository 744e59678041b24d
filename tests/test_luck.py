"""Luck: the reality check and PBO against slow ones of their own, size and power, and the register that remembers."""

import datetime as dt
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import PCG64, Generator, SeedSequence

from scanner_kit.errors import InvalidInput
from scanner_kit.scanners import HodBreak
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.tuning.answer import answer
from scanner_kit.tuning.history import History
from scanner_kit.tuning.luck import Register, Try
from scanner_kit.tuning.outcomes import HORIZONS
from scanner_kit.tuning.reality import overfitting, reality_check

DAYS = tuple(dt.date(2025, 6, 2) + dt.timedelta(days=i) for i in range(12))


def noise(days: int, settings: int, key: int = 0, *, edge: float = 0.0) -> tuple[Any, Any]:
    """Settings that take overlapping parts of one pool of triggers without an edge; the first has one where asked."""
    rng = Generator(PCG64(SeedSequence([key, days, settings])))
    fired = rng.poisson(20, days)
    day = np.repeat(np.arange(days), fired)
    result = np.clip(rng.standard_normal(len(day)) + 0.3 * rng.standard_normal(days)[day], -1, 1)
    taken = rng.random((len(day), settings)) < np.linspace(1.0, 0.2, settings)
    result = result + edge * taken[:, -1:].sum(axis=1)
    sums, counts = np.zeros((days, settings)), np.zeros((days, settings), dtype=np.int64)
    np.add.at(sums, day, taken * result[:, None])
    np.add.at(counts, day, taken)
    return sums, counts


def slow_p(sums: Any, counts: Any, draws: list[list[int]], lost: float = 3.0) -> float:
    """The reality check in plain loops: the docstring, read aloud."""
    days, settings = sums.shape
    judged = [j for j in range(settings) if sum(counts[d, j] > 0 for d in range(days)) >= 10]
    triggers = {j: sum(counts[d, j] for d in range(days)) for j in judged}
    mean = {j: sum(sums[d, j] for d in range(days)) / triggers[j] for j in judged}
    fired = {j: sum(counts[d, j] > 0 for d in range(days)) for j in judged}
    best = max(mean[j] * math.sqrt(triggers[j]) for j in judged)
    reached = 0
    for drawn in draws:
        world = []
        for j in judged:
            left = sum(sums[d, j] - counts[d, j] * mean[j] for d in drawn)
            world.append(left * math.sqrt(fired[j] / (fired[j] - lost)) / math.sqrt(triggers[j]))
        reached += max(world) >= best - 1e-9
    return (1 + reached) / (1 + len(draws))


def slow_pbo(sums: Any, counts: Any, blocks: int) -> float:
    """PBO in plain loops."""
    days, settings = sums.shape
    columns = sorted({(*sums[:, j].tolist(), *counts[:, j].tolist()) for j in range(settings)})
    parts = [list(map(int, part)) for part in np.array_split(range(days), min(blocks, days // 2 * 2))]

    def performance(column: tuple[float, ...], chosen: list[int]) -> float:
        triggers = sum(column[days + d] for d in chosen)
        return sum(column[d] for d in chosen) / math.sqrt(triggers) if triggers else 0.0

    overfit, halves = 0.0, list(combinations(range(len(parts)), len(parts) // 2))
    for half in halves:
        past = [d for b in half for d in parts[b]]
        future = [d for b in range(len(parts)) if b not in half for d in parts[b]]
        before, after = ([performance(column, some) for column in columns] for some in (past, future))
        tied = [i for i, value in enumerate(before) if abs(value - max(before)) < 1e-9]
        for i in tied:
            lower = sum(value < after[i] - 1e-9 for value in after)
            equal = sum(abs(value - after[i]) < 1e-9 for value in after)
            place = (lower + (equal + 1) / 2) / (len(columns) + 1)
            overfit += (math.log(place / (1 - place)) <= 0) / len(tied)
    return overfit / len(halves)


# The reality check


@pytest.mark.parametrize("key", range(4))
def test_the_reality_check_is_that_of_plain_loops(key: int) -> None:
    sums, counts = noise(14, 7, key, edge=0.1 * key)
    draws = Generator(PCG64(key)).integers(0, 14, (200, 14)).tolist()
    found = reality_check(sums, counts, seed=key, resamples=200)
    assert found.p == slow_p(sums, counts, draws)
    assert (found.settings, found.judged, found.days) == (7, 7, 14)


def test_blocks_of_days_go_on_until_a_new_day_is_drawn() -> None:
    sums, counts = noise(14, 5, 2)
    rng = Generator(PCG64(3))
    drawn, fresh = rng.integers(0, 14, (150, 14)), rng.random((150, 14)) < 1 / 2.5
    for row, new in zip(drawn, fresh, strict=True):
        for d in range(1, 14):
            if not new[d]:
                row[d] = (row[d - 1] + 1) % 14
    found = reality_check(sums, counts, seed=3, resamples=150, mean_block=2.5)
    freedom = (14 - 4) / sum(0.6 ** (2 * abs(lag)) for lag in range(-99, 100))
    lost = 14 - (14 - 4) * (freedom - 2) / freedom  # of the mean that is taken out, and of Student's t
    assert found.p == slow_p(sums, counts, drawn.tolist(), lost)
    assert found.p != reality_check(sums, counts, seed=3, resamples=150).p


def test_blocks_of_days_pass_no_more_noise_than_days() -> None:
    passed = 0
    for key in range(400):
        results = Generator(PCG64([4, key])).choice([-1.0, 1.0], (15, 12))
        found = reality_check(results.sum(axis=1)[:, None], np.full((15, 1), 12), resamples=400, mean_block=4)
        passed += found.p < 0.05
    assert passed <= 20


def test_blocks_of_days_need_more_of_them() -> None:
    sums, counts = noise(14, 3)
    found = reality_check(sums, counts, mean_block=4)
    assert (found.judged, found.needed, math.isnan(found.p)) == (0, 15, True)
    assert reality_check(sums, counts).needed == 10
    looked = [Try("gap", f"s{j}", "30m", sums[:, j], counts[:, j]) for j in range(3)]
    days = [dt.date(2025, 6, 1 + i) for i in range(14)]
    assert Register(days, looked).luck(mean_block=4).line == (
        "3 settings looked at, over 14 days: too few to tell luck from an edge (15 are needed)"
    )


def test_the_best_is_told_with_its_means() -> None:
    counts = np.full((10, 2), 4)
    sums = np.column_stack([np.full(10, -0.4), np.resize([1.0, 0.5], 10)])
    found = reality_check(sums, counts, resamples=99)
    assert (found.best, found.mean, found.mean_r) == (1, 0.75, 0.1875)
    assert found.p == 1 / 100  # even its worst day, ten times over, is far above 0


def test_half_of_the_resamples_are_above_a_mean_of_zero() -> None:
    sums = np.resize([1.0, -1.0], (20, 1))
    assert reality_check(sums, np.ones((20, 1)), resamples=4_000).p == pytest.approx(0.5, abs=0.1)  # ties count


@pytest.mark.parametrize("key", range(3))
def test_order_unit_and_repetition_of_settings_make_no_difference(key: int) -> None:
    sums, counts = noise(16, 9, key)
    order = Generator(PCG64(key)).permutation(9)
    found, turned = reality_check(sums, counts), reality_check(sums[:, order], counts[:, order])
    assert turned.p == found.p
    assert turned.best is not None
    assert order[turned.best] == found.best
    assert reality_check(3.0 * sums, counts).p == found.p
    assert reality_check(np.repeat(sums, 3, axis=1), np.repeat(counts, 3, axis=1)).p == found.p


def test_more_that_was_looked_at_makes_the_same_best_more_likely_luck() -> None:
    sums, counts = noise(20, 150, 5)
    best = reality_check(sums, counts)
    alone = reality_check(sums[:, [best.best]], counts[:, [best.best]])
    some = np.unique([best.best or 0, *range(0, 150, 20)])
    assert alone.p < reality_check(sums[:, some], counts[:, some]).p <= best.p


@pytest.mark.parametrize("settings", [1, 40])
def test_a_test_at_five_percent_finds_an_edge_in_noise_in_about_five_percent(settings: int) -> None:
    found = sum(reality_check(*noise(20, settings, key), resamples=300).p < 0.05 for key in range(400))
    assert 6 <= found <= 34  # of 400; 20 were meant, 34 is the 99.8th percentile


def test_a_planted_edge_is_found() -> None:
    found = [reality_check(*noise(25, 40, key, edge=0.4), resamples=300) for key in range(40)]
    assert sum(one.p < 0.05 for one in found) >= 32
    assert sum(one.best == 39 for one in found) >= 30


@pytest.mark.parametrize(("days", "settings"), [(9, 3), (0, 3), (12, 0)])
def test_too_little_to_tell_is_unknown(days: int, settings: int) -> None:
    found = reality_check(np.zeros((days, settings)), np.ones((days, settings)))
    assert math.isnan(found.p)
    assert (found.best, found.judged, found.settings, found.days) == (None, 0, settings, days)


def test_a_setting_that_fired_on_few_days_is_counted_and_not_judged() -> None:
    sums, counts = noise(12, 3, 1)
    lucky = np.zeros((12, 1))
    lucky[:3] = 1.0
    with_it = reality_check(np.hstack([lucky, sums]), np.hstack([lucky, counts]))
    without = reality_check(sums, counts)
    assert (with_it.p, with_it.settings, with_it.judged) == (without.p, 4, 3)
    assert with_it.best == (without.best or 0) + 1


# PBO


@pytest.mark.parametrize(("days", "blocks"), [(13, 6), (12, 16), (16, 8)])
def test_pbo_is_that_of_plain_loops(days: int, blocks: int) -> None:
    for key in range(3):
        sums, counts = noise(days, 6, key)
        sums[:, 3], counts[:, 3] = sums[:, 2], counts[:, 2]
        sums[:3, 4], counts[:3, 4] = 0.0, 0
        sums[2:, 5], counts[2:, 5] = sums[2:, 2], counts[2:, 2]  # often tied with its neighbour
        counts[:, 4] += sums[:, 4] != 0
        judged = (counts > 0).sum(axis=0) >= 10
        found = overfitting(sums, counts, blocks=blocks)
        assert found.pbo == pytest.approx(slow_pbo(sums[:, judged], counts[:, judged], blocks), abs=1e-12)
        assert found.blocks == min(blocks, days // 2 * 2)


def test_pbo_is_zero_where_one_is_always_the_best_and_one_where_the_past_misleads() -> None:
    counts = np.ones((12, 3))
    good = np.column_stack([np.full(12, 0.5), np.resize([0.1, -0.1], 12), np.resize([-0.3, 0.2, 0.1], 12)])
    assert overfitting(good, counts).pbo == 0.0
    swing = np.array([2.0**i for i in range(11)] + [0.0])
    swing -= swing.mean()  # what one half of the days gives, the other takes
    assert overfitting(np.column_stack([swing, -swing]), counts[:, :2]).pbo == 1.0


def test_pbo_of_settings_without_an_edge_is_near_one_half() -> None:
    rng = Generator(PCG64(8))
    found = [overfitting(rng.standard_normal((16, 20)), np.ones((16, 20)), blocks=8).pbo for _ in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_pbo_does_not_hang_on_order_or_repetition() -> None:
    sums, counts = noise(14, 8, 2)
    found = overfitting(sums, counts, blocks=8)
    assert overfitting(sums[:, ::-1], counts[:, ::-1], blocks=8).pbo == pytest.approx(found.pbo, abs=1e-12)
    assert overfitting(np.repeat(sums, 2, axis=1), np.repeat(counts, 2, axis=1), blocks=8).pbo == found.pbo
    assert found.logits.size >= 70


@pytest.mark.parametrize(("days", "settings"), [(9, 3), (12, 1), (12, 0)])
def test_pbo_of_too_little_is_unknown(days: int, settings: int) -> None:
    assert math.isnan(overfitting(*noise(days, settings)).pbo)


# The register


def tries(settings: int, horizons: tuple[str, ...] = ("30m",), key: int = 0, *, edge: float = 0.0) -> list[Try]:
    sums, counts = noise(12, settings, key, edge=edge)
    return [Try("gap", f"s{j}", h, sums[:, j], counts[:, j]) for j in range(settings) for h in horizons]


def test_looking_at_a_setting_again_is_no_new_try() -> None:
    empty = Register(DAYS)
    once = empty.add(*tries(3))
    assert once.add(*tries(3)) == once
    assert hash(once.add(tries(3)[1])) == hash(once)
    assert (empty.settings, once.settings, len(once.add(*tries(5)).tries)) == (0, 3, 3 + 5)
    assert repr(once) == "<Register: 3 settings over 12 days>"


def test_another_horizon_is_another_result_of_the_same_setting() -> None:
    register = Register(DAYS).add(*tries(2, ("30m", "60m")))
    found = register.luck()
    assert (register.settings, found.check.settings) == (2, 4)
    assert found.line.startswith(
        "2 settings looked at, each at 2 horizons; the best of them would look this good by luck "
    )


def test_a_try_is_made_of_an_answer() -> None:
    tapes = [simulated_tape(SimulatedMarket(symbols=30, day=dt.date(2025, 6, day))) for day in (17, 18)]
    found = answer(History.of_tapes(tapes), HodBreak(min_rvol=0.5, min_dollar_volume=10_000))
    one = Try.of(found, "60m")
    results = found.outcomes.result_r[:, HORIZONS.index("60m")]
    for place in range(2):
        known = [
            r for r, day in zip(results.tolist(), found.fired.day, strict=True) if day == place and not np.isnan(r)
        ]
        assert one.counts[place] == len(known) > 0
        assert one.sums[place] == pytest.approx(sum(known), rel=1e-12)
    assert (one.scanner, one.settings, one.horizon) == ("hod_break", found.settings_id, "60m")
    assert Register(found.history.dates).add(one, Try.of(found, "60m"), Try.of(found, "end")).settings == 1
    assert Try.each_of(found) == tuple(Try.of(found, horizon) for horizon in HORIZONS)


def test_a_scanner_rewritten_under_its_name_is_another_try() -> None:
    old, new = Try("gap", "s0", "30m", [0.1] * 12, [1] * 12), Try("gap", "s0", "30m", [0.2] * 12, [1] * 12)
    register = Register(DAYS).add(old).add(new)
    assert (register.settings, len(register.tries)) == (1, 2)
    assert register.luck().best == new


def test_a_register_survives_a_restart(tmp_path: Path) -> None:
    register = Register(DAYS).add(*tries(4, ("15m", "end")))
    register.save(tmp_path / "looked.json")
    again = Register.load(str(tmp_path / "looked.json"))
    assert again == register
    assert again.luck() == register.luck()
    assert again.overfitting().pbo == register.overfitting().pbo
    assert [path.name for path in tmp_path.iterdir()] == ["looked.json"]


def test_a_register_that_is_never_equal_to_other_things() -> None:
    assert Register(DAYS) != DAYS
    assert Register(DAYS) != Register(DAYS[:3])


@pytest.mark.parametrize(("settings", "who"), [(1, "it"), (5, "the best of them")])
def test_the_line_says_it_plainly(settings: int, who: str) -> None:
    sums, counts = noise(12, settings)
    p = slow_p(sums, counts, Generator(PCG64(0)).integers(0, 12, (2_000, 12)).tolist())
    assert p > 0.1
    found = Register(DAYS).add(*tries(settings)).luck()
    plural = "" if settings == 1 else "s"
    line = f"{settings} setting{plural} looked at; {who} would look this good by luck {round(100 * p)} % of the time"
    assert (found.line, found.verdict, found.edge) == (line, "no edge", False)


@pytest.mark.parametrize(
    ("settings", "days", "line"),
    [
        (0, 12, "No setting looked at yet"),
        (1, 1, "1 setting looked at, over 1 day: too few to tell luck from an edge (10 are needed)"),
        (2, 9, "2 settings looked at, over 9 days: too few to tell luck from an edge (10 are needed)"),
    ],
)
def test_the_line_says_that_there_is_too_little(settings: int, days: int, line: str) -> None:
    looked = [Try("gap", one.settings, "30m", one.sums[:days], one.counts[:days]) for one in tries(settings)]
    found = Register(DAYS[:days]).add(*looked).luck()
    assert (found.line, found.verdict, found.edge) == (line, "unknown", None)


@pytest.mark.parametrize(("settings", "who"), [(1, "it has"), (3, "none has")])
def test_the_line_says_that_nothing_fired_often_enough(settings: int, who: str) -> None:
    rare = [Try("gap", f"s{j}", "30m", [0.5] * 2 + [0.0] * 10, [1] * 2 + [0] * 10) for j in range(settings)]
    found = Register(DAYS).add(*rare).luck()
    plural = "" if settings == 1 else "s"
    assert found.line == (
        f"{settings} setting{plural} looked at; {who} triggers on 10 days: too few to tell luck from an edge"
    )
    assert (found.edge, found.best) == (None, None)


@pytest.mark.parametrize(("resamples", "told"), [(2_000, "less than 0.1 %"), (499, "0.2 %"), (24, "4 %"), (4, "20 %")])
def test_an_edge_is_told_with_its_level(resamples: int, told: str) -> None:
    found = Register(DAYS).add(Try("gap", "s0", "30m", [1.0, 0.5] * 6, [3] * 12)).luck(resamples=resamples)
    assert found.line == f"1 setting looked at; it would look this good by luck {told} of the time"
    assert found.verdict == ("an edge is left at p < 0.05" if resamples > 19 else "no edge")


def test_what_is_below_five_percent_never_reads_as_five() -> None:
    from scanner_kit.tuning.luck import _percent

    assert [_percent(p) for p in (0.0499, 0.05, 0.0996, 0.1, 0.614, 0.996, 1.0)] == [
        *("4.9 %", "5 %", "9.9 %", "10 %", "61 %", "100 %", "100 %")
    ]


# Wrong use

SHAPES = "Sums and counts are two arrays of days × settings; found shapes "


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: reality_check(np.zeros((3, 2)), np.zeros((2, 3))), SHAPES + "(3, 2) and (2, 3)."),
        (lambda: overfitting([1.0], [1]), SHAPES + "(1,) and (1,)."),
        (lambda: reality_check([[np.nan]], [[1]]), "Sums are finite and counts 0 or more; found others."),
        (lambda: reality_check([[0.0]], [[-1]]), "Sums are finite and counts 0 or more; found others."),
        (lambda: Try("gap", "s", "30m", [1.0], [0]), "A day without a trigger has a sum of 0; found another."),
        (lambda: Try("gap", "s", "30m", [1.0, 2.0], [1]), SHAPES + "(2, 1) and (1, 1)."),
        (
            lambda: reality_check([[0.0]], [[0]], resamples=0),
            "A reality check has 1 resample or more, and blocks of 1 day",
        ),
        (lambda: reality_check([[0.0]], [[0]], mean_block=0.5), "or more; found 2000 and 0.5. The defaults are"),
        (lambda: overfitting([[0.0]], [[0]], blocks=7), "Blocks are an even number from 2 to 16; found 7."),
        (lambda: overfitting([[0.0]], [[0]], blocks=18), "Blocks are an even number from 2 to 16; found 18."),
        (lambda: Register(DAYS[::-1]), "A register's days are different and in order; found others. Sort them."),
        (
            lambda: Register(DAYS).add(Try("gap", "s", "30m", [1.0], [1])),
            "A try has a result for each day of its register, 12; found 1. Judge the setting over",
        ),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(wrong: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as told:
        wrong()
    assert sentence in str(told.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"days": ["2025-06-02"], "tries": [{"scanner": "gap"}]}'])
def test_a_file_that_is_no_register_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"A register is a file that Register\.save wrote; found other\.json: "):
        Register.load(tmp_path / "other.json")
