"""The versions of the settings: who changed which threshold, when and why; each stands whole, and none is ever changed.

Version 0 is that of an empty store: every threshold has its default. A version is the truth as soon as it is written;
the tape says which one it stands at, and whoever finds that others came `after` it puts them there, by their numbers.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from scanner_kit.errors import InvalidInput
from scanner_kit.store.audit import record
from scanner_kit.store.connection import Database
from scanner_kit.store.schema import EPOCH, time_of, versions
from scanner_kit.store.writing import now

Thresholds = Mapping[str, Mapping[str, Any]]
"""Scanner → threshold → value; what is not among them has its default."""
Change = Mapping[str, Any]
"""`scanner`, `threshold`, and its value `before` and `after`: left out where it has its default."""
Check = Callable[[Thresholds], Any]
MOST_TOLD = 6


@dataclass(frozen=True)
class Version:
    """Settings as they stood from one change to the next; `base` is the version that was changed."""

    n: int
    time: dt.datetime
    who: str
    why: str
    base: int
    thresholds: dict[str, dict[str, Any]]
    changes: tuple[dict[str, Any], ...]


BEGINNING = Version(0, EPOCH, "", "", 0, {}, ())
"""What holds before anything was changed."""


class StaleEdit(InvalidInput):
    """Somebody else changed the settings meanwhile; `meanwhile` are these versions, oldest first."""

    meanwhile: tuple[Version, ...] = ()

    @classmethod
    def since(cls, base: int, meanwhile: Sequence[Version]) -> "StaleEdit":
        """The sentence: what was changed since version `base`, by whom and when."""
        told = "; ".join(f"{v.who} at {v.time:%Y-%m-%d %H:%M:%S} UTC: {_changes(v)}" for v in meanwhile)
        error = cls(
            f"This edit is of version {base} of the settings, and version {meanwhile[-1].n} is in force. "
            f"Meanwhile, {told}. Look at them, and make it again."
        )
        error.meanwhile = tuple(meanwhile)
        return error


class Versions:
    """The settings' versions of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> Version:
        """The version in force."""
        return (self.history(size=1) or [BEGINNING])[0]

    def get(self, n: int) -> Version:
        """The version of a number; `InvalidInput` where there is none."""
        with self._database.reading() as connection:
            row = connection.execute(select(versions).where(versions.c.n == n)).mappings().first()
        if row is None and n != BEGINNING.n:
            raise InvalidInput(f"The settings have no version {n!r}; the latest is {self.now().n}. Name one up to it.")
        return BEGINNING if row is None else _version(row)

    def history(self, *, before: int | None = None, size: int = 100) -> list[Version]:
        """The versions, the newest first; `before` is the number of the last one that was seen."""
        asked = select(versions).order_by(versions.c.n.desc()).limit(size)
        if before is not None:
            asked = asked.where(versions.c.n < before)
        with self._database.reading() as connection:
            return [_version(row) for row in connection.execute(asked).mappings()]

    def change(self, base: int, values: Thresholds, who: str, why: str = "", *, check: Check | None = None) -> Version:
        """Change some thresholds of version `base`; gives the new version, or that of `base` where nothing differs.

        Parameters
        ----------
        base
            The version that the edit was made of.
        values
            The thresholds to change; the others stay.
        check
            Takes the settings as they would be, whole, and raises `InvalidInput` where they cannot be.

        Raises
        ------
        StaleEdit
            Another version is in force meanwhile: what was changed, by whom and when.
        """
        old = self.get(base).thresholds
        whole = {name: {**old.get(name, {}), **values.get(name, {})} for name in dict.fromkeys((*old, *values))}
        return self._put(base, whole, who, why, check)

    def bring_back(
        self, n: int, who: str, why: str = "", *, base: int | None = None, check: Check | None = None
    ) -> Version:
        """Put the settings of version `n` in force again, as a new version; with `base`, only while that is."""
        whole = self.get(n).thresholds
        base = self.now().n if base is None else base
        return self._put(base, whole, who, why or f"version {n} brought back", check)

    def take_file(self, thresholds: Thresholds, who: str, why: str = "", *, check: Check | None = None) -> Version:
        """Put the thresholds of a settings file in force; a file that says what it said last time changes nothing.

        So what was changed while it ran outlives a restart with the same file.
        """
        whole = plain(thresholds)
        asked = select(versions.c.content).where(versions.c.of_file).order_by(versions.c.n.desc()).limit(1)
        with self._database.reading() as connection:
            last = connection.scalar(asked)
        latest = self.now()
        if content_of(whole) == (last or content_of({})):
            return latest
        try:
            return self._put(latest.n, whole, who, why or "a settings file", check, of_file=True)
        except StaleEdit:  # another process took it at the same time
            return self.take_file(whole, who, why, check=check)

    def take_over(self, n: int, thresholds: Thresholds, who: str, why: str) -> Version:
        """Go on at number `n`, which others gave, with these thresholds; nothing where it is there, or a later one."""
        latest = self.now()
        return latest if latest.n >= n else self._put(latest.n, thresholds, who, why, None, n=n)

    def after(self, n: int) -> list[Version]:
        """The versions after that number, in order: what a tape that stands at it still lacks."""
        with self._database.reading() as connection:
            return _after(connection, n)

    def _put(
        self,
        base: int,
        thresholds: Thresholds,
        who: str,
        why: str,
        check: Check | None,
        *,
        of_file: bool = False,
        n: int | None = None,
    ) -> Version:
        whole, number = plain(thresholds), base + 1 if n is None else n
        if check is not None:
            check(whole)
        with self._database.writing() as connection:
            latest = connection.scalar(select(func.max(versions.c.n))) or 0
            if latest != base:
                raise StaleEdit.since(base, _after(connection, base))
            old = BEGINNING if base == 0 else _get(connection, base)
            changes = difference(old.thresholds, whole)
            if not changes and not of_file and n is None:
                return old
            moment = now()
            row = {
                "n": number,
                "moment": moment,
                "who": who,
                "why": why,
                "base": base,
                "of_file": of_file,
                "content": content_of(whole),
                "thresholds": whole,
                "changes": changes,
            }
            connection.execute(versions.insert(), row)
            record(connection, who, "settings", {"n": number, "why": why, "changes": changes})
            return Version(number, time_of(moment), who, why, base, whole, tuple(changes))


