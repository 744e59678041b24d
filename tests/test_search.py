"""Searches: seeded, each proposal judged as a sweep judges it, each setting one try."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from days import LOW, history

from scanner_kit import scanners as s
from scanner_kit.errors import InvalidInput
from scanner_kit.tuning.answer import answer
from scanner_kit.tuning.search import search

optuna = pytest.importorskip("optuna", reason="no Optuna: pip install 'scanner-kit[tuning]'")
SPACE: dict[str, Any] = {"min_rvol": (0.5, 4.0), "cooldown": (0, 60, 5), "breakout": ["wick", "close"], "top": None}


def test_the_same_seed_gives_the_same_trials_and_another_gives_others() -> None:
    one, same, other = (search(history(), s.HodBreak(**LOW), SPACE, trials=25, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one.table(), same.table())
    assert one.settings != other.settings


def test_every_trial_is_what_the_setting_is_worth_and_a_try() -> None:
    found = search(history(), s.OrbBreakUp(**LOW), {"minutes": (5, 60), "min_rvol": (0.5, 3.0)}, trials=20)
    assert len(found) == len(set(found.ids)) == len(list(found.looked())) == 20
    for i, setting in enumerate(found.settings):
        assert isinstance(setting["minutes"], int)
        total, count = answer(history(), found.scanner_of(i)).by_day("30m")
        np.testing.assert_array_equal(found.sums[:, i], total)
        np.testing.assert_array_equal(found.counts[:, i], count)


def test_a_setting_that_is_proposed_again_is_one_try() -> None:
    found = search(history(), s.HodBreak(**LOW), {"breakout": ["wick", "close"]}, trials=12)
    assert sorted(setting["breakout"] for setting in found.settings) == ["close", "wick"]


def test_it_finds_better_settings_than_it_begins_with() -> None:
    found = search(history(), s.HodBreak(**LOW), {"min_rvol": (0.1, 5.0), "rearm_pct": (0.0, 3.0)}, trials=60)
    value = np.where(found.n >= 30, found.mean_r, -np.inf)
    assert value[10:].max() >= value[:10].max()
    assert np.median(found.n[30:]) >= 30  # what has too few results is left alone


def test_choices_may_be_what_optuna_cannot_hold() -> None:
    pairs = [(10_000.0, 100_000.0), (0.0, 0.0)]
    found = search(history(), s.HodBreak(**LOW), {"min_dollar_volume": pairs}, trials=8)
    assert {setting["min_dollar_volume"] for setting in found.settings} == set(pairs)


def test_bounds_are_those_of_the_param() -> None:
    found = search(history(), s.GapAndGo(**LOW) & s.Momentum(**LOW), ["momentum.min_rsi"], trials=5)
    assert all(0 <= setting["momentum.min_rsi"] <= 100 for setting in found.settings)
    assert found.thresholds == ("momentum.min_rsi",)


def test_choices_are_those_of_the_param() -> None:
    found = search(history(), s.HodBreak(**LOW), ["breakout"], trials=8)
    assert {setting["breakout"] for setting in found.settings} == {"wick", "close"}


def test_how_loud_optuna_is_stays_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    search(history(), s.HodBreak(**LOW), {"min_rvol": (1, 2)}, trials=2)
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "A space has one threshold at least; found none."),
        (["min_rvol"], "min_rvol has no bounds on both sides to search between; found 0 to None. Give {'min_rvol': ("),
        ({"min_rvl": (1, 2)}, "hod_break has no threshold 'min_rvl'. Did you mean 'min_rvol'?"),
        ({"min_rvol": (2, 1)}, "A space has (low, high) or (low, high, step) for a threshold"),
        ({"min_rvol": 3}, "found min_rvol=3."),
        ({"min_rvol": (-1, 2)}, "Setting 1, min_rvol=-1: HodBreak: "),
        ({"breakout": []}, "A space has choices for each threshold; found none for breakout."),
        ({"breakout": ["wick", "body"]}, "Setting 2, breakout='body': HodBreak: "),
    ],
)
def test_a_space_that_does_not_fit_is_refused(space: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        search(history(), s.HodBreak(), space, trials=3)


def test_trials_are_counted() -> None:
    heard: list[tuple[str, int, int]] = []
    search(history(), s.HodBreak(), {"min_rvol": (1, 2)}, trials=3, progress=lambda *now: heard.append(now))
    assert heard == [("tried", 1, 3), ("tried", 2, 3), ("tried", 3, 3)]
    with pytest.raises(InvalidInput, match="trials is a whole number from 1 up; found 0"):
        search(history(), s.HodBreak(), {"min_rvol": (1, 2)}, trials=0)
