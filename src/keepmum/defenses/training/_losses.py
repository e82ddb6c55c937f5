"""Losses that several techniques are made of. Logits are ``(n, K)``, labels ``(n,)`` positions."""

from __future__ import annotations

from typing import Any


def cross_entropy(logits: Any, y: Any) -> Any:
    """Mean cross-entropy; labels may be ``(n, K)`` probabilities."""
    import torch

    return torch.nn.functional.cross_entropy(logits, y)


def entropy(logits: Any) -> Any:
    """Entropy of each answer in nats, ``(n,)``."""
    logs = logits.log_softmax(dim=1)
    return -(logs.exp() * logs).sum(dim=1)


def from_uniform(logits: Any) -> Any:
    """Mean cross-entropy of answers against equal probabilities."""
    return -logits.log_softmax(dim=1).mean()


def one_hot(y: Any, classes: int) -> Any:
    """``(n, K)`` of the labels; probabilities are left as they are."""
    import torch

    return y if y.ndim == 2 else torch.nn.functional.one_hot(y, classes)
