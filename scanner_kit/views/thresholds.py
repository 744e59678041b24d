"""A scanner's thresholds as controls need them, made from its Params; and its controls in a notebook's cell.

A page's drawer shows `fields` and asks the board for a change. In a notebook `controls(scanner)` is linked to the
scanner's Params both ways.
"""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import param

from scanner_kit.errors import InvalidInput
from scanner_kit.views.lists import title

PAIRS = (param.NumericTuple, param.Range)
WORDS = (param.List, param.Tuple)
OF_TRIGGERS = ("cooldown", "rearm_pct", "risk", "stop_atr")
"""Gates that mean nothing to a list."""


class Composed(Protocol):
    """A scanner made of others: it has no thresholds of its own."""

    @property
    def triggers(self) -> bool:
        """Whether it speaks up."""

    def scanners(self) -> Mapping[str, param.Parameterized]:
        """The scanners in it, by name."""


@dataclass(frozen=True)
class Field:
    """A threshold as a control needs it.

    `kind` is number, integer, switch, choice, pair, words or text; a `gate` is one that every scanner has; `part` is
    the scanner that it is of in a composite.
    """

    name: str
    kind: str
    value: Any
    default: Any
    doc: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    options: tuple[Any, ...] = ()
    gate: bool = False
    part: str = ""

    @property
    def key(self) -> str:
        """What the engine calls it: of a part of a composite with the part's name."""
        return f"{self.part}.{self.name}" if self.part else self.name

    @property
    def group(self) -> str:
        """The heading under which it stands."""
        kind = "Gates, which every scanner has" if self.gate else "Rule"
        return f"{title(self.part)}: {kind.lower()}" if self.part else kind

    @property
    def label(self) -> str:
        """The name for people, with its unit.

        >>> Field("min_gap", "number", 4.0, 4.0, unit="%").label
        'Min gap, %'
        """
        return title(self.name) + (f", {self.unit}" if self.unit else "")

    @property
    def limits(self) -> str:
        """What may be given, in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"{self.low:g} or more"
        return f"{self.high:g} or less" if self.high is not None else ""


def fields(scanner: param.Parameterized | Composed) -> list[Field]:
    """The thresholds that mean something to a scanner: those of its own rule first, then the gates that all have.

    Those of a composite are its scanners', one after the other.
    """
    speaks = getattr(scanner, "triggers", True)
    if isinstance(scanner, param.Parameterized):
        return _fields(scanner, speaks)
    parts = scanner.scanners().items()
    return [replace(field, part=name) for name, part in parts for field in _fields(part, speaks)]


def controls(scanner: param.Parameterized) -> Any:
    """The thresholds as ipywidgets, linked both ways: a move sets the Param, a Param set in code moves the control."""
    if not isinstance(scanner, param.Parameterized):
        raise InvalidInput(f"Controls are those of one scanner; found {scanner!r}. Give, say, HodBreak().")
    import ipywidgets  # type: ignore[import-untyped]

    rows = [_linked(ipywidgets, scanner, field) for field in fields(scanner)]
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{html.escape(str(scanner.name))}</b>"), *rows])


def to_text(value: Any) -> str:
    """A pair or words as one writes them.

    >>> to_text((100000.0, 1000000.0)), to_text(["AAPL", "NVDA"]), to_text(None)
    ('100000, 1000000', 'AAPL, NVDA', '')
    """
    if value is None:
        return ""
    members = [value] if isinstance(value, str | int | float) else value
    return ", ".join(_told(member) for member in members)


def from_text(kind: str, text: str) -> Any:
    """What a text means: a number, a pair of them, or words; nothing is None.

    >>> from_text("number", "4.5"), from_text("integer", "15"), from_text("pair", "100000, 1000000")
    (4.5, 15, (100000.0, 1000000.0))
    >>> from_text("words", "AAPL, NVDA"), from_text("words", " ")
    (['AAPL', 'NVDA'], None)
    """
    members = [member.strip() for member in text.split(",") if member.strip()]
    if not members or kind == "text":
        return text.strip() or None
    if kind == "words":
        return members
    if kind in ("number", "integer"):
        return _to_number(text.strip(), whole=kind == "integer")
    numbers = tuple(_to_number(member) for member in members)
    return numbers if len(numbers) > 1 else numbers[0]


def _fields(scanner: param.Parameterized, speaks: bool) -> list[Field]:
    gates = set(_base(type(scanner)).param)
    shown = [
        name
        for name, p in type(scanner).param.objects("existing").items()
        if name != "name" and (p.precedence or 0) >= 0 and not p.constant and (speaks or name not in OF_TRIGGERS)
    ]
    return sorted((_field(scanner, name, name in gates) for name in shown), key=lambda field: field.gate)


def _base(scanner: type) -> type[param.Parameterized]:
    """The class that every scanner is made from: the one right above Param's own."""
    ours = [c for c in scanner.__mro__ if issubclass(c, param.Parameterized) and not c.__module__.startswith("param.")]
    return ours[-1]


