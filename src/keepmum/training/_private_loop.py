"""The loop of DP-SGD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import ConfigError
from keepmum.targets._tensors import FAILURES, import_torch
from keepmum.training._torch_data import Pool, Seeds, draw_from, quiet, untrainable
from keepmum.training._torch_loop import check_finite, lr_at, optimizer_of

if TYPE_CHECKING:
    from keepmum.training.private import PrivateTrainer, Watch


ODD = 0x9E3779B97F4A7C15
"""Spreads neighboring numbers far apart; torch seeds by 32 bits, and the upper ones hang on all below."""


def losses(logits: Any, y: Any) -> Any:
    """Cross-entropy of each record, ``(b,)``; the logistic loss for a module with one output."""
    torch = import_torch()
    if logits.ndim == 1 or logits.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(
            logits.reshape(-1), y.to(logits.dtype), reduction="none"
        )
    return torch.nn.functional.cross_entropy(logits, y, reduction="none")


def train_private(recipe: PrivateTrainer, module: Any, pool: Pool, seeds: Seeds, watch: Watch | None) -> None:
    """Train a module in place.

    Raises:
      ConfigError: Records change each other's answers in it, or it keeps more of them than weights.
      TargetError: It cannot be trained on these records, or what is learned is not finite.
    """
    from keepmum.training._private_gradients import check_module

    check_module(module)
    unchanged = Unchanged(module)
    try:
        with quiet(pool.X.device):
            _train(recipe, module, pool, seeds, watch, unchanged)
    except FAILURES as err:
        raise untrainable(err, len(pool.y)) from err
    check_finite(module)


class Unchanged:
    """What a module keeps beside its weights, such as running means: no noise guards what it takes from records.

    Args:
      module: Before it is trained.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.before = {name: buffer.clone() for name, buffer in module.named_buffers()}

    def check(self) -> None:
        """Refuse a module that kept something.

        Raises:
          ConfigError: A buffer is not what it was.
        """
        for name, buffer in self.module.named_buffers():
            if name not in self.before or not buffer.equal(self.before[name]):
                raise ConfigError(
                    f"expected a module that keeps nothing of its records but weights, got one whose buffer {name!r} "
                    "changes in training: leave out running statistics"
                )


class Views:
    """Changed copies of records, each drawn by itself.

    What becomes of a record hangs on it and on nobody else in the batch: a record more or less changes no other's
    views, and nothing is mixed.

    Args:
      recipe: Its change, and the number of views.
      seed: Of the changes.
    """

    def __init__(self, recipe: PrivateTrainer, seed: int) -> None:
        self.change, self.count, self.seed = recipe.inner.augment, recipe.views, seed

    def of(self, X: Any, rows: NDArray[np.intp], step: int) -> Any:
        """``(b v, …)`` views of ``(b, …)`` records, those of a record one after another; the records if none change.

        Raises:
          ConfigError: The change makes another shape.
        """
        torch = import_torch()
        if self.change is None or not len(X):
            return X
        generator, made = torch.Generator(), []
        for x, row in zip(X, rows.tolist(), strict=True):
            generator.manual_seed((self.seed + (step << 32) + row) * ODD % (1 << 64) >> 32)
            made.append(self.change(x.unsqueeze(0).repeat(self.count, *[1] * x.ndim), generator))
        views = torch.cat(made)
        if views.shape != (len(X) * self.count, *X.shape[1:]):
            raise ConfigError(
                f"expected augment to keep the shape {tuple(X.shape[1:])} of records, got {tuple(views.shape[1:])}"
            )
        return views


def _train(
    recipe: PrivateTrainer, module: Any, pool: Pool, seeds: Seeds, watch: Watch | None, unchanged: Unchanged
) -> None:
    from keepmum.training._private_gradients import trained_parameters
    from keepmum.training.private import Step

    torch = import_torch()
    n, device, mechanism = len(pool.y), pool.X.device, recipe.in_use
    rate, steps, sd = recipe.rate(n), recipe.steps(n), recipe.noise_for(n) * recipe.clip
    parameters = trained_parameters(module)
    size = sum(p.numel() for p in parameters)
    optimizer = optimizer_of(recipe.inner, parameters)
    rows_of, noise_of = np.random.default_rng(seeds.order), torch.Generator().manual_seed(seeds.noise)
    views = Views(recipe, seeds.augment)
    draw_from(seeds.augment, device)
    module.train()
    for number in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr_at(recipe.inner, int(number * rate))
        rows = mechanism.sample(n, rate, rows_of)
        X, y = pool.batch(torch.as_tensor(rows, device=device))
        clipped = mechanism.clipped_sum(module, views.of(X, rows, number), y, recipe.clip)
        noise = mechanism.noise(size, sd, noise_of).to(device=device, dtype=clipped.dtype)
        released = clipped + noise
        normalizer = mechanism.normalizer(rate * n, len(rows))
        if watch is not None:
            watch(Step(number, rows, clipped, released, normalizer, sd, recipe.clip, rate))
        start = 0
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.grad = (released[start:stop] / normalizer).reshape(parameter.shape)
            start = stop
        optimizer.step()
        if not number:
            unchanged.check()
    unchanged.check()
