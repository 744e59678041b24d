"""Cases worked out by hand, kept as data in `tests/cases/*.toml`, each run through the engine step by step.

Those of outcomes, which are no steps, are read in `test_outcomes.py`. The answers come from the definitions, never from
the code; the working stands beside each in a comment. How they are written is said in `notation.py`.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notation import Case, clock, lines, minute, number, scanned

from scanner_kit import metrics as m
from scanner_kit.engine import Scan
from scanner_kit.triggers import Trigger

FOLDER = Path(__file__).parent / "cases"


def cases() -> Iterator[Any]:
    for path in sorted(set(FOLDER.glob("*.toml")) - {FOLDER / "outcomes.toml"}):
        for case in tomllib.loads(path.read_text())["case"]:
            yield pytest.param(Case(**case), id=f"{path.stem}: {case['name']}")


@pytest.mark.parametrize("case", list(cases()))
def test_the_engine_gives_the_answer_that_was_worked_out_by_hand(case: Case) -> None:
    tape = case.tape()
    engine, scans = scanned(tape, case.roster(), case.until(), case.measured())
    for at, symbol, metric, expected in lines(case.metrics):
        found = scans[minute(at)].snapshot[m.by_name(metric)].values[tape.universe.row(symbol)]
        assert found == about(expected), f"{metric} of {symbol} at {at}"
    for at, name, _, *expected_rows in lines(case.lists):
        check_list(scans[minute(at)], name, expected_rows)
    if case.fires is not None:
        check_triggers(engine.triggers, lines(case.fires))


def about(word: str) -> Any:
    return pytest.approx(number(word), rel=1e-12, abs=1e-12, nan_ok=True)


def check_list(scan: Scan, name: str, expected: list[str]) -> None:
    ranking, told = scan.lists[name], [word.partition(":") for word in expected]
    assert list(ranking.symbols) == [symbol for symbol, _, _ in told], f"{name} at {clock(scan.k)}"
    for symbol, score, (_, said, value) in zip(ranking.symbols, ranking.scores, told, strict=True):
        assert not said or score == about(value), f"score of {symbol} in {name} at {clock(scan.k)}"


def check_triggers(found: list[Trigger], expected: list[list[str]]) -> None:
    expected = sorted(expected, key=lambda words: (minute(words[0]), words[2], words[1]))
    assert [f"{clock(t.k)} {t.symbol} {t.scanner}" for t in found] == [" ".join(words[:3]) for words in expected]
    for trigger, words in zip(found, expected, strict=True):
        for name, value in (word.split("=") for word in words[3:]):
            said = getattr(trigger, name)
            assert said == (value if isinstance(said, str) else about(value)), f"{name} of {' '.join(words[:3])}"


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.values[0].name for case in cases()]
    assert len(names) == len(set(names))
