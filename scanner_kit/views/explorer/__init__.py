"""The explorer: stored triggers with what came of them, and the board as it stood at any minute."""

from scanner_kit.views.explorer.asked import Asked
from scanner_kit.views.explorer.explorer import Explorer
from scanner_kit.views.explorer.page import explorer
from scanner_kit.views.explorer.records import Page, Records, Remembered, Standing
from scanner_kit.views.explorer.review import Came, Look, Review

__all__ = [
    "Asked",
    "Came",
    "Explorer",
    "Look",
    "Page",
    "Records",
    "Remembered",
    "Review",
    "Standing",
    "explorer",
]
