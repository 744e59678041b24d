"""The minute so far of the simulated market: always a part of the bar that it ends as."""

from itertools import pairwise

import numpy as np
import pytest

from scanner_kit.bars import FIELDS, Bars
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.sources.tape import simulated_tape
from scanner_kit.sources.within import Minute, changed

SHARES = np.linspace(0.0, 1.0, 25)


@pytest.fixture(scope="module", params=[100, 331, 600])
def path(request: pytest.FixtureRequest) -> tuple[Bars, list[Bars]]:
    """A closed minute, and it as it forms."""
    bars = simulated_tape(SimulatedMarket(symbols=150)).bars(request.param)
    minute = Minute(bars, (7, 1))
    return bars, [minute.at(share) for share in SHARES]


def test_it_ends_as_the_bar(path: tuple[Bars, list[Bars]]) -> None:
    bars, entries = path
    for name in FIELDS[:-1]:
        np.testing.assert_array_equal(getattr(entries[-1], name), getattr(bars, name))


def test_it_is_always_a_part_of_the_bar(path: tuple[Bars, list[Bars]]) -> None:
    bars, entries = path
    for so_far in entries:
        there = ~np.isnan(so_far.close)
        assert not (there & np.isnan(bars.close)).any()
        assert (so_far.open[there] == bars.open[there]).all()
        assert (so_far.high[there] <= bars.high[there]).all()
        assert (so_far.low[there] >= bars.low[there]).all()
        assert (so_far.high[there] >= np.maximum(so_far.open, so_far.close)[there]).all()
        assert (so_far.low[there] <= np.minimum(so_far.open, so_far.close)[there]).all()
        assert (so_far.volume <= bars.volume).all()
        assert ((so_far.volume > 0) == (there & (bars.volume > 0))).all()


def test_nothing_goes_back(path: tuple[Bars, list[Bars]]) -> None:
    _, entries = path
    for before, after in pairwise(entries):
        there = ~np.isnan(before.close)
        assert (~np.isnan(after.close[there])).all()
        assert (after.high[there] >= before.high[there]).all()
        assert (after.low[there] <= before.low[there]).all()
        assert (after.volume >= before.volume).all()
    steps = [len(np.unique([entry.volume[row] for entry in entries])) for row in range(150)]
    assert max(steps) > 4


def test_the_same_key_gives_the_same_path_and_another_another(path: tuple[Bars, list[Bars]]) -> None:
    bars, entries = path
    again, other = Minute(bars, (7, 1)).at(SHARES[12]), Minute(bars, (8, 1)).at(SHARES[12])
    np.testing.assert_array_equal(again.close, entries[12].close)
    assert not np.array_equal(other.volume, entries[12].volume)


def test_only_what_changed_is_carried_and_put_together_it_is_whole(path: tuple[Bars, list[Bars]]) -> None:
    _, entries = path
    whole = entries[0].volume
    for before, after in pairwise(entries):
        part = changed(after, before)
        assert part.forming
        whole = np.where(np.isnan(part.close), whole, part.volume)
        np.testing.assert_array_equal(whole, after.volume)
    carried = sum((~np.isnan(changed(b, a).close)).sum() for a, b in pairwise(entries))
    assert 0 < carried < 24 * (~np.isnan(entries[-1].close)).sum()
    assert changed(entries[5], None) is entries[5]
