"""The certificate: planted faults are caught by the check that is named for them, and what is clean passes."""

import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import param
import planted
import pytest
from planted import FAULTS, DividesByNothing, FirstCloseOfTheDay, NextClose, TakesNanForZero
from typer.testing import CliRunner, Result

import scanner_kit as sk
from scanner_kit import metrics as m
from scanner_kit import scanners as s
from scanner_kit.bars import Tape
from scanner_kit.cli import app
from scanner_kit.columns import Column
from scanner_kit.composition import Composite
from scanner_kit.conditions import Condition
from scanner_kit.day import Day
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Metric, Moment, State
from scanner_kit.scanner import EVERY_SESSION, Scanner
from scanner_kit.snapshot import Snapshot
from scanner_kit.tuning.certificate import TOPICS, Certificate, certify
from scanner_kit.tuning.named import named
from scanner_kit.universe import Floats


@dataclass(frozen=True)
class RangePct(Metric):
    """The day's range in percent of its low. Unknown: no bar today."""

    unit = "%"

    def needs(self) -> tuple[Metric, ...]:
        return (m.HighOfDay(), m.LowOfDay())

    def measure(self, now: Moment) -> Any:
        return 100.0 * (now[m.HighOfDay()] / now[m.LowOfDay()] - 1.0)


@dataclass(frozen=True)
class MeanVolume(Metric):
    """The mean volume a minute. Unknown: before its minutes are there."""

    minutes: int = 30

    def measure(self, now: Moment) -> Any:
        if now.k + 1 < self.minutes:
            return now.unknown()
        return now.window("volume", self.minutes).mean(axis=0)


@dataclass(frozen=True)
class Ema(Metric):
    """An exponential average of the closes, begun with the first. Unknown: no bar today."""

    weight: float = 0.1
    unit = "$"

    def start(self, day: Day) -> State:
        return (np.full(len(day.universe), np.nan),)

    def step(self, state: State, now: Moment) -> tuple[Floats, State]:
        begun = np.where(np.isnan(state[0]), now.close, state[0] + self.weight * (now.close - state[0]))
        mean = np.where(now.bars, begun, state[0])
        return mean.copy(), (mean,)


class WideRange(Scanner):
    """Moved through a wide range today."""

    min_range = param.Number(3.0, bounds=(0, 1000), doc="Percent of the range at least.")
    span = RangePct()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.span] >= self.min_range]

    def rank(self, now: Snapshot) -> Column:
        return now[self.span]


class AboveItsAverage(Scanner):
    """Closes above its average on twice the usual volume."""

    sessions, min_dollar_volume = EVERY_SESSION, 10_000
    mean, volume, usual = Ema(), m.Volume(minutes=1), MeanVolume()

    def select(self, now: Snapshot) -> list[Condition]:
        return [now[self.volume] >= now[self.usual] * 2.0]

    def trigger(self, now: Snapshot) -> Condition:
        return now.bar_close > now[self.mean]


class LooksAtValues(Scanner):
    """Computes with the arrays of the present snapshot, as one does in a notebook."""

    min_dollar_volume = 10_000
    last, vwap = m.Last(), m.Vwap()

    def trigger(self, now: Snapshot) -> Condition:
        away = 100.0 * (now.values[self.last] / now.values[self.vwap] - 1.0)
        return Column(away, "percent above vwap", now.memo) >= 0.5


class LooksAtTheSession(Scanner):
    """Asks for more in the premarket, where it is asked about an instant."""

    sessions, min_dollar_volume = EVERY_SESSION, 10_000
    change = m.ChangePct()

    def trigger(self, now: Snapshot) -> Condition:
        early = now.in_sessions((sk.Session.PRE,))
        if not now.whole_day:
            return now[self.change] >= (4.0 if now.session is sk.Session.PRE else 2.0)
        return now[self.change] >= now.choose(early, 4.0, 2.0)


class FromTenOnwards(Scanner):
    """A time of day of its own."""

    min_dollar_volume = 10_000
    change = m.ChangeOverPct(minutes=5)

    def select(self, now: Snapshot) -> list[Condition]:
        return [now.minute >= 360]

    def trigger(self, now: Snapshot) -> Condition:
        return abs(now[self.change]) >= 1.0


