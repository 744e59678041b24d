"""The daily side of the simulated market: who trades in it, and how each of its sessions went.

1. `cast_of` draws the symbols and their habits: size, price, volatility, sector, attention.
2. `sessions_until` lists the sessions from the market's epoch to a day.
3. `outlines_of` walks through them, one `Outline` a session: the daily row of every symbol and the events behind it.

Log prices throughout, on the basis that holds when all splits of the year are done; `split_ratio` leads back to the
basis of a day.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from scanner_kit.calendar import TradingDay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HISTORY = 125
NONE, NEWS, REVERSAL, RUNNER = range(4)
MARKET_SD, SECTOR_SD = 0.008, 0.005
OVERNIGHT = 0.45

_CAST, _SPLITS, _DAILY = 1, 2, 3
_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_KINDS = ("common", "adr", "etf", "preferred", "warrant", "unit")
_KIND_SHARES = (0.82, 0.05, 0.08, 0.02, 0.02, 0.01)
_EXCHANGES = ("NASDAQ", "NYSE", "AMEX")
SECTORS: dict[str, tuple[str, ...]] = {
    "Basic Materials": ("Specialty Chemicals", "Gold", "Steel"),
    "Communication Services": ("Telecom Services", "Entertainment", "Advertising Agencies"),
    "Consumer Cyclical": ("Specialty Retail", "Auto Manufacturers", "Restaurants"),
    "Consumer Defensive": ("Packaged Foods", "Household Products", "Beverages"),
    "Energy": ("Oil & Gas Exploration", "Oilfield Services", "Uranium"),
    "Financial Services": ("Regional Banks", "Insurance", "Capital Markets"),
    "Healthcare": ("Biotechnology", "Medical Devices", "Drug Manufacturers"),
    "Industrials": ("Aerospace & Defense", "Machinery", "Marine Shipping"),
    "Real Estate": ("Office Trusts", "Retail Trusts", "Real Estate Services"),
    "Technology": ("Semiconductors", "Application Software", "Computer Hardware"),
    "Utilities": ("Electric Utilities", "Gas Utilities", "Renewable Power"),
}
_FIRST_WORDS = (
    *("Alder", "Boreal", "Cobalt", "Dunmore", "Eastlake", "Fennwick", "Granger", "Harrow", "Ironbark", "Juniper"),
    *("Kestrel", "Lowell", "Marlin", "Northgate", "Orchard", "Pinecrest", "Quarry", "Redfern", "Sable", "Tamarack"),
)
_LAST_WORDS = ("Dynamics", "Group", "Holdings", "Industries", "Labs", "Partners", "Systems", "Works")


@dataclass(frozen=True, eq=False)
class _Columns:
    """Arrays over symbols that are cut together."""

    def part(self, where: slice | Ints) -> Self:
        """The same for some of the symbols."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        cut: dict[str, Any] = {name: a[where] for name, a in arrays.items() if isinstance(a, np.ndarray)}
        return replace(self, **cut)


@dataclass(frozen=True, eq=False)
class Cast(_Columns):
    """The symbols, sorted, and the habits that last: arrays over symbols."""

    symbol: NDArray[np.str_]
    name: NDArray[np.str_]
    kind: NDArray[np.str_]
    sector: Ints  # index into SECTORS; len(SECTORS) for what has none
    industry: Ints
    exchange: NDArray[np.str_]
    log_price: Floats
    shares: Floats
    floating: Floats  # share of the shares that floats
    volume: Floats  # shares on a usual day
    sigma: Floats  # of its own daily log return
    beta: Floats
    sector_load: Floats
    attention: Floats  # share of a usual day's volume that is traded before the open
    spread: Floats  # half of it, relative to the price
    trades: Floats  # probability that it trades at all on a day
    lottery: Floats  # weight in the draw of the day's runners


@dataclass(frozen=True, eq=False)
class Outline(_Columns):
    """One session of every symbol: log prices of its regular hours, the shares of the whole day, and what happened."""

    day: TradingDay
    before: Floats  # close of the session before
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    noise: Floats  # standard deviation of its own log return over the regular hours
    event: Ints  # NONE, NEWS, REVERSAL or RUNNER
    peak: Floats  # how far above the open a runner goes


def generator(*key: int) -> Generator:
    """The random numbers that belong to a key, whoever asks and when."""
    return Generator(PCG64(SeedSequence(key)))


