"""Masked probing, best first: the surest mask is filled, and the model asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.extraction._masks import Floats, Gap, MaskProbe
from keepmum.targets.text import FillTarget


@dataclass(frozen=True)
class MaskBestFirst(MaskProbe):
    """Masked probing, best first.

    The attacker lets the model fill the mask that it is surest of, and asks again with that token in place, until no
    mask is left. A candidate's tokens are put in the same way, the likeliest first; its score is the sum of their
    log-probabilities when they were put in.

    Attributes:
      decoys: Other candidates for each secret.

    References:
      Jiang et al. X-FACTR: Multilingual Factual Knowledge Retrieval from Pretrained Language Models. EMNLP 2020,
      arXiv:2010.06189, confidence-based prediction.
    """

    id: ClassVar[str] = "extraction/mask-best-first"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2010.06189",)

    @property
    def per_record(self) -> int:
        """A question a token, candidate and place, for secrets of up to eight tokens, and as many for the fill."""
        return 8 * (2 * (self.decoys + 1) + 1)

    def scores(self, target: FillTarget, gaps: Sequence[Gap]) -> Floats:
        """Each candidate's tokens, put in one after another."""
        return self._walk(target, gaps, free=False)[0]

    def fills(self, target: FillTarget, gaps: Sequence[Gap]) -> list[tuple[int, ...]]:
        """The model's own tokens, put in one after another."""
        return self._walk(target, gaps, free=True)[1]

    def _walk(self, target: FillTarget, gaps: Sequence[Gap], free: bool) -> tuple[Floats, list[tuple[int, ...]]]:
        """Fill all gaps in step, those of equal text asked about once a step; with the model's own tokens if free."""
        filled: list[list[int | None]] = [[None] * len(g.inside) for g in gaps]
        totals = np.zeros(len(gaps))
        while open_gaps := [i for i, tokens in enumerate(filled) if None in tokens]:
            keys = [tuple(gaps[i].text(filled[i])) for i in open_gaps]
            fresh = list(dict.fromkeys(keys))
            rows = dict(zip(fresh, target.fill(fresh), strict=True))
            for i, key in zip(open_gaps, keys, strict=True):
                masks = [place for place, token in enumerate(filled[i]) if token is None]
                wanted = rows[key].argmax(axis=1) if free else np.array([gaps[i].inside[place] for place in masks])
                sure = rows[key][np.arange(len(masks)), wanted]
                best = int(sure.argmax())
                filled[i][masks[best]] = int(wanted[best])
                totals[i] += sure[best]
        return totals, [tuple(token for token in tokens if token is not None) for tokens in filled]
