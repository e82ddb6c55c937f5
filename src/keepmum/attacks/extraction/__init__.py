"""What text can be drawn out verbatim?"""

from keepmum.attacks.extraction._base import ExtractionAttack
from keepmum.attacks.extraction.exposure import Exposure

__all__ = ["Exposure", "ExtractionAttack"]
