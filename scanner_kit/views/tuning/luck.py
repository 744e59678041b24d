"""The one plain line about luck, at the top of the lab, and what stands beside it."""

import math

from scanner_kit.tuning.luck import Luck, Register
from scanner_kit.tuning.reality import Overfitting

Told = tuple[Luck, Overfitting]


def told_of(register: Register, seed: int) -> Told:
    """Whether what is left of all that was looked at is more than luck; it may take a while."""
    return register.luck(seed=seed), register.overfitting()


def luck_line(told: Told | None) -> str:
    """How many settings were looked at, and how good luck alone would make the best of them look.

    Beside it, for information, PBO: how often the best on half of the days is below the middle on the other half.
    """
    if told is None:
        return ""
    luck, overfitting = told
    beside = "" if math.isnan(overfitting.pbo) else f" (PBO {overfitting.pbo:.0%})"
    return f"{luck.line}{beside}"


def luck_hint(told: Told | None, horizon: str | None = None) -> str:
    """The verdict, and what the figures are; `horizon` is the only one that was looked at so far."""
    if told is None:
        return ""
    luck, overfitting = told
    parts = [f"White's reality check over days: {luck.verdict}."]
    if horizon is not None:
        parts.append(f"It is about the horizon {horizon}; once you choose another, all five count, of every setting.")
    if not math.isnan(overfitting.pbo):
        parts.append(
            f"PBO, for information: in {overfitting.pbo:.0%} of all ways to halve the days, the best setting on one "
            f"half is below the middle on the other."
        )
    return " ".join(parts)
