"""The tapes that a certificate is made on: the sample tape, and of those given the symbols that it speaks of first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.testing import sample_tape
from scanner_kit.testing._records import SELECTED, Subject, answers, measured
from scanner_kit.testing._tapes import taken
from scanner_kit.universe import Floats, Rows
from scanner_kit.whole_day import judge_day

MOST, FEW = 500, 24
"""Of a given tape: so many symbols are looked at, those of the most dollars; every law is tried on a few of them."""
FULL_DAY = "2025-01-27"
SEEDS = range(2, 6)


@dataclass(frozen=True)
class Trial:
    """A tape that was tried: what it is, how large, and what was said over it. `tape` has the symbols for the laws."""

    label: str
    symbols: int
    minutes: int
    known: int
    selected: int
    fired: int
    tape: Tape = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.label}, {self.symbols} symbols × {self.minutes} minutes"


def trials_of(
    subject: Subject, given: Sequence[Tape], restore: Callable[[], None]
) -> tuple[list[Trial], list[Trial], list[BaseException]]:
    """The tapes to try every law on: the sample tape and those given.

    Where nothing was said on any, larger samples are looked through for one more; those on which it kept quiet come
    second. The faults that came up in its own code meanwhile come third.
    """
    faults: list[BaseException] = []
    sample = _trial(subject, "sample tape", sample_tape(), restore, faults)
    trials = [sample, *(_trial(subject, _label(tape), tape, restore, faults) for tape in given)]
    quiet: list[Trial] = []
    if any(map(spoke(subject), trials)) or faults:
        return trials, quiet, faults
    for further in _further(subject, restore, faults):
        if spoke(subject)(further):
            return [*trials, further], quiet, faults
        quiet.append(further)
    return trials, quiet, faults


def _further(subject: Subject, restore: Callable[[], None], faults: list[BaseException]) -> Iterator[Trial]:
    for seed in SEEDS:
        tape = sample_tape(symbols=52, seed=seed, day=FULL_DAY)
        yield _trial(subject, f"sample tape of a full day, seed {seed}", tape, restore, faults)


def spoke(subject: Subject) -> Callable[[Trial], int]:
    """What counts as having spoken: how often a trigger fired, a list selected, or a metric was known."""
    if not subject.scanners:
        return lambda trial: trial.known
    fires = any(scanner.triggers for scanner in subject.scanners)
    return lambda trial: trial.fired if fires else trial.selected


def _trial(subject: Subject, label: str, tape: Tape, restore: Callable[[], None], faults: list[BaseException]) -> Trial:
    tape = _liveliest(tape)
    known, said = 0, np.zeros((2, len(tape.universe)))
    restore()
    try:
        known, said = _said(subject, tape)
    except (Exception, SystemExit) as fault:  # the checks will find it, and say where
        faults.append(fault)
    selected, fired = (int(counts.sum()) for counts in said)
    rows = _first_spoken_of(said)
    few = tape if rows.size == len(tape.universe) else taken(tape, rows)
    return Trial(label, len(tape.universe), len(tape), known, selected, fired, few)


def _said(subject: Subject, tape: Tape) -> tuple[int, Floats]:
    """How many numbers are known, and how often each symbol was selected and spoken of, `(2, symbols)`."""
    day, counts = measured(subject, tape), np.zeros((2, len(tape.universe)))
    own = subject.labels if not subject.scanners else ()
    known = sum(int(np.count_nonzero(~np.isnan(day[metric].values))) for metric in own)
    with np.errstate(all="ignore"):
        for scanner in subject.scanners:
            counts[0] += (answers(scanner, day)[scanner.name, SELECTED] == 1.0).sum(axis=0)
    for trigger in judge_day(day, subject.scanners) if subject.scanners else ():
        counts[1, tape.universe.row(trigger.symbol)] += 1
    return known, counts


def _liveliest(tape: Tape) -> Tape:
    if len(tape.universe) <= MOST:
        return tape
    dollars = np.nansum(tape.close * tape.volume, axis=0)
    return taken(tape, np.sort(np.argsort(-dollars, kind="stable")[:MOST]))


def _first_spoken_of(said: Floats) -> Rows:
    """At most `FEW` rows: half of them those most spoken of and most selected, the others spread over the tape."""
    size = said.shape[1]
    spoken = np.lexsort((-said[0], -said[1]))[: FEW // 2]
    spread = np.linspace(0, size - 1, FEW).astype(np.intp)
    others = spread[~np.isin(spread, spoken)][: FEW - spoken.size]
    return np.unique(np.concatenate([spoken, others])) if size > FEW else np.arange(size)


def _label(tape: Tape) -> str:
    return f"{tape.universe.label} tape of {tape.universe.day.date}".strip()


# Facts that know the day


def facts_of_the_day(tape: Tape) -> str:
    """Says which facts were made of the tape's own day; empty where none were.

    A fact is suspect where it is the day's own number for more than half of the symbols, and for three at least.
    """
    for name, own in _own_numbers(tape).items():
        fact = getattr(tape.universe.facts, name)
        fact = fact[-1] if name == "usual_volume" else fact
        both = ~np.isnan(fact) & ~np.isnan(own)
        if name == "high_20d":
            both &= own >= fact  # who made no new high tells nothing
        same = both & (fact == own)
        if same.sum() >= 3 and same.sum() > both.sum() / 2:
            row = int(same.argmax())
            symbol, value = tape.universe.symbols[row], f"{fact[row]:g}"
            counted = f"for {int(same.sum())} of {int(both.sum())} symbols"
            return f"{name} is the day's own {OWN[name]} {counted}: {symbol} has {value}, known only after the close"
    return ""


OWN = {
    **{"prev_close": "close", "pdh": "high", "pdl": "low", "high_20d": "high"},
    **{"avg_volume_30d": "volume", "usual_volume": "volume"},
}


def _own_numbers(tape: Tape) -> dict[str, Floats]:
    """The day's own row of each symbol that moved: regular prices, volume of all minutes."""
    day = tape.universe.day
    high, low, close = (getattr(tape, name)[day.open_k : day.close_k] for name in ("high", "low", "close"))
    there = ~np.isnan(close)
    last = np.where(there, np.arange(len(close))[:, None], 0).max(axis=0)
    ends = np.take_along_axis(close, last[None], axis=0)[0]
    top, bottom = np.fmax.reduce(high), np.fmin.reduce(low)
    moved = top > bottom
    volume = np.where(moved, tape.volume.sum(axis=0), np.nan)
    prices = {name: np.where(moved, values, np.nan) for name, values in (("c", ends), ("h", top), ("l", bottom))}
    return {
        "prev_close": prices["c"],
        "pdh": prices["h"],
        "pdl": prices["l"],
        "high_20d": prices["h"],
        "avg_volume_30d": volume,
        "usual_volume": volume,
    }
