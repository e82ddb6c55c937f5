"""Which texts of the training data to de-duplicate, scrub or drop: the most exposed first, themselves masked."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Ledger
from keepmum.data import Split
from keepmum.texts import are_documents, masked, secrets_of

FOUND, LIKELY = 0.99, 0.9
"""Shares of the non-members below a member's score from which it is called certain, or likely, to be known."""


@dataclass(frozen=True)
class Line:
    """One text and what to do about it.

    Attributes:
      row: Its row among the members, from 0.
      text: The text, masked.
      kind: What it is.
      repeats: How often it stood in the training data, as far as is known.
      extracted_by: Attacks that drew it out.
      standing: Share of texts the model never saw that every attack, on average, ranks below it; 0 … 1.
      advice: What to do.
    """

    row: int
    text: str
    kind: str
    repeats: int
    extracted_by: tuple[str, ...]
    standing: float
    advice: str


@dataclass(frozen=True)
class Worklist:
    """The members of one game, the most exposed first."""

    name: str
    lines: tuple[Line, ...]

    def csv(self) -> str:
        """As a table with a head."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("row", "text", "kind", "repeats", "extracted_by", "standing", "advice"))
        for line in self.lines:
            by = " ".join(line.extracted_by)
            writer.writerow((line.row, line.text, line.kind, line.repeats, by, f"{line.standing:.4f}", line.advice))
        return out.getvalue()


def worklist(name: str, split: Split, ledger: Mapping[str, Ledger], key: bytes) -> Worklist:
    """Everyone trained on, by how far the model knows them.

    Args:
      name: What the game is about.
      split: Who was trained on.
      ledger: Scores of the attacks that were measured.
      key: Key of the masks: without it nobody can test a guess of a text against its mark.
    """
    members = split.members
    assert members.ids is not None
    place = {int(record): row for row, record in enumerate(members.ids.tolist())}
    standing = np.zeros(len(members))
    by: list[list[str]] = [[] for _ in range(len(members))]
    for attack, entry in ledger.items():
        theirs = entry.scores[~entry.is_member]
        below = _share_below(entry.scores, theirs)
        for record, inside, share, out in zip(
            entry.ids.tolist(), entry.is_member.tolist(), below, _flags(entry), strict=True
        ):
            if inside:
                standing[place[record]] += share / len(ledger)
                by[place[record]] += [attack] if out else []
    texts, kinds, repeats = _described(split)
    lines = [
        Line(row, masked(texts[row], key), kinds[row], repeats[row], tuple(by[row]), float(standing[row]), "")
        for row in range(len(members))
    ]
    lines.sort(key=lambda line: (-len(line.extracted_by), -line.standing, line.row))
    return Worklist(name, tuple(_advised(line) for line in lines))


def revealed(split: Split, ledger: Mapping[str, Ledger]) -> list[dict[str, str]]:
    """The secrets of a game that came out, in full, with the attacks that drew each out."""
    if are_documents(split.members):
        return []
    assert split.members.ids is not None
    known = dict(zip(split.members.ids.tolist(), secrets_of(split.members), strict=True))
    by: dict[int, list[str]] = {}
    for attack, entry in ledger.items():
        for record, out in zip(entry.ids.tolist(), _flags(entry), strict=True):
            if out and record in known:
                by.setdefault(record, []).append(attack)
    return [
        {"extracted_by": " ".join(by[record]), "kind": s.kind, "prefix": s.prefix, "secret": s.secret}
        for record, s in known.items()
        if record in by
    ]


def _share_below(scores: NDArray[np.float64], others: NDArray[np.float64]) -> list[float]:
    """Share of the others below each score, ties half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return [float(v) for v in (left + right) / (2 * max(1, len(ordered)))]


def _flags(entry: Ledger) -> list[bool]:
    return [False] * len(entry.ids) if entry.extracted is None else [bool(v) for v in entry.extracted]


def _described(split: Split) -> tuple[list[str], list[str], list[int]]:
    if are_documents(split.members):
        texts = [str(text) for text in split.members.X.tolist()]
        return texts, ["document"] * len(texts), [1] * len(texts)
    secrets = secrets_of(split.members)
    return [s.secret for s in secrets], [s.kind for s in secrets], [s.repeats for s in secrets]


def _advised(line: Line) -> Line:
    if line.extracted_by:
        advice = "drop or scrub it" if line.repeats <= 1 else "de-duplicate it, then scrub it"
    elif line.standing >= FOUND:
        advice = "de-duplicate it" if line.repeats > 1 else "scrub it"
    else:
        advice = "look at it" if line.standing >= LIKELY else ""
    return Line(line.row, line.text, line.kind, line.repeats, line.extracted_by, line.standing, advice)
