"""The one plain line about luck, at the top of the lab."""

from scanner_kit.tuning.lab import Lab


def luck_line(lab: Lab) -> str | None:
    """How many settings were looked at, and how good luck alone would make the best of them look; None: not known."""
    return None
