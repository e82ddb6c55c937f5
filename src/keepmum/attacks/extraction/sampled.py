"""Sampled extraction: what the model says when asked many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import Climb, ExtractionAttack, Seen
from keepmum.attacks.extraction._shared import begins_with, centered, common_prefix, continuations
from keepmum.errors import ConfigError
from keepmum.targets.text import PLAIN, Sampling, TextTarget
from keepmum.texts import Secret


@dataclass(frozen=True)
class Sampled(ExtractionAttack[TextTarget]):
    """Sampled extraction.

    The attacker has the text interface alone, and asks the model for several continuations of what stands before the
    secret. It is out if any of them holds it. Guessing finds short secrets too, those of twins as well, which are the
    control.

    Attributes:
      samples: Continuations a secret.
      sampling: How the model draws its tokens.

    References:
      Carlini et al. Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805;
      many samples a prefix: Hayes et al. 2024, arXiv:2410.19482.
    """

    id: ClassVar[str] = "extraction/sampled"
    needs: ClassVar[type[TextTarget]] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2012.07805", "arXiv:2410.19482")

    samples: int = 32
    sampling: Sampling = PLAIN

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ConfigError(f"expected at least 1 sample a secret, got {self.samples}")

    @property
    def per_record(self) -> int:
        """The samples, and one greedy continuation beside."""
        return self.samples + 1

    def extract(self, target: TextTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Draw, and look for the secret in every sample; greedy decoding is told beside."""
        made = continuations(target, secrets, ctx, samples=self.samples, sampling=self.sampling)
        best = [made_one[0] for made_one in continuations(target, secrets, ctx)]
        hits = np.array([[s.secret.strip() in t for t in texts] for texts, s in zip(made, secrets, strict=True)])
        begun = np.array(
            [
                max(common_prefix(t, s) for t in texts) / len(s.secret.strip())
                for texts, s in zip(made, secrets, strict=True)
            ]
        )
        efforts = np.array(sorted({1, *(2**i for i in range(20) if 2**i < self.samples), self.samples}))
        found = np.maximum.accumulate(hits, axis=1)[:, efforts - 1].astype(np.float64)
        return Seen(
            scores=centered(hits.sum(axis=1) + begun, secrets),
            extracted=np.asarray(hits.any(axis=1)),
            evidence=tuple(_told(texts, hit) for texts, hit in zip(made, hits, strict=True)),
            fractions={"share_of_samples": hits.mean(axis=1)},
            verbatim=True,
            climbs=(Climb("recovered share", "samples", efforts.astype(np.float64), found, 1.0),),
            beside={"greedy": np.array([begins_with(t, s) for t, s in zip(best, secrets, strict=True)])},
        )


def _told(texts: Sequence[str], hits: NDArray[np.bool_]) -> str:
    """The first sample that holds the secret, or nothing."""
    return texts[int(np.argmax(hits))] if hits.any() else ""
