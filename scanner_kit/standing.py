"""A standing snapshot: what scanners ask of it is made once, and read from whichever snapshot is the present one.

A scanner's verdict is a web of columns and conditions that is the same at every step; only the numbers in it differ. So
the judge asks each scanner once for each change of its thresholds, with a `Standing` in the place of a snapshot, and at
every step lets the web forget its numbers. A scanner that looks at a number, the minute or the session while it makes
its verdict may say something else at the next step: it is noticed, and asked anew at every one.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from scanner_kit.circumstances import Chosen
from scanner_kit.columns import Memo
from scanner_kit.conditions import Condition, Node, forget, nodes
from scanner_kit.masks import Masks
from scanner_kit.scanner import Verdict
from scanner_kit.snapshot import Snapshot
from scanner_kit.universe import Floats, Universe


class Judges(Protocol):
    """What gives a verdict: a scanner or a composite."""

    def verdict(self, now: Snapshot) -> Verdict:
        """What it makes of a snapshot."""


class Standing(Snapshot):
    """The snapshot of the present step, whichever that is: `present`."""

    def __init__(self, universe: Universe) -> None:
        self.__dict__.update(universe=universe, memo=Memo(), present=None, looked=False, computed=[], masks=None)

    def verdicts(self, scanners: Iterable[Judges], present: Snapshot) -> list[Verdict | None]:
        """The verdict of each scanner that is the same at every step; None for those that must be asked anew."""
        told = [self._verdict(scanner, present) for scanner in scanners]
        roots = [node for verdict in told if verdict for node in verdict.nodes()]
        web = [node for node in nodes(*roots) if not node.lasting]
        for node in web:
            node.note_in(self.computed)
        self.__dict__["masks"] = Masks(_wanted(web, told), self.minute, len(self))
        return told

    def turn(self, present: Snapshot) -> None:
        """Stand for another snapshot: what was computed of the one before is forgotten."""
        self.__dict__["present"] = present
        forget(self.computed)
        self.masks.make()

    def _verdict(self, scanner: Judges, present: Snapshot) -> Verdict | None:
        self.__dict__.update(present=present, looked=False)
        verdict = scanner.verdict(self)
        if not self.looked:
            return verdict
        self._unlook()
        return None

    def _unlook(self) -> None:
        """Forget the numbers that were looked at, else the next who looks would not be noticed."""
        for key, made in tuple(self.memo.items()):
            if not isinstance(made, Node):
                del self.memo[key]  # severity: made of nothing but numbers
        for node in nodes(*self.memo.values()):
            node.forget()

    def _read(self, read: Callable[[Snapshot], Floats]) -> Callable[[], Floats]:
        def later() -> Floats:
            self.__dict__["looked"] = True
            return read(self.present)

        return later

    def __getattr__(self, name: str) -> Any:
        """What differs from step to step: k, the bars, the values."""
        self.__dict__["looked"] = True
        return getattr(self.present, name)

    @property
    def forming(self) -> bool:
        """Whether the present minute has not closed yet."""
        return bool(self.__getattr__("forming"))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every column."""
        return (len(self.universe),)

    @property
    def whole_day(self) -> bool:
        """Whether the arrays have a row for each minute: never."""
        return False


def _wanted(web: Iterable[Node], verdicts: Iterable[Verdict | None]) -> Iterator[tuple[Condition, bool]]:
    """The conditions whose masks a step needs: where each holds, and where those fail that edges or choices rest on."""
    for node in web:
        if isinstance(node, Condition):
            yield node, True
        elif isinstance(node, Chosen):
            yield node.where, False
    for verdict in verdicts:
        yield from ((kind.condition, False) for kind in (verdict.kinds.values() if verdict else ()))
