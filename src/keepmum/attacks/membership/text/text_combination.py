"""Membership inference for documents from all that a few answers tell, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, filled, texts_of
from keepmum.attacks.membership.text.ez import Ez
from keepmum.attacks.membership.text.min_k import MinK
from keepmum.attacks.membership.text.min_k_plus_plus import MinKPlusPlus
from keepmum.attacks.membership.text.text_loss import TextLoss
from keepmum.attacks.membership.text.text_lowercase import TextLowercase
from keepmum.attacks.membership.text.text_reference import TextReference
from keepmum.attacks.membership.text.text_zlib import TextZlib
from keepmum.attacks.membership.text.wbc import Wbc
from keepmum.errors import NotApplicableError
from keepmum.targets._remembered_text import remembered_text
from keepmum.targets.text import TokenScoreTarget

FOLDS = 5
CHEAP: tuple[TextMembershipAttack[Any], ...] = (
    TextLoss(),
    TextZlib(),
    TextLowercase(),
    MinK(),
    MinKPlusPlus(),
    TextReference(),
    Ez(),
    Wbc(),
)


@dataclass(frozen=True)
class TextCombination(TextMembershipAttack[TokenScoreTarget]):
    """All cheap scores together, learned without the truth.

    The attacker has documents that the model never saw, and a pile in which some are members. A logistic regression
    learns to tell the pile from the attacker's own documents; the more a document of the pile differs from what the
    model never saw, the more likely it is a member. Nobody's membership is needed for that: a classifier of unlabeled
    against negative examples ranks as one that was told the truth, where members are a random draw.

    Whoever is scored was not learned from. Scores are ranks among everybody, and those that the model or the missing
    reference do not allow are left out. Where no population is given, the non-members are cut into three parts, each
    of which serves for the next.

    References:
      Elkan, Noto. Learning Classifiers from Only Positive and Unlabeled Data. KDD 2008, doi:10.1145/1401890.1401920,
      lemma 1, with the unlabeled in the place of the positive.
    """

    id: ClassVar[str] = "membership/text-combination"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/1401890.1401920",)
    uses_population: ClassVar[bool] = True
    _parts: ClassVar[int] = 3

    @property
    def per_record(self) -> int:
        """The text in small letters."""
        return 1

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Log-odds of belonging to the pile, not to the attacker's own documents.

        Raises:
          NotApplicableError: There are no documents that the model never saw, or too few of either.
        """
        others = [] if ctx.population is None else texts_of(ctx.population)
        if min(len(texts), len(others)) < FOLDS:
            raise NotApplicableError(
                f"needs at least {FOLDS} documents that the model never saw, and as many to ask about; got "
                f"{len(others)} and {len(texts)}"
            )
        once = remembered_text(target)  # all scores rest on the same few answers
        assert isinstance(once, TokenScoreTarget)
        columns = [ranks(column) for column in cheap_scores(once, texts + others, ctx)]
        return crossed(np.column_stack(columns), len(texts), ctx.rng)


def cheap_scores(target: TokenScoreTarget, texts: list[str], ctx: Context) -> list[Scores]:
    """What each cheap attack says of each text; attacks that cannot be played are left out."""
    found = []
    for attack in CHEAP:
        if attack.inapplicable(target) is None:
            try:
                found.append(filled(attack.rate(target, texts, ctx)))
            except NotApplicableError:
                continue
    return found


def ranks(scores: Scores) -> Scores:
    """Ranks from -1 to 1, ties at their mean."""
    from keepmum.stats.roc import midranks

    return np.asarray(2 * (midranks(scores) - 0.5) / len(scores) - 1)


def crossed(features: Scores, asked: int, rng: np.random.Generator) -> Scores:
    """Log-odds of the first rows, each from a regression that was not fitted on it; the other rows are known."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    pile = np.arange(len(features)) < asked
    fold = np.full(len(features), -1)
    fold[:asked] = rng.permutation(asked) % FOLDS
    scores = np.empty(asked)
    with threadpool_limits(1):
        for part in range(FOLDS):
            learner = LogisticRegression(class_weight="balanced", max_iter=1000)
            learner.fit(features[fold != part], pile[fold != part])
            scores[fold[:asked] == part] = learner.decision_function(features[fold == part])
    return scores
