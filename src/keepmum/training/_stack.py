"""Fleets of dense nets trained as one program: batched products, and a backward pass written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.training._stack_layers import Buffers, Dense, Dropout, Layer, Sigmoid, activation, aligned_width
from keepmum.training._stack_update import update_of
from keepmum.training._torch_data import Pool, Seeds
from keepmum.training._torch_loop import lr_at

if TYPE_CHECKING:
    from keepmum.training.torch import TorchTrainer

GROUP = range(8, 17)
"""Models that are computed together: one call does enough work to be worth it, and more gain nothing."""
CACHE = 2**20
"""Bytes that the weights of a group take at best, such that they stay in the cache between their uses."""


def parts_of(module: Any) -> list[Any]:
    """Layers of a module in order; nested sequences opened, those that do nothing left out."""
    from torch import nn

    if type(module) is nn.Sequential:
        return [part for inner in module for part in parts_of(inner)]
    idle = type(module) is nn.Identity or (type(module) is nn.Dropout and module.p == 0)
    return [] if idle else [module]


def why_not(module: Any, dimensions: int | None = None) -> str | None:
    """Why modules like this one cannot be stacked, or None if they can.

    Args:
      module: An untrained module.
      dimensions: Axes of the records, the first included, if they are known.
    """
    import torch
    from torch import nn

    parts = parts_of(module)
    dense = [part for part in parts if type(part) is nn.Linear]
    active = [type(part) is not nn.Flatten and not isinstance(part, (nn.Linear, nn.Dropout)) for part in parts]
    odd = [part for part in parts if not _is_known(part)]
    if odd:
        return f"{type(odd[0]).__name__} is no layer that is trained together"
    if not dense or type(parts[-1]) is not nn.Linear:
        return "the module does not end in a linear layer"
    if any(part.weight.dtype not in (torch.float32, torch.float64) for part in dense):
        return "half precision is not trained together"
    if len({id(part) for part in parts}) < len(parts) or any(_is_touched(part) for part in module.modules()):
        return "layers are shared, hooked or frozen"
    if any(one and other for one, other in pairwise(active)):
        return "one activation follows another"
    shaped = [place for place, part in enumerate(parts) if type(part) is nn.Flatten]
    if shaped not in ([], [0]) or (not shaped and dimensions not in (None, 2)):
        return "records are not flattened first"
    return None


def _is_known(part: Any) -> bool:
    from torch import nn

    if type(part) is nn.Flatten:
        return (part.start_dim, part.end_dim) == (1, -1)
    return type(part) in (nn.Linear, nn.Dropout, nn.Sigmoid) or activation(part) is not None


def _is_touched(part: Any) -> bool:
    hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks, part._backward_pre_hooks)
    return any(map(len, hooks)) or not all(value.requires_grad for value in part.parameters(recurse=False))


def group_size(module: Any) -> int:
    """How many modules like this one are computed together: from 8 to 16, the more the smaller they are."""
    each = sum(value.numel() * value.element_size() for value in module.parameters())
    return int(min(GROUP[-1], max(GROUP[0], CACHE // each)))


def at_least_two(group: NDArray[np.intp], module: Any) -> NDArray[np.intp]:
    """The group, or a model twice where it would be alone with a layer of one input or output.

    Libraries take another path, which rounds otherwise, for the product of a matrix and a single vector.
    """
    widths = [getattr(part, side, 2) for part in parts_of(module) for side in ("in_features", "out_features")]
    return group.repeat(2) if 1 in widths and len(group) == 1 else group


def groups_of(sizes: NDArray[np.intp], most: int) -> Iterator[NDArray[np.intp]]:
    """Models in groups, those in a group with equally many records."""
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        yield from np.split(same, range(most, len(same), most))


def flattened(module: Any, X: Any) -> Any:
    """Records as the first layers of a stack take them: ``(n, width)``, padded with zeros where it must be."""
    from torch import nn

    flat = X.flatten(1)
    width = _widths([part for part in parts_of(module) if type(part) is nn.Linear])[0]
    return nn.functional.pad(flat, (0, width - flat.shape[1])) if width > flat.shape[1] else flat.contiguous()


class Stack:
    """Several models with the same layers.

    Args:
      recipe: The settings.
      modules: ``G`` modules with their first weights.
      pool: All records.
      X: The same, `flattened`.
      seeds: ``G`` seeds of order, noise and changes.
    """

    def __init__(
        self, recipe: TorchTrainer, modules: Sequence[Any], pool: Pool, X: Any, seeds: Sequence[Seeds]
    ) -> None:
        import torch
        from torch import nn

        self._recipe, self._modules, self._pool = recipe, modules, pool
        self._orders = [np.random.default_rng(own.order) for own in seeds]
        self._changes = [torch.Generator().manual_seed(own.augment) for own in seeds]
        noise = [torch.Generator().manual_seed(own.noise) for own in seeds]
        columns = [list(column) for column in zip(*map(parts_of, modules), strict=True)]
        self._columns = [column for column in columns if type(column[0]) is not nn.Flatten]
        self._layers = list(_layers(self._columns, noise))
        self._dense = [layer for layer in self._layers if isinstance(layer, Dense)]
        widths = [self._dense[0].weight.shape[1], *(layer.weight.shape[2] for layer in self._dense)]
        self._rows = max(aligned_width(1, width) for width in widths)
        self._X = X
        self._buffers = Buffers()

    def train(self, rows: NDArray[np.intp]) -> None:
        """Train all, and give the modules their weights.

        Args:
          rows: ``(G, n)`` the records that each is trained on.
        """
        update = update_of(self._recipe, self._dense)
        size = min(self._recipe.batch_size, rows.shape[1])
        for epoch in range(self._recipe.epochs):
            lr = lr_at(self._recipe, epoch)
            order = np.stack([own[rng.permutation(len(own))] for own, rng in zip(rows, self._orders, strict=True)])
            for picks, labels in self._steps(order, size):
                for pick, y in zip(picks, labels, strict=True):
                    self._backward(self._forward(self._gather(pick), pick.shape[1]), y)
                    update.step(self._dense, lr, 1 / pick.shape[1])
        for column, layer in zip(self._columns, self._layers, strict=True):
            if isinstance(layer, Dense):
                layer.copy_to(column)

    def _steps(self, order: NDArray[np.intp], size: int) -> Iterator[tuple[Any, Any]]:
        """Records and labels of the steps of an epoch, ``(steps, G, size)``: the full ones, then what is left."""
        import torch

        full = order.shape[1] // size * size
        for part, width in ((order[:, :full], size), (order[:, full:], order.shape[1] - full)):
            if width:
                steps = np.ascontiguousarray(part.reshape(len(part), -1, width).transpose(1, 0, 2))
                picks = torch.from_numpy(steps)
                yield picks, self._pool.y[picks]

    def _gather(self, pick: Any) -> Any:
        """Records of one step, ``(G, padded rows, padded width)``; what the padding holds has no gradient."""
        import torch

        models, rows = pick.shape
        padded = -(-rows // self._rows) * self._rows
        if padded > rows:
            pick = torch.nn.functional.pad(pick, (0, padded - rows), value=0)
        x = self._buffers.take("x", (models, padded, self._X.shape[1]), self._X)
        torch.index_select(self._X, 0, pick.flatten(), out=x.view(-1, self._X.shape[1]))
        if self._recipe.augment is not None:
            for place, changes in enumerate(self._changes):
                drawn = self._recipe.augment(self._pool.X.index_select(0, pick[place, :rows]), changes).flatten(1)
                x[place, :rows, : drawn.shape[1]] = drawn
        return x

    def _forward(self, x: Any, rows: int) -> tuple[Any, int]:
        for layer in self._layers:
            x = layer.forward(x, rows)
        return x, rows

    def _backward(self, answer: tuple[Any, int], y: Any) -> None:
        """Gradients of the summed loss: probabilities, less 1 for the true class."""
        import torch

        logits, rows = answer
        d = self._buffers.take("d", tuple(logits.shape), logits)
        if logits.shape[2] == 1:
            torch.sigmoid(logits, out=d)
            d[:, :rows, 0] -= y
        else:
            torch.softmax(logits, dim=2, out=d)
            d[:, :rows].scatter_add_(2, y[..., None], d.new_full((), -1.0).expand(*y.shape, 1))
        if rows < d.shape[1]:
            d[:, rows:] = 0
        for layer in reversed(self._layers):
            d = layer.backward(d)
            if d is None:
                return


def _layers(columns: list[list[Any]], noise: list[Any]) -> Iterator[Layer]:
    """Layers in order, with widths padded from the last one on; the number of classes stays as it is."""
    from torch import nn

    dense = [column[0] for column in columns if type(column[0]) is nn.Linear]
    widths = _widths(dense)
    width, done = dense[0].in_features, 0
    for column in columns:
        kind = type(column[0])
        if kind is nn.Linear:
            yield Dense(column, widths[done], widths[done + 1], first=done == 0)
            width, done = column[0].out_features, done + 1
        elif kind is nn.Dropout:
            yield Dropout(column[0].p, width, noise)
        elif kind is nn.Sigmoid:
            yield Sigmoid(width)
        else:
            layer = activation(column[0])
            assert layer is not None
            yield layer


def _widths(dense: list[Any]) -> list[int]:
    """Padded widths before and after linear layers."""
    widths = [dense[-1].out_features]
    for part in reversed(dense):
        widths.insert(0, aligned_width(part.in_features, widths[0]))
    return widths
