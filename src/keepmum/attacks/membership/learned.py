"""Membership inference learned from the shadow models themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.attacks.membership.pooled import Spread
from keepmum.shadows import Shadows
from keepmum.shadows._fleet import compress, log_probability


@dataclass(frozen=True)
class Learned(ShadowAttack):
    """A classifier that learns what members look like from models whose members are known.

    Each shadow model in turn plays the target: the attacker knows whom it was trained on. From its signal, and what
    the other models say about the record, a small gradient boosting learns to tell; then it is asked about the target.
    The model that plays the target and its pair partner are left out of the references: the partner was trained on
    exactly the others, and a classifier that sees it learns the pairing instead of membership.

    Attributes:
      rows: Most (model, record) examples to learn from.
      trees: Trees of the gradient boosting.

    References:
      Shokri, Stronati, Song, Shmatikov. Membership Inference Attacks Against Machine Learning Models. S&P 2017,
      arXiv:1610.05820, section V (shadow models train the attack model); the features are those of arXiv:2112.03570
      and arXiv:2312.03262.
    """

    id: ClassVar[str] = "membership/learned"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)
    fewest: ClassVar[int] = 4

    rows: int = 200_000
    trees: int = 60

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Log-odds of membership, the mean over references that lack one pair each, as in training."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        spread = Spread.of(shadows.compressed.sums)
        each = min(len(shadows.ids), max(1, self.rows // len(shadows)))
        examples, truth = [], []
        for model in range(len(shadows)):
            some = np.sort(rng.permutation(len(shadows.ids))[:each])
            known = features(shadows.row(model), shadows, model, spread)
            examples.append(known[some])
            truth.append(shadows.trained_on[model][some])
        boosting = HistGradientBoostingClassifier(
            max_iter=self.trees, max_leaf_nodes=15, min_samples_leaf=50, random_state=int(rng.integers(2**31))
        )
        boosting.set_params(early_stopping=False)
        with threadpool_limits(1):
            boosting.fit(np.concatenate(examples), np.concatenate(truth))
            return _asked(boosting, signal, shadows, spread)


def _asked(boosting: Any, signal: Scores, shadows: Shadows, spread: Spread) -> Scores:
    scores = np.zeros(len(signal))
    for first in range(0, len(shadows), 2):
        scores += boosting.decision_function(features(signal, shadows, first, spread))
    return scores / (len(shadows) // 2)


def features(signal: Scores, shadows: Shadows, model: int, spread: Spread) -> NDArray[np.float64]:
    """What the classifier sees of each record, ``(n, 12)``; the references are all models but this one and its partner.

    The signal, the references' means in and out, the signal less each, and the scores of RMIA and the pooled ratio;
    of compressed signals the differences of all three, and the references' variances in and out.
    """
    sums, far = shadows.without_pair(model), shadows.compressed.without_pair(model)
    near, inside, outside = compress(signal), sums.mean("inside"), sums.mean("outside")
    usual = (sums.mean("inside", 3) + sums.mean("outside", 3)) / 2
    relative = log_probability(signal) - np.log(np.maximum(usual, 1e-300))
    seen, unseen = far.mean("inside"), far.mean("outside")
    plain = [signal, inside, outside, signal - inside, signal - outside, relative, spread.ratio(near, far)]
    compressed = [near - seen, near - unseen, seen - unseen, far.variance("inside"), far.variance("outside")]
    return np.column_stack([*plain, *compressed])
