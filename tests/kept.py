"""Records in memory for tests of the explorer: what the engine said and listed over the simulated days of `days`."""

import datetime as dt
import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from days import LOW, tapes

from scanner_kit import scanners
from scanner_kit.bars import Tape
from scanner_kit.engine import Engine
from scanner_kit.live.pages.reviewing import Reviewing
from scanner_kit.scanner import Scanner
from scanner_kit.triggers import Trigger
from scanner_kit.views.explorer import Remembered, Standing

SPEAKERS = ("hod_break", "lod_break", "vwap_reclaim", "pmh_break", "unusual_volume")
LISTS = ("hot", "winners", "losers", "high_volume", "gappers_up", "gappers_down", "new_highs", "new_lows")


def roster() -> list[Scanner]:
    speak = [scanner.with_settings(**LOW) for scanner in scanners.roster(SPEAKERS)]
    return [*speak, *(one.with_settings(min_dollar_volume=10_000) for one in scanners.roster(LISTS))]


def plain(trigger: Trigger, **more: Any) -> dict[str, Any]:
    """A trigger as the store tells it."""
    told = {name: None if isinstance(x, float) and np.isnan(x) else x for name, x in vars(trigger).items()}
    told |= {"day": str(trigger.day), "time": trigger.time.isoformat(), "session": str(trigger.session)}
    told["metrics"] = {name: None if np.isnan(x) else float(x) for name, x in trigger.metrics.items()}
    return {**told, "identity": trigger.identity, "version": 1, "late": 0.0, **more}


@cache
def records() -> Remembered:
    """Three days: every trigger, and the lists of every tenth minute of the first, and of every minute of the last."""
    fired: list[dict[str, Any]] = []
    standings: dict[dt.date, dict[int, Standing]] = {}
    for i, tape in enumerate(tapes()[:3]):
        engine = Engine(tape.universe, roster())
        minutes = standings.setdefault(tape.universe.day.date, {})
        for bars in tape:
            scan = engine.step(bars)
            fired += map(plain, scan.triggers)
            if scan.k % (10 if i == 0 else 1) == 0 and scan.k >= 300:
                lists = {name: [(r.symbol, {**r.figures, "score": r.score}) for r in scan.rows(name)] for name in LISTS}
                minutes[scan.k] = Standing(scan.k, lists)
    return Remembered(fired, standings)


def tape_of(day: dt.date) -> Tape:
    return next(tape for tape in tapes() if tape.universe.day.date == day)


def reviewing(folder: Path, archived: int = 2) -> Reviewing:
    """A review for which the first days are archived."""
    known = {tape.universe.day.date for tape in tapes()[:archived]}
    held = {scanner.name: scanner for scanner in roster()}
    return Reviewing(known.__contains__, tape_of, lambda row: held[row["scanner"]], folder=folder)


def metrics() -> list[str]:
    return sorted(set(itertools.chain.from_iterable(row["metrics"] for row in records().triggers)))


def main() -> None:
    """Serve the explorer over these days: `python tests/kept.py [port]`."""
    import sys

    import panel as pn

    from scanner_kit.views import pages
    from scanner_kit.views.explorer import explorer
    from scanner_kit.views.serve import extension

    extension()
    pages.offer(["live", "explorer", "health"])
    review = reviewing(Path("/tmp/notebooks"))

    def page() -> Any:
        return explorer(records(), review, scanners=SPEAKERS, metrics=metrics(), label="simulated")

    pn.serve({"/": page, "explorer": page}, port=int(sys.argv[1]) if len(sys.argv) > 1 else 5009, show=False)


if __name__ == "__main__":
    main()
