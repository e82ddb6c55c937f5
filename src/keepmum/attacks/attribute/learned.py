"""Attribute inference by a classifier that learned how the model answers about people with each value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._imputers import boosting, fit_predict
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import RegressionTarget, ScoreTarget


@dataclass(frozen=True)
class Learned(AttributeAttack[ScoreTarget]):
    """Learned from all candidates.

    The attacker asks the model about people of their own with every candidate value put in, and learns from these
    answers, the known columns and the label which value is true. The same questions about others then tell theirs.

    The classifier is a histogram gradient boosting. It learns from people the model was not trained on, so it cannot
    learn what being remembered looks like: what it adds to imputation holds, for the most part, for everybody.

    References:
      Mehnaz, Dibbo, Kabir, Li, Bertino. Are Your Sensitive Attributes Private? Novel Model Inversion Attribute
      Inference Attacks on Classification Models. USENIX Security 2022, arXiv:2201.09370, where labels for all
      candidates are what is learned from (LOMIA); here confidences.
      Jayaraman, Evans. Are Attribute Inference Attacks Just Imputation? CCS 2022, arXiv:2209.01292, who find that
      such attacks rarely tell more than imputation does.
    """

    id: ClassVar[str] = "attribute/learned"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.09370", "arXiv:2209.01292")
    values: ClassVar[bool] = True

    def guess(self, target: ScoreTarget | RegressionTarget, question: Question, ctx: Context) -> Guesses:
        """What a boosting makes of answers for all candidates, known columns and label."""
        rows = self.own_people(question, ctx)
        truth = question.public_truth[rows]
        if len(np.unique(truth)) < 2:
            return np.tile(question.prior, (len(question), 1))
        table = question.features
        heard, asked = _answers(target, question.as_public(rows)), _answers(target, question)
        known = np.column_stack([heard, table.public_codes[rows], table.public_label[rows]])
        people = np.column_stack([asked, table.people_codes, table.people_label])
        kinds = np.r_[np.zeros(heard.shape[1], bool), table.kinds, np.zeros(table.public_label.shape[1], bool)]
        return fit_predict(boosting(known, kinds), known, truth, people, question.prior)


def _answers(target: ScoreTarget | RegressionTarget, question: Question) -> NDArray[np.float64]:
    """What the target says with each value put in, ``(n, V · K)`` or ``(n, V)``."""
    if isinstance(target, RegressionTarget):
        return question.predictions(target)
    return question.answers(target).reshape(len(question), -1)
