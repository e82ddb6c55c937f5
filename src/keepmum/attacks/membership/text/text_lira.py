"""Membership inference for documents with language models of the attacker's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import log_normal
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.attacks.membership.text.text_loss import mean
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets.text import TokenScoreTarget

SMALLEST = 1e-12
"""Smallest variance that is divided by."""
TextTrainer = Callable[[list[str], int], TokenScoreTarget]
"""Trains a language model as the target was trained: texts and a seed → model."""


@dataclass(frozen=True)
class TextLira(TextMembershipAttack[TokenScoreTarget]):
    """Likelihood-ratio attack with shadow language models (LiRA).

    The attacker trains models of the target's kind on random halves of the documents asked about, so that each
    document is in half of them. Is the target's loss rather that of a model that was trained on this document, or of
    one that was not? For small models only: each shadow model costs as much as the target.

    With few shadow models one variance serves all documents, as in the paper.

    Attributes:
      trainer: Trains a model: texts, seed → target. Without one the attack is not applicable.
      models: Shadow models, an even number: halves and their complements.

    Raises:
      ConfigError: An odd number of models, or fewer than 2.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. Membership Inference Attacks From First Principles. S&P 2022,
      arXiv:2112.03570, algorithm 1. Hayes et al. Exploring the Limits of Strong Membership Inference Attacks on Large
      Language Models. 2025, arXiv:2505.18773.
    """

    id: ClassVar[str] = "membership/text-lira"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570", "arXiv:2505.18773")

    trainer: TextTrainer | None = field(default=None, repr=False)
    models: int = 4

    def __post_init__(self) -> None:
        if self.models < 2 or self.models % 2:
            raise ConfigError(f"expected an even number of at least 2 shadow models, got {self.models}")

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Log-likelihood ratio of the mean log-probability: in the training data, against not.

        Raises:
          NotApplicableError: There is no trainer.
        """
        if self.trainer is None:
            raise NotApplicableError(
                "needs to train models like the target: give TextLira(trainer=...), a function of texts and a seed"
            )
        inside = self._halves(len(texts), ctx.rng)
        signals = np.empty(inside.shape)
        for number, half in enumerate(inside):
            chosen = [text for text, taken in zip(texts, half, strict=True) if taken]
            model = self.trainer(chosen, int(ctx.rng.integers(2**31)))
            signals[number] = each(read(model, texts), mean)
        return likelihood_ratio(each(read(target, texts), mean), signals, inside)

    def _halves(self, people: int, rng: np.random.Generator) -> np.ndarray:
        """Which model is trained on which text, ``(models, n)``: every text is in half of the models."""
        halves = []
        for _ in range(self.models // 2):
            half = rng.permutation(people) < people // 2
            halves += [half, ~half]
        return np.array(halves)


def likelihood_ratio(own: Scores, signals: Scores, inside: np.ndarray) -> Scores:
    """Logarithm of the normal density of ``own`` with each text's mean inside, less that outside; one variance each.

    Args:
      own: ``(n,)`` what the target says.
      signals: ``(models, n)`` what shadow models say.
      inside: ``(models, n)`` whether they were trained on it.
    """
    parts = []
    for chosen in (inside, ~inside):
        count = chosen.sum(axis=0)
        center = np.where(chosen, signals, 0.0).sum(axis=0) / count
        off = np.where(chosen, signals - center, 0.0)
        known = np.isfinite(center)
        free = max(1, int((count - 1)[known].sum()))
        variance = float((off[:, known] ** 2).sum()) / free
        if not (count > 1)[known].any():  # a single model a side: how texts differ has to do
            variance = float(np.var((own - center)[known])) if known.any() else 1.0
        parts.append(log_normal(own, center, max(variance, SMALLEST)))
    return np.asarray(parts[0] - parts[1])
