"""Shadow models: what models of the same recipe say about records that they were and were not trained on."""

from keepmum.shadows._fleet import Shadows, Sums
from keepmum.shadows._pairs import balanced_pairs
from keepmum.shadows._signal import SCALED_LOGIT, Signal, scaled_logit
from keepmum.shadows._unit import Cost
from keepmum.shadows.fidelity import fidelity
from keepmum.shadows.store import ShadowStore
from keepmum.shadows.vulnerability import Vulnerability, vulnerability

__all__ = [
    "SCALED_LOGIT",
    "Cost",
    "ShadowStore",
    "Shadows",
    "Signal",
    "Sums",
    "Vulnerability",
    "balanced_pairs",
    "fidelity",
    "scaled_logit",
    "vulnerability",
]
