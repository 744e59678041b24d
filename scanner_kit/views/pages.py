"""The pages that this process serves, for the links between them that stand in every header."""

from collections.abc import Iterable

import panel as pn

PAGES = "scanner_kit.pages"
TITLES = {"live": "Live", "explorer": "Explorer", "health": "Health"}


def offer(names: Iterable[str]) -> None:
    """Have the headers of this process's pages link to these."""
    pn.state.cache[PAGES] = tuple(names)


def links(current: str) -> list[list[str]]:
    """Name, title and whether it is the present one, of each page; nothing where there is only one, or no server.

    >>> offer(["live", "health"])
    >>> links("live")
    [['live', 'Live', 'here'], ['health', 'Health', '']]
    >>> offer(["live"])
    >>> links("live")
    []
    """
    names: tuple[str, ...] = pn.state.cache.get(PAGES, ())
    return [[name, TITLES[name], "here" if name == current else ""] for name in names] if len(names) > 1 else []
