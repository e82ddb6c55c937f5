"""What text can be drawn out verbatim?"""

from keepmum.attacks.extraction._base import ExtractionAttack
from keepmum.attacks.extraction._known import Known
from keepmum.attacks.extraction.greedy import Greedy
from keepmum.attacks.extraction.near_verbatim import NearVerbatim
from keepmum.attacks.extraction.np_discoverable import NPDiscoverable
from keepmum.attacks.extraction.sampled import Sampled

__all__ = ["ExtractionAttack", "Greedy", "Known", "NPDiscoverable", "NearVerbatim", "Sampled"]
