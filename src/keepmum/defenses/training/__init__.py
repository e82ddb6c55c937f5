"""Defenses of a model's training."""

from keepmum.defenses.training.adversarial import Adversarial, AntiAdversarial
from keepmum.defenses.training.confidence_penalty import ConfidencePenalty
from keepmum.defenses.training.depth import Depth
from keepmum.defenses.training.distillation import Distillation
from keepmum.defenses.training.dp_logistic_regression import DpLogisticRegression
from keepmum.defenses.training.dp_sgd import DpSgd
from keepmum.defenses.training.dropout import Dropout
from keepmum.defenses.training.early_stopping import EarlyStopping
from keepmum.defenses.training.flat_confidence import FlatConfidence
from keepmum.defenses.training.hamp import Hamp
from keepmum.defenses.training.heuristic_dp import HeuristicDp
from keepmum.defenses.training.l2 import L2
from keepmum.defenses.training.label_smoothing import LabelSmoothing
from keepmum.defenses.training.leaf_size import LeafSize
from keepmum.defenses.training.mixup import Mixup
from keepmum.defenses.training.more_data import MoreData
from keepmum.defenses.training.pate import Pate
from keepmum.defenses.training.relaxloss import RelaxLoss
from keepmum.defenses.training.selena import Selena
from keepmum.defenses.training.smaller_model import SmallerModel

__all__ = [
    "L2",
    "Adversarial",
    "AntiAdversarial",
    "ConfidencePenalty",
    "Depth",
    "Distillation",
    "DpLogisticRegression",
    "DpSgd",
    "Dropout",
    "EarlyStopping",
    "FlatConfidence",
    "Hamp",
    "HeuristicDp",
    "LabelSmoothing",
    "LeafSize",
    "Mixup",
    "MoreData",
    "Pate",
    "RelaxLoss",
    "Selena",
    "SmallerModel",
]
