"""Between tokens and a torch module: batches, padding, and what the module keeps of a prefix that many share."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from keepmum.errors import DataError, TargetError
from keepmum.targets._tensors import FAILURES, import_torch

TOKENS = 2**13
"""Tokens in one pass at most, those of a kept prefix counted for each text: what their keys and values take."""
LOGITS = 2**24
"""Logits in one pass at most: 64 MiB in single precision."""
CACHES = ("past_key_values", "cache")
"""What transformers call what a model keeps of a text, before and since version 5.20 or so."""


class Reader:
    """A module that is fed tokens.

    Args:
      module: Maps ``(n, t)`` tokens to ``(n, t, V)`` logits, or to an object that has them as ``logits``.
      context: Tokens that it can read, or None for any number.
      around: Entered whenever the module is asked: to switch an adapter off, say.
    """

    def __init__(
        self, module: Any, context: int | None, around: Callable[[], AbstractContextManager[Any]] = nullcontext
    ) -> None:
        torch = import_torch()
        if not isinstance(module, torch.nn.Module):
            raise TargetError(f"expected a torch.nn.Module, got {type(module).__name__}")
        self.module, self.context, self._around = module, context, around
        takes = inspect.signature(module.forward).parameters
        self.masked, self.short = "attention_mask" in takes, "logits_to_keep" in takes
        self.cache = next((name for name in CACHES if name in takes and "use_cache" in takes), None)
        self.device = next((value.device for value in module.parameters()), torch.device("cpu"))

    @contextmanager
    def held(self, gradients: bool = False) -> Iterator[None]:
        """The module in evaluation mode; as it was, afterwards."""
        torch = import_torch()
        training = [part for part in self.module.modules() if part.training]
        self.module.eval()
        try:
            with torch.set_grad_enabled(gradients), self._around():
                yield
        except FAILURES as err:
            first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
            raise TargetError(
                f"the module could not read these texts ({type(err).__name__}: {first}): give one that takes tokens "
                "(n, t) and returns logits (n, t, V)"
            ) from err
        finally:
            for part in training:
                part.training = True

    def check(self, tokens: int) -> None:
        """Refuse more tokens than the model can read.

        Raises:
          DataError: There are more, or none.
        """
        if self.context is not None and tokens > self.context:
            raise DataError(
                f"expected a text of at most {self.context} tokens, which is all that the model can read, got "
                f"{tokens}: divide it, or ask for less"
            )
        if tokens < 1:
            raise DataError("expected a text before the next token, got none, and the model has no beginning token")

    def ask(self, ids: Any, **options: Any) -> Any:
        """The module's answer, with ``logits`` that were looked at."""
        torch = import_torch()
        answer = self.module(ids, **options)
        logits = getattr(answer, "logits", answer)
        if not isinstance(logits, torch.Tensor) or logits.ndim != 3 or len(logits) != len(ids):
            shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise TargetError(f"expected logits (n, t, V) of tokens {tuple(ids.shape)}, got {shape}")
        return answer

    def log_probs(
        self, shared: Sequence[int], texts: Sequence[Sequence[int]], keeps: Sequence[int], size: int
    ) -> Iterator[tuple[int, Any]]:
        """Log-probabilities of what follows the last tokens of texts, within `held`.

        Args:
          shared: Tokens that stand before every text.
          texts: Tokens that follow them, at least one each.
          keeps: For how many of its last tokens each is answered.
          size: ``V``.

        Yields:
          The place of a text, in no particular order, and its ``(keep, V)`` in double precision.
        """
        torch = import_torch()
        for text in texts:
            self.check(len(shared) + len(text))
        kept = self._read(shared) if shared and self.cache and len(texts) > 1 else None
        before = [] if kept is not None else list(shared)
        for places in self._batches([len(shared) + len(text) for text in texts], keeps, size):
            rows = [[*before, *texts[place]] for place in places]
            longest = max(map(len, rows))
            keep = longest - min(len(row) - keeps[place] for row, place in zip(rows, places, strict=True))
            padded = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=self.device)
            options = self._options(rows, longest, keep, None if kept is None else (kept, len(shared)))
            logits = getattr(answer := self.ask(padded, **options), "logits", answer)[:, -keep:]
            for row, place, answered in zip(rows, places, logits, strict=True):
                end = keep - (longest - len(row))
                yield place, torch.log_softmax(answered[end - keeps[place] : end].double(), dim=-1)

    def _options(self, rows: list[list[int]], longest: int, keep: int, kept: tuple[Any, int] | None) -> dict[str, Any]:
        torch = import_torch()
        options: dict[str, Any] = {"logits_to_keep": keep} if self.short else {}
        if self.masked and any(len(row) < longest for row in rows):
            before = kept[1] if kept else 0
            mask = [[1] * (before + len(row)) + [0] * (longest - len(row)) for row in rows]
            options["attention_mask"] = torch.tensor(mask, device=self.device)
        if kept is not None and self.cache is not None:
            options[self.cache] = repeated(kept[0], len(rows))
            options["use_cache"] = True
        elif self.cache is not None:
            options["use_cache"] = False
        return options

    def _read(self, shared: Sequence[int]) -> Any:
        """What the module keeps of a prefix; None if it keeps it in a way that cannot be shared."""
        torch = import_torch()
        options = {"logits_to_keep": 1} if self.short else {}
        answer = self.ask(torch.tensor([list(shared)], device=self.device), use_cache=True, **options)
        kept = getattr(answer, self.cache or "", None)
        return kept if hasattr(kept, "batch_repeat_interleave") else None

    def _batches(self, lengths: list[int], keeps: Sequence[int], size: int) -> Iterator[list[int]]:
        """Places of texts that are read together: of one length, where the module cannot be told what is padding."""
        batch: list[int] = []
        deepest = 0
        for place in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
            first = lengths[batch[0]] if batch else lengths[place]
            spread = lengths[place] - first
            rows, wide = len(batch) + 1, max(deepest, keeps[place]) + spread
            full = rows * lengths[place] > TOKENS or rows * wide * size > LOGITS
            if batch and (full or spread > (first // 4 + 2 if self.masked else 0)):
                yield batch
                batch, deepest = [], 0
            batch.append(place)
            deepest = max(deepest, keeps[place])
        if batch:
            yield batch


def repeated(kept: Any, rows: int) -> Any:
    """A copy of what is kept, once a row: modules write into what they are given."""
    own = copy.deepcopy(kept)
    if rows > 1:
        own.batch_repeat_interleave(rows)
    return own
