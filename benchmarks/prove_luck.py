"""Proof: who looks at many settings is told the truth about luck.

1. *Noise.* A hundred researchers drag sliders over markets without any edge, two hundred moves each; the test at 5 %
   tells them that there is none. And without costs: there H0 holds with equality, and a test that is right is wrong in
   five of a hundred.
2. *An edge.* After a thousand triggers of one setting prices drift, so that it is worth 0.15 R after costs. The walk
   passes that setting once.
3. *Size and power* of the test and of those that were not taken, on draws that need no market (`benchmarks.draws`).

What was found is kept in `benchmarks/results/luck.json` as it is found; a run that was cut short goes on with what is
missing. The table is `luck.md` beside it.

    make prove-luck
    make prove-luck ARGS="--researchers 10 --draws 100 --out /tmp/short"
    make prove-luck ARGS=--afresh
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.draws import CASES, TESTS, passed
from benchmarks.proof import Claim, Found, all_hold, asked, claimed, closed
from benchmarks.quiet import (
    SCANNERS,
    START,
    Desk,
    Result,
    generator,
    planted,
    quiet_days,
    setting_of,
    walk,
    walk_past,
)
from scanner_kit.tuning.luck import LEVEL, Luck, Register

TOLD, FOUND = 0.9, 0.8
"""The shares of researchers who must be told "no edge" in noise, and for whom the edge must be found."""


@dataclass(frozen=True)
class Options:
    """What the proof is made of; found things are of one set of options."""

    researchers: int = 100
    moves: int = 200
    days: int = 25
    symbols: int = 80
    triggers: int = 1_000
    edge: float = 0.15
    draws: int = 500
    seed: int = 7


@dataclass
class Told(Found):
    """What the researchers were told so far, and what came of the draws."""

    researchers: list[dict[str, Any]] = field(default_factory=list)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What is written beside the options."""
        return {"claims": self.claims, **super().told()}

    @property
    def claims(self) -> dict[str, Claim]:
        """Every claim, whether it holds, and what was found."""
        return {words: {"holds": holds, "found": said} for words, holds, said in _claims(self)}


# A researcher


def researcher(number: int, options: Options) -> dict[str, Any]:
    """What one researcher is told in noise, after costs and without, and where an edge was planted."""
    rng, scanner = generator(options.seed, number), SCANNERS[number % len(SCANNERS)]
    quiet = Desk(quiet_days(options.seed * 1_000 + number, options.days, options.symbols), scanner)
    looked = [quiet.look(settings) for settings in walk(rng, START, options.moves)]
    free = told(quiet, looked, free=True)
    sums, without, counts = (sum(float(getattr(one, name).sum()) for one in looked) for name in PARTS)

    place = setting_of(quiet, options.triggers)
    edged = Desk(planted(quiet, place, options.edge), scanner)
    own, came_by = edged.look(place), [edged.look(stand) for stand in walk_past(rng, place, options.moves)]
    edge = told(edged, came_by)
    beside = told(edged, [one for one in came_by if one.settings != own.settings])
    return {
        "scanner": scanner.__name__,
        "noise": {**_told(told(quiet, looked)), "free_p": free.check.p, "r": sums / counts, "free_r": without / counts},
        "edge": {
            **_told(edge),
            "beside_p": beside.check.p,
            "itself": edge.best is not None and edge.best.settings == own.settings,
            "triggers": int(own.counts.sum()),
            "planted_r": float(own.sums.sum() / own.counts.sum()),
        },
    }


PARTS = ("sums", "free", "counts")


def told(desk: Desk, looked: list[Result], *, free: bool = False) -> Luck:
    """What one is told who looked at these settings."""
    tries = (one.tried(desk.scanner.__name__, free=free) for one in looked)
    return Register(desk.history.dates).add(*tries).luck()


def _told(luck: Luck) -> dict[str, Any]:
    return {"verdict": luck.verdict, "p": luck.check.p, "settings": luck.settings, "line": luck.line}


# The claims


