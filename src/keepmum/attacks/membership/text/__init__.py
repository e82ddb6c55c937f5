"""Membership inference for documents: was this text trained on?"""

from keepmum.attacks.membership.text._base import TextMembershipAttack
from keepmum.attacks.membership.text.ez import Ez
from keepmum.attacks.membership.text.min_k import MinK
from keepmum.attacks.membership.text.min_k_plus_plus import MinKPlusPlus
from keepmum.attacks.membership.text.ngram_coverage import NgramCoverage
from keepmum.attacks.membership.text.recall import Recall
from keepmum.attacks.membership.text.text_combination import TextCombination
from keepmum.attacks.membership.text.text_gradient_norm import TextGradientNorm
from keepmum.attacks.membership.text.text_lira import TextLira
from keepmum.attacks.membership.text.text_loss import TextLoss
from keepmum.attacks.membership.text.text_lowercase import TextLowercase
from keepmum.attacks.membership.text.text_neighborhood import TextNeighborhood
from keepmum.attacks.membership.text.text_reference import TextReference
from keepmum.attacks.membership.text.text_zlib import TextZlib
from keepmum.attacks.membership.text.wbc import Wbc

__all__ = [
    "Ez",
    "MinK",
    "MinKPlusPlus",
    "NgramCoverage",
    "Recall",
    "TextCombination",
    "TextGradientNorm",
    "TextLira",
    "TextLoss",
    "TextLowercase",
    "TextMembershipAttack",
    "TextNeighborhood",
    "TextReference",
    "TextZlib",
    "Wbc",
]
