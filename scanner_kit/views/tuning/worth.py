"""What it is worth, as a screen shows it: figures, n and interval, with the variant and the random entries beside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scanner_kit.tuning.paths import HORIZONS
from scanner_kit.tuning.worth import Figure, Results, Worth
from scanner_kit.views.tuning.words import FEW, between, plain, r, share, signed, tone

WAITING = "…"
"""Stands where the random entries will stand."""
HELP = {
    "Triggers a day": "All triggers of the history ÷ its days.",
    "Tradable": "The share whose next bar came in time to enter at its open.",
    "Win rate": "The share that met its target before its stop, of those that have an R.",
    "Mean R": "The mean result in R, the risk to the stop, after costs.",
    "Profit factor": "All that was won ÷ all that was lost, in R, after costs.",
    "MFE": "How far the price went for the trade, on average (maximum favourable excursion).",
    "MAE": "How far the price went against the trade, on average (maximum adverse excursion).",
}


@dataclass(frozen=True)
class Shown:
    """A figure of the strip: where it is found, how it is said, and where neither good nor bad begins."""

    name: str
    of: Callable[[Worth], Figure]
    say: Callable[[Any], str]
    of_chance: Callable[[Results], Figure] | None = None
    middle: float | None = None
    by_horizon: bool = True


STRIP = (
    Shown("Triggers a day", lambda w: w.a_day, plain, by_horizon=False),
    Shown("Tradable", lambda w: w.tradable, share, by_horizon=False),
    Shown("Win rate", lambda w: w.own.win_rate, share, lambda c: c.win_rate),
    Shown("Mean R", lambda w: w.own.mean_r, r, lambda c: c.mean_r, 0.0),
    Shown("Profit factor", lambda w: w.own.profit_factor, plain, lambda c: c.profit_factor, 1.0),
    Shown("MFE", lambda w: w.mfe_r, r),
    Shown("MAE", lambda w: w.mae_r, r),
)


def strip(now: Worth, beside: Worth, horizon: str, *, waiting: bool) -> list[dict[str, Any]]:
    """The figures of the chosen horizon. `waiting` says that the random entries are still to come."""
    return [_figure(one, now, beside, HORIZONS.index(horizon), waiting) for one in STRIP]


def horizons(now: Worth, *, waiting: bool) -> list[dict[str, Any]]:
    """The results by horizon: a row each."""
    rows = []
    for h, name in enumerate(HORIZONS):
        own, n = now.own, int(now.own.mean_r.n[h])
        random = WAITING if waiting else "" if now.chance is None else signed(now.chance.mean_r.value[h])
        low, high = own.mean_r.low[h], own.mean_r.high[h]
        figures = {"win": share(own.win_rate.value[h]), "mean": signed(own.mean_r.value[h]), "random": random}
        more = {
            "factor": plain(own.profit_factor.value[h]),
            "mfe": signed(now.mfe_r.value[h]),
            "mae": signed(now.mae_r.value[h]),
        }
        told = {"interval": between(low, high, r), "tone": tone(low, high, n), "weak": n < FEW}
        rows.append({"horizon": name, "n": f"{n:,}", **figures, **more, **told})
    return rows


def _figure(one: Shown, now: Worth, beside: Worth, h: int, waiting: bool) -> dict[str, Any]:
    figure, other = _at(one.of(now), one, h), _at(one.of(beside), one, h)
    random = ""
    if one.of_chance is not None:
        random = WAITING if waiting or now.chance is None else one.say(one.of_chance(now.chance).value[h])
    value, low, high, n = figure
    return {
        "name": one.name,
        "help": HELP[one.name],
        "value": one.say(value),
        "interval": between(low, high, one.say),
        "n": f"{n:,}",
        "weak": n < FEW,
        "beside": one.say(other[0]),
        "random": random,
        "tone": "" if one.middle is None else tone(low, high, n, one.middle),
    }


def _at(figure: Figure, one: Shown, h: int) -> tuple[float, float, float, int]:
    if not one.by_horizon:
        return float(figure.value), float(figure.low), float(figure.high), int(figure.n)
    return float(figure.value[h]), float(figure.low[h]), float(figure.high[h]), int(figure.n[h])
