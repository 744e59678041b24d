import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scanner_kit.calendar import TradingDay
from scanner_kit.errors import InvalidInput
from scanner_kit.sources.simulated import SimulatedMarket

OPEN, CLOSE = 330, 720
EARLY = dt.date(2024, 11, 29)
Bars = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket()


@pytest.fixture(scope="module")
def bars(market: SimulatedMarket) -> Bars:
    return market.day_bars()


@pytest.fixture(scope="module")
def daily(market: SimulatedMarket) -> pd.DataFrame:
    return market.daily()


@pytest.fixture(scope="module")
def liquid(bars: Bars) -> np.ndarray:
    """The columns of the 100 symbols with the most dollars traded."""
    return np.argsort(-np.nansum(bars["volume"] * bars["close"], axis=0))[:100]


def previous_close(market: SimulatedMarket, daily: pd.DataFrame) -> np.ndarray:
    return daily.groupby("symbol")["close"].last().reindex(market.names()).to_numpy()


def pauses(volume: np.ndarray) -> list[tuple[int, int]]:
    """First silent minute and column of five silent regular minutes after thirty, or all since the open, with bars."""
    found = []
    for column in range(volume.shape[1]):
        k = np.flatnonzero(volume[OPEN:CLOSE, column] > 0) + OPEN
        for last in k[:-1][np.diff(k) == 6]:
            first = max(OPEN, last - 29)
            if last - first >= 3 and (volume[first : last + 1, column] > 0).all():
                found.append((int(last) + 1, column))
    return found


def assert_same(one: Bars, other: Bars) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_two_markets_of_one_seed_are_equal_to_the_bit_whatever_is_asked_first() -> None:
    one, other = SimulatedMarket(symbols=150), SimulatedMarket(symbols=150)
    first = one.day_bars(), one.daily(), list(one.volume_history(2))
    second = list(other.volume_history(2)), other.reference(), other.day_bars(EARLY), other.daily(), other.day_bars()
    assert_same(first[0], second[4])
    pd.testing.assert_frame_equal(first[1], second[3])
    for (date, volume), (other_date, other_volume) in zip(first[2], second[0], strict=True):
        assert date == other_date
        np.testing.assert_array_equal(volume, other_volume)


def test_another_seed_is_another_market() -> None:
    one, other = SimulatedMarket(symbols=20), SimulatedMarket(symbols=20, seed=8)
    assert one.names() != other.names()
    one.seed = 8
    assert one.names() == other.names()
    assert_same(one.day_bars(), other.day_bars())


def test_what_was_handed_out_is_not_written_again(market: SimulatedMarket, bars: Bars) -> None:
    kept = bars["close"].copy()
    market.day_bars()
    np.testing.assert_array_equal(bars["close"], kept)


@pytest.mark.parametrize("arguments", [{}, {"day": EARLY}, {"symbols": 1}, {"symbols": 3, "seed": 0}, {"seed": 11}])
def test_every_bar_is_a_possible_bar(arguments: dict[str, Any]) -> None:
    bars = SimulatedMarket(**arguments).day_bars()
    o, h, low, c, volume, vwap = (bars[name] for name in ("open", "high", "low", "close", "volume", "vwap"))
    some = volume > 0
    assert all(array.dtype == np.float64 and array.shape == volume.shape for array in bars.values())
    assert np.array_equal(volume, np.rint(volume))
    assert (volume >= 0).all()
    assert all(np.isnan(array[~some]).all() for array in (o, h, low, c, vwap))
    assert all((array[some] > 0).all() and np.isfinite(array[some]).all() for array in (o, h, low, c, vwap))
    assert (h >= np.fmax(o, c))[some].all()
    assert (low <= np.fmin(o, c))[some].all()
    assert ((low <= vwap) & (vwap <= h))[some].all()


def test_prices_lie_on_the_tick_grid(bars: Bars) -> None:
    close = bars["close"][bars["volume"] > 0]
    grid = np.where(close < 1.0, 1e4, 1e2)
    assert (np.abs(close * grid - np.rint(close * grid)) < 1e-6).all()
    assert (close < 1.0).any()


def test_an_early_close_has_780_minutes() -> None:
    market = SimulatedMarket(symbols=100, day=EARLY)
    volume = market.day_bars()["volume"]
    assert volume.shape == (780, 100)
    assert (volume[OPEN:540] > 0).mean() > 5 * (volume[545:] > 0).mean()


def test_a_holiday_is_refused() -> None:
    with pytest.raises(InvalidInput, match="2025-06-19 is no trading day"):
        SimulatedMarket(symbols=2, day=dt.date(2025, 6, 19)).day_bars()


def test_names_are_sorted_unique_tickers(market: SimulatedMarket) -> None:
    names = market.names()
    assert names == sorted(set(names))
    assert len(names) == 500
    assert all(name.isalpha() and name.isupper() and 3 <= len(name) <= 5 for name in names)