class TwoKinds(Scanner):
    """Says two things, and knows which side it is on."""

    min_dollar_volume = 10_000
    hod, lod, change = m.HighOfDay(), m.LowOfDay(), m.ChangePct()

    def select(self, now: Snapshot) -> list[Condition]:
        return [abs(now[self.change]) >= 0.1]

    def trigger(self, now: Snapshot) -> dict[str, Condition]:
        return {"up": now.breaks_above(self.hod), "down": now.breaks_below(self.lod)}

    def side(self, now: Snapshot) -> Column:
        return now.choose(now[self.change] >= 0.0, 1.0, -1.0)


class NotTooHot(Scanner):
    """Negates a condition, and keeps the unknown unknown."""

    min_dollar_volume = 10_000
    rsi, hod = m.Rsi(), m.HighOfDay()

    def select(self, now: Snapshot) -> list[Condition]:
        return [~(now[self.rsi] >= 80.0)]

    def trigger(self, now: Snapshot) -> Condition:
        return now.breaks_above(self.hod)


class OpeningRangeOfChoice(Scanner):
    """A metric that follows from a threshold."""

    min_dollar_volume = 10_000
    minutes = param.Integer(10, bounds=(1, 60), doc="Minutes of the opening range.")

    @property
    def orb(self) -> m.Level:
        return m.OpeningRangeHigh(minutes=self.minutes)

    def trigger(self, now: Snapshot) -> Condition:
        return now.breaks_above(self.orb, by="close")


COMPOSED = [
    (s.HodBreak(min_rvol=1) & ~s.Anomalies()).named("without"),
    (s.GapAndGo() | s.UnusualVolume()).named("either"),
    (s.HighVolume() & WideRange()).named("both"),
]
OWN: list[Any] = [
    *(WideRange, AboveItsAverage, LooksAtValues, LooksAtTheSession, FromTenOnwards, TwoKinds, NotTooHot),
    *(OpeningRangeOfChoice, RangePct, MeanVolume(minutes=20), Ema),
    s.HodBreak(min_rvol=None, symbols=["S01", "S10", "S11"]),
    s.Winners(exclude=["S11"]),
]
CLEAN = [*s.ALL, *COMPOSED, *OWN, m.Surge(minutes=5), m.RelativeVolume(minutes=5), m.Halt, m.MinutesBeyond]


@cache
def certificate_of(thing: Any) -> Certificate:
    return certify(thing)


def test_there_are_twenty_faults_and_twenty_that_are_clean() -> None:
    assert len({cls for cls, _ in FAULTS}) >= 20
    assert len(CLEAN) >= 20
    assert {check for _, check in FAULTS} >= {topic.name for topic in TOPICS}


@pytest.mark.parametrize(("cls", "check"), FAULTS, ids=[cls.__name__ for cls, _ in FAULTS])
def test_a_planted_fault_is_caught_by_the_check_that_is_named_for_it(cls: Any, check: str) -> None:
    certificate = certificate_of(cls)
    found = certificate.check(check)
    assert (certificate.verdict, found.verdict) == ("failed", "failed")
    assert found.findings[0].example.sentence
    assert found.findings[0].remedy
    assert len(certificate.checks) == len(TOPICS) + 2


@pytest.mark.parametrize("thing", CLEAN, ids=str)
def test_what_is_clean_passes(thing: Any) -> None:
    certificate = certificate_of(thing)
    assert certificate.verdict == "passed", str(certificate)
    assert all(check.compared > 0 for check in certificate.checks)


def test_the_certificate_leaves_the_module_as_it_was() -> None:
    planted.FIRST_CLOSE.clear()
    certify(FirstCloseOfTheDay)
    assert planted.FIRST_CLOSE == {}


def test_the_smallest_example_names_symbol_minute_and_values() -> None:
    example = certificate_of(NextClose).check("look-ahead").findings[0].example
    assert (example.who, example.what, example.k, example.time) == ("NextClose()", "value", 310, "09:11")
    assert example.symbol.startswith("S")
    assert example.found != example.expected == "unknown"


def test_state_that_is_kept_is_named() -> None:
    told = certificate_of(FirstCloseOfTheDay).check("state between days").told
    assert "left behind: planted.FIRST_CLOSE" in told


