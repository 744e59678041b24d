"""Laws of the past: a day begins anew, and a number is not said before there is enough to say it of."""

import numpy as np

from scanner_kit.meter import measure_day
from scanner_kit.metrics import Level, Metric
from scanner_kit.testing import _records as r
from scanner_kit.testing import _tapes as t
from scanner_kit.testing._law import law
from scanner_kit.testing._records import Broken, Case
from scanner_kit.testing._state import Kept
from scanner_kit.universe import Bools, Floats

STRETCH = 150
"""Minutes that are tried at 04:00 and again later; windows that are longer are not tried."""
EXACT, STILL = 1e-9, 1e-6


@law(
    "a day begins anew",
    "Keep all that matters in the state, made by start(day); nothing in the object, the class, the module or a cache.",
)
def days_begin_anew(case: Case) -> int:
    """After a day was scanned, the next one is scanned by the same object as by one that never saw another."""
    subject, other = case.subject, t.another_day(case.tape)
    kept = Kept((*subject.metrics, *subject.scanners))
    try:
        fresh = r.stepped(subject.anew(), other.universe, other)
        kept.restore()
        r.stepped(subject, case.tape.universe, case.tape)
        after = r.stepped(subject, other.universe, other)
        found = kept.changed()
    finally:
        kept.restore()
    left = f" (left behind: {', '.join(found)})" if found else ""
    return r.compare_all(fresh, after, f"by an object that had scanned the day before{left}")


@law(
    "a short past",
    "Say nothing until the window is there: `if now.k + 1 < self.minutes: return now.unknown()`, no `max(0, …)`; "
    "begin a mean with the first value, not with 0.",
)
def short_past(case: Case) -> int:
    """What is said soon after 04:00 is what would be said of the same bars later in the day, or unknown.

    A mean over a part of its window is allowed from half of it on. On flat prices a price, or a percentage made of
    prices, does not drift: it would have begun with something else than what was traded.
    """
    own = case.subject.metrics
    if not own:
        return 0
    early, late = (measure_day(t.begun_at(case.tape, start, STRETCH), own) for start in (0, STRETCH))
    compared = 0
    for metric in own:
        short, long = early.values[metric][:STRETCH], late.values[metric][STRETCH : 2 * STRETCH]
        _as_later(case, metric, short, long)
        compared += short.size
    return compared + _does_not_drift(case, own)


def _as_later(case: Case, metric: Metric, short: Floats, long: Floats) -> None:
    other = ~np.isnan(short) & ~_close(short, long)
    minutes = np.flatnonzero(other.any(axis=1))
    if not minutes.size or minutes[-1] >= 0.9 * STRETCH:
        return  # the same; or it follows the time of day, and differs to the end
    k, window = int(minutes[0]), int(minutes[-1]) + 1
    if k < window / 2:
        row = int(other[k].argmax())
        told, was = (r.shown(float(values[k, row]), r.VALUES) for values in (short, long))
        said = f"{case.subject.labels[metric]} for {case.tape.universe.symbols[row]} says {told} in minute {k + 1}"
        shown = f"{said} after 04:00, and {was} of the same bars with {STRETCH} silent minutes more before them"
        raise _of_symbol(case, metric, k, row, shown, told, was)


def _does_not_drift(case: Case, metrics: tuple[Metric, ...]) -> int:
    plain, more, dear, moved = (
        measure_day(t.flat(case.tape, **other), metrics).values
        for other in ({}, {"volume": 2.0}, {"price": 2.0}, {"later": 1.1})
    )
    for metric in metrics:
        values = plain[metric]
        same = [bool(_close(values, other[metric]).all()) for other in (more, moved)]
        if same == [True, False] and _is_price(metric, values, dear[metric]):
            _stays(case, metric, values)
    return sum(values.size for values in plain.values())


def _is_price(metric: Metric, values: Floats, dear: Floats) -> bool:
    """Whether it is a price or a percentage: as it says, or because it doubles with all prices."""
    doubled = bool(_close(2.0 * values, dear).all()) and bool(np.nan_to_num(values).any())
    return isinstance(metric, Level) or metric.unit in ("$", "%") or doubled


def _stays(case: Case, metric: Metric, values: Floats) -> None:
    known = ~np.isnan(values)
    for row in np.flatnonzero(known.any(axis=0)).tolist():
        said = values[known[:, row], row]
        if np.ptp(said) > STILL * np.abs(said).max():
            k = int(known[:, row].argmax())
            told, was = (r.shown(float(one), r.VALUES) for one in (said[0], said[-1]))
            who = f"{case.subject.labels[metric]} for {case.tape.universe.symbols[row]}"
            shown = f"{who} on prices that never move begins with {told} at {r.instant(case.tape.universe, k)}"
            raise _of_symbol(case, metric, k, row, f"{shown} and ends with {was}", told, was)


def _of_symbol(case: Case, metric: Metric, k: int, row: int, shown: str, found: str, expected: str) -> Broken:
    symbol, who = case.tape.universe.symbols[row], case.subject.labels[metric]
    return Broken(who, k, shown, what=r.VALUES, symbol=symbol, found=found, expected=expected)


def _close(one: Floats, other: Floats) -> Bools:
    return np.isclose(one, other, rtol=EXACT, atol=0.0, equal_nan=True)
