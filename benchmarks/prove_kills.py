"""Proof: whatever is killed or cut off, nothing is lost and nothing is there twice.

A day of the simulated market is played through a whole desk (server of the bus, ingest, two engines, store) while its
processes are killed with SIGKILL, or cut off from the bus, at moments that a seed draws. Then the closed minutes of the
tape, the lists, the triggers and the store are compared with those of a day that nobody disturbed.

What was found is kept in `benchmarks/results/kills.json` round by round; a run that was cut short goes on with what is
missing. The table is `kills.md` beside it.

    make prove-kills
    make prove-kills ARGS="--rounds 1 --hits 10 --seconds 30 --out /tmp/short"
    make prove-kills ARGS=--afresh
"""

import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.killing import HIT, Came, Day, Desk, disturb, hits, read_again, torn
from benchmarks.proof import Claim, Found, all_hold, asked, claimed, closed

PATIENCE = 240.0
"""How many seconds after the last hit the day must be whole."""
WAYS = {"kill": "SIGKILL", "cut": "the connection cut"}


@dataclass(frozen=True)
class Options:
    """What the proof is made of; found things are of one set of options."""

    rounds: int = 5
    hits: int = 20
    seconds: float = 75.0
    symbols: int = 40
    seed: int = 7


@dataclass
class Played(Found):
    """The rounds that were played so far."""

    rounds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What is written beside the options."""
        return {"claims": self.claims, **super().told()}

    @property
    def claims(self) -> dict[str, Claim]:
        """Each claim, whether it holds, and what was found."""
        return {words: {"holds": holds, "found": found} for words, holds, found in _claims(self)}


def prove(found: Played, folder: Path) -> bool:
    """Play the rounds that are missing; whether all claims hold."""
    undisturbed = _undisturbed(found.options, folder)
    for number in range(found.options.rounds):
        for way in WAYS:
            name = f"{way}-{number}"
            if name not in found.rounds:
                found.rounds[name] = _round(found.options, folder, way, number, undisturbed)
                found.keep()
                print(f"{name}: {found.rounds[name]['wrong'] or 'equal'}", flush=True)
    return all_hold(found.claims)


def _undisturbed(options: Options, folder: Path) -> Came:
    with Desk(folder / "undisturbed", Day(options.symbols, options.seed, seconds=0.0), forming_seconds=0.0) as desk:
        assert _ends(desk), "the undisturbed day did not end in time"
        came = Came.of(desk)
    assert came.triggers, "a day without a trigger shows nothing"
    return came


def _round(options: Options, folder: Path, way: str, number: int, undisturbed: Came) -> dict[str, Any]:
    generator = random.Random(f"{options.seed} {way} {number}")
    day = Day(options.symbols, options.seed, seconds=options.seconds)
    began = time.monotonic()
    with Desk(folder / f"{way}-{number}", day) as desk:
        plan = hits(generator, options.hits, options.seconds)
        disturb(desk, plan, desk.kill if way == "kill" else desk.cut)
        ended = _ends(desk)
        wrong = [] if ended else [f"the day was not whole {PATIENCE:g} s after the last hit"]
        came = Came.of(desk)
        wrong += came.differences(undisturbed) + torn(desk)
        wrong += [f"the tape cannot be read again {place}" for place in read_again(desk, generator)]
        entries = desk.bus.redis.xlen(desk.bus.keys.scans(day.date.date))
        done = dict(desk.done)
    return {
        "hits": done,
        "steps": entries,
        "closed": len(came.lists),
        "triggers": len(came.triggers),
        "seconds": round(time.monotonic() - began, 1),
        "wrong": wrong,
    }


def _ends(desk: Desk) -> bool:
    until = time.monotonic() + PATIENCE
    while not desk.is_over():
        desk.dead()
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _claims(found: Played) -> Iterator[tuple[str, bool, str]]:
    for way, words in WAYS.items():
        rounds = [one for name, one in found.rounds.items() if name.startswith(way)]
        hit = Counter[str]()
        for one in rounds:
            hit.update(one["hits"])
        number, wanted = sum(hit.values()), found.options.rounds * found.options.hits
        wrong = [text for one in rounds for text in one["wrong"]]
        each = ", ".join(f"{role} {hit[role]}" for role in HIT)
        holds = not wrong and number >= wanted
        told = f"{number} times ({each}); {'; '.join(wrong) if wrong else f'{len(rounds)} days equal'}"
        yield f"{words}: tape, lists, triggers and store as if nothing had happened", holds, told


def table(found: Played) -> str:
    """What was found, to be read."""
    options = found.options
    lines = [
        "# Killed and cut off",
        "",
        f"{options.rounds} days of {options.symbols} simulated symbols for each way, {options.hits} hits a day within "
        f"{options.seconds:g} s, seed {options.seed}.",
        "",
        *claimed(found.claims),
        "",
        f"| day | {' | '.join(HIT)} | steps published | closed minutes | triggers | s |",
        f"| --- |{' ---: |' * (len(HIT) + 4)}",
    ]
    for name, one in sorted(found.rounds.items()):
        figures = [*(one["hits"].get(role, 0) for role in HIT), *(one[n] for n in ("steps", "closed", "triggers"))]
        lines.append(f"| {name} | {' | '.join(map(str, figures))} | {one['seconds']} |")
    return "\n".join(lines) + "\n"


@contextmanager
def _folder() -> Iterator[Path]:
    """A short path: those of sockets are."""
    folder = Path(tempfile.mkdtemp(prefix="kills"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Read the options, prove, and write the table."""
    wanted = asked(Options, __doc__)
    logging.getLogger("scanner_kit").setLevel(logging.ERROR)  # that the bus is gone now and then is the point
    found = Played.at(wanted.out / "kills.json", wanted.options, wanted.afresh)
    with _folder() as folder:
        holds = prove(found, folder)
    return closed(wanted.out / "kills.md", table(found), holds)


if __name__ == "__main__":
    sys.exit(main())
