"""Inversion: what do the trained inputs look like?"""

from keepmum.attacks.inversion._base import InversionAttack
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.bandit import Bandit
from keepmum.attacks.inversion.boundary import Boundary
from keepmum.attacks.inversion.class_profile import ClassProfile
from keepmum.attacks.inversion.cmaes import Cmaes
from keepmum.attacks.inversion.gradient import Gradient
from keepmum.attacks.inversion.informed_adversary import InformedAdversary
from keepmum.attacks.inversion.inverse_network import InverseNetwork
from keepmum.attacks.inversion.nes import Nes
from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.attacks.inversion.pool_select import PoolSelect
from keepmum.attacks.inversion.priors import DecoderPrior, PcaPrior, PixelPrior, Prior, VaePrior
from keepmum.attacks.inversion.reinforce import Reinforce
from keepmum.attacks.inversion.spsa import Spsa

__all__ = [
    "Bandit",
    "Boundary",
    "ClassProfile",
    "Cmaes",
    "DecoderPrior",
    "Gradient",
    "ImageInversion",
    "InformedAdversary",
    "InverseNetwork",
    "InversionAttack",
    "Limits",
    "Nes",
    "Oracle",
    "PcaPrior",
    "Picture",
    "PixelPrior",
    "PoolSelect",
    "Prior",
    "Reinforce",
    "Spsa",
    "VaePrior",
]
