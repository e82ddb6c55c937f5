"""Masks in the place of a secret: what a masked model says of candidates, and what it fills in by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import ExtractionAttack, Seen
from keepmum.attacks.extraction._candidates import bits, candidates, is_first, standing
from keepmum.errors import ConfigError
from keepmum.targets.text import FillTarget
from keepmum.texts import Secret

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gap:
    """A text with a gap where a candidate stood.

    Attributes:
      before: Tokens before the gap.
      inside: Tokens of the candidate.
      after: Tokens after the gap.
    """

    before: tuple[int, ...]
    inside: tuple[int, ...]
    after: tuple[int, ...]

    def text(self, filled: Sequence[int | None]) -> list[int | None]:
        """The text with something else in the gap; None for a mask."""
        return [*self.before, *filled, *self.after]

    @property
    def masked(self) -> list[int | None]:
        """The text with a mask for each token of the candidate."""
        return self.text([None] * len(self.inside))


def gap(target: FillTarget, prefix: str, text: str, suffix: str) -> Gap:
    """Tokens of a candidate in its context, tokenized together; a token that spans an edge belongs to the candidate."""
    joint, before, after = target.encode(prefix + text + suffix), target.encode(prefix), target.encode(suffix)
    start = _common(before, joint)
    end = min(_common(after[::-1], joint[::-1]), len(joint) - start)
    return Gap(tuple(joint[:start]), tuple(joint[start : len(joint) - end]), tuple(joint[len(joint) - end :]))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    short = min(len(a), len(b))
    return next((i for i in range(short) if a[i] != b[i]), short)


@dataclass(frozen=True)
class MaskProbe(ExtractionAttack[FillTarget]):
    """Masks are put in the place of a secret, and candidates ranked by what the model says of them there.

    Subclasses tell how a candidate of several tokens is scored. As a control the same candidates are ranked behind what
    stands before *another* secret of the group: what is ahead there too is frequent, and not tied to the person.

    Attributes:
      decoys: Other candidates for each secret.
    """

    needs: ClassVar[type[FillTarget]] = FillTarget

    decoys: int = 31

    def __post_init__(self) -> None:
        if self.decoys < 1:
            raise ConfigError(f"expected at least 1 decoy, got {self.decoys}")

    @abstractmethod
    def scores(self, target: FillTarget, gaps: Sequence[Gap]) -> Floats:
        """How well each candidate fills its gap, ``(n,)`` nats."""

    @abstractmethod
    def fills(self, target: FillTarget, gaps: Sequence[Gap]) -> list[tuple[int, ...]] | None:
        """What the model itself fills each gap with, of as many tokens; None if this way of asking tells none."""

    @final
    def extract(self, target: FillTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Rank each secret among candidates of its kind, in its own place and in another person's."""
        options = candidates(secrets, ctx, self.decoys)
        own = self._ranks(target, secrets, secrets, options)
        swapped = self._ranks(target, secrets, _swapped(secrets, ctx), options)
        gaps = [gap(target, s.prefix, s.secret, s.suffix) for s in secrets]
        filled = self.fills(target, gaps)
        first = np.array([is_first(v) for v in own])
        out = first if filled is None else np.array([f == g.inside for f, g in zip(filled, gaps, strict=True)])
        ahead, elsewhere = np.array([bits(v) for v in own]), np.array([bits(v) for v in swapped])
        texts = [target.decode(f) for f in filled] if filled is not None else [s.secret for s in secrets]
        return Seen(
            scores=np.array([standing(v) for v in own]),
            extracted=out,
            evidence=tuple(text if hit else "" for text, hit in zip(texts, out, strict=True)),
            metrics={"bits": ahead, "bits_swapped": elsewhere, "association": ahead - elsewhere},
            shares={"first": first},
            chance=np.array([1 / len(texts) for texts in options]) if filled is None else None,
            remark="A secret counts as out if it is ahead of all other candidates." if filled is None else "",
        )

    def _ranks(
        self, target: FillTarget, secrets: Sequence[Secret], places: Sequence[Secret], options: list[list[str]]
    ) -> list[Floats]:
        gaps = [
            gap(target, p.prefix, text, p.suffix) for p, texts in zip(places, options, strict=True) for text in texts
        ]
        return np.split(self.scores(target, gaps), np.cumsum([len(texts) for texts in options])[:-1])


def _swapped(secrets: Sequence[Secret], ctx: Context) -> list[Secret]:
    """For each secret another one of its group, whose place it is put in; itself where it is alone."""
    groups = np.array([s.group or s.kind for s in secrets], dtype=object)
    places = list(range(len(secrets)))
    for group in sorted(set(groups.tolist())):
        mine = ctx.rng.permutation(np.flatnonzero(groups == group))
        for place, other in zip(mine.tolist(), np.roll(mine, 1).tolist(), strict=True):
            places[place] = other
    return [secrets[i] for i in places]


def taken(rows: Floats, tokens: Sequence[int]) -> Floats:
    """Log-probability of each token at its mask."""
    return np.asarray(rows[np.arange(len(tokens)), list(tokens)])
