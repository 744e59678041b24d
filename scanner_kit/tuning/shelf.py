"""Shelves: where the arrays of a measured day are kept, in memory or on disk.

On disk an array is a `.npy` file that is mapped, not read: a history of weeks takes no more memory than what is looked
at. A file gets its name when it is whole, so that a reader never sees half of one, whoever else is writing.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from scanner_kit.errors import InvalidInput

Array = np.ndarray[Any, Any]


class Shelf(Protocol):
    """Arrays and a little text by name."""

    def get(self, name: str) -> Array | None:
        """An array, read-only; None where there is none."""

    def put(self, name: str, array: Array) -> Array:
        """Keep an array; what is kept, read-only."""

    def read(self, name: str) -> Any:
        """What was written under that name; None where there is nothing."""

    def write(self, name: str, told: Any) -> None:
        """Keep what JSON can hold."""


class MemoryShelf:
    """Kept as long as somebody holds it."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._told: dict[str, Any] = {}

    def get(self, name: str) -> Array | None:
        """An array, read-only; None where there is none."""
        return self._arrays.get(name)

    def put(self, name: str, array: Array) -> Array:
        """Keep an array; what is kept, read-only."""
        array.flags.writeable = False
        return self._arrays.setdefault(name, array)

    def read(self, name: str) -> Any:
        """What was written under that name; None where there is nothing."""
        return self._told.get(name)

    def write(self, name: str, told: Any) -> None:
        """Keep what JSON can hold."""
        self._told[name] = told


class DiskShelf:
    """A folder. `InvalidInput` where it cannot be written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def get(self, name: str) -> Array | None:
        """A mapped array, read-only; None where there is none, or where a file is broken or cannot be read."""
        try:
            array: Array = np.asarray(np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None
        return array

    def put(self, name: str, array: Array) -> Array:
        """Keep an array; what is kept, mapped."""
        self._place(f"{name}.npy", lambda path: np.save(path, array, allow_pickle=False))
        kept = self.get(name)
        return array if kept is None else kept

    def read(self, name: str) -> Any:
        """What was written under that name; None where there is nothing."""
        try:
            return json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, told: Any) -> None:
        """Keep what JSON can hold."""
        self._place(f"{name}.json", lambda path: path.write_text(json.dumps(told), encoding="utf-8"))

    def _place(self, name: str, write: Any) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.path, prefix=".part-") as room:
                part = Path(room) / name
                write(part)
                part.replace(self.path / name)
        except OSError as fault:
            reason = fault.strerror or str(fault)
            raise InvalidInput(
                f"What is measured is kept in a folder; {str(self.path)!r} cannot be written: {reason}. "
                f"Name another with cache=…, or cache=False to keep it in memory."
            ) from fault


class Cache:
    """The shelves of one folder: `source(key)` tells which days a source has, `day(key)` holds the arrays of one.

    Without a folder everything is kept in memory.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._kept: dict[str, MemoryShelf] = {}

    def sources(self) -> Shelf:
        """What is known of sources, by their keys."""
        return self._shelf("sources")

    def day(self, key: str) -> Shelf:
        """The shelf of the day of that key; it counts as used now."""
        shelf = self._shelf(f"days/{key}")
        if isinstance(shelf, DiskShelf) and shelf.path.exists():
            os.utime(shelf.path)
        return shelf

    def prune(self, most_bytes: float) -> None:
        """Give up the days that were used longest ago until no more than so many bytes are kept."""
        if self.folder is None or not (self.folder / "days").exists():
            return
        days = sorted((self.folder / "days").iterdir(), key=lambda day: day.stat().st_mtime, reverse=True)
        kept = 0.0
        for day in days:
            kept += sum(file.stat().st_size for file in day.glob("*.npy"))
            if kept > most_bytes:
                shutil.rmtree(day, ignore_errors=True)

    def _shelf(self, name: str) -> Shelf:
        return self._kept.setdefault(name, MemoryShelf()) if self.folder is None else DiskShelf(self.folder / name)
