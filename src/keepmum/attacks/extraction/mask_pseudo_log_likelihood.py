"""Masked probing by pseudo-log-likelihood: one token at a time is masked, the others stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.extraction._masks import Floats, Gap, MaskProbe, taken
from keepmum.targets.text import FillTarget


@dataclass(frozen=True)
class MaskPseudoLogLikelihood(MaskProbe):
    """Masked probing by pseudo-log-likelihood.

    The attacker puts a candidate in, masks one of its tokens at a time, and adds up how likely the model finds each,
    the others standing. It needs candidates and fills in nothing by itself, but with candidates it sees most: a secret
    counts as extracted if it is ahead of all others.

    Attributes:
      decoys: Other candidates for each secret.

    References:
      Salazar et al. Masked Language Model Scoring. ACL 2020, arXiv:1910.14659, equation 1.
    """

    id: ClassVar[str] = "extraction/mask-pseudo-log-likelihood"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1910.14659",)

    @property
    def per_record(self) -> int:
        """A question a token, candidate and place, for secrets of up to eight tokens."""
        return 16 * (self.decoys + 1)

    def scores(self, target: FillTarget, gaps: Sequence[Gap]) -> Floats:
        """Each candidate, one token masked at a time."""
        texts, tokens, owner = [], [], []
        for i, g in enumerate(gaps):
            for place, token in enumerate(g.inside):
                texts.append(g.text([*g.inside[:place], None, *g.inside[place + 1 :]]))
                tokens.append(token)
                owner.append(i)
        values = [taken(row, [token])[0] for row, token in zip(target.fill(texts), tokens, strict=True)]
        totals = np.zeros(len(gaps))
        np.add.at(totals, np.array(owner, dtype=np.intp), np.array(values, dtype=np.float64))
        return totals

    def fills(self, target: FillTarget, gaps: Sequence[Gap]) -> None:
        """Nothing: it needs candidates."""