def test_volume_is_u_shaped_in_regular_hours(bars: Bars) -> None:
    halves = bars["volume"][OPEN:CLOSE].reshape(13, 30, -1).sum(axis=(1, 2))
    share = halves / halves.sum()
    assert share[0] > 2 * share[5:8].mean()
    assert share[-1] > 1.2 * share[5:8].mean()


def test_few_symbols_trade_before_the_open_and_more_as_it_nears(bars: Bars) -> None:
    trading = (bars["volume"] > 0).mean(axis=1)
    assert 0 < trading[:60].mean() < 0.03
    assert trading[:60].mean() < trading[200:260].mean() < trading[300:OPEN].mean() < 0.25
    assert trading[OPEN + 1] > 0.5
    assert trading[CLOSE + 60 :].mean() < 0.05


def test_gappers_trade_more_before_the_open(market: SimulatedMarket, bars: Bars, daily: pd.DataFrame) -> None:
    some = (bars["volume"][OPEN:CLOSE] > 0).any(axis=0)
    first = (bars["volume"][OPEN:CLOSE] > 0).argmax(axis=0) + OPEN
    gap = np.abs(bars["open"][first, np.arange(500)] / previous_close(market, daily) - 1)
    minutes = (bars["volume"][:OPEN] > 0).sum(axis=0)
    assert minutes[some & (gap > 0.05)].mean() > 3 * minutes[some & (gap < 0.01)].mean()


def test_returns_have_fat_tails(bars: Bars, liquid: np.ndarray) -> None:
    close = bars["close"][OPEN + 1 : CLOSE, liquid]
    returns = np.diff(np.log(close), axis=0)
    standard = returns / np.nanstd(returns, axis=0)
    assert np.nanmean(standard**4) - 3 > 2


def test_daily_returns_have_fat_tails(daily: pd.DataFrame) -> None:
    returns = np.log(daily["close"]).groupby(daily["symbol"]).diff().dropna()
    assert returns.kurt() > 5
    assert 0.005 < returns.abs().median() < 0.025


def test_stocks_move_with_the_market(bars: Bars, liquid: np.ndarray) -> None:
    close = np.log(bars["close"][OPEN:CLOSE:5, liquid])
    returns = np.nan_to_num(np.diff(close, axis=0))
    market = returns.mean(axis=1)
    correlation = [np.corrcoef(market, returns[:, i])[0, 1] for i in range(returns.shape[1])]
    assert 0.15 < np.median(correlation) < 0.9


def test_gaps_join_the_daily_history(market: SimulatedMarket, bars: Bars, daily: pd.DataFrame) -> None:
    there = bars["volume"][OPEN:CLOSE] > 0
    open_ = bars["open"][OPEN:CLOSE][there.argmax(axis=0), np.arange(500)]
    gap = pd.Series(np.abs(100 * (open_ / previous_close(market, daily) - 1))).dropna()
    assert len(gap) > 450
    assert gap.median() < 2
    assert 5 <= (gap >= 5).sum() <= 40
    assert gap.max() < 60


