"""What text can be drawn out verbatim?"""

from keepmum.attacks.extraction._base import ExtractionAttack
from keepmum.attacks.extraction._documents import DocumentExtraction
from keepmum.attacks.extraction._known import Known
from keepmum.attacks.extraction.averaging import Averaging
from keepmum.attacks.extraction.divergence import Divergence
from keepmum.attacks.extraction.exposure import Exposure
from keepmum.attacks.extraction.greedy import Greedy
from keepmum.attacks.extraction.mask_best_first import MaskBestFirst
from keepmum.attacks.extraction.mask_one_shot import MaskOneShot
from keepmum.attacks.extraction.mask_pseudo_log_likelihood import MaskPseudoLogLikelihood
from keepmum.attacks.extraction.near_verbatim import NearVerbatim
from keepmum.attacks.extraction.np_discoverable import NPDiscoverable
from keepmum.attacks.extraction.pii_inference import PIIInference
from keepmum.attacks.extraction.pii_reconstruction import PIIReconstruction
from keepmum.attacks.extraction.sampled import Sampled
from keepmum.attacks.extraction.untargeted import Untargeted

__all__ = [
    "Averaging",
    "Divergence",
    "DocumentExtraction",
    "Exposure",
    "ExtractionAttack",
    "Greedy",
    "Known",
    "MaskBestFirst",
    "MaskOneShot",
    "MaskPseudoLogLikelihood",
    "NPDiscoverable",
    "NearVerbatim",
    "PIIInference",
    "PIIReconstruction",
    "Sampled",
    "Untargeted",
]
