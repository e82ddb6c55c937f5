"""Sums of per-example gradients that are clipped one by one, without holding them all.

A linear layer's gradient of one record is the outer product of what came in and what went back, so its norm is a
product of two norms, and the clipped sum is one product of matrices (book-keeping). Convolutions are linear layers of
patches. One forward and one backward pass, up to the outputs of the layers, suffice. Modules with other layers that are
trained get their gradients from ``torch.func``, some records at a time.

References:
  Goodfellow. Efficient Per-Example Gradient Computations. arXiv:1510.01799; Bu, Wang, Zha, Karypis. Differentially
  Private Optimization on Large Model at Small Cost. ICML 2023, arXiv:2210.00038 (book-keeping).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from keepmum.errors import ConfigError
from keepmum.targets._tensors import FAILURES

CHUNK = 32
"""Records whose gradients are held at once where they have to be, at most."""
ROOM = 2**28
"""Numbers that these gradients may hold."""
SMALL = 1e-12
TRIED: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""Modules seen before, and whether book-keeping is right for them."""


def clipped_sum(module: Any, X: Any, y: Any, clip: float, loss: Callable[[Any, Any], Any]) -> Any:
    """Sum over records of gradients of the loss, each scaled to a norm of at most ``clip``.

    Args:
      module: In training mode; what it gives about a record must hang on that record alone.
      X: ``(b, …)`` inputs, or ``(b v, …)`` with ``v`` views of each record one after another, whose mean loss counts.
      y: ``(b, …)`` labels.
      clip: Largest norm, above 0.
      loss: From ``(b, …)`` logits and labels to ``(b,)`` losses.

    Returns:
      ``(p,)`` in the order of the module's parameters that are trained.
    """
    if not len(y):
        return _nothing(module)
    made = _by_layers(module, X, y, clip, loss) if len(y) == 1 or _bookable(module, X, y, loss) else None
    return _by_chunks(module, X, y, clip, loss) if made is None else made


def trained_parameters(module: Any) -> list[Any]:
    """Parameters that are trained, in the module's order."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _nothing(module: Any) -> Any:
    """Zeros in the shape of a sum, of the weights' kind: inputs may be whole numbers."""
    import torch

    first, *_ = parameters = trained_parameters(module)
    return torch.zeros(sum(p.numel() for p in parameters), dtype=first.dtype, device=first.device)


def check_module(module: Any) -> None:
    """Refuse a module in which a record's gradient hangs on the other records.

    Raises:
      ConfigError: It has batch normalization.
    """
    import torch

    if any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        raise ConfigError(
            "expected a module without batch normalization, in which records change each other's answers: use "
            "GroupNorm or LayerNorm"
        )


@dataclass(eq=False)
class Seen:
    """What one call of a layer was given and gave."""

    layer: Any
    given: Any
    gave: Any

    def __post_init__(self) -> None:
        self._as_they_were = self.given._version, self.gave._version

    @property
    def untouched(self) -> bool:
        """Whether neither was changed in its place since, as an activation in place does."""
        return (self.given._version, self.gave._version) == self._as_they_were


def _bookable(module: Any, X: Any, y: Any, loss: Callable[[Any, Any], Any]) -> bool:
    """Whether book-keeping gives what records give one by one; tried once for a module, on a few of them.

    It takes the first axis of what a layer is given for the records. Shapes alone do not tell: a table of positions is
    given no records at all, and a module may put them second. Weights are moved a little in the trial, since layers
    that start at zero hide whatever stands before them.
    """
    if module not in TRIED:
        rows, views = min(3, len(y)), len(X) // len(y)
        try:
            TRIED[module] = _agrees(_moved(module), X[: rows * views], y[:rows], loss)
        except FAILURES:
            TRIED[module] = False
    return TRIED[module]


def _moved(module: Any) -> Any:
    """A copy with weights moved at random, without dropout."""
    import torch

    moved, generator = copy.deepcopy(module).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator).to(parameter))
    return moved


