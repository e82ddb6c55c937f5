"""One model after another: the ordinary training loop, without what makes it slow."""

from __future__ import annotations

import math
from contextlib import nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import TargetError
from keepmum.targets._tensors import FAILURES, import_torch
from keepmum.training._torch_data import Pool, Seeds, draw_from, untrainable
from keepmum.training.objective import Moment, logits_of

if TYPE_CHECKING:
    from keepmum.training.torch import TorchTrainer


def train_one(recipe: TorchTrainer, module: Any, pool: Pool, rows: NDArray[np.intp], seeds: Seeds) -> None:
    """Train a module in place, within `quiet`.

    Args:
      recipe: The settings.
      module: With its first weights, on the device of the pool.
      pool: All records.
      rows: ``(n,)`` those that this model is trained on.
      seeds: Of order, noise and changes.

    Raises:
      TargetError: The module cannot be trained on these records, or what is learned is not finite.
    """
    try:
        _train(recipe, module, pool, rows, seeds)
    except FAILURES as err:
        raise untrainable(err, len(rows)) from err
    check_finite(module)


def check_finite(module: Any) -> None:
    """Refuse weights that grew beyond all bounds.

    Raises:
      TargetError: Some are infinite or no numbers.
    """
    if not all(bool(value.isfinite().all()) for value in module.parameters()):
        raise TargetError("training diverged (weights are no longer finite): take a smaller learning rate")


def _train(recipe: TorchTrainer, module: Any, pool: Pool, rows: NDArray[np.intp], seeds: Seeds) -> None:
    torch = import_torch()
    device = pool.X.device
    if pool.channels_last:
        module.to(memory_format=torch.channels_last)
    module.train()
    cheap = pooled_first(module)
    optimizer = optimizer_of(recipe, [value for value in module.parameters() if value.requires_grad])
    orders = np.random.default_rng(seeds.order)
    changes = torch.Generator().manual_seed(seeds.augment)
    draw_from(seeds.noise, device)
    half = recipe.precision == "bfloat16"
    shortest = 2 if any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in module.modules()) else 1
    watch = Watch(recipe, module, pool, rows, seeds) if recipe.patience else None
    mine = rows if watch is None else watch.rows
    said = logits_of(cheap, pool.X.dtype)
    rng = np.random.default_rng(seeds.augment)
    for epoch in range(recipe.epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr_at(recipe, epoch)
        moment = Moment(epoch, recipe.epochs, rng, changes)
        order = torch.as_tensor(mine[orders.permutation(len(mine))], device=device)
        for pick in order.split(recipe.batch_size):
            if len(pick) < shortest:
                continue  # batch statistics of a single record do not exist
            X, y = pool.batch(pick)
            if recipe.augment is not None:
                X = recipe.augment(X, changes)
            optimizer.zero_grad()
            with torch.autocast(device.type, dtype=torch.bfloat16) if half else nullcontext():
                if recipe.objective is not None:
                    loss = recipe.objective.loss(said, X, y, moment)
                else:
                    answer = cheap(X)
                    loss = loss_of(recipe.loss, getattr(answer, "logits", answer).to(pool.X.dtype), y)
            loss.backward()
            optimizer.step()
        if watch is not None and watch.stops():
            break
    if watch is not None:
        watch.restore()


class Watch:
    """Held-out records, whose loss says when to stop."""

    def __init__(self, recipe: TorchTrainer, module: Any, pool: Pool, rows: NDArray[np.intp], seeds: Seeds) -> None:
        shuffled = np.random.default_rng([seeds.order, 1]).permutation(rows)
        count = max(1, round(recipe.held_out * len(rows)))
        self.rows, self.held = np.sort(shuffled[count:]), shuffled[:count]
        if not len(self.rows):
            raise TargetError(f"expected records left to train on, got {len(rows)} of which {count} are held out")
        self.recipe, self.module, self.pool = recipe, module, pool
        self.best, self.left = math.inf, recipe.patience
        self.state: dict[str, Any] = {}

    def stops(self) -> bool:
        """Look at the held-out loss; remember the weights where it is the smallest so far."""
        torch = import_torch()
        self.module.eval()
        with torch.no_grad():
            X, y = self.pool.batch(torch.as_tensor(self.held, device=self.pool.X.device))
            answer = self.module(X)
            loss = float(loss_of("cross-entropy", getattr(answer, "logits", answer).to(self.pool.X.dtype), y))
        self.module.train()
        if loss < self.best:
            self.best, self.left = loss, self.recipe.patience
            self.state = {name: value.detach().clone() for name, value in self.module.state_dict().items()}
            return False
        self.left -= 1
        return self.left <= 0

    def restore(self) -> None:
        """Take the best weights."""
        if self.state:
            self.module.load_state_dict(self.state)


def pooled_first(module: Any) -> Any:
    """The same function of the same weights, with each maximum taken before the ReLU that stands before it.

    Both give the same numbers and gradients, and a quarter of the numbers is left to look at.
    """
    torch = import_torch()
    hooked = any(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in module.modules())
    if type(module) is not torch.nn.Sequential or hooked:
        return module
    parts = [pooled_first(part) for part in module]
    for place, (one, other) in enumerate(pairwise(parts)):
        if type(one) is torch.nn.ReLU and type(other) is torch.nn.MaxPool2d:
            parts[place], parts[place + 1] = other, one
    return torch.nn.Sequential(*parts)


def loss_of(loss: Any, logits: Any, y: Any) -> Any:
    """Mean loss of a batch; the logistic loss for a module with one output."""
    torch = import_torch()
    if callable(loss):
        return loss(logits, y)
    if logits.ndim == 1 or logits.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits.reshape(-1), y.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits, y)


def lr_at(recipe: TorchTrainer, epoch: int) -> float:
    """Learning rate of an epoch: constant, or down to 0 along half a cosine or a line."""
    done = epoch / recipe.epochs
    if recipe.schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr * (1 - done) if recipe.schedule == "linear" else recipe.lr


def optimizer_of(recipe: TorchTrainer, parameters: list[Any]) -> Any:
    """The optimizer of torch, in one pass over the weights."""
    torch = import_torch()
    shared = {"lr": recipe.lr, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=recipe.momentum, **shared)
    return (torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW)(parameters, **shared)
