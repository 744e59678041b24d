"""Every error that scanner_kit raises on purpose.

ScannerKitError
└── InvalidInput (ValueError)   something given is not as the rule wants it: thing, rule, found, remedy
    └── UnknownName             a name that nothing has: with the nearest that exists
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ScannerKitError(Exception):
    """The root of what scanner_kit raises."""


class InvalidInput(ScannerKitError, ValueError):  # noqa: N818  a name of the field's, not of its base
    """Something given is not as the rule wants it; the sentence says thing, rule, found and remedy."""


class UnknownName(InvalidInput):
    """A name that nothing has.

    >>> str(UnknownName.of("GapAndGo has no parameter", "min_gpa", ["min_gap", "top"]))
    "GapAndGo has no parameter 'min_gpa'. Did you mean 'min_gap'?"
    """

    @classmethod
    def of(cls, what: str, found: str, known: Iterable[str]) -> "UnknownName":
        """The sentence: what it is, the name that was found, and the nearest known one, or all of them."""
        names = list(known)
        told = str(found)
        near = [name for name in names if name.lower() == told.lower()] or get_close_matches(told, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {_listed(sorted(names))}."
        return cls(f"{what} {found!r}. {hint}")


def port_refused(port: int, address: str, fault: OSError) -> InvalidInput:
    """The sentence for a port at which nothing can be served, and why.

    >>> str(port_refused(5006, "127.0.0.1", OSError(98, "Address already in use")))
    'Port 5006 of 127.0.0.1 cannot be served (Address already in use). Choose another one with --port.'
    """
    return InvalidInput(
        f"Port {port} of {address} cannot be served ({fault.strerror or fault}). Choose another one with --port."
    )


def short(found: Any, most: int = 200) -> str:
    """What was found, in few words: of an array, or of anything long, the beginning.

    >>> short([1, 2]), short("a" * 500, most=5)
    ('[1, 2]', "'aaaa…")
    """
    told = " ".join(repr(found).split())
    return told if len(told) <= most else f"{told[:most]}…"


def must_be(kinds: Any, found: Any, rule: str, remedy: str) -> None:
    """Let what is of a kind pass; True and False are no numbers, and a text is no list.

    >>> must_be(str, 3, "A name is a text", "Write 'NVDA'.")
    Traceback (most recent call last):
    ...
    scanner_kit.errors.InvalidInput: A name is a text; found 3. Write 'NVDA'.
    """
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    mistaken = type(found) in (bool, str) and type(found) not in wanted
    if mistaken or not isinstance(found, wanted):
        raise InvalidInput(f"{rule}; found {short(found)}. {remedy}")


def _listed(names: list[str], most: int = 40) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