def test_an_error_in_its_own_code_is_a_finding_with_its_place() -> None:
    certificate = certificate_of(DividesByNothing)
    told = certificate.check("determinism").told
    assert told.startswith("Its code raises ZeroDivisionError: division by zero in select, planted.py line ")
    assert "Traceback" not in str(certificate)
    assert certificate.check("warm-up").verdict == "passed"


def test_who_never_fired_is_unverified_not_clean() -> None:
    certificate = certify(s.HodBreak(min_rvol=1e9))
    assert (certificate.verdict, certificate.fired, certificate.status) == ("unverified", 0, 2)
    assert {check.verdict for check in certificate.checks[:-1]} == {"passed"}
    assert "It never fired in " in certificate.checks[-1].told


def test_a_list_that_never_selected_is_unverified() -> None:
    assert certify(s.Winners(min_change_pct=1e6)).verdict == "unverified"


def test_a_metric_that_was_never_known_is_unverified() -> None:
    assert certify(m.SpreadPct).verdict == "unverified"


def with_facts(tape: Tape, **facts: Any) -> Tape:
    return replace(tape, universe=replace(tape.universe, facts=replace(tape.universe.facts, **facts)))


@pytest.fixture(scope="module")
def given() -> Tape:
    return sk.simulated_tape(sk.SimulatedMarket(symbols=40, seed=2))


def test_facts_made_of_the_day_itself_are_found(given: Tape) -> None:
    regular = given.high[given.universe.day.open_k : given.universe.day.close_k]
    certificate = certify(s.PdhBreak, with_facts(given, pdh=np.fmax.reduce(regular)))
    assert certificate.check("look-ahead").verdict == "failed"
    assert "pdh is the day's own high" in certificate.check("look-ahead").told.lower()


def test_tapes_of_ones_own_are_tried_too(given: Tape) -> None:
    certificate = certify(s.HodBreak, [given])
    assert certificate.verdict == "passed"
    assert [(trial.symbols, trial.minutes) for trial in certificate.trials] == [(24, 400), (40, 960)]
    assert len(certificate.trials[1].tape.universe) <= 24
    assert certificate.check("determinism").compared > certificate_of(s.HodBreak).check("determinism").compared


def test_a_fault_that_only_real_bars_show_is_found_on_them(given: Tape) -> None:
    class OnlyWithUnknownNames(Scanner):
        """Ranks by row among symbols that the sample tape does not have."""

        sessions, min_dollar_volume = EVERY_SESSION, 1_000

        def rank(self, now: Snapshot) -> Column:
            rows = np.arange(len(now), dtype=np.float64) if now.universe.symbols[0][0] != "S" else np.ones(len(now))
            return Column(np.broadcast_to(rows, now.shape), "row", now.memo)

    assert certify(OnlyWithUnknownNames).check("independence of symbols").verdict == "passed"
    assert certify(OnlyWithUnknownNames, given).check("independence of symbols").verdict == "failed"


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(InvalidInput, match="A certificate is of a scanner or a metric; found 3"):
        certify(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"made on tapes; found 'bars.csv'. Give source.tape\(day\)"):
        certify(s.HodBreak, ["bars.csv"])  # type: ignore[list-item]
    with pytest.raises(InvalidInput, match="A certificate has the checks look-ahead, "):
        certificate_of(s.HodBreak).check("speeed")


def test_a_class_that_cannot_be_made_is_refused_with_the_reason() -> None:
    @dataclass(frozen=True)
    class Needy(Metric):
        """Has no defaults."""

        minutes: int

    with pytest.raises(InvalidInput, match=r"Needy is made with its defaults; found TypeError: .*Give an instance"):
        certify(Needy)


# The page


