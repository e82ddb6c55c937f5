"""A researcher writes a new attack in one file and runs it: all statistics come for free."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

import keepmum
from keepmum.attacks.membership import SignalAttack
from keepmum.targets import ScoreTarget


@dataclass(frozen=True)
class TopTwoGap(SignalAttack[ScoreTarget]):
    """Top-two-gap attack.

    A member leaves the model no doubt: its best class stands far above the second best. No label is needed.
    """

    id: ClassVar[str] = "membership/top-two-gap"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("this file",)

    def signal(self, target, records):
        """Highest minus second highest probability, 0 … 1."""
        ordered = np.sort(target.predict_proba(records), axis=1)
        return ordered[:, -1] - ordered[:, -2]


X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(X))
members, nonmembers = (X[order[:900]], y[order[:900]]), (X[order[900:]], y[order[900:]])
model = ExtraTreesClassifier(20, random_state=0).fit(*members)

report = keepmum.audit(model, members, nonmembers, attacks=[TopTwoGap(), "membership/loss", "membership/entropy"])
for finding in report.findings:
    print(f"{finding.id:24} {finding.outcome:14} AUC {finding.metrics['auc']}   control {finding.control['auc']}")
