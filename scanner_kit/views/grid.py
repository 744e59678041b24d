"""The lists: the hot list as cards, and the categories side by side or one at a time as a table."""

import param

from scanner_kit.views.component import Screen, asset


class Hot(Screen):
    """The hot list, one card a symbol, followed from `feed.hot`."""

    places = param.Integer(5, bounds=(1, 10), doc="Cards that are always there, filled or not.")
    chosen = param.String("", doc="The symbol that is open.")

    _esm = asset("common.js", "hot.js")
    _stylesheets = [asset("base.css", "hot.css")]  # noqa: RUF012  Panel reads a list


class Lists(Screen):
    """The categories, followed from `feed.lists`: keyed rows, sorted by any column, pinned ones on top."""

    chosen = param.String("", doc="The symbol that is open.")
    address = param.String(doc="Address of a symbol's page elsewhere, with {symbol} in it.")

    _esm = asset("common.js", "grid.js")
    _stylesheets = [asset("base.css", "grid.css")]  # noqa: RUF012  Panel reads a list
