"""Defenses of a served model's answers."""

from keepmum.defenses.output.abstain import Abstain
from keepmum.defenses.output.bins import Bins
from keepmum.defenses.output.hamp_swap import HampSwap
from keepmum.defenses.output.keyed_noise import KeyedNoise
from keepmum.defenses.output.label_only import LabelOnly
from keepmum.defenses.output.noise import Noise
from keepmum.defenses.output.query_budget import QueryBudget
from keepmum.defenses.output.rounding import Rounding
from keepmum.defenses.output.temperature import Temperature
from keepmum.defenses.output.top_k import TopK

__all__ = [
    "Abstain",
    "Bins",
    "HampSwap",
    "KeyedNoise",
    "LabelOnly",
    "Noise",
    "QueryBudget",
    "Rounding",
    "Temperature",
    "TopK",
]
