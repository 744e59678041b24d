"""Controls of a scanner's thresholds, made from its Params: for a page's drawer, and for a notebook cell.

On a page nothing is bound to the scanner: a control asks for a change, and shows the sentence when it is refused. In a
notebook `controls(scanner)` is linked to the scanner's Params both ways.
"""

import html
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from scanner_kit.errors import InvalidInput
from scanner_kit.views.lists import title

Change = Callable[[dict[str, Any]], None]
PAIRS = (param.NumericTuple, param.Range)
WORDS = (param.List, param.Tuple)


@dataclass(frozen=True)
class Field:
    """A threshold as a control needs it.

    `kind` is number, integer, switch, choice, pair, words or text; a `gate` is one that every scanner has.
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


def fields(scanner: param.Parameterized) -> list[Field]:
    """The thresholds of a scanner: those of its own rule first, then the gates that every scanner has."""
    gates = set(_base(type(scanner)).param)
    shown = [
        name
        for name, p in type(scanner).param.objects("existing").items()
        if name != "name" and (p.precedence or 0) >= 0 and not p.constant
    ]
    return sorted((_field(scanner, name, name in gates) for name in shown), key=lambda field: field.gate)


def form(scanner: param.Parameterized, change: Change) -> Any:
    """The thresholds as Panel controls.

    `change` takes what was entered; when it raises `ValueError`, the sentence is shown beside the control.
    """
    entries = [_entry(field, change) for field in fields(scanner)]
    own = [entry for field, entry in entries if not field.gate]
    gates = [entry for field, entry in entries if field.gate]
    parts = [_heading("Rule"), _pairs(own)] if own else []
    return pn.Column(
        *parts, _heading("Gates, which every scanner has"), _pairs(gates), sizing_mode="stretch_width", margin=0
    )


def controls(scanner: param.Parameterized) -> Any:
    """The thresholds as ipywidgets, linked both ways: a move sets the Param, a Param set in code moves the control."""
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


def _entry(field: Field, change: Change) -> tuple[Field, Any]:
    widget = _widget(field)
    in_force = field.value

    def ask(event: Any) -> None:
        nonlocal in_force
        if event.new == _shown(field, in_force):
            return
        try:
            value = _meant(field, event.new)
            change({field.name: value})
        except ValueError as refusal:
            _say(widget, field, str(refusal))
        else:
            in_force = value
            _say(widget, field, "")

    widget.param.watch(ask, "value")
    return field, widget


def _widget(field: Field) -> Any:
    common = {"label": field.label, "description": field.doc or None, "sizing_mode": "stretch_width", "margin": (7, 8)}
    value = _shown(field, field.value)
    if field.kind == "switch":
        return pmui.Switch(value=bool(value), **common)
    common |= {"size": "small", "helper_text": field.limits}
    if field.kind == "choice":
        return pmui.Select(value=value, options=list(field.options), **common)
    return pmui.TextInput(value=value, placeholder="any", **common)


def _say(widget: Any, field: Field, sentence: str) -> None:
    if "helper_text" in widget.param:
        widget.param.update(error_state=bool(sentence), helper_text=sentence or field.limits)


def _shown(field: Field, value: Any) -> Any:
    return value if field.kind in ("switch", "choice") else to_text(value)


def _meant(field: Field, value: Any) -> Any:
    return value if field.kind in ("switch", "choice") else from_text(field.kind, value)


def _pairs(entries: list[Any]) -> Any:
    halves = [pn.Column(*entries[side::2], sizing_mode="stretch_width", margin=0) for side in (0, 1)]
    return pn.Row(*halves, sizing_mode="stretch_width", margin=(0, 6))


def _heading(text: str) -> Any:
    style = {"font-weight": "600", "font-size": "13px", "opacity": ".72"}
    return pn.pane.HTML(html.escape(text), styles=style, margin=(14, 14, 4, 14), sizing_mode="stretch_width")


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
