"""Language models that are torch modules, with their weights at hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from keepmum.errors import DataError
from keepmum.targets._base import Floats
from keepmum.targets._boundary import Decode, Encode, Joint, Offsets, joint, joint_by_decoding
from keepmum.targets._tensors import import_torch
from keepmum.targets._torch_reader import Reader
from keepmum.targets._torch_writer import uniforms, write
from keepmum.targets.text import GradientTextTarget, Sampling, Scored


@dataclass(frozen=True)
class Reading:
    """How a model reads and writes.

    Attributes:
      beginning: Token that is put before every text, as in training, or None.
      end: Token after which the model stops, or None.
      context: Tokens that the model can read, or None for any number; more are refused, never cut.
      offsets: Returns a text's tokens and where each begins and ends in it, in characters; found by decoding if None,
        which takes longer.
      around: Entered whenever the module is asked.
    """

    beginning: int | None = None
    end: int | None = None
    context: int | None = None
    offsets: Offsets | None = None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


class TorchLM(GradientTextTarget):
    """A language model that is a ``torch.nn.Module``.

    The module is not copied, for it may be large: it is held in evaluation mode while it is asked, and is as it was
    afterwards. Where it takes ``attention_mask``, texts of several lengths are read together, padded on the right;
    where it keeps keys and values as modules of transformers do, a prefix that many texts share is read once.

    Args:
      module: Maps ``(n, t)`` tokens to ``(n, t, V)`` logits of the next token, or to an object that has them as
        ``logits``.
      encode: A text's tokens, without any that mark a beginning or an end.
      decode: Tokens as text.
      reading: How the model reads.

    Raises:
      TargetError: No module, or one that gives no such logits.
      MissingExtraError: torch is not installed.
    """

    def __init__(self, module: Any, encode: Encode, decode: Decode, reading: Reading | None = None) -> None:
        super().__init__()
        self.reading = reading or Reading()
        self.context = self.reading.context
        self._encode, self._decode = encode, decode
        self._reader = Reader(module, self.reading.context, self.reading.around)
        torch = import_torch()
        with self._reader.held():
            one = torch.tensor([[self.reading.beginning or 0]], device=self._reader.device)
            answer = self._reader.ask(one)
            self._size = int(getattr(answer, "logits", answer).shape[-1])

    @property
    def internals(self) -> Any:
        """The module."""
        return self._reader.module

    @property
    def size(self) -> int:
        """Tokens in the vocabulary, ``V``."""
        return self._size

    def encode(self, text: str) -> list[int]:
        """A text as the model's tokens, without any that mark a beginning or an end."""
        return [int(token) for token in self._encode(text)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""
        return self._decode([int(token) for token in tokens])

    @property
    def _before(self) -> list[int]:
        return [] if self.reading.beginning is None else [self.reading.beginning]

    def _joint(self, prefix: str, text: str) -> Joint:
        if self.reading.offsets is not None:
            return joint(prefix, text, self.reading.offsets)
        return joint_by_decoding(prefix, text, self._encode, self._decode)

    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]:
        read = [self._joint(prefix, text) for prefix, text in zip(prefixes, texts, strict=True)]
        whole = [[*self._before, *each.ids] for each in read]
        firsts = [max(1, len(self._before) + each.first) for each in read]
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, (ids, first) in enumerate(zip(whole, firsts, strict=True)):
            if first < len(ids):
                groups[tuple(ids[: first - 1])].append(place)
        share = self._reader.cache is not None
        alone = [place for places in groups.values() if len(places) == 1 or not share for place in places]
        many = [(shared, places) for shared, places in groups.items() if len(places) > 1 and share]
        found: dict[int, tuple[Floats, ...]] = {}
        with self._reader.held():
            for shared, places in [*many, ((), alone)]:
                asked = [whole[place][len(shared) : -1] for place in places]
                keeps = [len(whole[place]) - firsts[place] for place in places]
                for i, logs in self._reader.log_probs(shared, asked, keeps, self.size):
                    found[places[i]] = _told(logs, whole[places[i]][firsts[places[i]] :])
        return [
            self._scored(each, firsts[place] - len(self._before), found.get(place)) for place, each in enumerate(read)
        ]

    def _scored(self, read: Joint, first: int, told: tuple[Floats, ...] | None) -> Scored:
        if told is None:
            nothing = np.empty(0)
            return Scored((), np.empty(0, dtype=np.intp), nothing, nothing.astype(bool), nothing, nothing)
        logs, likeliest, means, spreads = told
        return Scored(read.pieces[first:], read.starts[first:], logs, likeliest.astype(bool), means, spreads)

    def _next_log_probs(self, prefix: list[int], continuations: list[list[int]]) -> Floats:
        before = [*self._before, *prefix]
        shared, last = before[:-1], before[-1:]  # the last token is read again, so that each text has one to answer for
        asked = [[*last, *continuation] for continuation in continuations]
        if not all(asked):
            raise DataError("expected a text before the next token, got none, and the model has no beginning token")
        answer = np.empty((len(asked), self.size))
        with self._reader.held():
            for place, logs in self._reader.log_probs(shared, asked, [1] * len(asked), self.size):
                answer[place] = logs[0].cpu().numpy()
        return answer

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        asked = [[*self._before, *self.encode(prompt)] for prompt in prompts]
        numbers = [uniforms(prompt, samples, tokens, seed) for prompt in prompts]
        with self._reader.held():
            made = write(self._reader, asked, numbers, sampling, self.reading.end)
        return [[self._after(ids, new) for new in each] for ids, each in zip(asked, made, strict=True)]

    def _after(self, prompt: list[int], new: list[int]) -> str:
        """New tokens as text: decoded with what stands before, for some decoders drop a first space."""
        own = prompt[len(self._before) :]
        before, whole = self.decode(own), self.decode([*own, *new])
        return whole[len(before) :] if whole.startswith(before) else self.decode(new)

    def _gradient_norms(self, texts: list[str]) -> Floats:
        torch = import_torch()
        every = list(self._reader.module.parameters())
        trained = [value for value in every if value.requires_grad] or [v for v in every if v.dtype.is_floating_point]
        frozen = [value for value in trained if not value.requires_grad]
        norms = []
        with self._reader.held(gradients=True):
            try:
                for value in frozen:
                    value.requires_grad_(True)
                for text in texts:
                    ids = [*self._before, *self.encode(text)]
                    if len(ids) < 2:
                        norms.append(np.nan)
                        continue
                    self._reader.check(len(ids) - 1)
                    read = torch.tensor([ids], device=self._reader.device)
                    answer = self._reader.ask(read[:, :-1])
                    loss = torch.nn.functional.cross_entropy(getattr(answer, "logits", answer)[0].float(), read[0, 1:])
                    parts = torch.autograd.grad(loss, trained, allow_unused=True)
                    norms.append(sum(float(part.double().square().sum()) for part in parts if part is not None) ** 0.5)
            finally:
                for value in frozen:
                    value.requires_grad_(False)
        return np.array(norms)


def _told(logs: Any, tokens: Sequence[int]) -> tuple[Floats, ...]:
    """Of ``(t, V)`` log-probabilities: those of the tokens, which are likeliest, means and spreads, ``(t,)`` each."""
    torch = import_torch()
    own = logs.gather(1, torch.tensor(list(tokens), device=logs.device)[:, None])[:, 0]
    p, safe = logs.exp(), logs.clamp_min(-1e4)  # 0 times minus infinity counts 0
    means = (p * safe).sum(dim=1)
    spreads = ((p * safe.square()).sum(dim=1) - means.square()).clamp_min(0).sqrt()
    return tuple(part.cpu().numpy() for part in (own, (own >= logs.max(dim=1).values).double(), means, spreads))
