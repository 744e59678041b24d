"""Reads: which thresholds a scanner's trigger hangs on, found by watching what is read of it while it is asked."""

from collections.abc import Mapping
from typing import Any

from scanner_kit.composition import AnyScanner, Composite, sides_of
from scanner_kit.scanner import Kind, Scanner, Verdict
from scanner_kit.snapshot import Snapshot

TELL_ALL = ("__dict__", "_gates", "_values", "gates", "param", "settings", "settings_id", "with_settings")
"""What, when it is read of a scanner, may tell any threshold."""


class Watch:
    """A setting whose trigger is asked while it is watched which thresholds are read for it."""

    def __init__(self, scanner: AnyScanner) -> None:
        self.read = set[str]()
        self._one: Scanner | None = None
        if isinstance(scanner, Composite) and len(scanner.sides) > 1:
            self.read.update(scanner.settings())  # what a side says depends on who is selected
            return
        side = sides_of(scanner)[0]
        self._gates, self._prefix = side.gates, "" if side.head is scanner else f"{side.head.name}."
        self._seen = set[str]()
        self._one = _watched(side.head, self._seen)

    def kinds(self, now: Snapshot, verdict: Verdict) -> Mapping[str, Kind]:
        """What it may say of a snapshot, with conditions whose masks are made."""
        if self._one is None:
            return verdict.kinds
        kinds: Mapping[str, Kind] = self._one._kinds(now, self._gates)
        for kind in kinds.values():
            _ = kind.condition.true, kind.condition.false
        self.read.update(self._prefix + name for name in self._seen)
        return kinds


def _watched(scanner: Scanner, seen: set[str]) -> Scanner:
    """A copy that notes which of its thresholds are read; what it made of them when it was made tells them all."""
    cls, names, made = scanner._origin or type(scanner), frozenset(scanner.settings()), set[str]()

    def read(self: Any, name: str) -> Any:
        if name in names:
            seen.add(name)
        elif name in TELL_ALL or name in made:
            seen.update(names)
        return cls.__getattribute__(self, name)

    told = {"__doc__": cls.__doc__, "__module__": cls.__module__, "__getattribute__": read}
    copy: Scanner = type(cls.__name__, (cls,), told)(**scanner._values(), name=scanner.name)
    made.update(name for name in vars(copy) if not name.startswith("_param__"))
    seen.clear()
    return copy
