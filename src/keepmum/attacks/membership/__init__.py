"""Membership inference: was this record trained on?"""

from keepmum.attacks.membership._base import MembershipAttack, SignalAttack
from keepmum.attacks.membership.confidence import Confidence
from keepmum.attacks.membership.correctness import Correctness
from keepmum.attacks.membership.entropy import Entropy
from keepmum.attacks.membership.loss import Loss
from keepmum.attacks.membership.modified_entropy import ModifiedEntropy
from keepmum.attacks.membership.scaled_logit import ScaledLogit
from keepmum.attacks.membership.squared_error import SquaredError
from keepmum.attacks.membership.true_confidence import TrueConfidence

__all__ = [
    "Confidence",
    "Correctness",
    "Entropy",
    "Loss",
    "MembershipAttack",
    "ModifiedEntropy",
    "ScaledLogit",
    "SignalAttack",
    "SquaredError",
    "TrueConfidence",
]
