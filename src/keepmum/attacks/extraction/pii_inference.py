"""PII inference: which of some candidates was it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import ExtractionAttack, Seen
from keepmum.attacks.extraction._candidates import bits, candidates, is_first, standing
from keepmum.attacks.extraction._shared import answers_of
from keepmum.errors import ConfigError
from keepmum.targets.text import TokenScoreTarget
from keepmum.texts import Secret


@dataclass(frozen=True)
class PIIInference(ExtractionAttack[TokenScoreTarget]):
    """Inference of personal data.

    The attacker has a text in which one piece was blacked out, and a list of pieces that it may have been: the people
    of a town, the numbers of a company. They put each in and take the one with which the model finds the whole
    sentence, what stands after included, least surprising.

    Attributes:
      decoys: Other candidates for each secret.

    References:
      Lukas et al. Analyzing Leakage of Personally Identifiable Information in Language Models. IEEE S&P 2023,
      arXiv:2302.00539, on inference.
    """

    id: ClassVar[str] = "extraction/pii-inference"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2302.00539",)

    decoys: int = 31

    def __post_init__(self) -> None:
        if self.decoys < 1:
            raise ConfigError(f"expected at least 1 decoy, got {self.decoys}")

    @property
    def per_record(self) -> int:
        """The secret and the decoys."""
        return self.decoys + 1

    def extract(self, target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Score each candidate in its sentence; the score is by how many bits the secret is ahead of guessing."""
        options = candidates(secrets, ctx, self.decoys)
        flat = [(s, text) for s, texts in zip(secrets, options, strict=True) for text in texts]
        values = sentence_scores(target, [s for s, _ in flat], [text for _, text in flat], ctx)
        each = np.split(values, np.cumsum([len(texts) for texts in options])[:-1])
        ahead = np.array([bits(v) for v in each])
        best = [texts[int(v.argmax())] for texts, v in zip(options, each, strict=True)]
        out = np.array([is_first(v) for v in each])
        return Seen(
            scores=np.array([standing(v) for v in each]),
            extracted=out,
            evidence=tuple(text if hit else "" for text, hit in zip(best, out, strict=True)),
            metrics={"bits": ahead},
            chance=np.array([1 / len(texts) for texts in options]),
            remark=f"A secret counts as out if the model prefers it to up to {self.decoys} decoys of its kind.",
        )


def sentence_scores(
    target: TokenScoreTarget, secrets: Sequence[Secret], texts: Sequence[str], ctx: Context
) -> np.ndarray:
    """Mean log-probability of the tokens of a whole sentence with a text in the secret's place, ``(n,)`` nats.

    The negative of it is the logarithm of the perplexity that the paper ranks by.
    """
    whole = [s.prefix + text + s.suffix for s, text in zip(secrets, texts, strict=True)]
    scored = answers_of(target, ctx).scores(whole, [""] * len(whole))
    return np.array([each.total / max(1, len(each.log_probs)) for each in scored])
