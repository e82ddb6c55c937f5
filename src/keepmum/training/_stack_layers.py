"""Layers of several models at once: their answers, and the gradients that autograd would find.

Arrays are ``(G, rows, width)``, one slice for each of G models. What a model becomes must not depend on its place in
the stack nor on how many others there are. Rows and widths are padded with zeros such that each slice takes a multiple
of 128 bytes, for two reasons, both in the last bits:

* A function of single numbers goes over the whole array by two vectors at a time, up to 64 bytes each; what is left at
  the end, which belongs to the last model, it computes by another formula. Here nothing is left.
* Libraries compute a product differently where a matrix begins at another alignment to 64 bytes.

Sums over rows and the softmax of a row stay within a slice. That a product in a batch is the one that it would be in
another batch is up to the library; tests compare groups of several sizes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

ALIGNED = 32
"""Numbers of single precision in 128 bytes: two of the widest vectors."""


def aligned_width(width: int, beside: int) -> int:
    """The least width from ``width`` on with a multiple of 32 numbers in a matrix that is ``beside`` long."""
    step = ALIGNED // gcd(beside, ALIGNED)
    return -(-width // step) * step


class Buffers:
    """Arrays that are written again at each step; asking the system for new ones costs more than some of the sums."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, tuple[int, ...]], Any] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Any) -> Any:
        """The array of this name and shape; what it holds is left from before, and 0 at first."""
        found = self._kept.get((name, shape))
        if found is None:
            found = self._kept[name, shape] = like.new_zeros(shape)
        return found


class Layer(ABC):
    """One layer of G models; it remembers what its backward pass needs."""

    def __init__(self) -> None:
        self._buffers = Buffers()

    @abstractmethod
    def forward(self, x: Any, rows: int) -> Any:
        """Answers for ``x``, of which the first ``rows`` rows are records; may overwrite it."""

    @abstractmethod
    def backward(self, d: Any) -> Any:
        """Gradient towards the layer's input from that towards its answers; may overwrite it."""


