"""What the tuning page tries scanners on: simulated days, or bars of your own, measured once for all its sessions."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import panel as pn

from scanner_kit.composition import AnyScanner
from scanner_kit.errors import InvalidInput
from scanner_kit.measuring import measure
from scanner_kit.settings import read_settings
from scanner_kit.sources.simulated import SimulatedMarket
from scanner_kit.tuning.history import History

HISTORY = "scanner_kit.history"
FIRST = "hod_break"
"""The scanner that is on the bench first."""


def workbench(arguments: Sequence[str] = ()) -> tuple[History, list[AnyScanner]]:
    """The history of this process, and the scanners that can be tuned on it, under the settings of the environment.

    `arguments` are those after `--args` of `panel serve`. `InvalidInput` where they name nothing that there is.
    """
    given = _given(arguments)
    names = given.scanners.split(",") if given.scanners else None
    scanners: list[AnyScanner] = [one for one in read_settings(given.settings).roster(names) if one.triggers]
    if not scanners:
        raise InvalidInput(f"None of {given.scanners} ever triggers: there is nothing to tune. Name one that does.")
    return _shared(given), sorted(scanners, key=lambda one: one.name != FIRST)


def _shared(given: argparse.Namespace) -> History:
    """Measured for the first session; all that follow look at the same arrays."""
    kept: dict[str, History] = pn.state.cache.setdefault(HISTORY, {})
    key = repr(sorted((name, str(value)) for name, value in vars(given).items()))
    if key not in kept:
        kept[key] = _history(given)
    return kept[key]


def _history(given: argparse.Namespace) -> History:
    cache: Path | bool = given.cache or True
    if not given.bars:
        return measure(SimulatedMarket(symbols=given.symbols), given.simulated_days, cache=cache)
    beside = {"daily": given.daily, "reference": given.reference}
    return measure(given.bars, given.days, cache=cache, **beside)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="panel serve dashboards/tuning.py --args", description=__doc__)
    parser.add_argument("bars", nargs="*", type=Path, help="minute bars, Parquet or CSV; none: a simulated market")
    parser.add_argument("--daily", type=Path, help="daily rows; without them they are derived from the bars")
    parser.add_argument("--reference", type=Path, help="what symbols are: market cap, float, sector, …")
    parser.add_argument("--days", metavar="A:B", help="the days from A to B; by default all")
    parser.add_argument("--scanners", default="", metavar="A,B", help="only these scanners")
    parser.add_argument("--settings", type=Path, help="settings in TOML; else those that SCANNER_KIT_SETTINGS names")
    parser.add_argument(
        "--cache", type=Path, help="folder in which measured days are kept; by default the user's cache"
    )
    parser.add_argument("--symbols", type=int, default=150, help="symbols of the simulated market")
    parser.add_argument("--simulated-days", type=int, default=10, help="days of the simulated market")
    return parser.parse_args(list(arguments))
