"""What a law is when it can be checked: a name, a remedy, a test, and the smallest example that breaks it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from scanner_kit.bars import Tape
from scanner_kit.errors import ScannerKitError
from scanner_kit.testing._records import Broken, Case, Checkable, Subject
from scanner_kit.testing._tapes import emptied, sample_tape, taken

TRIES = 12
Test = Callable[[Case], int]


class LawBroken(ScannerKitError, AssertionError):  # noqa: N818 - a law broken, not an error of the check
    """A law does not hold; the sentence says which law, who broke it, the smallest example found, and the remedy.

    `found` is that example in parts, and `tape` the one on which it shows.
    """

    def __init__(self, law: str, found: Broken, tape: Tape, remedy: str) -> None:
        example = found.shown + (_on(tape) if found.k >= 0 else "")
        super().__init__(f"{found.who} breaks the law {law!r}.\n  Example: {example}.\n  Remedy: {remedy}")
        self.law, self.who, self.example, self.remedy = law, found.who, example, remedy
        self.found, self.tape = found, tape


@dataclass(frozen=True)
class Tried:
    """A law that held, and how many numbers and answers were compared."""

    law: str
    compared: int


@dataclass(frozen=True)
class Law:
    """A law to check: `law(HodBreak, m.Rsi(), tape=…)` raises `LawBroken`, or says what was tried.

    Without a tape it is the `sample_tape`. Several metrics and scanners at once are checked in one go.
    """

    name: str
    remedy: str
    test: Test = field(repr=False)

    def __call__(self, *things: Checkable, tape: Tape | None = None) -> Tried:
        """Check it; `InvalidInput` for what is neither metric nor scanner."""
        return self.on(Case(Subject.of(things), sample_tape() if tape is None else tape))

    def on(self, case: Case) -> Tried:
        """Check it on a subject with its tape."""
        try:
            return Tried(self.name, self.test(case))
        except Broken as found:
            case, found = _smallest(self.test, case, found)
            raise LawBroken(self.name, found, case.tape, self.remedy) from None


def law(name: str, remedy: str) -> Callable[[Test], Law]:
    """Make a law of a function that tests it on a case, raises `Broken`, and returns how much was compared."""

    def named(test: Test) -> Law:
        made = Law(name, remedy, test)
        object.__setattr__(made, "__doc__", test.__doc__)
        return made

    return named


def _smallest(test: Test, case: Case, found: Broken) -> tuple[Case, Broken]:
    """The one who broke it, on a smaller tape that still shows it: fewer symbols first, then fewer bars."""
    tries = iter(range(TRIES))

    def smaller(candidate: Case | None) -> bool:
        nonlocal case, found
        again = None if candidate is None or next(tries, None) is None else _broken(test, candidate)
        if candidate is None or again is None:
            return False
        case, found = candidate, again
        return True

    smaller(Case(case.subject.only(found.who), case.tape))
    if found.k < 0:
        return case, found
    chunk = len(case.tape.universe) // 2
    while chunk:
        at = 0
        while at < len(case.tape.universe):
            at += 0 if smaller(_without_symbols(case, at, at + chunk)) else chunk
        chunk //= 2
    for chunk in (len(case.tape) // 2, len(case.tape) // 8, len(case.tape) // 32):
        for at in range(0, len(case.tape), chunk):
            smaller(_without_minutes(case, at, at + chunk))
    return case, found


def _broken(test: Test, case: Case) -> Broken | None:
    try:
        test(case)
    except Broken as found:
        return found
    except (ArithmeticError, LookupError, ValueError):
        return None  # what fails in another way on a smaller tape is no example of this law
    return None


def _without_symbols(case: Case, start: int, end: int) -> Case | None:
    rows = np.setdiff1d(np.arange(len(case.tape.universe)), np.arange(start, end))
    return case.on(taken(case.tape, rows)) if rows.size else None


def _without_minutes(case: Case, start: int, end: int) -> Case | None:
    keep = ~np.isnan(case.tape.close)
    if not keep[start:end].any():
        return None
    keep[start:end] = False
    return case.on(emptied(case.tape, keep))


def _on(tape: Tape) -> str:
    """What is on a tape, in a few words; the bars themselves where they are few."""
    minutes, rows = np.nonzero(~np.isnan(tape.close))
    counted = f", on a tape of {len(tape.universe)} symbol(s) with {minutes.size} bar(s)"
    if not 0 < minutes.size <= 3:
        return counted
    bars = (
        f"{tape.universe.symbols[row]} k={k} close {tape.close[k, row]:g} volume {tape.volume[k, row]:g}"
        for k, row in zip(minutes, rows, strict=True)
    )
    return f"{counted}: {'; '.join(bars)}"