def _agrees(module: Any, X: Any, y: Any, loss: Callable[[Any, Any], Any]) -> bool:
    import torch

    each, views = [], len(X) // len(y)
    for row in range(len(y)):
        answer = module(X[row * views : (row + 1) * views])
        value = loss(getattr(answer, "logits", answer), y[row].expand(views, *y.shape[1:])).mean()
        grads = torch.autograd.grad(value, trained_parameters(module), materialize_grads=True)
        each.append(torch.cat([grad.reshape(-1) for grad in grads]))
    flat = torch.stack(each)
    norms = flat.norm(dim=1)
    clip = float(norms.min()) / 2
    made = _by_layers(module, X, y, clip, loss)
    if made is None or not clip > 0:
        return False
    sizes = [parameter.numel() for parameter in trained_parameters(module)]
    pairs = zip(made.split(sizes), ((clip / norms) @ flat).split(sizes), strict=True)
    return all(bool((mine - theirs).norm() <= 1e-3 * theirs.norm() + SMALL) for mine, theirs in pairs)


def _by_layers(module: Any, X: Any, y: Any, clip: float, loss: Callable[[Any, Any], Any]) -> Any | None:
    """The sum by book-keeping.

    None where a trained parameter is not of a layer that this knows, or is used twice, or where what a layer was given
    or gave is changed in its place: gradients would be those of something else.
    """
    import torch

    kinds = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Embedding, torch.nn.GroupNorm, torch.nn.LayerNorm)
    layers = [part for part in module.modules() if type(part) in kinds and trained_parameters(part)]
    owned = [id(p) for layer in layers for p in trained_parameters(layer)]
    if len(set(owned)) < len(owned) or set(owned) != {id(p) for p in trained_parameters(module)}:
        return None
    if any(not _known(layer) for layer in layers):
        return None
    views = len(X) // len(y)
    seen: list[Seen] = []
    hooks = [layer.register_forward_hook(lambda part, a, out: seen.append(Seen(part, a[0], out))) for layer in layers]
    try:
        answer = module(X)
        losses = loss(getattr(answer, "logits", answer), y.repeat_interleave(views, dim=0))
    finally:
        for hook in hooks:
            hook.remove()
    if len({id(one.layer) for one in seen}) < len(seen) or len(seen) < len(layers):
        return None
    if not all(one.untouched for one in seen):
        return None
    back = torch.autograd.grad(losses.sum() / views, [one.gave for one in seen])
    with torch.no_grad():
        parts = [_part(one, grad, len(y)) for one, grad in zip(seen, back, strict=True)]
        norms = torch.stack([squared for squared, _ in parts]).sum(dim=0).sqrt()
        scale = (clip / (norms + SMALL)).clamp(max=1.0)
        found: dict[int, Any] = {}
        for one, (_, summed) in zip(seen, parts, strict=True):
            for parameter, value in zip(trained_parameters(one.layer), summed(scale), strict=True):
                found[id(parameter)] = value.reshape(-1)
        return torch.cat([found[id(parameter)] for parameter in trained_parameters(module)])


