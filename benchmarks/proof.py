"""What proofs have in common: options, findings kept in a file as they are found, claims, and their table."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np

RESULTS = Path(__file__).parent / "results"
Claim = Mapping[str, Any]
"""Whether it `holds`, and what was `found`."""
T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """What the command line asks for: the proof's own options, the folder of its results, and what else it takes."""

    options: T
    out: Path
    afresh: bool
    more: Mapping[str, str]


def asked(kind: type[T], doc: str | None, arguments: Sequence[str] | None = None, **more: str) -> Asked[T]:
    """Read the command line: an option for each field of `kind`, and a text for each of `more` (name and help)."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    for one in fields(kind):  # type: ignore[arg-type]
        parser.add_argument(f"--{one.name}", type=type(one.default), default=one.default)
    for name, words in more.items():
        parser.add_argument(f"--{name}", default="", help=words)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the page and its data")
    parser.add_argument("--afresh", action="store_true", help="forget what an earlier run found")
    given = vars(parser.parse_args(arguments))
    out, afresh, texts = given.pop("out"), given.pop("afresh"), {name: given.pop(name) for name in more}
    return Asked(kind(**given), out, afresh, texts)


@dataclass
class Found:
    """What was found so far, in a file; a proof names in further fields what is kept."""

    path: Path
    options: Any

    @classmethod
    def at(cls, path: Path, options: Any, afresh: bool = False) -> Self:
        """What an earlier run with the same options left; nothing otherwise."""
        kept = json.loads(path.read_text()) if path.exists() and not afresh else {}
        if kept.get("options") != asdict(options):
            return cls(path, options)
        return cls(path, options, **{name: kept[name] for name in cls._kept()})

    def keep(self) -> None:
        """Write it; a run that is cut short leaves a whole file."""
        text = json.dumps({"options": asdict(self.options), **self.told()}, indent=1, ensure_ascii=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".part")
        draft.write_text(text + "\n")
        draft.replace(self.path)

    def told(self) -> dict[str, Any]:
        """What is written beside the options."""
        return {name: getattr(self, name) for name in self._kept()}

    @classmethod
    def _kept(cls) -> list[str]:
        return [one.name for one in fields(cls) if one.name not in ("path", "options")]


@dataclass
class Looked(Found):
    """What was found by looking on: claims, samples of what could grow, and what a browser said."""

    claims: dict[str, Claim] = field(default_factory=dict)
    samples: list[dict[str, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def claim(self, words: str, holds: bool, found: str) -> None:
        """Keep what became of a claim."""
        self.claims[words] = {"holds": holds, "found": found}
        self.keep()
        print(f"{'holds' if holds else 'FAILS':5}  {words}: {found}", flush=True)


def growth(samples: list[dict[str, float]], name: str) -> tuple[float, float, float]:
    """Start and end of a straight line through what was seen after the first quarter, and the scatter around it."""
    seconds, values = (np.array([sample[key] for sample in samples]) for key in ("seconds", name))
    late = seconds >= seconds[0] + (seconds[-1] - seconds[0]) / 4
    line = np.polyfit(seconds[late], values[late], 1)
    scatter = float(np.std(values[late] - np.polyval(line, seconds[late])))
    ends = np.polyval(line, seconds[late][[0, -1]])
    return float(ends[0]), float(ends[1]), scatter


def all_hold(claims: Mapping[str, Claim]) -> bool:
    """Whether every claim holds."""
    return all(claim["holds"] for claim in claims.values())


def claimed(claims: Mapping[str, Claim]) -> Iterator[str]:
    """The claims as the lines of a table."""
    yield "| claim | holds | found |"
    yield "| --- | --- | --- |"
    for words, claim in claims.items():
        yield f"| {words} | {'yes' if claim['holds'] else '**no**'} | {claim['found'].replace('|', '/')} |"


def closed(page: Path, text: str, holds: bool) -> int:
    """Write the page, and say whether all claims hold: the exit code."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    print(f"{'All claims hold' if holds else 'Not every claim holds'}: {page}")
    return 0 if holds else 1
