"""Masked probing in one shot: all masks are filled at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.extraction._masks import Floats, Gap, MaskProbe, taken
from keepmum.targets.text import FillTarget


@dataclass(frozen=True)
class MaskOneShot(MaskProbe):
    """Masked probing in one shot.

    The attacker writes "The number of Jane Doe is" and a mask for each token, and reads what the model puts there. A
    candidate's score is the sum of the log-probabilities of its tokens, each as if the others were not known. One
    question serves all candidates of as many tokens.

    Attributes:
      decoys: Other candidates for each secret.

    References:
      Petroni et al. Language Models as Knowledge Bases? EMNLP 2019, arXiv:1909.01066; on patients: Lehman et al. Does
      BERT Pretrained on Clinical Notes Reveal Sensitive Data? NAACL 2021, arXiv:2104.07762; several masks: Jiang et
      al. X-FACTR. EMNLP 2020, arXiv:2010.06189, independent prediction.
    """

    id: ClassVar[str] = "extraction/mask-one-shot"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1909.01066", "arXiv:2104.07762", "arXiv:2010.06189")

    @property
    def per_record(self) -> int:
        """At most a question a candidate and place, and one for the fill; one in all where candidates are alike."""
        return 2 * (self.decoys + 1) + 1

    def scores(self, target: FillTarget, gaps: Sequence[Gap]) -> Floats:
        """Each candidate in one look at its masked text; equal texts are asked about once."""
        rows = _rows(target, gaps)
        return np.array([taken(row, g.inside).sum() for row, g in zip(rows, gaps, strict=True)])

    def fills(self, target: FillTarget, gaps: Sequence[Gap]) -> list[tuple[int, ...]]:
        """The likeliest token at each mask."""
        return [tuple(row.argmax(axis=1).tolist()) for row in _rows(target, gaps)]


def _rows(target: FillTarget, gaps: Sequence[Gap]) -> list[Floats]:
    keys = [tuple(g.masked) for g in gaps]
    fresh = list(dict.fromkeys(keys))
    rows = dict(zip(fresh, target.fill(fresh), strict=True))
    return [rows[key] for key in keys]
