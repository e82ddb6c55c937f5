"""Trained on inputs that were changed against the model, or for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


def stepped(forward: Callable[[Any], Any], X: Any, y: Any, radius: float, steps: int) -> Any:
    """Inputs within a radius in each column, after signed gradient steps up the loss; down for a negative radius.

    References:
      Madry, Makelov, Schmidt, Tsipras, Vladu. arXiv:1706.06083.
    """
    import torch

    size, change = abs(radius), torch.zeros_like(X)
    for _ in range(steps):
        change.requires_grad_(True)
        (slope,) = torch.autograd.grad(cross_entropy(forward(X + change), y), change)
        step = 2.5 * size / steps * slope.sign()
        change = (change.detach() + (step if radius > 0 else -step)).clamp(-size, size)
    return (X + change).detach()


@dataclass(frozen=True)
class Hardened(Objective):
    """Cross-entropy of the worst inputs nearby."""

    radius: float
    steps: int

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        return cross_entropy(forward(stepped(forward, X, y, self.radius, self.steps)), y)


@dataclass(frozen=True)
class Softened(Objective):
    """Cross-entropy, and that of another class on inputs changed towards it."""

    radius: float
    steps: int
    strength: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        import torch

        logits = forward(X)
        labels = y if y.ndim == 1 else y.argmax(dim=1)
        further = torch.as_tensor(moment.rng.integers(1, logits.shape[1], len(X)), device=X.device)
        other = (labels + further) % logits.shape[1]
        near = stepped(forward, X, other, -self.radius, self.steps)
        return cross_entropy(logits, y) + self.strength * cross_entropy(forward(near), other)


@dataclass(frozen=True)
class Adversarial(ObjectiveDefense):
    """Adversarial training: each batch is first changed against the model, by projected gradient descent.

    It is made against evasion. Against inversion it backfires: what a robust model finds likely looks like the class.
    Membership tends to leak more, too.

    Attributes:
      radius: Largest change of a column or pixel, above 0, in their units.
      steps: Gradient steps, at least 1.

    Raises:
      ConfigError: A number out of range.

    References:
      Madry, Makelov, Schmidt, Tsipras, Vladu. ICLR 2018, arXiv:1706.06083; Mejia et al. Robust or Private? Adversarial
      Training Makes Models More Vulnerable to Privacy Attacks. arXiv:1906.06449.
    """

    id: ClassVar[str] = "training/adversarial"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1706.06083", "arXiv:1906.06449")

    radius: float = 0.1
    steps: int = 5

    def __post_init__(self) -> None:
        check(self.radius, self.steps)

    @property
    def cost(self) -> float:
        """A pass for each gradient step, and the usual one."""
        return self.steps + 1.0

    def objective(self) -> Objective:
        """Cross-entropy of the worst inputs nearby."""
        return Hardened(self.radius, self.steps)


@dataclass(frozen=True)
class AntiAdversarial(ObjectiveDefense):
    """Anti-adversarial training: a small change shall suffice to be taken for another class.

    Gradients then lead to inputs that look like no class, and an inversion ends there. The price is accuracy, and a
    model that is easily fooled.

    Attributes:
      radius: Largest change of a column or pixel, above 0, in their units.
      steps: Gradient steps, at least 1.
      strength: Weight of the changed inputs, above 0.

    Raises:
      ConfigError: A number out of range.
    """

    id: ClassVar[str] = "training/anti-adversarial"

    radius: float = 0.1
    steps: int = 3
    strength: float = 1.0

    def __post_init__(self) -> None:
        check(self.radius, self.steps, self.strength)

    @property
    def cost(self) -> float:
        """A pass for each gradient step, and two more."""
        return self.steps + 2.0

    def objective(self) -> Objective:
        """Cross-entropy, and that of another class nearby."""
        return Softened(self.radius, self.steps, self.strength)


def check(radius: float, steps: int, strength: float = 1.0) -> None:
    """Refuse settings that cannot be.

    Raises:
      ConfigError: A radius or a strength that is not above 0, or no steps.
    """
    if not radius > 0 or steps < 1 or not strength > 0:
        raise ConfigError(
            f"expected a radius and a strength above 0 and at least 1 step, got {radius}, {strength} and {steps}"
        )
