"""Trained to be unsure of what is unclear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy, from_uniform
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective

UNCLEAR = ("noise", "blur", "mixtures")


@dataclass(frozen=True)
class Flat(Objective):
    """Cross-entropy, and equal probabilities wanted on unclear inputs made of the batch."""

    strength: float
    unclear: tuple[str, ...]

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        own = cross_entropy(forward(X), y)
        others = [from_uniform(forward(made)) for made in self._made(X, moment)]
        return own + self.strength * sum(others) / len(others)

    def _made(self, X: Any, moment: Moment) -> Iterator[Any]:
        import torch

        if "noise" in self.unclear:
            yield noise_like(X, moment)
        if "blur" in self.unclear:
            yield blurred(X)
        if "mixtures" in self.unclear:
            order = [torch.as_tensor(moment.rng.permutation(len(X)), device=X.device) for _ in range(4)]
            yield sum(X[each] for each in order) / len(order)


def noise_like(X: Any, moment: Moment) -> Any:
    """Noise with the values of the batch: each column, or pixel, is taken from a row of its own."""
    import torch

    flat = X.reshape(len(X), -1)
    rows = torch.as_tensor(moment.rng.integers(0, len(X), flat.shape), device=X.device)
    return flat.gather(0, rows).reshape(X.shape)


def blurred(X: Any) -> Any:
    """Images averaged over squares of 3 pixels, twice; other records drawn halfway to the mean of the batch."""
    import torch

    if X.ndim != 4:
        return (X + X.mean(dim=0, keepdim=True)) / 2
    once = torch.nn.functional.avg_pool2d(X, 3, 1, 1, count_include_pad=False)
    return torch.nn.functional.avg_pool2d(once, 3, 1, 1, count_include_pad=False)


@dataclass(frozen=True)
class FlatConfidence(ObjectiveDefense):
    """Flat confidence on unclear inputs.

    On noise, blurred inputs and mixtures the model shall find all classes equally likely, so that whoever begins an
    inversion there gets no hint. It takes away the hint of a black box; who has gradients draws better pictures, and
    membership leaks *more*, since the model learns to know what it was trained on from all else.

    Attributes:
      strength: Weight of the unclear inputs, above 0.
      unclear: Some of ``noise``, ``blur`` and ``mixtures``.

    Raises:
      ConfigError: A strength that is not above 0, or an unknown kind of input.

    References:
      Lee, Lee, Lee, Shin. Training Confidence-calibrated Classifiers for Detecting Out-of-Distribution Samples. ICLR
      2018, arXiv:1711.09325.
    """

    id: ClassVar[str] = "training/flat-confidence"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1711.09325",)

    strength: float = 1.0
    unclear: tuple[str, ...] = UNCLEAR

    def __post_init__(self) -> None:
        if isinstance(self.unclear, str):
            object.__setattr__(self, "unclear", tuple(self.unclear.split("|")))
        wrong = [kind for kind in self.unclear if kind not in UNCLEAR]
        if not self.strength > 0 or wrong or not self.unclear:
            raise ConfigError(
                f"expected a strength above 0 and some of {', '.join(UNCLEAR)}, got {self.strength} and {self.unclear}"
            )

    @property
    def name(self) -> str:
        """Id and settings; kinds of inputs are joined by ``|``."""
        told = [f"strength={self.strength}"] if self.strength != 1.0 else []
        told += [f"unclear={'|'.join(self.unclear)}"] if self.unclear != UNCLEAR else []
        return f"{self.id}:{','.join(told)}" if told else self.id

    def objective(self) -> Objective:
        """Cross-entropy, flat where inputs are unclear."""
        return Flat(self.strength, self.unclear)