def _claims(found: Told) -> Iterator[tuple[str, bool, str]]:
    options, done = found.options, len(found.researchers)
    if not done:
        return
    noise, edge = ([one[name] for one in found.researchers] for name in ("noise", "edge"))
    quiet = sum(one["verdict"] == "no edge" for one in noise)
    yield (
        'in noise researchers are told "no edge"',
        quiet >= TOLD * done,
        f"{quiet} of {done}, at least {TOLD * done:g}; a trigger gave {_mean(noise, 'r'):+.3f} R after costs",
    )
    wrong, most = sum(one["free_p"] < LEVEL for one in noise), allowed(done)
    yield (
        "in noise without costs the test is wrong in no more than 5 %",
        wrong <= most,
        f"{wrong} of {done}, at most {most} by chance; a trigger gave {_mean(noise, 'free_r'):+.3f} R",
    )
    seen = sum(one["verdict"].startswith("an edge") for one in edge)
    beside = sum(one["beside_p"] < LEVEL for one in edge)
    yield (
        f"an edge of {options.edge:g} R over {options.triggers:,} triggers is found",
        seen >= FOUND * done,
        f"{seen} of {done}, at least {FOUND * done:g}; the planted setting, with {_mean(edge, 'planted_r'):.3f} R, was "
        f"the best in {sum(one['itself'] for one in edge)}; with its neighbours alone {beside}",
    )
    nothing = {name: case for name, case in found.cases.items() if not case["edge"]}
    if nothing:
        worst = max(nothing, key=lambda name: nothing[name]["ours"] / nothing[name]["draws"])
        yield (
            "on draws without an edge the test at 5 % passes no more than 5 %",
            all(case["ours"] <= allowed(case["draws"]) for case in nothing.values()),
            f"{_range(nothing)} of the draws; the most with {worst}",
        )


def allowed(tests: int) -> int:
    """How many of so many tests at 5 % may be wrong by chance: 3.1 standard deviations more than expected."""
    return math.floor(LEVEL * tests + 3.1 * math.sqrt(LEVEL * (1 - LEVEL) * tests))


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _range(cases: dict[str, dict[str, Any]]) -> str:
    shares = [case["ours"] / case["draws"] for case in cases.values()]
    return f"{min(shares):.1%} to {max(shares):.1%}"


def prove(found: Told) -> bool:
    """Run what is missing; whether every claim holds."""
    for number in range(len(found.researchers), found.options.researchers):
        found.researchers.append(one := researcher(number, found.options))
        found.keep()
        noise, edge = one["noise"]["p"], one["edge"]["p"]
        print(f"{number + 1:3} {one['scanner']}: p {noise:.3f} in noise, {edge:.3f} with the edge", flush=True)
    for case in CASES:
        name = f"{case}, 0.15 R" if case.edge else str(case)
        if name not in found.cases:
            found.cases[name] = passed(case, found.options.draws)
            found.keep()
            print(name, found.cases[name], flush=True)
    claims = found.claims
    for words, claim in claims.items():
        print(f"{'holds' if claim['holds'] else 'FAILS':5}  {words}: {claim['found']}", flush=True)
    return all_hold(claims)


def table(found: Told) -> str:
    """What was found, as a page of Markdown."""
    options, first = found.options, found.researchers[0]
    lines = [
        "# Luck, told from an edge",
        "",
        f"{options.researchers} researchers, {options.moves} moves each, in a market whose prices are a fair game:",
        f"{options.days} days × {options.symbols} symbols; triggers and outcomes as everywhere, 30 minutes, 5 bps",
        "(`make prove-luck`; every researcher is in `luck.json`).",
        "",
        *claimed(found.claims),
        "",
        "The first of them was told",
        "",
        f"- in noise: {first['noise']['line']}: {first['noise']['verdict']}",
        f"- with the edge: {first['edge']['line']}: {first['edge']['verdict']}",
        "",
        f"Draws that need no market, {options.draws:,} of each kind: how many of a hundred pass at 5 %. Without an",
        "edge it should be 5: more is wrong, fewer is wasteful. With 0.15 R on the 1,000 triggers of one of the",
        "settings, the more the better.",
        "",
        f"| draws | {' | '.join(TESTS)} |",
        f"| --- {'| ---: ' * len(TESTS)}|",
        *(f"| {name} | {' | '.join(_shares(case))} |" for name, case in found.cases.items()),
    ]
    return "\n".join(lines) + "\n"


def _shares(case: dict[str, Any]) -> list[str]:
    return [f"{100 * case[test] / case['draws']:.1f}" for test in TESTS]


def main() -> int:
    """Read the options, prove, and write the table."""
    wanted = asked(Options, __doc__)
    found = Told.at(wanted.out / "luck.json", wanted.options, wanted.afresh)
    holds = prove(found)
    return closed(wanted.out / "luck.md", table(found), holds)


if __name__ == "__main__":
    sys.exit(main())
