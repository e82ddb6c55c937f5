"""A small variational auto-encoder, and its training."""

from __future__ import annotations

import math
from typing import Any

from keepmum.attacks.inversion._base import Floats
from keepmum.targets._tensors import import_torch

HIDDEN = 256
"""Units between image and latents."""
BATCH = 32
LEARNING_RATE = 1e-3
STEPS, FEWEST_EPOCHS = 1_000, 20
"""Steps of training and passes over the images, at least: fewer leave a blur, more learn a few images by heart."""


def enough(n: int) -> int:
    """Passes over ``n`` images that make a decoder."""
    return max(FEWEST_EPOCHS, math.ceil(STEPS / math.ceil(n / BATCH)))


def trained(flat: Floats, size: int, epochs: int, seed: int) -> tuple[Any, Any]:
    """Encoder and decoder of a variational auto-encoder, in double precision.

    The likelihood is Gaussian; its variance is the mean squared error of each batch, which maximizes it, so that no
    weight between likeness and density has to be chosen.

    Args:
      flat: ``(n, p)`` images, pixels from 0 to 1.
      size: Number ``d`` of latent numbers.
      epochs: Passes over the images.
      seed: Of first weights, order and noise.

    Returns:
      From ``(n, p)`` to ``(n, 2 d)`` means and log-variances, and from ``(n, d)`` to ``(n, p)``.

    References:
      Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014, arXiv:1312.6114, section 3.
      Rybkin, Daniilidis, Levine. Simple and Effective VAE Training with Calibrated Decoders. ICML 2021,
      arXiv:2006.13202, section 3.3: optimal variance.
    """
    from keepmum.training._torch_data import draw_from, quiet

    torch = import_torch()
    device = torch.device("cpu")
    with quiet(device):
        draw_from(seed, device)
        encoder, decoder = _modules(flat.shape[1], size)
        x = torch.as_tensor(flat, dtype=torch.float32)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=LEARNING_RATE)
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                _loss(encoder, decoder, x[rows]).backward()
                optimizer.step()
    # In double precision gradients agree with differences, and a search takes the same way on other machines.
    return encoder.double().requires_grad_(False), decoder.double().requires_grad_(False)


def _modules(pixels: int, size: int) -> tuple[Any, Any]:
    nn = import_torch().nn
    encoder = nn.Sequential(nn.Linear(pixels, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2 * size))
    decoder = nn.Sequential(nn.Linear(size, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, pixels), nn.Sigmoid())
    return encoder, decoder


def _loss(encoder: Any, decoder: Any, x: Any) -> Any:
    """Minus the evidence lower bound of a batch, for each image."""
    torch = import_torch()
    mean, log_variance = encoder(x).chunk(2, dim=1)
    z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    error = ((decoder(z) - x) ** 2).mean()
    return x.shape[1] / 2 * torch.log(error + 1e-6) + divergence
