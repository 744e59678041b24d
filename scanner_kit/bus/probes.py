"""Probes: when a test entry of the tape passed each station, said on the bus by whoever saw it."""

from typing import Any

from scanner_kit.bus.connection import Bus

STAMPED_SECONDS = 600
"""How long a probe's passage is kept after the last station said something."""


def stamp(bus: Bus, probe: str, station: str, at: float) -> None:
    """Say that a probe passed a station at an instant (s, UTC); who says it again changes nothing."""
    key = bus.keys.probe(probe)
    bus.redis.hsetnx(key, station, f"{at:.6f}")
    bus.redis.expire(key, STAMPED_SECONDS)


def passage(bus: Bus, probe: str) -> dict[str, float]:
    """When a probe passed each station (s, UTC), as far as it came."""
    found: Any = bus.redis.hgetall(bus.keys.probe(probe))
    return {station.decode(): float(at) for station, at in found.items()}
