"""The certificate of a scanner or a metric: what was tried on it, what was found, and hence whether it can be trusted.

>>> from scanner_kit.scanners import HodBreak
>>> certificate = certify(HodBreak)
>>> certificate.verdict, len(certificate.checks), certificate.fired > 0
('passed', 12, True)

Every check is made and told, also after one has failed. A check is a law or several of `scanner_kit.testing`; beside
them stand the speed of a step, and whether it ever had something to say: who never spoke is *unverified*, not clean.
"""

import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from scanner_kit import testing as laws
from scanner_kit.bars import Tape
from scanner_kit.calendar import NEW_YORK
from scanner_kit.composition import AnyScanner, Composite
from scanner_kit.errors import InvalidInput
from scanner_kit.metrics import Metric
from scanner_kit.scanner import Scanner
from scanner_kit.testing import Law, LawBroken
from scanner_kit.testing._records import Case, Checkable, Subject
from scanner_kit.testing._state import Kept
from scanner_kit.tuning import certificate_page as page
from scanner_kit.tuning.certificate_speed import LIMIT, REFERENCE, speed
from scanner_kit.tuning.certificate_tapes import Trial, facts_of_the_day, spoke, trials_of

PASSED, FAILED, UNVERIFIED = "passed", "failed", "unverified"
STATUS = {PASSED: 0, FAILED: 1, UNVERIFIED: 2}
"""The exit status of a command for each verdict."""


@dataclass(frozen=True)
class Topic:
    """What a check asks, and the laws that answer it."""

    name: str
    asks: str
    laws: tuple[Law, ...] = field(repr=False)


TOPICS = (
    Topic("look-ahead", "Is what it says of a minute free of all that comes after it?", (laws.no_look_ahead,)),
    Topic("warm-up", "Does it say nothing until there is enough to say it of?", (laws.short_past,)),
    Topic("determinism", "Does it say the same of the same tape twice?", (laws.deterministic,)),
    Topic(
        "independence of symbols",
        "Is what it says of a symbol free of the others, their order and its name?",
        (laws.symbols_are_independent, laws.order_is_indifferent),
    ),
    Topic(
        "treatment of the unknown",
        "Does what is not known stay unknown, neither true nor false nor zero?",
        (laws.silent_without_data, laws.unknown_is_not_false),
    ),
    Topic(
        "inputs unchanged",
        "Are all arrays as they were, those that it was given and those that it gave?",
        (laws.inputs_untouched, laws.arrays_never_rewritten),
    ),
    Topic(
        "state between steps",
        "Do steps, whole days, previews, restarts and late bars agree?",
        (
            laws.one_engine,
            laws.questions_change_nothing,
            laws.restarts_change_nothing,
            laws.late_bars_are_made_good,
        ),
    ),
    Topic("state between days", "Does a second day begin as with a new object?", (laws.days_begin_anew,)),
    Topic("the outside", "Does it do without clock, files, network, environment and chance?", (laws.touches_nothing,)),
    Topic("what is read is named", "Does it name every metric that it reads?", (laws.names_what_it_reads,)),
)
SPEED, SPEAKS = "speed", "something to say"


@dataclass(frozen=True)
class Example:
    """The smallest example that was found: of whom, when, what was said and what should have been.

    `symbol` and `time` (New York) are empty, and `k` is −1, where a fault has none.
    """

    who: str
    sentence: str
    what: str = ""
    symbol: str = ""
    k: int = -1
    time: str = ""
    found: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Finding:
    """One law that does not hold: its name, the example and the remedy."""

    law: str
    example: Example
    remedy: str


