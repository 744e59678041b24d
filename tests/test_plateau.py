"""Plateaus: the middle of a broad good region is suggested, never a lonely peak."""

import numpy as np
import pytest
from days import made_up

from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.tuning.plateau import Plateau, plateau
from scanner_kit.tuning.sweep import Sweep

NINE = {"min_rvol": [float(i) for i in range(1, 10)], "min_price": [float(i) for i in range(1, 8)]}
"""Nine values by seven: a map of nine rows."""


def hills() -> tuple[np.ndarray, np.ndarray]:
    """A peak among losses in one corner, a plateau of 5 by 3 in another, and enough results everywhere."""
    mean, n = np.full((9, 7), -0.2), np.full((9, 7), 100.0)
    mean[1, 1] = 3.0
    mean[4:9, 3:6] = 0.3
    return mean, n


def found(mean: np.ndarray, n: np.ndarray, fewest: int = 30) -> Plateau:
    return plateau(made_up(NINE, mean.ravel(), n.ravel()), fewest=fewest)


def test_the_middle_of_the_plateau_is_suggested_and_not_the_peak() -> None:
    one = found(*hills())
    assert one.suggested == {"min_rvol": 7.0, "min_price": 5.0}
    assert one.sweep.settings[int(np.argmax(one.sweep.mean_r))] == {"min_rvol": 2.0, "min_price": 2.0}
    assert np.argwhere(one.inside).tolist() == [[row, 4] for row in (5, 6, 7, 8)]
    assert one.line == (
        "Suggested: min_rvol 7.0, min_price 5.0, in a plateau of 4 settings: +0.300 R over 100, "
        "its neighbourhood +0.300 R. "
        "The best single setting shows +3.000 R over 100."
    )


def test_a_plateau_that_loses_is_called_so() -> None:
    mean, n = hills()
    assert found(mean - 1.0, n).line.startswith(
        "No plateau is worth it; the middle of the best is min_rvol 7.0, min_price 5.0, in a plateau of 4 settings: "
        "-0.700 R over 100, its neighbourhood -0.700 R."
    )


def test_a_plateau_at_the_edge_of_the_grid_is_called_so() -> None:
    mean = np.array([-0.5, -0.5, -0.5, -0.5, -0.5, 0.2, 0.3])
    one = plateau(made_up({"min_price": NINE["min_price"]}, mean, np.full(7, 50.0)))
    assert one.suggested == {"min_price": 7.0}
    assert "It stands at an edge of the grid: sweep on beyond min_price 7.0." in one.line
    assert found(*hills()).at_edge == ()


def by_hand(mean: np.ndarray, y: int, x: int) -> float:
    """The score of a place: of its neighbours in a map, or in a row of it, that are known."""
    near = mean[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].ravel().tolist()
    near.remove(mean[y, x])
    return float(min(mean[y, x], np.quantile([one for one in near if one == one], 0.25)))


def test_a_score_is_the_lower_quartile_of_the_neighbours_and_at_most_its_own() -> None:
    mean, n = np.random.default_rng(1).normal(size=(9, 7)), np.full((9, 7), 100.0)
    score = found(mean, n).score
    for y in range(9):
        for x in range(7):
            assert score[y, x] == pytest.approx(by_hand(mean, y, x), rel=1e-12)


def test_what_has_few_results_has_no_score_and_does_not_count_for_its_neighbours() -> None:
    mean, n = hills()
    mean += np.random.default_rng(2).normal(size=mean.shape)
    n[1:, 6] = n[0, :] = 5
    one = found(mean, n)
    assert np.isnan(one.score[n == 5]).all()
    assert one.score[8, 5] == pytest.approx(by_hand(np.where(n == 5, np.nan, mean), 8, 5), rel=1e-12)


def test_a_peak_at_an_edge_is_no_plateau() -> None:
    mean, n = hills()
    mean[0, 6] = 50.0
    assert found(mean, n).suggested == {"min_rvol": 7.0, "min_price": 5.0}


