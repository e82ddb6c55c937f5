"""Attribute inference: what is the hidden attribute of this person?"""

from keepmum.attacks.attribute._base import NOT_NAMED, AttributeAttack
from keepmum.attacks.attribute._hidden import Hidden, hide
from keepmum.attacks.attribute._measure import describe
from keepmum.attacks.attribute._question import Question
from keepmum.attacks.attribute.confidence_prior import ConfidencePrior
from keepmum.attacks.attribute.csmia import Csmia
from keepmum.attacks.attribute.fredrikson import Fredrikson
from keepmum.attacks.attribute.leaf_counts import LeafCounts
from keepmum.attacks.attribute.learned import Learned
from keepmum.attacks.attribute.lomia import Lomia
from keepmum.attacks.attribute.membership_oracle import MembershipOracle
from keepmum.attacks.attribute.model_imputer import ModelImputer
from keepmum.attacks.attribute.neuron_correlation import NeuronCorrelation
from keepmum.attacks.attribute.output_inversion import OutputInversion
from keepmum.attacks.attribute.yeom import Yeom

__all__ = [
    "NOT_NAMED",
    "AttributeAttack",
    "ConfidencePrior",
    "Csmia",
    "Fredrikson",
    "Hidden",
    "LeafCounts",
    "Learned",
    "Lomia",
    "MembershipOracle",
    "ModelImputer",
    "NeuronCorrelation",
    "OutputInversion",
    "Question",
    "Yeom",
    "describe",
    "hide",
]
