"""Differentially private training of language models: DP-SGD that counts texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._tensors import FAILURES, import_torch
from keepmum.training._spending import check_spending, noise_of
from keepmum.training._text_batches import IGNORED
from keepmum.training._torch_data import Seeds, draw_from, quiet, untrainable
from keepmum.training.private import Mechanism, Unrepeatable
from keepmum.training.statement import Statement

if TYPE_CHECKING:
    from keepmum.training.text import TextRecipe

UNIT = "one text, as often as it is given; whoever wrote several, or whose secret stands in several, has less"


def losses(logits: Any, y: Any) -> Any:
    """Mean cross-entropy of each text's tokens, ``(b,)``."""
    torch = import_torch()
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), y, ignore_index=IGNORED, reduction="none")
    return each.sum(dim=1) / (y != IGNORED).sum(dim=1)


class TextMechanism(Mechanism):
    """The steps of DP-SGD on texts: a text's loss is the mean over its tokens."""

    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        """Sum of the texts' gradients, each scaled to a norm of at most ``clip``, ``(p,)``.

        Args:
          module: From tokens ``(b, t)`` to logits ``(b, t, V)``, or to something with such ``logits``.
          X: ``(b, t)`` tokens.
          y: ``(b, t)`` tokens that follow, -100 where none is asked for.
          clip: Largest norm.
        """
        from keepmum.training._private_gradients import CHUNK, clipped_sum

        lengths = (y != IGNORED).sum(dim=1)
        parts = lengths.argsort().split(CHUNK)  # short texts together, so that little is padding
        cut = [(rows, slice(int(lengths[rows].max()) if len(rows) else 0)) for rows in parts]
        return sum(clipped_sum(module, X[rows, width], y[rows, width], clip, losses) for rows, width in cut)


@dataclass(frozen=True)
class PrivateTexts:
    """How a language model is trained privately: texts drawn independently, gradients clipped text by text, noise.

    The guarantee is for adding or removing one text. A secret that stands in many texts is guarded that many times
    less: take duplicates out first. A text longer than the context shows one window of itself, drawn anew each time.
    The number of texts is taken to be public. So is the tokenizer: it must come from elsewhere.

    Attributes:
      noise: Noise multiplier: standard deviation over ``clip``; None to choose it for ``epsilon``.
      epsilon: What training may spend, if ``noise`` is None.
      delta: Of the guarantee.
      clip: Largest norm of a text's gradient, above 0.
      batch: Expected number of texts in a step; with the number of texts it makes the rate.
      secure: Whether draws and noise come from the operating system's randomness and not from the seed.
      tried: Trainings of other settings on the same texts before this one, as far as they are known.
      mechanism: The steps.

    Raises:
      ConfigError: A number out of range, or neither noise nor epsilon.

    References:
      Li, Tramèr, Liang, Hashimoto. Large Language Models Can Be Strong Differentially Private Learners. ICLR 2022,
      arXiv:2110.05679.
    """

    noise: float | None = None
    epsilon: float | None = None
    delta: float = 1e-5
    clip: float = 0.1
    batch: int = 64
    secure: bool = False
    tried: int | None = None
    mechanism: Mechanism = field(default_factory=TextMechanism, compare=False)

    def __post_init__(self) -> None:
        check_spending(self)

    def rate(self, texts: int) -> float:
        """Probability with which each of so many texts is drawn in a step."""
        return min(1.0, self.batch / texts)

    def steps(self, texts: int, epochs: int) -> int:
        """Steps in so many passes."""
        return max(1, round(epochs / self.rate(texts)))

    def noise_for(self, texts: int, epochs: int) -> float:
        """Noise multiplier: given, or the smallest that keeps to epsilon.

        Raises:
          ConfigError: No noise keeps to it.
          MissingExtraError: dp-accounting is not installed.
        """
        return noise_of(self, self.rate(texts), self.steps(texts, epochs))

    def statement(self, texts: int, epochs: int) -> Statement:
        """What can be said about a model that is trained on so many texts for so many epochs.

        Raises:
          MissingExtraError: dp-accounting is not installed.
        """
        from keepmum.training.statement import of_sampled_sums

        told = of_sampled_sums(
            noise=self.noise_for(texts, epochs),
            rate=self.rate(texts),
            steps=self.steps(texts, epochs),
            delta=self.delta,
            clip=self.clip,
            secure=self.secure,
            tried=self.tried,
        )
        known = "The number of texts, the tokenizer and the model that training starts from are taken to be public."
        return replace(told, unit=UNIT, caveats=(known, *told.caveats[1:3]))


def train_texts(
    model: Any, ids: Sequence[Sequence[int]], end: int, recipe: TextRecipe, private: PrivateTexts, seeds: Seeds
) -> None:
    """Train a causal model in place.

    Raises:
      TargetError: It cannot be trained on these texts.
    """
    try:
        with quiet(import_torch().device("cpu")):
            _train(model, ids, end, recipe, private, seeds)
    except FAILURES as err:
        raise untrainable(err, len(ids)) from err


def _train(
    model: Any, ids: Sequence[Sequence[int]], end: int, recipe: TextRecipe, private: PrivateTexts, seeds: Seeds
) -> None:
    from keepmum.training._private_gradients import check_module, trained_parameters
    from keepmum.training._private_loop import Unchanged
    from keepmum.training.text import pace

    check_module(model)
    unchanged = Unchanged(model)

    torch = import_torch()
    n, mechanism = len(ids), Unrepeatable(private.mechanism) if private.secure else private.mechanism
    rate, steps = private.rate(n), private.steps(n, recipe.epochs)
    sd = private.noise_for(n, recipe.epochs) * private.clip
    parameters = trained_parameters(model)
    size = sum(parameter.numel() for parameter in parameters)
    rng, generator = np.random.default_rng(seeds.order), torch.Generator().manual_seed(seeds.noise)
    draw_from(seeds.augment, torch.device("cpu"))
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * pace(step / steps)
        drawn = mechanism.sample(n, rate, rng)
        X, y = (torch.from_numpy(part) for part in windows([ids[row] for row in drawn], end, recipe.context, rng))
        clipped = mechanism.clipped_sum(model, X, y, private.clip)
        released = clipped + mechanism.noise(size, sd, generator).to(clipped)
        mean = released / mechanism.normalizer(rate * n, len(drawn))
        for parameter, part in zip(parameters, mean.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.reshape(parameter.shape)
        optimizer.step()
    unchanged.check()
    model.eval()


def windows(
    texts: Sequence[Sequence[int]], end: int, context: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens and what follows them, ``(b, t)`` each: a text a row, an end token before and after, padded at the right.

    Of a text that does not fit, a window stands there, each equally likely.
    """
    cut = []
    for text in texts:
        whole = [end, *text, end]
        start = int(rng.integers(0, max(1, len(whole) - context)))
        cut.append(whole[start : start + context + 1])
    width = max(map(len, cut), default=1) - 1
    X, y = np.full((len(cut), width), end), np.full((len(cut), width), IGNORED)
    for row, tokens in enumerate(cut):
        X[row, : len(tokens) - 1], y[row, : len(tokens) - 1] = tokens[:-1], tokens[1:]
    return X, y