class Reader(HTMLParser):
    """Notes which tags are open, and all that would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "data")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("thing", [s.HodBreak, TakesNanForZero])
def test_the_page_stands_by_itself_and_is_well_formed(thing: Any) -> None:
    html, reader = certificate_of(thing).html, Reader()
    reader.feed(html)
    assert (reader.open, reader.loads) == ([], [])
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html


def test_page_markdown_and_text_say_what_was_tried_and_found(tmp_path: Path) -> None:
    certificate = certificate_of(TakesNanForZero)
    written = certificate.save(tmp_path / "c.html").read_text(), certificate.save(tmp_path / "c.md").read_text()
    for page in (*written, str(certificate), certificate._repr_html_(), certificate._repr_markdown_()):
        assert "TakesNanForZero() says -100 of S" in page
        assert "24 symbols × 400 minutes" in page
        assert "Leave unknown (NaN)" in page
        assert all(check.name in page for check in certificate.checks)


def test_markup_in_names_is_shown_not_run() -> None:
    page = certify(s.HodBreak(name="<script>alert(1)</script>")).html
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_certificate_is_a_value() -> None:
    certificate = certificate_of(s.HodBreak)
    assert certificate == replace(certificate)
    assert certificate.settings["min_rvol"] == 3
    assert sk.certify is certify


# The command

OWN_MODULE = '''
from scanner_kit import metrics as m
from scanner_kit.scanner import Scanner

class Quick(Scanner):
    """High of the day."""

    min_rvol = 1.0
    hod = m.HighOfDay()

    def trigger(self, now):
        return now.breaks_above(self.hod)

class Wrong(Quick):
    """Knows the close."""

    last = m.Last()

    def select(self, now):
        values = now[self.last].values
        return [now[self.last] >= float(values[-1].max())]

both = Quick() & ~Wrong()
number = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_own_scanners.py"
    path.write_text(OWN_MODULE)
    (tmp_path / "broken_scanners.py").write_text("1 / 0\n")
    monkeypatch.delitem(sys.modules, "my_own_scanners", raising=False)
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["certify", *map(str, args)], prog_name="scanner-kit")


def test_the_command_ends_with_the_verdict(module: Path) -> None:
    passed, failed = run(f"{module}:Quick", "--out", "page.html"), run(f"{module}:Wrong")
    unverified = run(f"{module}:Quick", "--set", "min_rvol=1000000")
    assert [one.exit_code for one in (passed, failed, unverified)] == [0, 1, 2]
    assert passed.stdout.startswith("PASSED: Quick()\n")
    assert "Written to page.html." in passed.stdout
    assert Path("page.html").read_text().startswith("<!doctype html>")
    assert "✗ look-ahead" in failed.stdout
    assert unverified.stdout.startswith("UNVERIFIED: Quick(min_rvol=1000000)")


def test_the_command_finds_modules_in_the_present_folder(module: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from scanner_kit.cli import main; main()", "certify", "my_own_scanners:Quick"],
        capture_output=True,
        text=True,
        check=False,
        cwd=module.parent,
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_the_command_tries_real_bars(module: Path) -> None:
    sk.SimulatedMarket(symbols=8, seed=3).frame().to_parquet("bars.parquet")
    told = run(f"{module}:Quick", "--bars", "bars.parquet")
    assert told.exit_code == 0
    assert "8 symbols × 960 minutes" in told.stdout


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["my_own_scanners"], "A scanner is named as module:Scanner; found 'my_own_scanners'. Write, say,"),
        (["nowhere_at_all:Quick"], "There is no module 'nowhere_at_all', neither installed nor in "),
        (["nowhere.py:Quick"], "There is no file 'nowhere.py'."),
        (["my_own_scanners.py:Quik"], "my_own_scanners.py has no 'Quik'. Did you mean 'Quick'?"),
        (["my_own_scanners.py:number"], "found my_own_scanners.py:number, a int. Name one of Quick, Wrong, both."),
        (["broken_scanners.py:Quick"], "cannot be imported; found ZeroDivisionError: division by zero. Mend it first."),
        (["my_own_scanners.py:Quick", "--set", "min_rvl=3"], "has no setting 'min_rvl'. Did you mean 'min_rvol'?"),
        (["my_own_scanners.py:Quick", "--set", "min_rvol"], "A threshold is set as "),
        (["my_own_scanners.py:Quick", "--set", "min_rvol=high"], "Quick: "),
        (["my_own_scanners.py:Quick", "--day", "2025-01-27"], "--day is a day of --bars; found 2025-01-27"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(module: Path, args: list[str], sentence: str) -> None:
    told = run(*args)
    assert (told.exit_code, told.stdout) == (2, "")
    assert sentence in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_metric_and_a_composite_are_named_with_their_settings(module: Path) -> None:
    assert named("scanner_kit.metrics:Rsi", {"period": 7}) == m.Rsi(period=7)
    both = named(f"{module}:both", {"quick.min_rvol": 2.0})
    assert isinstance(both, Composite)
    assert both.settings()["quick.min_rvol"] == 2.0
