"""Keyed states and what changed between them: how a screen is kept up to date without being sent everything.

A state is section → key → plain value. A message carries the whole state, or what was set and dropped since the one
before; the screen that sees a gap in the sequence asks for the whole.

>>> old = {"figures": {"AAPL": [1.0], "NVDA": [2.0]}}
>>> new = {"figures": {"AAPL": [1.5]}}
>>> difference(old, new)
{'figures': {'set': {'AAPL': [1.5]}, 'drop': ['NVDA']}}
>>> apply(old, difference(old, new)) == new
True
"""

import json
import math
from collections.abc import Mapping
from typing import Any

State = Mapping[str, Mapping[str, Any]]
Difference = dict[str, dict[str, Any]]


def difference(old: State, new: State) -> Difference:
    """What has to be set and dropped, section by section, to make `new` of `old`; what stays is left out."""
    changes = {section: _section(old.get(section, {}), values) for section, values in new.items()}
    changes |= {section: {"set": {}, "drop": list(values)} for section, values in old.items() if section not in new}
    return {section: change for section, change in changes.items() if change["set"] or change["drop"]}


def apply(state: State, changes: Difference) -> dict[str, dict[str, Any]]:
    """The state that the changes lead to. An emptied section is a section without keys."""
    result = {section: dict(values) for section, values in state.items()}
    for section, change in changes.items():
        values = result.setdefault(section, {})
        for key in change["drop"]:
            values.pop(key, None)
        values.update(change["set"])
    return result


def number(value: Any, decimals: int = 4) -> float | int | None:
    """A number as JSON may carry it: rounded, None where unknown."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), decimals) if decimals else int(value)


class Channel:
    """A state that many readers follow, each at its own pace: whole at first and after a gap, else what changed.

    >>> channel = Channel()
    >>> channel.put({"figures": {"AAPL": [1.0]}}, sent=0.0)
    True
    >>> channel.message(since=0, sent=0.0)
    (1, '{"seq":1,"since":0,"sent":0.0,"sections":{"figures":{"set":{"AAPL":[1.0]},"drop":[]}}}')
    >>> channel.message(since=1, sent=0.0)
    (1, '')
    """

    def __init__(self) -> None:
        # One tuple, so that a reader in another thread never sees half of a change.
        self._now: tuple[int, State, str] = (0, {}, "")

    @property
    def state(self) -> State:
        """The latest state."""
        return self._now[1]

    def put(self, state: State, sent: float) -> bool:
        """Take a new state and say whether anything changed. A state once put is not written to again."""
        seq, old, _ = self._now
        changes = difference(old, state)
        if changes:
            self._now = (seq + 1, state, _encode(seq + 1, seq, sent, changes))
        return bool(changes)

    def message(self, since: int, sent: float) -> tuple[int, str]:
        """The latest sequence number, and what a reader of `since` needs: nothing, the last change, or the whole."""
        seq, state, latest = self._now
        if since == seq:
            return seq, ""
        return seq, latest if since == seq - 1 else _encode(seq, None, sent, difference({}, state))


def _section(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changed = {key: value for key, value in new.items() if key not in old or not _same(old[key], value)}
    return {"set": changed, "drop": [key for key in old if key not in new]}


def _same(a: Any, b: Any) -> bool:
    return a is b or bool(a == b)


def _encode(seq: int, since: int | None, sent: float, changes: Difference) -> str:
    return json.dumps(
        {"seq": seq, "since": since, "sent": sent, "sections": changes}, separators=(",", ":"), allow_nan=False
    )
