"""Inversion: what do the trained inputs look like?"""

from keepmum.attacks.inversion._base import InversionAttack
from keepmum.attacks.inversion.class_profile import ClassProfile
from keepmum.attacks.inversion.informed_adversary import InformedAdversary

__all__ = ["ClassProfile", "InformedAdversary", "InversionAttack"]