@dataclass(frozen=True)
class Check:
    """One check: what it asks, its verdict, what was tried (`compared`: numbers and answers), and what was found."""

    name: str
    asks: str
    verdict: str
    compared: int
    told: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """What was tried on a scanner or a metric, and what was found; `print` it, or show it in a notebook.

    `known_pct` is how much of its numbers were known; `selected` and `fired` count over all tapes.
    """

    subject: str
    kind: str
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    checks: tuple[Check, ...]
    version: str = field(default_factory=lambda: str(import_module("scanner_kit").__version__))

    @cached_property
    def verdict(self) -> str:
        """`failed` if a check failed, else `unverified` if one could not be made, else `passed`."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in (FAILED, UNVERIFIED) if verdict in found), PASSED)

    @property
    def passed(self) -> bool:
        """Whether every check was made, and holds."""
        return self.verdict == PASSED

    @property
    def status(self) -> int:
        """0 passed, 1 failed, 2 unverified: what the command ends with."""
        return STATUS[self.verdict]

    @property
    def selected(self) -> int:
        """How often a symbol was selected, in symbols × minutes."""
        return sum(trial.selected for trial in self.trials)

    @property
    def fired(self) -> int:
        """How many triggers there were."""
        return sum(trial.fired for trial in self.trials)

    def check(self, name: str) -> Check:
        """The check of that name; `InvalidInput` if there is none."""
        known = {check.name: check for check in self.checks}
        if name not in known:
            raise InvalidInput(f"A certificate has the checks {', '.join(known)}; found {name!r}. Name one of them.")
        return known[name]

    @property
    def html(self) -> str:
        """The page: whole, by itself, readable in light and dark."""
        return page.whole(self)

    @property
    def markdown(self) -> str:
        """The page as Markdown."""
        return page.markdown(self)

    def save(self, path: str | Path) -> Path:
        """Write the page: HTML, or Markdown where the name ends in `.md`."""
        where = Path(path)
        where.write_text(self.markdown if where.suffix == ".md" else self.html, encoding="utf-8")
        return where

    def _repr_html_(self) -> str:
        return page.fragment(self)

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __str__(self) -> str:
        return page.text(self)


def certify(thing: Checkable, tape: Tape | Iterable[Tape] | None = None) -> Certificate:
    """Make every check on a scanner, a composite or a metric (a class stands for its defaults).

    It is tried on the sample tape and on those given, of which the symbols count that it speaks of first. A fault
    in its own code is a finding like any other. `InvalidInput` for what is no scanner and no metric, or cannot be made.
    """
    subject = _subject(thing)
    kept = Kept((*subject.metrics, *subject.scanners))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trials, quiet, faults = trials_of(subject, _tapes(tape), kept.restore)
        cases = [Case(subject, trial.tape) for trial in trials]
        checks = [_check(topic, cases, kept) for topic in TOPICS]
        checks = [_with_facts(check, trials) if check.name == "look-ahead" else check for check in checks]
        checks += [_speed(subject, kept), _speaks(subject, (*trials, *quiet), faults)]
        kept.restore()
    one = (*subject.scanners, *subject.metrics)[0]
    kind = "metric" if isinstance(one, Metric) else "scanner"
    return Certificate(_named(subject, one), kind, _settings(one), tuple(trials), tuple(checks))


def _subject(thing: Checkable) -> Subject:
    given: Any = thing
    kind = given if isinstance(given, type) else type(given)
    if not issubclass(kind, Metric | Scanner | Composite):
        raise InvalidInput(
            f"A certificate is of a scanner or a metric; found {thing!r}. Give a subclass of Scanner or Metric, or an "
            "instance."
        )
    try:
        subject = Subject.of([thing])
        assert subject.labels is not None  # their names as they are before they are asked anything
        return subject
    except InvalidInput:
        raise
    except Exception as fault:
        name = thing.__name__ if isinstance(thing, type) else repr(thing)
        raise InvalidInput(
            f"{name} is made with its defaults; found {_place(fault)}. Give an instance, or mend it."
        ) from fault


def _tapes(given: Tape | Iterable[Tape] | None) -> tuple[Tape, ...]:
    tapes = () if given is None else (given,) if isinstance(given, Tape) else tuple(given)
    for tape in tapes:
        if not isinstance(tape, Tape):
            raise InvalidInput(f"A certificate is made on tapes; found {tape!r}. Give source.tape(day), or several.")
    return tapes


def _named(subject: Subject, one: Metric | AnyScanner) -> str:
    return subject.labels[one] if isinstance(one, Metric) else one.name if isinstance(one, Composite) else repr(one)


def _settings(one: Metric | AnyScanner) -> dict[str, Any]:
    if isinstance(one, Metric):
        return {f.name: getattr(one, f.name) for f in fields(one) if f.init}
    return one.settings()


def _check(topic: Topic, cases: Iterable[Case], kept: Kept) -> Check:
    compared, findings = 0, []
    for law in topic.laws:
        for case in cases:
            counted, finding = _asked(law, case, kept)
            compared += counted
            if finding is not None:
                findings.append(finding)
                break
    if not findings:
        return Check(topic.name, topic.asks, PASSED, compared, f"{compared:,} comparisons agree")
    told = " ".join(dict.fromkeys(_sentence(finding.example.sentence) for finding in findings))
    return Check(topic.name, topic.asks, FAILED, compared, told, tuple(findings))


def _asked(law: Law, case: Case, kept: Kept) -> tuple[int, Finding | None]:
    kept.restore()
    try:
        return law.on(case).compared, None
    except LawBroken as broken:
        return 0, Finding(law.name, _example(broken), broken.remedy)
    except (Exception, SystemExit) as fault:
        example = Example(str(case.subject), f"its code raises {_place(fault)}")
        return 0, Finding(law.name, example, "Mend it: no tape, however odd, may stop a scanner.")


def _example(broken: LawBroken) -> Example:
    found, day = broken.found, broken.tape.universe.day
    time = f"{day.time(found.k).astimezone(NEW_YORK):%H:%M}" if found.k >= 0 else ""
    return Example(found.who, broken.example, found.what, found.symbol, found.k, time, found.found, found.expected)


def _place(fault: BaseException) -> str:
    """A fault with the line of the user's own code in which it came up."""
    others = (str(Path(__file__).parent.parent), str(Path(traceback.__file__).parent), "<frozen")
    frames = traceback.extract_tb(fault.__traceback__)
    own = [one for one in frames if not one.filename.startswith(others) and "site-packages" not in one.filename]
    at = (own or list(frames))[-1:]
    where = f" in {at[0].name}, {Path(at[0].filename).name} line {at[0].lineno}: {at[0].line}" if at else ""
    return f"{type(fault).__name__}: {fault}{where}".replace("\n", " ")