def _known(layer: Any) -> bool:
    import torch

    if isinstance(layer, torch.nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if isinstance(layer, torch.nn.Embedding):
        return layer.max_norm is None and not layer.scale_grad_by_freq and not layer.sparse
    return all(parameter.requires_grad for parameter in layer.parameters())


Part = tuple[Any, Callable[[Any], list[Any]]]


def _part(one: Seen, back: Any, records: int) -> Part:
    """Squared norms ``(b,)`` of a layer's gradients, and their sum for given scales; a record's views add up."""
    import torch

    layer = one.layer
    if isinstance(layer, torch.nn.Linear):
        return _linear(one.given, back, layer, records)
    if isinstance(layer, torch.nn.Conv2d):
        return _convolution(one.given, back, layer, records)
    if isinstance(layer, torch.nn.Embedding):
        return _embedding(one.given, back, layer, records)
    return _norm_layer(one, back, records)


def _linear(given: Any, back: Any, layer: Any, records: int) -> Part:
    import torch

    a, g = given.reshape(records, -1, given.shape[-1]), back.reshape(records, -1, back.shape[-1])
    wanted = [layer.weight.requires_grad, layer.bias is not None and layer.bias.requires_grad]
    rows = a.shape[1]
    squared = torch.zeros(len(a), dtype=g.dtype, device=g.device)
    each: Any = None
    if wanted[0] and rows == 1:
        squared = squared + a.square().sum(dim=(1, 2)) * g.square().sum(dim=(1, 2))
    elif wanted[0] and rows * rows * (a.shape[2] + g.shape[2]) < rows * a.shape[2] * g.shape[2]:
        squared = squared + ((a @ a.transpose(1, 2)) * (g @ g.transpose(1, 2))).sum(dim=(1, 2))
    elif wanted[0]:
        each = g.transpose(1, 2) @ a
        squared = squared + each.square().sum(dim=(1, 2))
    if wanted[1]:
        squared = squared + g.sum(dim=1).square().sum(dim=1)

    def summed(scale: Any) -> list[Any]:
        scaled = g * scale[:, None, None]
        made = []
        if wanted[0] and each is not None:
            made.append((each * scale[:, None, None]).sum(dim=0))
        elif wanted[0]:
            made.append(scaled.flatten(0, 1).T @ a.flatten(0, 1))
        if wanted[1]:
            made.append(scaled.sum(dim=(0, 1)))
        return made

    return squared, summed


def _convolution(given: Any, back: Any, layer: Any, records: int) -> Part:
    """A convolution is linear in patches."""
    import torch

    patches = torch.nn.functional.unfold(
        given, layer.kernel_size, dilation=layer.dilation, padding=layer.padding, stride=layer.stride
    )
    return _linear(patches.transpose(1, 2), back.flatten(2).transpose(1, 2), layer, records)


def _embedding(given: Any, back: Any, layer: Any, records: int) -> Part:
    """Equal tokens of a record add up before the norm is taken."""
    import torch

    tokens, g = given.reshape(records, -1), back.reshape(records, -1, back.shape[-1])
    same = (tokens[:, :, None] == tokens[:, None, :]).to(g.dtype)
    if layer.padding_idx is not None:
        g = g * (tokens != layer.padding_idx)[:, :, None]
    squared = ((g @ g.transpose(1, 2)) * same).sum(dim=(1, 2))

    def summed(scale: Any) -> list[Any]:
        made = torch.zeros_like(layer.weight)
        made.index_add_(0, tokens.reshape(-1), (g * scale[:, None, None]).flatten(0, 1))
        return [made]

    return squared, summed


def _norm_layer(one: Seen, back: Any, records: int) -> Part:
    """Scale and shift of a layer that normalizes each record by itself."""
    import torch

    layer, given = one.layer, one.given
    if isinstance(layer, torch.nn.GroupNorm):
        plain = torch.nn.functional.group_norm(given, layer.num_groups, eps=layer.eps)
        axes = tuple(range(2, given.ndim))
        by_weight = (back * plain).sum(dim=axes) if axes else back * plain
        by_bias = back.sum(dim=axes) if axes else back
    else:
        plain = torch.nn.functional.layer_norm(given, layer.normalized_shape, eps=layer.eps)
        axes = tuple(range(1, given.ndim - len(layer.normalized_shape)))
        by_weight = (back * plain).sum(dim=axes) if axes else back * plain
        by_bias = back.sum(dim=axes) if axes else back
    parts = [by_weight.flatten(1)] + ([by_bias.flatten(1)] if layer.bias is not None else [])
    parts = [part.reshape(records, -1, part.shape[1]).sum(dim=1) for part in parts]
    squared = torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0)
    return squared, lambda scale: [(part * scale[:, None]).sum(dim=0) for part in parts]


def _by_chunks(module: Any, X: Any, y: Any, clip: float, loss: Callable[[Any, Any], Any]) -> Any:
    """The sum from gradients of some records at a time, by ``torch.func``."""
    total, views = _nothing(module), len(X) // len(y)
    chunk = max(1, min(CHUNK, ROOM // len(total)))
    for start in range(0, len(y), chunk):
        stop = start + chunk
        flat = per_example(module, X[start * views : stop * views], y[start:stop], loss)
        scale = (clip / (flat.norm(dim=1) + SMALL)).clamp(max=1.0)
        total += scale @ flat
    return total


def per_example(module: Any, X: Any, y: Any, loss: Callable[[Any, Any], Any]) -> Any:
    """Gradients of each record, ``(b, p)``; of the mean loss over its views, if there are several."""
    import torch
    from torch.func import functional_call, grad, vmap

    trained = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}
    fixed |= {name: b.detach() for name, b in module.named_buffers()}

    def of(parameters: Any, x: Any, label: Any) -> Any:
        answer = functional_call(module, {**parameters, **fixed}, (x,))
        return loss(getattr(answer, "logits", answer), label.expand(len(x), *label.shape)).mean()

    views = X.reshape(len(y), -1, *X.shape[1:])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")
        found = vmap(grad(of), in_dims=(None, 0, 0), randomness="different")(trained, views, y)
    return torch.cat([found[name].flatten(1) for name in trained], dim=1)