def date_key(date: dt.date) -> int:
    """2025-06-18 as 20250618."""
    return date.year * 10_000 + date.month * 100 + date.day


def cast_of(seed: int, symbols: int) -> Cast:
    """The symbols of a market. Sizes, prices and turnover are spread as on the US exchanges of 2025."""
    rng = generator(seed, symbols, _CAST)
    kind = rng.choice(_KINDS, symbols, p=_KIND_SHARES)
    symbol = _tickers(rng, kind)
    order = np.argsort(symbol)
    symbol, kind = symbol[order], kind[order]
    fund, odd = kind == "etf", np.isin(kind, ("preferred", "warrant", "unit"))
    z = rng.standard_normal((6, symbols)).clip(-2.5, 2.5)
    log_cap = np.log(8e8) + 2.2 * z[0] + np.where(odd, -2.0, 0.0)
    size = log_cap - np.log(8e8)
    log_price = (np.log(11.0) + 0.52 * size + 0.8 * z[1]).clip(np.log(0.25), np.log(900.0))
    log_price = np.where(fund, np.log(45.0) + 0.8 * z[1], log_price)
    turnover = np.exp(np.log(0.006) + 0.9 * z[2] + np.where(odd, -1.5, 0.0))
    sigma = np.exp(np.log(0.023) - 0.19 * size + 0.35 * z[3]).clip(0.007, 0.11)
    shares = np.round(np.exp(log_cap - log_price), -3).clip(1e5, None)
    dollars = np.exp(log_cap) * turnover
    eager = np.exp(size / 4 + 0.9 * z[4]) * np.exp(np.minimum(sigma / 0.03, 2.0))
    leverage = rng.choice([1.0, 1.0, 1.0, 1.0, 2.0, -1.0, 3.0, -3.0], symbols)
    common = kind == "common"
    return Cast(
        symbol=symbol,
        name=_company_names(rng, kind),
        kind=kind,
        sector=np.where(fund, len(SECTORS), rng.integers(0, len(SECTORS), symbols)),
        industry=rng.integers(0, 3, symbols),
        exchange=np.where(fund, "NYSE ARCA", rng.choice(_EXCHANGES, symbols, p=(0.6, 0.32, 0.08))),
        log_price=log_price,
        shares=shares,
        floating=rng.uniform(0.25, 0.98, symbols),
        volume=dollars / np.exp(log_price),
        sigma=np.where(fund, 0.002 * np.exp(0.5 * z[3]), sigma),
        beta=np.where(fund, leverage, np.where(odd, 0.2, (1.0 + 0.35 * z[5]).clip(0.1, 2.2))),
        sector_load=np.where(fund | odd, 0.0, rng.uniform(0.5, 1.5, symbols)),
        attention=(0.0015 * eager).clip(0.0002, 0.03),
        spread=(0.004 * (dollars / 1e6).clip(0.01, None) ** -0.45).clip(0.00005, 0.006),
        trades=_trading_habits(rng, symbols, fund),
        lottery=np.where(common & (shares < 2e8), np.exp(-size / 1.5) * (log_price < np.log(12.0)), 0.0) + 1e-12,
    )


def _trading_habits(rng: Generator, symbols: int, fund: Bools) -> Floats:
    """1 for nearly all; one name in fifty is dead: it never trades, or on some days."""
    u = rng.random(symbols)
    return np.where(fund | (u > 0.02), 1.0, np.where(u < 0.008, 0.0, 0.3))


def _tickers(rng: Generator, kind: NDArray[np.str_]) -> NDArray[np.str_]:
    """Unique; one common stock in four has three letters, warrants, units and preferred shares a fifth one."""
    short = (kind == "common") & (rng.random(len(kind)) < 0.3)
    fifth = np.select([kind == "warrant", kind == "unit", kind == "preferred"], ["W", "U", "P"], "")
    words = np.where(short, _words(rng, 3, len(kind)), _words(rng, 4, len(kind)))
    return np.char.add(words, fifth)


def _words(rng: Generator, length: int, count: int) -> NDArray[np.str_]:
    """Different words of capital letters; of three letters there are 17,576."""
    number = np.resize(rng.permutation(26**length), count)
    words = np.full(count, "")
    for _ in range(length):
        number, letter = np.divmod(number, 26)
        words = np.char.add(_LETTERS[letter], words)
    return words


