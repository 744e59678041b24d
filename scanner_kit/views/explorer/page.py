"""The explorer as a page where it is served, and as a block in a notebook cell."""

import json
from collections.abc import Iterable
from typing import Any

import panel as pn

from scanner_kit.views import session
from scanner_kit.views.explorer.explorer import Explorer
from scanner_kit.views.explorer.records import Records
from scanner_kit.views.explorer.review import Review
from scanner_kit.views.explorer.screens import Head
from scanner_kit.views.page import page_under
from scanner_kit.views.pages import links

TITLE = "scanner_kit · explorer"


def explorer(
    records: Records,
    review: Review | None = None,
    *,
    scanners: Iterable[str] = (),
    metrics: Iterable[str] = (),
    label: str = "",
    dark: bool = True,
    height: int = 860,
) -> Any:
    """Stored triggers and the board at any minute: a page where it is served, else a block of `height` pixels.

    The filters are in the page's address; `label` is how the data is to be called: "simulated", or nothing.
    """
    served = session.served()
    args = pn.state.session_args if served else {}
    query = {name: values[0].decode("utf-8", "replace") for name, values in args.items() if values}
    made = Explorer(records, review, scanners=scanners, metrics=metrics, query=query)
    if not served:
        return _measured(made.desk, sizing_mode="stretch_width", height=height)
    told = json.dumps({"pages": links("explorer"), "label": label, "text": "What was said, and what came of it"})
    head = Head(sizing_mode="stretch_width", height=48, margin=0, shown=told)
    return page_under(head, TITLE, dark=dark, main=[_measured(made.desk, sizing_mode="stretch_both")])


def _measured(desk: Any, **size: Any) -> Any:
    """The screens go by the width that they are given: a cell's is not the window's."""
    return pn.Column(desk, margin=0, stylesheets=[":host { container-type: inline-size; }"], **size)