@pytest.mark.parametrize(
    ("day", "following_day"), [(dt.date(2025, 6, 17), dt.date(2025, 6, 18)), (EARLY, dt.date(2024, 12, 2))]
)
def test_the_minutes_of_a_day_make_the_daily_row_that_the_next_day_finds(day: dt.date, following_day: dt.date) -> None:
    market = SimulatedMarket(symbols=200, day=day)
    rows = market.frame()
    k = (rows["ts"] - pd.Timestamp(TradingDay.of(day).start, tz="UTC")) // pd.Timedelta("1min")
    regular = rows[(k >= OPEN) & (k < TradingDay.of(day).close_k)].groupby("symbol")
    made = regular.agg(open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"))
    following = SimulatedMarket(symbols=200, day=following_day)
    found = following.daily().query("date == @day").set_index("symbol")
    pd.testing.assert_frame_equal(made, found.loc[made.index, list(made.columns)])
    volume = rows.groupby("symbol")["volume"].sum()
    pd.testing.assert_series_equal(volume, found["volume"])


def test_the_volume_history_is_that_of_the_days_before() -> None:
    market = SimulatedMarket(symbols=80)
    for date, volume in market.volume_history(3):
        np.testing.assert_array_equal(volume, SimulatedMarket(symbols=80).day_bars(date)["volume"])


def test_the_volume_history_passes_over_early_closes() -> None:
    market = SimulatedMarket(symbols=3, day=dt.date(2024, 12, 3))
    dates = [date for date, volume in market.volume_history(4) if volume.shape == (960, 3)]
    assert dates == [dt.date(2024, 11, day) for day in (25, 26, 27)] + [dt.date(2024, 12, 2)]
    with pytest.raises(InvalidInput, match="1 to 100 sessions; found 0"):
        market.volume_history(0)


def test_the_daily_history_is_long_and_possible(daily: pd.DataFrame) -> None:
    assert daily["date"].nunique() == 125
    assert daily["date"].max() == pd.Timestamp("2025-06-17")
    assert not daily.duplicated(["symbol", "date"]).any()
    assert (daily["volume"] > 0).all()
    assert (daily["high"] >= daily[["open", "close"]].max(axis=1)).all()
    assert (daily["low"] <= daily[["open", "close"]].min(axis=1)).all()
    assert (daily["low"] > 0).all()


def test_a_split_leaves_no_jump_in_a_history_and_another_basis_before_it() -> None:
    before, after = SimulatedMarket(day=dt.date(2025, 1, 6)), SimulatedMarket(day=dt.date(2025, 6, 18))
    one, other = (market.daily().set_index(["symbol", "date"]) for market in (before, after))
    both = one.index.intersection(other.index)
    ratio = (one.loc[both, "close"] / other.loc[both, "close"]).groupby("symbol").median()
    split = ratio[(ratio - 1).abs() > 0.3]
    assert 1 <= len(split) <= 10
    jumps = np.log(other["close"]).groupby("symbol").diff().abs()
    assert jumps[jumps.index.get_level_values("symbol").isin(split.index)].max() < np.log(2.5)
    shares = before.reference().set_index("symbol")["shares_outstanding"]
    others = after.reference().set_index("symbol")["shares_outstanding"]
    np.testing.assert_allclose((others / shares)[split.index], split, rtol=0.01)


def test_there_are_pauses_after_fast_moves(market: SimulatedMarket) -> None:
    found = []
    for day in (dt.date(2025, 6, 16), dt.date(2025, 6, 17), dt.date(2025, 6, 18)):
        bars = market.day_bars(day)
        moves = [abs(bars["close"][k - 1, i] / bars["close"][k - 4, i] - 1) for k, i in pauses(bars["volume"])]
        found.append(sum(move > 0.03 for move in moves))
    assert min(found) >= 1


def test_there_is_a_runner_that_makes_high_after_high(market: SimulatedMarket, bars: Bars) -> None:
    usual = np.median([volume.sum(axis=0) for _, volume in market.volume_history(10)], axis=0)
    high = np.fmax.accumulate(np.nan_to_num(bars["high"][OPEN:CLOSE]), axis=0)
    rise = high[-1] / np.where(high[0] > 0, high[0], np.inf)
    runners = (rise > 1.2) & (bars["volume"].sum(axis=0) > 8 * usual) & (high[0] < 15)
    assert 1 <= runners.sum() <= 8
    assert (np.diff(high[:, runners], axis=0) > 0).sum(axis=0).min() >= 10


def test_there_are_thin_and_dead_names(bars: Bars) -> None:
    minutes = (bars["volume"][OPEN:CLOSE] > 0).sum(axis=0)
    assert 1 <= (minutes == 0).sum() <= 40
    assert ((minutes > 0) & (minutes < 100)).mean() > 0.1
    assert (minutes > 380).mean() > 0.1


def test_the_reference_is_known_before_the_day_and_adds_up(market: SimulatedMarket, daily: pd.DataFrame) -> None:
    reference = market.reference()
    assert reference["symbol"].tolist() == market.names()
    assert (reference["date"] == pd.Timestamp("2025-06-17")).all()
    assert {"common", "etf", "adr"} <= set(reference["kind"])
    assert reference.loc[reference["kind"] == "etf", "sector"].isna().all()
    assert reference.loc[reference["kind"] == "common", "sector"].nunique() == 11
    assert not (reference["float_shares"] > reference["shares_outstanding"]).any()
    price = reference["market_cap"] / reference["shares_outstanding"]
    close = pd.Series(previous_close(market, daily))
    assert (price / close - 1).abs().median() < 0.001


def test_the_frame_has_a_row_a_bar(market: SimulatedMarket, bars: Bars) -> None:
    frame = market.frame()
    assert list(frame.columns) == ["symbol", "ts", "open", "high", "low", "close", "volume", "vwap"]
    assert len(frame) == (bars["volume"] > 0).sum()
    assert frame[["symbol", "ts"]].equals(frame[["symbol", "ts"]].sort_values(["symbol", "ts"]))
    assert str(frame["ts"].dt.tz) == "UTC"
    assert frame["volume"].sum() == bars["volume"].sum()


def test_it_is_labelled() -> None:
    assert SimulatedMarket.label == "simulated"


@pytest.mark.parametrize("seed", range(4))
def test_no_price_runs_away_in_a_small_market(seed: int) -> None:
    # The only cheap names of a small market are its runners nearly every day.
    close = SimulatedMarket(symbols=50, seed=seed).daily()["close"]
    assert close.max() < 20_000
