"""A torch module as a function of rows of numbers, forward and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.errors import DataError, TargetError
from keepmum.targets._tensors import copied_to, device_of, import_torch


def copied(module: Any) -> Any:
    """A copy in evaluation mode, where it computes fastest, whose parameters take no gradients.

    Raises:
      TargetError: No module, or one that cannot be copied.
      MissingExtraError: torch is not installed.
    """
    if not isinstance(module, import_torch().nn.Module):
        raise TargetError(f"expected a torch.nn.Module, got {type(module).__name__}")
    return copied_to(module, device_of(module, "auto")).requires_grad_(False)


def forward(module: Any, values: Floats, shape: tuple[int, ...]) -> Floats:
    """What a module returns for rows of numbers, ``(n, *shape)``, in its own precision.

    Raises:
      DataError: It returns another shape.
    """
    torch = import_torch()
    with torch.no_grad():
        return np.asarray(_arranged(module(_tensor(module, values)), shape).double().cpu().numpy())


def backward(module: Any, values: Floats, gradient: Floats) -> Floats:
    """Gradient in rows of numbers of what has a known gradient ``(n, *shape)`` in what the module returns.

    Raises:
      DataError: The module returns another shape, or what does not depend on the numbers.
    """
    torch = import_torch()
    x = _tensor(module, values).requires_grad_(True)
    with torch.enable_grad():
        out = _arranged(module(x), gradient.shape[1:])
    if not out.requires_grad:
        raise DataError("expected a decoder whose images depend on the latents by differentiable steps, got none")
    (pulled,) = torch.autograd.grad(out, x, torch.as_tensor(gradient, dtype=out.dtype, device=out.device))
    return np.asarray(pulled.double().cpu().numpy())


def _arranged(out: Any, shape: tuple[int, ...]) -> Any:
    """Tensors as ``(n, *shape)``, from that, from rows, or with channels first as torch has them."""
    got = tuple(out.shape[1:])
    if got == shape:
        return out
    if got == (math.prod(shape),) or got == (1, *shape):
        return out.reshape(len(out), *shape)
    if len(shape) == 3 and got == (shape[2], *shape[:2]):
        return out.movedim(1, -1)
    raise DataError(f"expected a decoder of images of shape {shape} or with channels first, got {got}")


def _tensor(module: Any, values: Floats) -> Any:
    torch = import_torch()
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(0))
    return torch.as_tensor(values, dtype=first.dtype, device=first.device)