def _with_facts(check: Check, trials: Iterable[Trial]) -> Check:
    """The check on look-ahead, failed where the facts of a tape were made of its own day."""
    for trial in trials:
        told = facts_of_the_day(trial.tape)
        if told:
            remedy = "Make facts of the days before alone, as TapeSource does: no daily row of the day itself."
            finding = Finding("facts are of the days before", Example("the tape", told), remedy)
            findings = (*check.findings, finding)
            told = " ".join(_sentence(one.example.sentence) for one in findings)
            return Check(check.name, check.asks, FAILED, check.compared, told, findings)
    return check


def _speed(subject: Subject, kept: Kept) -> Check:
    asks = f"Does a step cost at most {LIMIT:g} × what one of {REFERENCE} costs, on the same tape in the same run?"
    kept.restore()
    try:
        measured = speed(subject)
    except (Exception, SystemExit) as fault:
        example = Example(str(subject), f"its code raises {_place(fault)}")
        finding = Finding(SPEED, example, "Mend it: no tape, however odd, may stop a scanner.")
        return Check(SPEED, asks, FAILED, 0, _sentence(example.sentence), (finding,))
    if measured.ratio <= LIMIT:
        return Check(SPEED, asks, PASSED, measured.steps, str(measured))
    remedy = "Compute with whole columns (numpy, or numba through `compiled`): no loop over symbols, no pandas."
    finding = Finding(SPEED, Example(str(subject), str(measured), found=f"{measured.ratio:.1f} ×"), remedy)
    return Check(SPEED, asks, FAILED, measured.steps, _sentence(str(measured)), (finding,))


def _speaks(subject: Subject, trials: Sequence[Trial], faults: Sequence[BaseException]) -> Check:
    asks = "Did it ever speak? Who never did was hardly tried."
    count = sum(map(spoke(subject), trials))
    over = sum(trial.symbols * trial.minutes for trial in trials)
    where = f"in {over:,} symbols × minutes on {len(trials)} tape(s)"
    fires = any(scanner.triggers for scanner in subject.scanners)
    did = "fired" if fires else "selected" if subject.scanners else "was known"
    if count:
        return Check(SPEAKS, asks, PASSED, over, f"it {did} {count:,} times {where}")
    why = f"; its code raises {_place(faults[0])}" if faults else ""
    sentence = f"it never {did} {where}{why}"
    remedy = "Give a tape on which it has something to say, or looser thresholds: certify(…, tape)."
    finding = Finding(SPEAKS, Example(str(subject), sentence), remedy)
    return Check(SPEAKS, asks, UNVERIFIED, over, _sentence(sentence), (finding,))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
