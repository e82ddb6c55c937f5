"""Priors: what an attacker takes images to look like before any question to the model."""

from keepmum.attacks.inversion._decoder_prior import DecoderPrior
from keepmum.attacks.inversion._partial_prior import PartialPrior
from keepmum.attacks.inversion._pca_prior import PcaPrior
from keepmum.attacks.inversion._pixel_prior import PixelPrior, blurred
from keepmum.attacks.inversion._prior import Prior
from keepmum.attacks.inversion._vae_prior import VaePrior

__all__ = ["DecoderPrior", "PartialPrior", "PcaPrior", "PixelPrior", "Prior", "VaePrior", "blurred"]
