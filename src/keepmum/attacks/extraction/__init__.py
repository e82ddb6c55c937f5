"""What text can be drawn out verbatim?"""

from keepmum.attacks.extraction._base import ExtractionAttack

__all__ = ["ExtractionAttack"]
