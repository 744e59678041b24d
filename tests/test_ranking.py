"""Lists: their order, and how one published version becomes the next."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner_kit.calendar import TradingDay
from scanner_kit.columns import Column
from scanner_kit.errors import InvalidInput
from scanner_kit.ranking import Change, Published, Ranking, apply, diff, ordered
from scanner_kit.scanner import Keys, Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Universe

NAN = float("nan")
SYMBOLS = [f"S{i:02}" for i in range(12)]
THRESHOLDS = {"last": 0.01, "change_pct": 0.01, "day_volume": 1000.0, "rvol_tod": 0.05}
figures = st.fixed_dictionaries(
    {
        "last": st.sampled_from([10.0, 10.005, 10.02, 11.0, NAN]),
        "change_pct": st.sampled_from([1.0, 1.009, 1.02, NAN]),
        "day_volume": st.sampled_from([0.0, 1000.0, 1001.0, 5000.0]),
        "rvol_tod": st.sampled_from([1.0, 1.04, 1.06, 1.09, NAN]),
    }
)
lists = st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=12).flatmap(
    lambda symbols: st.tuples(*(figures for _ in symbols)).map(lambda rows: dict(zip(symbols, rows, strict=True)))
)


def close_enough(old: float, new: float, threshold: float) -> bool:
    """Whether a figure need not be sent again: moved by no more than the threshold, and as known as before."""
    if math.isnan(old) or math.isnan(new):
        return math.isnan(old) == math.isnan(new)
    return abs(new - old) <= threshold


def as_figures(published: Published) -> dict[str, dict[str, float]]:
    return {symbol: dict(told) for symbol, told in published.rows}


@given(st.lists(lists, min_size=2, max_size=5), st.integers(0, 1000))
def test_a_reader_who_applies_the_changes_has_the_list(versions: list[dict[str, dict[str, float]]], seq: int) -> None:
    reader = Published.of("winners", versions[0], seq)
    for version in versions[1:]:
        wanted = Published.of("winners", version)
        changes = diff(reader, wanted)
        assert [change.seq for change in changes] == list(range(reader.seq + 1, reader.seq + 1 + len(changes)))
        published = as_figures(reader)
        reader = apply(reader, changes)
        assert reader.symbols == wanted.symbols
        assert reader.seq == (changes[-1].seq if changes else reader.seq)
        sent = {change.symbol for change in changes if change.what != "removed"}
        for symbol, told in as_figures(reader).items():
            if symbol in sent:
                assert repr(told) == repr(version[symbol])
            else:
                assert repr(told) == repr(published[symbol])
                assert all(close_enough(told[name], version[symbol][name], THRESHOLDS[name]) for name in told)


@given(lists)
def test_a_list_that_stays_as_it_is_has_no_changes(version: dict[str, dict[str, float]]) -> None:
    assert diff(Published.of("hot", version, 7), Published.of("hot", version)) == ()


def test_a_figure_is_measured_against_what_was_last_published() -> None:
    # 0.006 $ each time: the second time it has moved by 0.012 from what was published, and is sent.
    reader = Published.of("hot", {"A": {"last": 10.0}})
    sent = []
    for last in (10.006, 10.012, 10.018):
        changes = diff(reader, Published.of("hot", {"A": {"last": last}}))
        sent.append([change.figures for change in changes])
        reader = apply(reader, changes)
    assert sent == [[], [(("last", 10.012),)], []]


@pytest.mark.parametrize(
    ("name", "moved", "sent"),
    [
        ("last", 0.0078125, False),
        ("last", 0.015625, True),
        ("day_volume", 1000.0, False),
        ("day_volume", 1001.0, True),
        ("change_pct", 0.0078125, False),
        ("change_pct", 0.015625, True),
        ("rvol_tod", 0.046875, False),
        ("rvol_tod", 0.0625, True),
        ("last", NAN, True),
    ],
)
def test_a_figure_is_sent_when_it_moved_by_more_than_its_threshold(name: str, moved: float, sent: bool) -> None:
    old, new = (Published.of("hot", {"A": {name: value}}) for value in (8.0, 8.0 + moved))
    assert [change.what for change in diff(old, new)] == (["updated"] if sent else [])


def test_a_list_that_becomes_empty_is_a_change_like_any_other() -> None:
    old = Published.of("hot", {"A": {"last": 1.0}, "B": {"last": 2.0}}, seq=4)
    changes = diff(old, Published.of("hot", {}))
    assert [(change.seq, change.what, change.symbol) for change in changes] == [
        (5, "removed", "A"),
        (6, "removed", "B"),
    ]
    assert apply(old, changes) == Published("hot", 6, ())


def test_who_moves_is_told_with_the_new_rank() -> None:
    old = Published.of("hot", {s: {"last": 1.0} for s in "ABC"})
    changes = diff(old, Published.of("hot", {s: {"last": 1.0} for s in "CAB"}))
    assert [(change.what, change.symbol, change.rank) for change in changes] == [("moved", "C", 1)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (Change("hot", 6, "removed", "A", 1), "hot 6"),
        (Change("hot", 4, "removed", "A", 1), "hot 4"),
        (Change("winners", 5, "removed", "A", 1), "winners 5"),
    ],
)
def test_a_gap_in_the_sequence_is_refused(change: Change, found: str) -> None:
    old = Published.of("hot", {"A": {"last": 1.0}}, seq=4)
    with pytest.raises(
        InvalidInput, match=rf"^hot is at 4 and expects change 5; found {found}\. Take the whole list\.$"
    ):
        apply(old, [change])


def test_a_ranking_is_read_with_its_ranks() -> None:
    ranking = Ranking("hot", ("B", "A"), (2.0, 1.0))
    assert (len(ranking), list(ranking)) == (2, [(1, "B", 2.0), (2, "A", 1.0)])


values = st.lists(st.sampled_from([1.0, 2.0, 3.0, -1.0, NAN]), min_size=1, max_size=40)


@given(values, st.data(), st.integers(1, 6), st.booleans())
def test_the_first_of_a_list_are_those_of_the_whole_list_sorted(
    scores: list[float], data: st.DataObject, top: int, largest: bool
) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    second = data.draw(st.lists(st.sampled_from([1.0, 2.0]), min_size=len(scores), max_size=len(scores)))
    now, selected = _now(len(scores)), Column(np.array(chosen, dtype=np.float64), "chosen") > 0
    keys: Keys = ((Column(np.array(scores), "score"), largest), (Column(np.array(second), "second"), True))
    rows, found = ordered(Verdict(selected, keys, keys[0][0], {}), now, top)
    sign = -1 if largest else 1
    candidates = [i for i, score in enumerate(scores) if chosen[i] and not math.isnan(score)]
    expected = sorted(candidates, key=lambda i: (sign * scores[i], -second[i], i))[:top]
    assert rows.tolist() == expected
    assert found.tolist() == [scores[i] for i in expected]


def _now(symbols: int) -> Snapshot:
    universe = Universe.of(TradingDay.of("2025-01-27"), [f"S{i:02}" for i in range(symbols)])
    one = np.ones(symbols)
    return Snapshot(universe, 330, one, one, one, one, {}, {})
