"""Membership inference from whether the predicted label is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import LabelTarget


@dataclass(frozen=True)
class Correctness(SignalAttack[LabelTarget]):
    """Correctness attack, also called the gap attack.

    The attacker sees only the label. Whoever the model gets right is called a member: what this gains is the gap
    between the accuracy on members and on everybody else.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, adversary 1;
      Choquette-Choo, Tramèr, Carlini, Papernot. ICML 2021, arXiv:2007.14321, section 3.1.
    """

    id: ClassVar[str] = "membership/correctness"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604", "arXiv:2007.14321")

    def signal(self, target: LabelTarget, records: Records) -> Scores:
        """1 where the predicted label is the true one, else 0."""
        return np.asarray(target.predict(records) == target.positions(records.y), dtype=np.float64)