class Dense(Layer):
    """Linear layers.

    Attributes:
      weight: ``(G, in, out)``, padded.
      bias: ``(G, 1, out)``, padded, or None.
      x: What was given last.
      d: Gradient towards the answers to it.
    """

    def __init__(self, parts: Sequence[Any], inside: int, outside: int, first: bool) -> None:
        import torch

        super().__init__()
        own = parts[0].weight
        self._in, self._out, self._first = own.shape[1], own.shape[0], first
        self.weight: Any = torch.zeros(len(parts), inside, outside, dtype=own.dtype)
        for slot, part in zip(self.weight, parts, strict=True):
            slot[: self._in, : self._out] = part.weight.detach().t()
        self.bias: Any = None
        if parts[0].bias is not None:
            padded = -(-outside // ALIGNED) * ALIGNED
            self.bias = torch.zeros(len(parts), 1, padded, dtype=own.dtype)
            for slot, part in zip(self.bias, parts, strict=True):
                slot[0, : self._out] = part.bias.detach()
        self.x: Any = None
        self.d: Any = None
        self._turned = self.weight.transpose(1, 2)
        self._added = own.new_zeros(1, 1, 1) if self.bias is None else self.bias[..., :outside]

    def forward(self, x: Any, rows: int) -> Any:
        """Products and biases."""
        import torch

        self.x = x
        out = self._buffers.take("y", (*x.shape[:2], self.weight.shape[2]), x)
        return torch.baddbmm(self._added, x, self.weight, out=out)

    def backward(self, d: Any) -> Any:
        """Products with the transposed weights; nobody asks the first layer."""
        import torch

        self.d = d
        if self._first:
            return None
        return torch.bmm(d, self._turned, out=self._buffers.take("d", (*d.shape[:2], self.weight.shape[1]), d))

    def copy_to(self, parts: Sequence[Any]) -> None:
        """Give the weights back to modules."""
        for place, part in enumerate(parts):
            part.weight.data.copy_(self.weight[place, : self._in, : self._out].t())
            if self.bias is not None:
                part.bias.data.copy_(self.bias[place, 0, : self._out])


class Activation(Layer):
    """An elementwise function that keeps 0 at 0.

    Attributes:
      apply: The function; may work in place.
      slope: Gradient towards the input from that towards the answer, what was given and the answer.
    """

    def __init__(self, apply: Callable[[Any], Any], slope: Callable[[Any, Any, Any], Any]) -> None:
        super().__init__()
        self._apply, self._slope = apply, slope
        self._x = self._y = None

    def forward(self, x: Any, rows: int) -> Any:
        """Each number on its own."""
        self._x, self._y = x, self._apply(x)
        return self._y

    def backward(self, d: Any) -> Any:
        """Each number times the slope there."""
        return self._slope(d, self._x, self._y)


class Sigmoid(Layer):
    """The logistic function, which would make one half of the zeros of the padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width
        self._y: Any = None

    def forward(self, x: Any, rows: int) -> Any:
        """Each number on its own; the padding stays 0."""
        self._y = x.sigmoid_()
        self._y[..., self._width :] = 0
        return self._y

    def backward(self, d: Any) -> Any:
        """Each number times ``y (1 - y)``."""
        import torch

        return torch.ops.aten.sigmoid_backward.grad_input(d, self._y, grad_input=d)


class Dropout(Layer):
    """Masks that each model draws from random numbers of its own, as it would alone."""

    def __init__(self, p: float, width: int, generators: Sequence[Any]) -> None:
        super().__init__()
        self._keep, self._width, self._generators = 1.0 - p, width, generators
        self._mask: Any = None

    def forward(self, x: Any, rows: int) -> Any:
        """Zeros in random places, the rest scaled up."""
        import torch

        self._mask = self._buffers.take("mask", tuple(x.shape), x)
        drawn = self._buffers.take("drawn", (rows, self._width), x)
        for slot, generator in zip(self._mask, self._generators, strict=True):
            drawn.bernoulli_(self._keep, generator=generator)
            slot[:rows, : self._width] = drawn.div_(self._keep) if self._keep else drawn
        return torch.mul(x, self._mask, out=self._buffers.take("y", tuple(x.shape), x))

    def backward(self, d: Any) -> Any:
        """The same zeros."""
        return d.mul_(self._mask)


def activation(part: Any) -> Activation | None:
    """The stacked form of an activation that keeps 0 at 0, or None for one that is not known.

    Slopes are torch's own, so that they are equal to autograd's.
    """
    from torch import nn
    from torch.nn import functional as f
    from torch.ops import aten

    known: dict[type, Callable[[], Activation]] = {
        nn.ReLU: lambda: Activation(
            lambda x: x.relu_(), lambda d, x, y: aten.threshold_backward.grad_input(d, y, 0, grad_input=d)
        ),
        nn.LeakyReLU: lambda: Activation(
            lambda x: f.leaky_relu(x, part.negative_slope),
            lambda d, x, y: aten.leaky_relu_backward.grad_input(d, x, part.negative_slope, False, grad_input=d),
        ),
        nn.Tanh: lambda: Activation(
            lambda x: x.tanh_(), lambda d, x, y: aten.tanh_backward.grad_input(d, y, grad_input=d)
        ),
        nn.GELU: lambda: Activation(
            lambda x: f.gelu(x, approximate=part.approximate),
            lambda d, x, y: aten.gelu_backward.grad_input(d, x, approximate=part.approximate, grad_input=d),
        ),
        nn.SiLU: lambda: Activation(f.silu, lambda d, x, y: aten.silu_backward.grad_input(d, x, grad_input=d)),
        nn.ELU: lambda: Activation(
            lambda x: f.elu(x, part.alpha),
            lambda d, x, y: aten.elu_backward.grad_input(d, part.alpha, 1, 1, False, x, grad_input=d),
        ),
    }
    make = known.get(type(part))
    return make() if make else None
