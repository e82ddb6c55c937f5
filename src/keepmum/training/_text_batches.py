"""Texts as batches of tokens: packed into windows for a causal model, with masks for a masked one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keepmum.targets._tensors import import_torch

if TYPE_CHECKING:
    from keepmum.training.text import TextRecipe

IGNORED = -100
"""What cross entropy leaves out."""

Batch = tuple[dict[str, Any], Any]


def packed_batches(
    ids: Sequence[Sequence[int]], end: int, recipe: TextRecipe, rng: np.random.Generator
) -> Iterator[Batch]:
    """Windows of all texts in a random order, an end token before each and after the last; each token is asked once.

    Places are counted from the beginning of each text, as they are when the model is later asked about a text alone.
    """
    torch = import_torch()
    order = [ids[place] for place in rng.permutation(len(ids))]
    stream = np.concatenate([[end, *text] for text in order] + [[end]])
    places = np.concatenate([np.arange(len(text) + 1) for text in order] + [[0]]) % recipe.context
    windows = -(-(len(stream) - 1) // recipe.context)
    packed = np.full((3, windows * recipe.context), end)
    packed[1] = IGNORED
    packed[2] = np.arange(packed.shape[1]) % recipe.context
    packed[:, : len(stream) - 1] = stream[:-1], stream[1:], places[:-1]
    inputs, answers, positions = packed.reshape(3, windows, -1)[:, rng.permutation(windows)]
    for at in range(0, windows, recipe.batch):
        rows = slice(at, at + recipe.batch)
        read = {"input_ids": torch.tensor(inputs[rows]), "position_ids": torch.tensor(positions[rows])}
        yield {**read, "use_cache": False}, torch.tensor(answers[rows])


def masked_batches(
    parts: Sequence[Sequence[int]], tokenizer: Any, recipe: TextRecipe, rng: np.random.Generator
) -> Iterator[Batch]:
    """Texts of about one length together, in a random order of batches, with new masks."""
    torch = import_torch()
    order = rng.permutation(len(parts))
    order = order[np.argsort([len(parts[place]) // 8 for place in order], kind="stable")]
    batches = [order[at : at + recipe.batch] for at in range(0, len(order), recipe.batch)]
    begin, end, pad = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id
    usual = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
    for place in rng.permutation(len(batches)):
        rows = [parts[i] for i in batches[place]]
        ids = np.full((len(rows), 2 + max(map(len, rows))), pad)
        for row, part in zip(ids, rows, strict=True):
            row[: len(part) + 2] = [begin, *part, end]
        seen = np.array([[1] * (len(part) + 2) + [0] * (ids.shape[1] - len(part) - 2) for part in rows])
        asked = (rng.random(ids.shape) < recipe.masked) & ~np.isin(ids, tokenizer.all_special_ids)
        asked[0, 1] |= not asked.any()
        answers = np.where(asked, ids, IGNORED)
        fate = rng.random(ids.shape)
        ids = np.where(asked & (fate < 0.8), tokenizer.mask_token_id, ids)
        ids = np.where(asked & (fate >= 0.9), rng.choice(usual, ids.shape), ids)
        yield {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(seen)}, torch.tensor(answers)
