"""Which sections a page has: what was measured, in its order; and what was not part of the audit, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARTS = {
    "measured": ("What was measured", "No attack of this kind was measured."),
    "curves": ("Curves", "No finding has a curve."),
    "groups": ("Classes and groups", "No finding was divided into groups."),
    "exposed": ("Who is most exposed", "Not told: this needs shadow models, and none were trained."),
    "hidden": (
        "Hidden attributes",
        'Not asked: no hidden attribute was named. Name one with --hidden COLUMN, or hidden=["COLUMN"] in Python.',
    ),
    "looks": ("What they look like", "Not asked: no inversion attack was played."),
    "recited": ("What text comes out", "Not asked: no secrets were named, or this is no language model."),
}
ABSENT = ("absent", "Not part of this audit")
ALWAYS = (
    ("coverage", "Coverage"),
    ("instrument", "Instrument check"),
    ("limits", "Limits"),
    ("reproduce", "Reproducibility"),
    ("glossary", "Glossary"),
)


@dataclass(frozen=True)
class Sections:
    """The sections of a page.

    Attributes:
      titles: Short title by the section's id, in their order, the verdict first.
      absent: Title of each section that has nothing to show, and why.
    """

    titles: Mapping[str, str]
    absent: tuple[tuple[str, str], ...]

    def number(self, name: str) -> int:
        """Place of a section, from 1."""
        return list(self.titles).index(name) + 1


def sections(shown: Mapping[str, Any], reasons: Mapping[str, str]) -> Sections:
    """The sections of a page.

    Args:
      shown: What each part has to show, by its id: nothing that is true if it has none.
      reasons: Why a part shows nothing, where that is known better than usual.
    """
    there = [(name, title) for name, (title, _) in PARTS.items() if shown[name]]
    absent = [(title, reasons.get(name, usual)) for name, (title, usual) in PARTS.items() if not shown[name]]
    middle = [*there, ABSENT] if absent else there
    return Sections(dict([("verdict", "Verdict"), *middle, *ALWAYS]), tuple(absent))
