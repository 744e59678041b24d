"""A search through a space too large for a grid: Optuna's TPE proposes settings, each is judged, and each is a try.

The draws are seeded: the same history, space and seed give the same trials. Optuna is imported when it is asked for.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
import param

from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.tuning.cells import FIGURES
from scanner_kit.tuning.grid import Setting, plain, under
from scanner_kit.tuning.history import History, Progress, over_cores, silent
from scanner_kit.tuning.outcomes import COST_BPS
from scanner_kit.tuning.plateau import FEWEST
from scanner_kit.tuning.pool import Pool, pools, scanners_of
from scanner_kit.tuning.sweep import Sweep, check, prepare
from scanner_kit.universe import Floats

TOO_FEW = -1_000.0
"""What a setting with too few results is worth to a search, in R: less than any that has enough."""
Suggest = Callable[[Any], Any]
"""Asks a trial for a value."""


def search(
    history: History,
    scanner: AnyScanner,
    space: Mapping[str, Any] | Iterable[str],
    *,
    trials: int = 200,
    fewest: int = FEWEST,
    horizon: str = "30m",
    cost_bps: float = COST_BPS,
    seed: int = 0,
    progress: Progress = silent,
) -> Sweep:
    """Search a space of thresholds for the largest mean R of at least `fewest` results.

    Parameters
    ----------
    space
        Threshold → (low, high), (low, high, step), or a list of choices; None, or names alone, for the bounds or the
        choices of the Param. Of a composite the thresholds are `scanner.threshold`.
    trials, seed
        How many proposals, and the seed of the draws. A setting proposed again is not judged again, and is one try.

    Returns
    -------
    Sweep
        Every setting that was tried, in that order.

    Raises
    ------
    InvalidInput
        A category; an unknown threshold or horizon; a range that is none, or that does not fit; no Optuna.
    """
    check(history, scanner, horizon, cost_bps, seed)
    if isinstance(trials, bool) or not trials >= 1 or trials != int(trials):
        raise InvalidInput(f"trials is a whole number from 1 up; found {trials!r}. Write, say, trials=200.")
    suggest = _suggestions(scanner, space)
    parts = list(pools(history.days, scanner, min(os.cpu_count() or 1, max(len(history), 1))))
    bench = [Pool([history.days[i] for i in places], horizon, cost_bps) for places in parts]
    tried: dict[str, tuple[Setting, Floats]] = {}

    def judge(setting: Setting) -> float:
        (one,) = under(scanner, [setting])
        if one.settings_id not in tried:
            prepare(history, [one])
            by_day = np.zeros((len(history), len(FIGURES)))
            for places, figures in zip(parts, over_cores(lambda pool: pool.judge(one), bench), strict=True):
                by_day[list(places)] = figures
            tried[one.settings_id] = setting, by_day
        return _value(tried[one.settings_id][1], fewest)

    with _quiet_study(seed) as study:
        for done in range(trials):
            trial = study.ask()
            study.tell(trial, judge({name: ask(trial) for name, ask in suggest.items()}))
            progress("tried", done + 1, trials)
    settings = tuple(setting for setting, _ in tried.values())
    by_day = np.stack([figures for _, figures in tried.values()], axis=1)
    return Sweep(history, scanner, settings, tuple(tried), by_day, horizon, float(cost_bps), seed)


def _value(by_day: Floats, fewest: int) -> float:
    n, total = (float(by_day[:, FIGURES.index(name)].sum()) for name in ("n", "total"))
    return total / n if n >= max(fewest, 1) else TOO_FEW + n / max(fewest, 1)


@contextmanager
def _quiet_study(seed: int) -> Iterator[Any]:
    """A study whose draws are seeded, and that tells nothing of its trials."""
    try:
        import optuna
    except ImportError:
        raise InvalidInput(
            "A search needs Optuna, which is not installed. Run pip install 'scanner-kit[tuning]', or sweep a grid."
        ) from None
    spoken = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    finally:
        optuna.logging.set_verbosity(spoken)


def _suggestions(scanner: AnyScanner, space: Any) -> dict[str, Suggest]:
    """For each threshold what asks a trial for its value; every range is tried on the scanner at both ends."""
    given = space if isinstance(space, Mapping) else dict.fromkeys([space] if isinstance(space, str) else space)
    if not given:
        raise InvalidInput("A space has one threshold at least; found none. Write, say, {'min_rvol': (1, 6)}.")
    known = scanner.settings()
    found: dict[str, Suggest] = {}
    for name, values in given.items():
        if name not in known:
            raise UnknownName.of(f"{scanner.name} has no threshold", name, known)
        parameter = _parameter(scanner, name)
        whole = isinstance(parameter, param.Integer)
        if values is None:
            values = _choices_of(parameter)
        if isinstance(values, list):
            found[name] = _choice(scanner, name, values)
            continue
        low, high, step = _range(name, _bounds(name, parameter) if values is None else values)
        under(scanner, [{name: int(end) if whole else end} for end in (low, high)])
        found[name] = _number(name, low, high, step, whole)
    return found


def _number(name: str, low: float, high: float, step: float | None, whole: bool) -> Suggest:
    if whole:
        return lambda trial: trial.suggest_int(name, int(low), int(high), step=int(step or 1))
    return lambda trial: trial.suggest_float(name, low, high, step=step)


def _choice(scanner: AnyScanner, name: str, values: list[Any]) -> Suggest:
    """A choice by place: what Optuna cannot hold, a list or a pair, can be one."""
    choices = [plain(value) for value in values]
    if not choices:
        raise InvalidInput(f"A space has choices for each threshold; found none for {name}. Leave it out.")
    under(scanner, [{name: value} for value in choices])
    return lambda trial: choices[trial.suggest_categorical(name, list(range(len(choices))))]


def _parameter(scanner: AnyScanner, name: str) -> Any:
    owner, dot, threshold = name.rpartition(".")
    one = scanners_of(scanner)[owner + dot]
    return type(one).param[threshold]


def _choices_of(parameter: Any) -> list[Any] | None:
    """What a Param lets one choose from; None for one that has a range."""
    if isinstance(parameter, param.Boolean):
        return [False, True]
    return list(parameter.objects) if isinstance(parameter, param.Selector) else None


def _bounds(name: str, parameter: Any) -> tuple[float, float]:
    low, high = getattr(parameter, "bounds", None) or (None, None)
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        raise InvalidInput(
            f"{name} has no bounds on both sides to search between; found {low} to {high}. "
            f"Give {{'{name}': (low, high)}}."
        )
    return low, high


def _range(name: str, given: Any) -> tuple[float, float, float | None]:
    numbers = [plain(value) for value in given] if isinstance(given, tuple) else []
    fits = len(numbers) in (2, 3) and all(isinstance(v, int | float) and isfinite(v) for v in numbers)
    if not fits or numbers[0] >= numbers[1] or (len(numbers) == 3 and numbers[2] <= 0):
        raise InvalidInput(
            f"A space has (low, high) or (low, high, step) for a threshold, or a list of choices; found "
            f"{name}={given!r}. Write, say, {{'{name}': (1, 6)}}."
        )
    return numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else None
