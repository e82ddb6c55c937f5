"""Shadow models: what models of the same recipe say about records that they were and were not trained on."""

from keepmum.shadows._fleet import Shadows, Sums
from keepmum.shadows._pairs import balanced_pairs
from keepmum.shadows._signal import SCALED_LOGIT, Signal, scaled_logit
from keepmum.shadows.fidelity import fidelity
from keepmum.shadows.store import ShadowStore

__all__ = ["SCALED_LOGIT", "ShadowStore", "Shadows", "Signal", "Sums", "balanced_pairs", "fidelity", "scaled_logit"]
