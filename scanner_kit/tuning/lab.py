"""The lab's bench: a scanner over a history, whose thresholds are moved, undone, kept under names and compared.

>>> import scanner_kit as sk
>>> history = sk.measure(sk.SimulatedMarket(symbols=20), 2, scanners=[sk.scanners.HodBreak()], cache=False)
>>> lab = Lab(history, sk.scanners.HodBreak(min_rvol=1))
>>> moved = lab.move(min_rvol=3)
>>> len(lab.difference.disappeared) > 0, moved is lab.answer, lab.undo()
(True, True, True)

It knows nothing of screens: `scanner_kit.views.tuning` shows it, and a notebook may use it as it is.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from scanner_kit import scanners as built_in
from scanner_kit.composition import AnyScanner, Composite, fixed
from scanner_kit.errors import InvalidInput, UnknownName
from scanner_kit.tuning.answer import Answer, Difference, answer, difference
from scanner_kit.tuning.history import History
from scanner_kit.tuning.looks import Looks
from scanner_kit.tuning.luck import Luck, Register
from scanner_kit.tuning.outcomes import COST_BPS
from scanner_kit.tuning.paths import check_horizon

KEPT_ANSWERS = 64
STARTED = "as it started"
"""The name of the variant that a lab starts with."""
Settings = Mapping[str, Any]


class Lab:
    """A scanner on the bench. Each move gives an `answer`, and what differs from the answer of the variant beside it.

    Every setting that is looked at is a try in its `register`, judged by the `horizon`; once another one was chosen, by
    all of them. `looks` are shared by the labs of one researcher. `InvalidInput` for a category, or a threshold that
    does not fit.
    """

    def __init__(
        self,
        history: History,
        scanner: AnyScanner,
        *,
        horizon: str = "30m",
        cost_bps: float = COST_BPS,
        seed: int = 0,
        looks: Looks | None = None,
    ) -> None:
        check_horizon(horizon)
        self.history, self.horizon, self.cost_bps, self.seed = history, horizon, cost_bps, seed
        self.scanner = fixed(scanner)
        self.variants: dict[str, AnyScanner] = {STARTED: self.scanner}
        self.beside = STARTED
        self.looks = Looks(history.dates, horizon) if looks is None else looks
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._done: list[AnyScanner] = []
        self._undone: list[AnyScanner] = []
        self._sliding = False
        self._watchers: list[Callable[[], object]] = []
        self.answer = self._look(self.scanner)

    # Moving

    def move(self, **thresholds: Any) -> Answer:
        """Look at other thresholds; all others stay as they are."""
        self.settle()
        self.slide(**thresholds)
        self.settle()
        return self.answer

    def slide(self, **thresholds: Any) -> Answer:
        """Look at other thresholds on the way: until it settles, all of that is one step for undo."""
        moved = self.scanner.with_settings(**thresholds)
        if moved.settings_id != self.scanner.settings_id:
            if not self._sliding:
                self._done.append(self.scanner)
                self._undone.clear()
            self._sliding = True
            self._show(moved)
        return self.answer

    def settle(self) -> None:
        """End a slide; one that came back to where it began was no step."""
        if self._sliding and self._done[-1].settings_id == self.scanner.settings_id:
            self._done.pop()
        self._sliding = False

    def undo(self) -> bool:
        """Go back to the setting before; whether there was one."""
        return self._go(self._done, self._undone)

    def redo(self) -> bool:
        """Go forward again to what was undone; whether there was something."""
        return self._go(self._undone, self._done)

    def reset(self) -> Answer:
        """Go back to the thresholds that the lab started with; this can be undone."""
        return self.move(**self.variants[STARTED].settings())

    def watch(self, told: Callable[[], object]) -> Callable[[], None]:
        """Call a function after each move; what it gives ends that."""
        self._watchers.append(told)
        return lambda: self._watchers.remove(told)

    # Variants

    def keep(self, name: str) -> None:
        """Keep the present thresholds as a variant; one of that name is replaced."""
        if not name.strip() or name == STARTED:
            raise InvalidInput(f"A variant has a name of its own; found {name!r}. Call it what it tries.")
        self.variants[name] = self.scanner

    def drop(self, name: str) -> None:
        """Give up a variant."""
        self._variant(name)
        if name == STARTED:
            raise InvalidInput(f"{STARTED!r} stays: it is what a reset goes back to. Keep others beside it.")
        del self.variants[name]
        if self.beside == name:
            self.beside = STARTED

    def compare_with(self, name: str) -> None:
        """Compare with this variant from now on."""
        self._variant(name)
        self.beside = name
        self._tell()

    def take(self, name: str) -> Answer:
        """Go on from a variant; this can be undone."""
        return self.move(**self._variant(name).settings())

    def answer_of(self, name: str) -> Answer:
        """The answer of a variant."""
        return self._look(self._variant(name))

    def judge_by(self, horizon: str) -> None:
        """Judge by another horizon from now on; `UnknownName` for one that there is not."""
        check_horizon(horizon)
        self.horizon = horizon
        self.looks.at(horizon)
        self._tell()

    @property
    def register(self) -> Register:
        """What was looked at, as far as it counts."""
        return self.looks.register

    @property
    def can_undo(self) -> bool:
        """Whether there is a setting to go back to."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a setting to go forward to."""
        return bool(self._undone)

    @property
    def difference(self) -> Difference:
        """What the present answer does not share with that of the variant beside it."""
        return difference(self.answer_of(self.beside), self.answer)

    def luck(self) -> Luck:
        """Whether an edge is left after all that was looked at."""
        return self.register.luck(seed=self.seed)

    def toml(self) -> str:
        """The present thresholds that differ from the defaults, as a settings file takes them."""
        return toml_of(self.scanner)

    def _variant(self, name: str) -> AnyScanner:
        if name not in self.variants:
            raise UnknownName.of("There is no variant", name, self.variants)
        return self.variants[name]

    def _go(self, back: list[AnyScanner], forth: list[AnyScanner]) -> bool:
        self.settle()
        if not back:
            return False
        forth.append(self.scanner)
        self._show(back.pop())
        return True

    def _show(self, scanner: AnyScanner) -> None:
        self.scanner, self.answer = scanner, self._look(scanner)
        self._tell()

    def _tell(self) -> None:
        for told in tuple(self._watchers):
            told()

    def _look(self, scanner: AnyScanner) -> Answer:
        """The answer of a setting, which is a try from now on; the last ones are kept."""
        key = scanner.settings_id
        if key not in self._answers:
            self._answers[key] = answer(self.history, scanner, cost_bps=self.cost_bps, seed=self.seed)
        self._answers.move_to_end(key)
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        self.looks.add(self._answers[key])
        return self._answers[key]


def toml_of(scanner: AnyScanner) -> str:
    """The thresholds of a scanner that differ from its defaults, as a table of a settings file.

    `InvalidInput` for a composite, whose scanners have a table each, and for what is none of the kit's own scanners.
    """
    if isinstance(scanner, Composite):
        raise InvalidInput(
            f"A settings file has a table for each scanner; {scanner.name} is made of several. Export them one by one."
        )
    plain = scanner.with_settings()
    if built_in.CLASSES.get(scanner.name) is not type(plain):
        raise InvalidInput(
            f"A settings file is about the kit's own scanners; {scanner.name!r} is none of them. Write its thresholds "
            f"where it is made: {plain!r}."
        )
    params = type(plain).param
    lines = [f"{name} = {_toml(value)}" for name, value in scanner.settings().items() if value != params[name].default]
    return "\n".join([f"[scanners.{scanner.name}]", *lines, ""])


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(float(value) if isinstance(value, float) else int(value))