def test_a_setting_of_whose_neighbours_few_are_known_has_no_score() -> None:
    mean, n = np.full((9, 7), 0.5), np.full((9, 7), 1.0)
    n[4, 3] = n[4, 4] = 1000
    one = found(mean, n)
    assert np.isnan(one.score).all()
    assert one.suggested is None
    assert one.line.startswith("No plateau: no setting and half of its neighbours have 30 results.")


def test_thresholds_without_an_order_have_no_neighbours() -> None:
    grid: dict[str, list[object]] = {"breakout": ["wick", "close"], "min_rvol": [1.0, 2.0, 3.0, 4.0, 5.0]}
    mean = np.array([[0.1, 0.1, 0.1, 0.1, 0.1], [0.0, 0.5, 0.6, 0.5, 0.0]])
    one = plateau(made_up(grid, mean.ravel(), np.full(10, 99.0)))  # type: ignore[arg-type]
    for row, score in zip(mean, one.score, strict=True):
        np.testing.assert_allclose(score, [by_hand(row[None], 0, i) for i in range(5)], rtol=1e-12)
    assert one.suggested == {"breakout": "close", "min_rvol": 3.0}


def test_a_map_holds_the_other_thresholds_at_the_suggested_setting() -> None:
    grid = {**NINE, "cooldown": [5.0, 15.0]}
    mean, n = (np.stack([values, values + (0.05 if i == 0 else 0)], axis=2) for i, values in enumerate(hills()))
    one = plateau(made_up(grid, mean.ravel(), n.ravel()))
    assert one.suggested is not None
    shown = one.slice("min_rvol", "min_price")
    assert shown.held == {"cooldown": one.suggested["cooldown"]}
    assert shown.places.shape == shown.score.shape == (7, 9)
    for y, price in enumerate(shown.ys):
        for x, rvol in enumerate(shown.xs):
            setting = {"min_rvol": rvol, "min_price": price, **shown.held}
            assert one.sweep.settings[shown.places[y, x]] == setting
    turned = one.slice("min_price", "min_rvol", {"cooldown": 5.0})
    np.testing.assert_array_equal(turned.places, one.slice("min_rvol", "min_price", {"cooldown": 5.0}).places.T)


def test_a_map_of_what_was_not_swept_is_refused() -> None:
    one = found(*hills())
    with pytest.raises(UnknownName, match="The sweep did not move 'cooldown'"):
        one.slice("min_rvol", "cooldown")
    with pytest.raises(InvalidInput, match="A map has two thresholds; found min_rvol twice"):
        one.slice("min_rvol", "min_rvol")
    with pytest.raises(InvalidInput, match=r"min_price was swept over 1\.0, 2\.0, .*, 7\.0; found 9"):
        plateau(made_up({**NINE, "cooldown": [1.0]}, np.zeros(63), np.ones(63))).slice(
            "min_rvol", "cooldown", {"min_price": 9}
        )


def test_a_plateau_needs_a_grid() -> None:
    whole = made_up(NINE, np.zeros(63), np.ones(63))
    searched = Sweep(whole.history, whole.scanner, whole.settings, whole.ids, whole.by_day, "30m", 5.0, 0)
    with pytest.raises(InvalidInput, match="A plateau needs a grid; found 63 settings of a search"):
        plateau(searched)
    with pytest.raises(InvalidInput, match="found fewest=0"):
        plateau(whole, fewest=0)


def test_a_sweep_of_one_threshold_has_a_map_of_one_row() -> None:
    mean = np.array([0.0, 0.1, 0.4, 0.4, 0.4, 0.1, 2.0])
    one = plateau(made_up({"min_price": NINE["min_price"]}, mean, np.full(7, 50.0)))
    shown = one.slice("min_price")
    assert (shown.y, shown.ys, shown.places.tolist()) == ("", ("",), [[0, 1, 2, 3, 4, 5, 6]])
    assert one.suggested == {"min_price": 4.0}
