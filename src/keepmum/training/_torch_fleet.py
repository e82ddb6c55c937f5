"""Which models of a fleet are trained together, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._tensors import FAILURES
from keepmum.training._stack import Stack, at_least_two, flattened, group_size, groups_of, why_not
from keepmum.training._torch_data import Pool, Seeds, built, quiet, untrainable
from keepmum.training._torch_loop import check_finite, train_one

if TYPE_CHECKING:
    from keepmum.training.torch import TorchTrainer

Rows = list[NDArray[np.intp]]
FLEET = 16
"""Models in a fleet: two groups, also where halves of an odd number of records differ by one."""


def why_alone(recipe: TorchTrainer, module: Any, device: Any, dimensions: int | None = None) -> str | None:
    """Why models of a recipe are trained one after another, or None if they are trained together."""
    if device.type != "cpu":
        return "on a GPU models are not trained together"
    if recipe.objective is not None or recipe.patience:
        return "it has an objective of its own, or stops early"
    if recipe.loss != "cross-entropy":
        return "the loss is a function of its own"
    if recipe.precision != "float32":
        return "half precision is not trained together"
    return why_not(module, dimensions)


def trained(recipe: TorchTrainer, pool: Pool, rows: Rows, seeds: Sequence[Seeds]) -> Iterator[Any]:
    """Trained modules in order; those that can be stacked are trained in groups.

    Args:
      recipe: The settings.
      pool: All records, on the device.
      rows: ``K`` arrays, the records that each model is trained on.
      seeds: ``K`` seeds.

    Raises:
      TargetError: Training failed or diverged.
    """
    device, dimensions = pool.X.device, pool.X.ndim
    template = built(recipe.build, 0)
    stacked = why_alone(recipe, template, device, dimensions) is None
    X = flattened(template, pool.X) if stacked else None
    each = FLEET if stacked else 1
    for start in range(0, len(rows), each):
        mine, own = rows[start : start + each], seeds[start : start + each]
        with quiet(device):
            modules = [built(recipe.build, seed.weights).to(device) for seed in own]
            if stacked:
                _together(recipe, modules, (pool, X), mine, own)
            else:
                train_one(recipe, modules[0], pool, mine[0], own[0])
        for module in modules:
            check_finite(module)
            yield module


def _together(recipe: TorchTrainer, modules: list[Any], pools: tuple[Pool, Any], rows: Rows, seeds: Any) -> None:
    for group in groups_of(np.array([len(own) for own in rows]), group_size(modules[0])):
        group = at_least_two(group, modules[0])
        stack = Stack(recipe, [modules[i] for i in group], *pools, [seeds[i] for i in group])
        try:
            stack.train(np.stack([rows[i] for i in group]))
        except FAILURES as err:
            raise untrainable(err, len(rows[group[0]])) from err