def _company_names(rng: Generator, kind: NDArray[np.str_]) -> NDArray[np.str_]:
    endings = {"etf": " Fund", "preferred": " Pref. Shares", "warrant": " Warrants", "unit": " Units", "adr": " ADR"}
    first, last = rng.choice(_FIRST_WORDS, len(kind)), rng.choice(_LAST_WORDS, len(kind))
    ending = np.array([endings.get(str(k), " Inc.") for k in kind])
    return np.char.add(np.char.add(np.char.add(first, " "), last), ending)


def sessions_until(day: TradingDay) -> tuple[TradingDay, ...]:
    """The sessions since the market's epoch, `day` included.

    The epoch is 1 July of the year before: all days of one calendar year have one past, of 125 sessions
    at least.
    """
    epoch = dt.date(day.date.year - 1, 7, 1)
    return (*(d for d in TradingDay.before(day.date, 400) if d.date >= epoch), day)


def split_ratio(cast: Cast, seed: int, day: TradingDay) -> Floats:
    """Price on the basis of `day` ÷ price on the basis of the year's end, per symbol: 2 before a 2-for-1 split.

    Two symbols in a hundred split once between the epoch and the year's end; the cheap ones reverse.
    """
    symbols, year = len(cast.symbol), day.date.year
    rng = generator(seed, symbols, year, _SPLITS)
    splits = (rng.random(symbols) < 0.02) & (cast.kind == "common")
    date = dt.date(year - 1, 7, 1).toordinal() + rng.integers(0, 549, symbols)
    up, down = rng.choice([2.0, 3.0, 4.0, 10.0], symbols), rng.choice([0.05, 0.1, 0.2], symbols)
    ratio = np.where(cast.log_price < np.log(8.0), down, up)
    return np.where(splits & (day.date.toordinal() < date), ratio, 1.0)


FAR = 3.4
"""In log price: who is thirty times as dear as at the epoch, or a thirtieth, is pulled back in days."""


def outlines_of(cast: Cast, seed: int, sessions: Iterable[TradingDay]) -> list[Outline]:
    """Walk through the sessions from the epoch on; the last `HISTORY` + 1 of them."""
    kept: deque[Outline] = deque(maxlen=HISTORY + 1)
    symbols = len(cast.symbol)
    walk = _Walk(cast.log_price.copy(), np.zeros(symbols), np.zeros(symbols))
    for day in sessions:
        outline, walk = _session(cast, generator(seed, symbols, date_key(day.date), _DAILY), day, walk)
        kept.append(outline)
    return list(kept)


@dataclass(frozen=True, eq=False)
class _Walk:
    """What one session leaves to the next."""

    close: Floats
    hype: Floats  # the part of a runner's rise that is given back in the days after
    heat: Floats  # log of the volume's multiple of a usual day


@dataclass(frozen=True, eq=False)
class _Happening:
    """What comes on top of the ordinary: zeros but for a few symbols."""

    event: Ints
    gap: Floats
    move: Floats
    peak: Floats
    heat: Floats


def _session(cast: Cast, rng: Generator, day: TradingDay, walk: _Walk) -> tuple[Outline, _Walk]:
    z, u = rng.standard_normal((4, len(cast.symbol))), rng.random((3, len(cast.symbol)))
    fat = np.exp(0.55 * z[0] - 0.2)
    happening = _happening(cast, rng)
    common_gap, common_move = _common_returns(cast, rng)
    away = cast.log_price - walk.close
    pull = 0.004 * away + 0.5 * (away - away.clip(-FAR, FAR))
    gap = 0.6 * common_gap + 0.45 * cast.sigma * fat * z[1] + happening.gap - 0.1 * walk.hype
    move = common_move + 0.85 * cast.sigma * fat * z[2] + happening.move - 0.2 * walk.hype + pull
    heat = 0.5 * walk.heat + happening.heat
    noise = np.maximum(0.85 * cast.sigma * fat * np.exp(0.25 * heat.clip(0, 2)), 0.4 * happening.peak)
    sd = np.hypot(noise, np.hypot(cast.beta * MARKET_SD, cast.sector_load * SECTOR_SD))
    open_ = (walk.close + gap).clip(np.log(0.02), None)
    volume = _day_volume(cast, heat + 0.25 * z[0] + 0.45 * z[3], move, happening.event) * (u[2] < cast.trades)
    if day.early_close:
        volume *= 0.55
    above, below = _extremes(move, sd * -np.expm1(-volume / 3e4), u)
    outline = Outline(
        day=day,
        before=walk.close,
        open=open_,
        high=open_ + np.maximum(above, happening.peak),
        low=open_ + below,
        close=open_ + move,
        volume=np.rint(volume),
        noise=noise,
        event=happening.event,
        peak=happening.peak,
    )
    rise = np.where(happening.event == RUNNER, move + happening.gap, 0.0)
    return outline, _Walk(outline.close, 0.7 * walk.hype + rise, heat)


