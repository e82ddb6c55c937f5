"""Attribute inference by asking which candidate record looks most like a member."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.attacks.membership import MembershipAttack, ModifiedEntropy
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.targets._base import Floats, ScoreTarget, Target


@dataclass(frozen=True)
class MembershipOracle(AttributeAttack[ScoreTarget]):
    """Attribute inference through membership inference.

    Of all candidate records only the true one can have been trained on, so whoever can tell members can tell
    attributes. Each value gets the odds that a membership attack gives its record, times how common the value is.

    The odds come from the standing of the score among those of the attacker's own people, who were not trained on:
    with a share ``t`` of them scoring higher (ties half, and one half added above and below), they are ``(1 - t) /
    t``. This is the same for every monotone change of the score. Within a step of it the raw scores decide.

    Attributes:
      oracle: Any membership attack that needs no models of its own and asks one question about each record.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting.
      CSF 2018, arXiv:1709.01604, section 5.1, where the oracle answers yes or no and ties are drawn by the prior.
      Zhao, Agrawal, Coburn, Asghar, Bhaskar, Kaafar, Webb, Dickinson. On the (In)Feasibility of Attribute Inference
      Attacks on Machine Learning Models. EuroS&P 2021, arXiv:2103.07101.
    """

    id: ClassVar[str] = "attribute/membership-oracle"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604", "arXiv:2103.07101")

    oracle: MembershipAttack[Any] = field(default_factory=ModifiedEntropy)

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        return super().inapplicable(target) or self._unfit() or self.oracle.inapplicable(target)

    def _unfit(self) -> str | None:
        if self.oracle.by_recipe or self.oracle.trains:
            return f"{self.oracle.name} needs shadow models, and none are trained on candidates: name another oracle"
        if self.oracle.per_record:
            return f"{self.oracle.name} asks more than one question about each record: name another oracle"
        return None

    def guess(self, target: ScoreTarget, question: Question, ctx: Context) -> Guesses:
        """Odds of membership of each candidate record, times the prior.

        Raises:
          NotApplicableError: The oracle needs shadow models, or asks more than one question about each record.
        """
        reason = self._unfit()
        if reason is not None:
            raise NotApplicableError(reason)
        rows = self.own_people(question, ctx)
        own, heard, told = question.public.take(rows), _Heard(target), question.scores(target)
        practice = replace(ctx, population=own)
        heard.tell("own", own, question.about_own(target, "scores", target.predict_proba, rows))
        reference = np.asarray(self.oracle.score(heard, own, practice))
        scores, start = [], 0
        for block in question.blocks():
            heard.tell("candidates", block, told[start : start + len(block)])
            scores.append(np.asarray(self.oracle.score(heard, block, practice)))
            start += len(block)
        return question.posterior(question.mean(odds_of_membership(np.concatenate(scores), reference)))


def odds_of_membership(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Odds from the standing of scores ``(m,)`` among those of non-members ``(P,)``; strictly monotone."""
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, scores, side="left") + np.searchsorted(ordered, scores, side="right")
    places = np.unique(scores, return_inverse=True)[1]
    nudge = (places + 1) / (places.max(initial=0) + 2) - 0.5  # less than half a person, so that no order is lost
    rank = below / 2 + 0.5 + nudge / 2
    return np.asarray(rank / (len(ordered) + 1 - rank))


class _Heard(ScoreTarget):
    """The target, some of whose answers are at hand; about other records it is asked."""

    def __init__(self, target: ScoreTarget) -> None:
        super().__init__(target.classes)
        self._target = target
        self._told: dict[str, tuple[Records, Floats]] = {}

    def tell(self, what: str, records: Records, answers: Floats) -> None:
        """Put answers at hand, in the place of the last ones of this kind."""
        self._told[what] = records, answers

    def _predict_proba(self, records: Records) -> Floats:
        for known, answers in self._told.values():
            if records is known:
                return answers
        return self._target.predict_proba(records)
