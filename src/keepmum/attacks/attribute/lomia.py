"""Attribute inference from labels alone: people about whom the model gives a value away teach about all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._imputers import boosting, fit_predict
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import LabelTarget


@dataclass(frozen=True)
class Lomia(AttributeAttack[LabelTarget]):
    """Label-only model inversion.

    Where exactly one value makes the model predict the label that the person is known to have, that value is
    guessed. These people serve as training data for an attack model, which guesses about everybody else from the
    known columns and the label.

    The attack model is a histogram gradient boosting. Where the model gives away nobody's value, or one value only,
    all others get the shares among the attacker's own people. Members and non-members teach alike, since the
    attacker cannot tell them apart.

    References:
      Mehnaz, Dibbo, Kabir, Li, Bertino. Are Your Sensitive Attributes Private? Novel Model Inversion Attribute
      Inference Attacks on Classification Models. USENIX Security 2022, arXiv:2201.09370, section 4.
    """

    id: ClassVar[str] = "attribute/lomia"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.09370",)

    def guess(self, target: LabelTarget, question: Question, ctx: Context) -> Guesses:
        """The value pointed to where there is one; elsewhere what the attack model answers."""
        right = question.labels(target).argmax(axis=2) == question.true_label(target)[:, None]
        single, pointed = right.sum(axis=1) == 1, right.argmax(axis=1)
        belief = np.tile(question.prior, (len(question), 1))
        others = ~single
        if others.any() and len(np.unique(pointed[single])) > 1:
            table = question.features
            known = np.column_stack([table.people_codes, table.people_label])
            kinds = np.r_[table.kinds, np.zeros(table.people_label.shape[1], dtype=bool)]
            model = boosting(known[single], kinds)
            belief[others] = fit_predict(model, known[single], pointed[single], known[others], question.prior)
        belief[single] = np.eye(len(question.hidden))[pointed[single]]
        return belief
