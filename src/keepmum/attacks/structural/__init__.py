"""Checks on the model object itself."""

from keepmum.attacks.structural._base import StructuralAttack
from keepmum.attacks.structural.duplicates import Duplicates
from keepmum.attacks.structural.generalization_gap import GeneralizationGap
from keepmum.attacks.structural.loss_tail import LossTail
from keepmum.attacks.structural.small_leaves import SmallLeaves
from keepmum.attacks.structural.stored_records import StoredRecords

__all__ = [
    "Duplicates",
    "GeneralizationGap",
    "LossTail",
    "SmallLeaves",
    "StoredRecords",
    "StructuralAttack",
]
