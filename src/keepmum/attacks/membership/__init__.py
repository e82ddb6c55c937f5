"""Membership inference: was this record trained on?"""

from keepmum.attacks.membership._base import MembershipAttack, SignalAttack
from keepmum.attacks.membership._query import QueryAttack
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.attacks.membership.analytic import Analytic
from keepmum.attacks.membership.augmentation import Augmentation
from keepmum.attacks.membership.boundary_distance import BoundaryDistance
from keepmum.attacks.membership.calibrated_loss import CalibratedLoss
from keepmum.attacks.membership.confidence import Confidence
from keepmum.attacks.membership.correctness import Correctness
from keepmum.attacks.membership.entropy import Entropy
from keepmum.attacks.membership.gradient_norm import GradientNorm
from keepmum.attacks.membership.learned import Learned
from keepmum.attacks.membership.lira import Lira, Variance
from keepmum.attacks.membership.lira_offline import LiraOffline
from keepmum.attacks.membership.loss import Loss
from keepmum.attacks.membership.merlin import Merlin
from keepmum.attacks.membership.modified_entropy import ModifiedEntropy
from keepmum.attacks.membership.morgan import Morgan
from keepmum.attacks.membership.neighborhood import Neighborhood
from keepmum.attacks.membership.noise_robustness import NoiseRobustness
from keepmum.attacks.membership.pooled import Pooled
from keepmum.attacks.membership.quantile_regression import QuantileRegression
from keepmum.attacks.membership.reference_ratio import ReferenceRatio
from keepmum.attacks.membership.rmia import Rmia
from keepmum.attacks.membership.rmia_offline import RmiaOffline
from keepmum.attacks.membership.scaled_logit import ScaledLogit
from keepmum.attacks.membership.shadow_classifier import ShadowClassifier, Source
from keepmum.attacks.membership.squared_error import SquaredError
from keepmum.attacks.membership.text import (
    Ez,
    MinK,
    MinKPlusPlus,
    NgramCoverage,
    Recall,
    TextCombination,
    TextGradientNorm,
    TextLira,
    TextLoss,
    TextLowercase,
    TextMembershipAttack,
    TextNeighborhood,
    TextReference,
    TextZlib,
    Wbc,
)
from keepmum.attacks.membership.true_confidence import TrueConfidence

__all__ = [
    "Analytic",
    "Augmentation",
    "BoundaryDistance",
    "CalibratedLoss",
    "Confidence",
    "Correctness",
    "Entropy",
    "Ez",
    "GradientNorm",
    "Learned",
    "Lira",
    "LiraOffline",
    "Loss",
    "MembershipAttack",
    "Merlin",
    "MinK",
    "MinKPlusPlus",
    "ModifiedEntropy",
    "Morgan",
    "Neighborhood",
    "NgramCoverage",
    "NoiseRobustness",
    "Pooled",
    "QuantileRegression",
    "QueryAttack",
    "Recall",
    "ReferenceRatio",
    "Rmia",
    "RmiaOffline",
    "ScaledLogit",
    "ShadowAttack",
    "ShadowClassifier",
    "SignalAttack",
    "Source",
    "SquaredError",
    "TextCombination",
    "TextGradientNorm",
    "TextLira",
    "TextLoss",
    "TextLowercase",
    "TextMembershipAttack",
    "TextNeighborhood",
    "TextReference",
    "TextZlib",
    "TrueConfidence",
    "Variance",
    "Wbc",
]
