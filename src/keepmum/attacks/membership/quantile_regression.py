"""Membership inference against what a regression expects of people like this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import encode
from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.shadows import scaled_logit
from keepmum.shadows._fleet import STEP
from keepmum.shadows._signal import CERTAIN
from keepmum.targets._base import ScoreTarget

NARROWEST = 0.1
"""Smallest spread that is believed, as a share of the median one."""


@dataclass(frozen=True)
class QuantileRegression(MembershipAttack[ScoreTarget]):
    """Quantile-regression attack.

    People are not equally hard. From people whom the model never saw the attacker learns which margin to expect of
    somebody with these columns and this label; a member is whose margin is far above that.

    One regression gives the mean and another the spread, as in the paper's Gaussian version; whoever is scored was in
    neither.

    Attributes:
      rows: Most people to learn from.
      trees: Trees of each regression.

    References:
      Bertran, Tang, Kearns, Morgenstern, Roth, Wu. Scalable Membership Inference Attacks via Quantile Regression.
      NeurIPS 2023, arXiv:2307.03694, with the mean and spread of a Gaussian.
    """

    id: ClassVar[str] = "membership/quantile-regression"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2307.03694",)
    uses_population: ClassVar[bool] = True

    rows: int = 10_000
    trees: int = 50

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """How many spreads the scaled logit lies above its expected value.

        Raises:
          NotApplicableError: Records without columns.
        """
        others = ctx.population
        if others is None or not len(records.columns):
            raise NotApplicableError("needs records with columns, and people that the model never saw")
        if len(others) > self.rows:
            others = others.take(np.sort(ctx.rng.permutation(len(others))[: self.rows]))
        signal, outside = within_edge(scaled_logit(target, records), scaled_logit(target, others))
        features = encode(records.join(others))
        labels = np.r_[target.positions(records.y), target.positions(others.y)]
        features = np.clip(np.column_stack([features, labels]), -1e300, 1e300)
        mine, theirs = features[: len(records)], features[len(records) :]
        mean_there, mean = self._regress(theirs, outside, theirs, mine)
        spread_there, spread = self._regress(theirs, np.abs(outside - mean_there), theirs, mine)
        floor = NARROWEST * max(float(np.median(spread_there)), 1e-9)
        return np.asarray((signal - mean) / np.maximum(spread, floor))

    def _regress(self, X: NDArray[np.float64], y: Scores, *asked: NDArray[np.float64]) -> list[Scores]:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        boosting = HistGradientBoostingRegressor(max_iter=self.trees, max_leaf_nodes=15, early_stopping=False)
        with threadpool_limits(1):
            boosting.fit(X, y)
            return [np.asarray(boosting.predict(part)) for part in asked]


def within_edge(*signals: Scores) -> list[Scores]:
    """Scaled logits with certain answers set a step beyond the surest one that is not certain."""
    size = np.abs(np.concatenate(signals))
    edge = float(size.max(initial=0.0, where=size < CERTAIN)) + STEP
    return [np.clip(signal, -edge, edge) for signal in signals]
