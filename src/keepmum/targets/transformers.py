"""Language models of Hugging Face's transformers: causal ones, which write, and masked ones, which fill in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keepmum.errors import TargetError
from keepmum.targets._base import Floats
from keepmum.targets._hub import discreet, import_transformers, load_folder, silent
from keepmum.targets._tensors import import_torch
from keepmum.targets._torch_reader import TOKENS, Reader
from keepmum.targets.text import FillTarget
from keepmum.targets.torch_lm import Reading, TorchLM

Model = str | os.PathLike[str] | Any


class HFCausal(TorchLM):
    """A causal language model of transformers, from a folder or as it is at hand.

    Nothing is loaded from the network, and no pickle. A model with a PEFT adapter brings its own reference: `base`, the
    same model with the adapter switched off.

    Args:
      model: A folder with safetensors, with a GGUF file, or with a PEFT adapter; or the model itself.
      tokenizer: Of the model, where the model itself is given.
      gguf_file: Name of a GGUF file in the folder.
      base: Folder of the model that an adapter was trained on, where the adapter names none that is a folder.
      beginning: Token that is put before every text; ``"own"`` is the one that the tokenizer itself puts there, or the
        one that marks both beginnings and ends, since that stood between documents in training; else none.

    Raises:
      UnsafeFileError: Weights as a pickle.
      TargetError: No such model.
      MissingExtraError: A package is not installed.
    """

    def __init__(
        self,
        model: Model,
        tokenizer: Any = None,
        *,
        gguf_file: str | None = None,
        base: str | os.PathLike[str] | None = None,
        beginning: int | Literal["own"] | None = "own",
    ) -> None:
        self.model, self.tokenizer = _pair(model, tokenizer, "AutoModelForCausalLM", gguf_file, base)
        start = own_beginning(self.tokenizer) if beginning == "own" else beginning
        self._start = start
        super().__init__(_inner(self.model), *_spelling(self.tokenizer), self._reading(discreet))

    def _reading(self, around: Callable[[], Any]) -> Reading:
        offsets = offsets_of(self.tokenizer) if getattr(self.tokenizer, "is_fast", False) else None
        return Reading(self._start, self.tokenizer.eos_token_id, context_of(self.model), offsets, around)

    @cached_property
    def base(self) -> TorchLM | None:
        """The model without its adapter; None if it has none."""
        if not _adapted(self.model):
            return None
        switch = self.model.disable_adapter

        @contextmanager
        def around() -> Iterator[None]:
            with discreet(), switch():
                yield

        return TorchLM(_inner(self.model), *_spelling(self.tokenizer), self._reading(around))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write safetensors, tokenizer and settings into a folder, which `HFCausal` reads."""
        save(self.model, self.tokenizer, folder)


