"""Attribute inference: what is the hidden attribute of this person?"""

from keepmum.attacks.attribute._base import NOT_NAMED, AttributeAttack
from keepmum.attacks.attribute._hidden import Hidden, hide
from keepmum.attacks.attribute._measure import describe
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.attacks.attribute.confidence_prior import ConfidencePrior

__all__ = [
    "NOT_NAMED",
    "AttributeAttack",
    "ConfidencePrior",
    "Guesses",
    "Hidden",
    "Question",
    "describe",
    "hide",
]