def _common_returns(cast: Cast, rng: Generator) -> tuple[Floats, Floats]:
    """Market and sectors, overnight and over the regular hours, as each symbol follows them."""
    z = rng.standard_t(5, (2, 1 + len(SECTORS))) * 0.775
    factors = np.column_stack([MARKET_SD * z[:, 0], SECTOR_SD * z[:, 1:], np.zeros(2)])
    gap, move = factors[:, [0]] * cast.beta + factors[:, 1 + cast.sector] * cast.sector_load
    return gap, move


def _extremes(move: Floats, sd: Floats, u: Floats) -> tuple[Floats, Floats]:
    """Maximum and minimum of a Brownian bridge from 0 to `move`, each by inverting its distribution."""
    reach = np.sqrt(move**2 - 2.0 * sd**2 * np.log(u[:2].clip(1e-6, 1.0)))
    return (move + reach[0]) / 2.0, (move - reach[1]) / 2.0


def _day_volume(cast: Cast, heat: Floats, move: Floats, event: Ints) -> Floats:
    """More on a hot day and after a large move, four floats at most; a runner has its crowd anyway."""
    surprise = (np.abs(move) / (cast.sigma + 0.01)).clip(0, 3)
    volume = cast.volume * np.exp(heat - 0.15 + 0.15 * surprise)
    crowd = np.where(event == RUNNER, 2e7 / np.exp(cast.log_price), 0.0)
    shares: Floats = np.maximum(volume.clip(None, 4.0 * cast.shares * cast.floating), crowd)
    return shares


def _happening(cast: Cast, rng: Generator) -> _Happening:
    """News gaps (3 % of the names), reversals of a third of them, and runners (0.4 %, two at least)."""
    symbols = len(cast.symbol)
    event = np.zeros(symbols, dtype=np.int64)
    gap, move, peak, heat = np.zeros((4, symbols))
    news = _draw(rng, (cast.sigma + cast.sector_load * 0.01) * (cast.trades == 1.0), max(3, round(0.03 * symbols)))
    sign = np.where(rng.random(len(news)) < 0.55, 1.0, -1.0)
    size = (1.6 * cast.sigma[news] * np.exp(0.7 * rng.standard_normal(len(news)))).clip(0.025, 0.4)
    event[news], gap[news], heat[news] = NEWS, sign * size, np.log(rng.uniform(2.0, 6.0, len(news)))
    turned = news[: max(1, len(news) // 3)]
    event[turned], move[turned] = REVERSAL, -gap[turned] * rng.uniform(0.4, 1.0, len(turned))
    runners = _draw(rng, cast.lottery * (event == NONE) * (cast.trades == 1.0), max(2, round(0.004 * symbols)))
    gain = np.exp(np.log(0.45) + 0.45 * rng.standard_normal(len(runners))).clip(0.2, 1.3)
    event[runners], peak[runners] = RUNNER, gain
    move[runners] = gain * rng.uniform(0.3, 0.9, len(runners))
    gap[runners] = rng.choice([0.0, 0.0, 0.08, 0.2, 0.3], len(runners))
    heat[runners] = np.log(rng.uniform(15.0, 120.0, len(runners)))
    return _Happening(event, gap, move, peak, heat)


def _draw(rng: Generator, weight: Floats, count: int) -> Ints:
    """That many different symbols, the likelier the heavier; in the order drawn. All of them where they are fewer."""
    key = rng.standard_exponential(len(weight)) / (weight + 1e-12)
    count = min(count, len(key))
    first = np.argpartition(key, count - 1)[:count]
    return first[np.argsort(key[first], kind="stable")]