class HFMasked(FillTarget):
    """A masked language model of transformers, from a folder or as it is at hand.

    Args:
      model: A folder with safetensors, or the model itself.
      tokenizer: Of the model, where the model itself is given.

    Raises:
      UnsafeFileError: Weights as a pickle.
      TargetError: No such model, or a tokenizer without a mask.
      MissingExtraError: A package is not installed.
    """

    def __init__(self, model: Model, tokenizer: Any = None) -> None:
        super().__init__()
        self.model, self.tokenizer = _pair(model, tokenizer, "AutoModelForMaskedLM", None, None)
        if self.tokenizer.mask_token_id is None:
            raise TargetError("expected a tokenizer that has a mask, got one without: is this a masked model?")
        self.mask = str(self.tokenizer.mask_token)
        self._encode, self._decode = _spelling(self.tokenizer)
        self._around = _around(self.tokenizer)
        self._reader = Reader(self.model, context_of(self.model), discreet)
        with self._reader.held():
            one = import_torch().tensor([[*self._around[0], self.tokenizer.mask_token_id]], device=self._reader.device)
            self._size = int(self._reader.ask(one).logits.shape[-1])

    @property
    def internals(self) -> Any:
        """The module."""
        return self.model

    @property
    def size(self) -> int:
        """Tokens in the vocabulary, ``V``."""
        return self._size

    def encode(self, text: str) -> list[int]:
        """A text as the model's tokens, without any that mark a beginning or an end."""
        return list(self._encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""
        return self._decode([int(token) for token in tokens])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write safetensors, tokenizer and settings into a folder, which `HFMasked` reads."""
        save(self.model, self.tokenizer, folder)

    def _fill(self, texts: list[list[int | None]]) -> list[Floats]:
        torch = import_torch()
        mask, (before, after) = self.tokenizer.mask_token_id, self._around
        rows = [[*before, *(mask if token is None else token for token in text), *after] for text in texts]
        for row in rows:
            self._reader.check(len(row))
        found: list[Floats] = [np.empty((0, self.size)) for _ in texts]
        with self._reader.held():
            for places in _batches([len(row) for row in rows], self.size):
                lengths = [len(rows[place]) for place in places]
                ids = [rows[place] + [mask] * (max(lengths) - len(rows[place])) for place in places]
                seen = [[1] * length + [0] * (max(lengths) - length) for length in lengths]
                given, padding = (torch.tensor(values, device=self._reader.device) for values in (ids, seen))
                answer = self._reader.ask(given, attention_mask=padding)
                for place, own in zip(places, answer.logits, strict=True):
                    masks = [len(before) + i for i, token in enumerate(texts[place]) if token is None]
                    found[place] = torch.log_softmax(own[masks].double(), dim=-1).cpu().numpy()
        return found


def _batches(lengths: list[int], size: int) -> list[list[int]]:
    """Places of texts that are filled together: of about one length, and no more than fit into one pass."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        last = batches[-1] if batches else []
        tokens = (len(last) + 1) * lengths[place]
        if not last or tokens > TOKENS or tokens * size > 2**25 or lengths[place] > lengths[last[0]] * 1.25 + 2:
            batches.append([])
        batches[-1].append(place)
    return batches


def save(model: Any, tokenizer: Any, folder: str | os.PathLike[str]) -> None:
    """Write a model of transformers and its tokenizer into a folder, as safetensors."""
    with silent(import_transformers()):
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def _pair(
    model: Model, tokenizer: Any, kind: str, gguf_file: str | None, base: str | os.PathLike[str] | None
) -> tuple[Any, Any]:
    if isinstance(model, (str, os.PathLike)):
        return load_folder(Path(model), kind, gguf_file, None if base is None else Path(base))
    torch = import_torch()
    if not isinstance(model, torch.nn.Module) or not hasattr(model, "config"):
        raise TargetError(f"expected a folder or a model of transformers, got {type(model).__name__}")
    if tokenizer is None or not callable(tokenizer) or not hasattr(tokenizer, "decode"):
        raise TargetError("expected the model's tokenizer beside it, got none: give tokenizer=…")
    return model, tokenizer


def _adapted(model: Any) -> bool:
    return hasattr(model, "disable_adapter") and hasattr(model, "get_base_model")


def _inner(model: Any) -> Any:
    """The model of transformers itself; an adapter's layers stay in it."""
    return model.get_base_model() if _adapted(model) else model


def _spelling(tokenizer: Any) -> tuple[Callable[[str], list[int]], Callable[[Sequence[int]], str]]:
    """Encode and decode, without marks of beginning and end."""

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    return encode, decode


def offsets_of(tokenizer: Any) -> Callable[[str], tuple[list[int], list[tuple[int, int]]]]:
    """A text's tokens and their places in it, from a tokenizer that tells them."""

    def offsets(text: str) -> tuple[list[int], list[tuple[int, int]]]:
        read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(read["input_ids"]), [tuple(place) for place in read["offset_mapping"]]

    return offsets


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Tokens that the tokenizer itself puts before and after a text."""
    inside = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    whole = list(tokenizer("a")["input_ids"])
    for start in range(len(whole) - len(inside) + 1):
        if whole[start : start + len(inside)] == inside:
            return whole[:start], whole[start + len(inside) :]
    return [], []


def own_beginning(tokenizer: Any) -> int | None:
    """The token that stood before every document in training, as far as the tokenizer tells."""
    before, _ = _around(tokenizer)
    if before:
        return int(before[0])
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    return int(begin) if begin is not None and begin == end else None


def context_of(model: Any) -> int | None:
    """Tokens that the model can read, or None if its settings do not tell."""
    settings = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        value = getattr(settings, name, None)
        if isinstance(value, int) and value > 0:
            # RoBERTa counts positions from behind its padding token
            offset = (settings.pad_token_id or 0) + 1 if "roberta" in str(getattr(settings, "model_type", "")) else 0
            return value - offset
    return None