def _field(scanner: param.Parameterized, name: str, gate: bool) -> Field:
    p = type(scanner).param[name]
    low, high = (getattr(p, "bounds", None) if isinstance(p, param.Number) else None) or (None, None)
    options = tuple(p.objects) if isinstance(p, param.Selector) else ()
    unit = str((getattr(p, "metadata", None) or {}).get("unit", ""))
    return Field(
        name, _kind(p), getattr(scanner, name), p.default, (p.doc or "").strip(), unit, low, high, options, gate
    )


def _kind(p: Any) -> str:
    kinds: list[tuple[Any, str]] = [
        (param.Boolean, "switch"),
        (param.ListSelector, "words"),
        (param.Selector, "choice"),
        (param.Integer, "integer"),
        (PAIRS, "pair"),
        (WORDS, "words"),
        (param.Number, "number"),
    ]
    for kind, name in kinds:
        if isinstance(p, kind):
            return name
    return _kind_of_value(p.default)


def _kind_of_value(value: Any) -> str:
    if isinstance(value, bool):
        return "switch"
    if _is_number(value) or (isinstance(value, tuple) and value and all(map(_is_number, value))):
        return "number" if _is_number(value) else "pair"
    return "words" if isinstance(value, tuple | list | frozenset | set) else "text"


def _shown(field: Field, value: Any) -> Any:
    return value if field.kind in ("switch", "choice") else to_text(value)


def _meant(field: Field, value: Any) -> Any:
    return value if field.kind in ("switch", "choice") else from_text(field.kind, value)


def _told(member: Any) -> str:
    if not _is_number(member):
        return str(member)
    return f"{member:.0f}" if abs(member) >= 1e5 else f"{member:g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_number(text: str, *, whole: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (whole and value != int(value)):
        raise InvalidInput(
            f"A threshold is a {'whole ' if whole else ''}number; found {text!r}. Write digits, a point for decimals."
        )
    return int(value) if whole else value


def _linked(ipywidgets: Any, scanner: param.Parameterized, field: Field) -> Any:
    widget, said = _ipywidget(ipywidgets, field), ipywidgets.HTML()

    def move(change: Any) -> None:
        try:
            setattr(
                scanner, field.name, _meant(field, change["new"]) if isinstance(change["new"], str) else change["new"]
            )
        except (ValueError, TypeError) as refusal:
            said.value = f'<span style="color:#c62828">{html.escape(str(refusal))}</span>'
        else:
            said.value = ""

    def follow(event: Any) -> None:
        widget.value = event.new if _is_number(widget.value) else _shown(field, event.new)

    widget.observe(move, "value")
    scanner.param.watch(follow, field.name)
    return ipywidgets.HBox([widget, said])


def _ipywidget(ipywidgets: Any, field: Field) -> Any:
    value = (
        field.value if field.kind in ("integer", "number") and _is_number(field.value) else _shown(field, field.value)
    )
    common = {
        "description": field.label,
        "tooltip": field.doc,
        "style": {"description_width": "180px"},
        "layout": {"width": "460px"},
    }
    if field.kind == "switch":
        return ipywidgets.Checkbox(value=bool(value), **common)
    if field.kind == "choice":
        return ipywidgets.Dropdown(value=value, options=list(field.options), **common)
    if field.kind in ("integer", "number") and _is_number(value):
        return _ipynumber(ipywidgets, field, value, common)
    return ipywidgets.Text(value=value, continuous_update=False, **common)


def _ipynumber(ipywidgets: Any, field: Field, value: float, common: dict[str, Any]) -> Any:
    if field.low is None or field.high is None:
        kind = ipywidgets.IntText if field.kind == "integer" else ipywidgets.FloatText
        return kind(value=value, **common)
    kind = ipywidgets.IntSlider if field.kind == "integer" else ipywidgets.FloatSlider
    step = {} if field.kind == "integer" else {"step": 0.1}
    return kind(value=value, min=field.low, max=field.high, **step, **common)
