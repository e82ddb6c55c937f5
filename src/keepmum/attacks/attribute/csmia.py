"""Attribute inference from which candidates are answered rightly, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import ScoreTarget

TIE = 1e-9


@dataclass(frozen=True)
class Csmia(AttributeAttack[ScoreTarget]):
    """Confidence-score based model inversion.

    The model tends to be right, and sure, about people with their true attribute, and unsure where it is wrong. The
    value with which the model predicts the known label is guessed (case 1); among several such, the one predicted
    most surely (case 2); where there is none, the one whose wrong prediction is least sure (case 3).

    All three cases are the largest of one number for each value: ``1 + confidence`` where the prediction is right,
    ``-confidence`` where it is wrong, the confidence being the probability of the predicted class. The paper names
    one value; here beliefs are the softmax of these numbers, so that people in case 1 are guessed about more surely
    than others, and those with a larger gap more surely than those with a smaller one. Where values tie, the more
    common one is guessed.

    References:
      Mehnaz, Dibbo, Kabir, Li, Bertino. Are Your Sensitive Attributes Private? Novel Model Inversion Attribute
      Inference Attacks on Classification Models. USENIX Security 2022, arXiv:2201.09370, section 4.
    """

    id: ClassVar[str] = "attribute/csmia"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.09370",)

    def guess(self, target: ScoreTarget, question: Question, ctx: Context) -> Guesses:
        """Softmax of the signed confidences."""
        answers = question.answers(target)
        right = answers.argmax(axis=2) == question.true_label(target)[:, None]
        confidence = answers.max(axis=2)
        signed = np.where(right, 1 + confidence, -confidence) + TIE * question.prior
        belief = np.exp(signed - signed.max(axis=1, keepdims=True))
        return np.asarray(belief / belief.sum(axis=1, keepdims=True))
