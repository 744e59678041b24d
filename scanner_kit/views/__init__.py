"""Screens: the live page and its parts, the tuning lab, and controls of a scanner."""

from scanner_kit.views.feed import Board, Feed
from scanner_kit.views.page import Live, live
from scanner_kit.views.serve import serve, share, shared_board
from scanner_kit.views.sweep import heat_maps
from scanner_kit.views.thresholds import controls
from scanner_kit.views.tuning import lab

__all__ = ["Board", "Feed", "Live", "controls", "heat_maps", "lab", "live", "serve", "share", "shared_board"]