def difference(old: Thresholds, new: Thresholds) -> list[dict[str, Any]]:
    """What differs between two settings, threshold by threshold.

    >>> difference({"winners": {"top": 20}}, {"winners": {"top": 5, "min_price": 2}})
    [{'scanner': 'winners', 'threshold': 'min_price', 'after': 2},
     {'scanner': 'winners', 'threshold': 'top', 'before': 20, 'after': 5}]
    """
    changes = []
    for scanner in sorted({*old, *new}):
        before, after = old.get(scanner, {}), new.get(scanner, {})
        for name in sorted({*before, *after}):
            values = {word: held[name] for word, held in (("before", before), ("after", after)) if name in held}
            if len(values) == 1 or values["before"] != values["after"]:
                changes.append({"scanner": scanner, "threshold": name, **values})
    return changes


def told(change: Change) -> str:
    """A change in words.

    >>> told({"scanner": "winners", "threshold": "top", "before": 20, "after": 5})
    'winners.top from 20 to 5'
    >>> told({"scanner": "winners", "threshold": "max_price", "after": None})
    'winners.max_price from its default to none'
    """
    before, after = (_value(change, word) for word in ("before", "after"))
    return f"{change['scanner']}.{change['threshold']} from {before} to {after}"


def plain(thresholds: Thresholds) -> dict[str, dict[str, Any]]:
    """The thresholds as they come out of a store: JSON values, and no scanner without any."""
    whole: dict[str, dict[str, Any]] = json.loads(json.dumps({name: dict(of) for name, of in thresholds.items() if of}))
    return whole


def content_of(whole: Thresholds) -> str:
    """The hash of thresholds: equal ones have the same."""
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _value(change: Change, word: str) -> str:
    if word not in change:
        return "its default"
    return "none" if change[word] is None else str(change[word])


def _changes(version: Version) -> str:
    words = [told(change) for change in version.changes]
    more = f" and {len(words) - MOST_TOLD} more" if len(words) > MOST_TOLD else ""
    return (", ".join(words[:MOST_TOLD]) or "nothing") + more


def _after(connection: Connection, base: int) -> list[Version]:
    asked = select(versions).where(versions.c.n > base).order_by(versions.c.n)
    return [_version(row) for row in connection.execute(asked).mappings()]


def _get(connection: Connection, n: int) -> Version:
    return _version(connection.execute(select(versions).where(versions.c.n == n)).mappings().one())


def _version(row: RowMapping) -> Version:
    names = ("n", "who", "why", "base", "thresholds")
    return Version(time=time_of(row["moment"]), changes=tuple(row["changes"]), **{name: row[name] for name in names})
