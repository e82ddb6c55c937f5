"""Membership inference against a regression, from its squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.data import Records
from keepmum.targets._base import RegressionTarget


@dataclass(frozen=True)
class SquaredError(MembershipAttack[RegressionTarget]):
    """Loss attack on a regression.

    Training pulls the curve towards the members, so their error is small. A record that is predicted closely is
    called a member.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, section 3.2.
    """

    id: ClassVar[str] = "membership/squared-error"
    needs: ClassVar[type[RegressionTarget]] = RegressionTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)

    def score(self, target: RegressionTarget, records: Records, ctx: Context) -> Scores:
        """Negative squared error, in squared units of the label."""
        return np.asarray(-((target.predict_value(records) - records.y.astype(np.float64)) ** 2))
