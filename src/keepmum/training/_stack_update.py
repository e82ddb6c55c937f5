"""Steps of the optimizer for several models at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from keepmum.training._stack_layers import Dense

if TYPE_CHECKING:
    from keepmum.training.torch import TorchTrainer


class Update(ABC):
    """Changes the weights of layers by the gradients that their backward pass left."""

    @abstractmethod
    def step(self, layers: list[Dense], lr: float, scale: float) -> None:
        """One step; gradients are those of the sum of losses, and ``scale`` makes them those of the mean."""


class Descent(Update):
    """Gradient descent, the product of gradient and momentum in one pass.

    ``v = momentum v + decay w + g``, ``w = w - lr v``, as in `torch.optim.SGD`.
    """

    def __init__(self, momentum: float, decay: float, layers: list[Dense]) -> None:
        import torch

        self._momentum, self._decay = momentum, decay
        self._speed = [torch.zeros_like(layer.weight) for layer in layers] if momentum else []
        self._drift = [None if layer.bias is None else torch.zeros_like(layer.bias) for layer in layers]

    def step(self, layers: list[Dense], lr: float, scale: float) -> None:
        """One step."""
        for place, layer in enumerate(layers):
            self._biases(place, layer, lr, scale)
            turned = layer.x.transpose(1, 2)
            if not self._momentum:
                layer.weight.baddbmm_(turned, layer.d, beta=1 - lr * self._decay, alpha=-lr * scale)
                continue
            speed, kept = self._speed[place], self._momentum
            if self._decay:
                speed.mul_(kept).add_(layer.weight, alpha=self._decay)
                kept = 1.0
            speed.baddbmm_(turned, layer.d, beta=kept, alpha=scale)
            layer.weight.add_(speed, alpha=-lr)

    def _biases(self, place: int, layer: Dense, lr: float, scale: float) -> None:
        drift = self._drift[place]
        if layer.bias is None or drift is None:
            return
        drift.mul_(self._momentum)
        if self._decay:
            drift.add_(layer.bias, alpha=self._decay)
        drift[..., : layer.d.shape[2]].add_(layer.d.sum(dim=1, keepdim=True), alpha=scale)
        layer.bias.add_(drift, alpha=-lr)


class Adaptive(Update):
    """Adam and AdamW, in the one pass of torch's own: elementwise, so that models do not meet in it."""

    def __init__(self, recipe: TorchTrainer, layers: list[Dense]) -> None:
        import torch
        from torch.optim.adam import adam
        from torch.optim.adamw import adamw

        self._decay = recipe.weight_decay
        self._apply: Any = adamw if recipe.optimizer == "adamw" else adam
        self._values = [value for layer in layers for value in (layer.weight, layer.bias) if value is not None]
        self._gradients, self._means, self._squares = ([torch.zeros_like(v) for v in self._values] for _ in range(3))
        self._steps = [torch.zeros(()) for _ in self._values]

    def step(self, layers: list[Dense], lr: float, scale: float) -> None:
        """One step."""
        import torch

        gradients = iter(self._gradients)
        for layer in layers:
            grad = next(gradients)
            torch.baddbmm(grad, layer.x.transpose(1, 2), layer.d, beta=0, alpha=scale, out=grad)
            if layer.bias is not None:
                total = layer.d.sum(dim=1, keepdim=True)
                torch.mul(total, scale, out=next(gradients)[..., : total.shape[2]])
        self._apply(
            *(self._values, self._gradients, self._means, self._squares, [], self._steps),
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=lr,
            weight_decay=self._decay,
            eps=1e-8,
            maximize=False,
        )


def update_of(recipe: TorchTrainer, layers: list[Dense]) -> Update:
    """The optimizer of a recipe."""
    if recipe.optimizer == "sgd":
        return Descent(recipe.momentum, recipe.weight_decay, layers)
    return Adaptive(recipe, layers)
