"""Attribute inference from the confidence in the true label, weighed by how common each value is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class ConfidencePrior(AttributeAttack[ScoreTarget]):
    """Confidence times prior.

    With the right value put in, a model that was trained on this person is surer of their label than with a wrong one.
    Each value gets the probability of the true label times its share among the attacker's own people.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, doi:10.1145/2810103.2813677, section 4, with the confidence itself in the place of
      its rounded value.
    """

    id: ClassVar[str] = "attribute/confidence-prior"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/2810103.2813677",)

    def guess(self, target: ScoreTarget, question: Question, ctx: Context) -> Guesses:
        """Probability of the true label with each value put in, times the prior."""
        return question.posterior(question.of_true_label(question.answers(target), target))
