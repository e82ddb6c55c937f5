"""Going on with a text, token by token: many texts at once, each with random numbers of its own."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._base import Floats
from keepmum.targets._sampling import drawn
from keepmum.targets._tensors import import_torch
from keepmum.targets._torch_reader import TOKENS, Reader
from keepmum.targets.text import Sampling


def uniforms(prompt: str, samples: int, tokens: int, seed: int) -> Floats:
    """``(samples, tokens)`` random numbers of a prompt, whoever else is asked, and of each sample, however many."""
    rng = np.random.default_rng([seed, zlib.crc32(prompt.encode("utf-8", "surrogatepass")), tokens, 0x67656E])
    return rng.random((samples, tokens))


def write(
    reader: Reader, prompts: Sequence[list[int]], numbers: Sequence[Floats], sampling: Sampling, end: int | None
) -> list[list[list[int]]]:
    """Continuations of each prompt as tokens, up to a token that marks an end; within ``reader.held``.

    Args:
      reader: The module.
      prompts: Tokens, at least one each.
      numbers: ``(samples, tokens)`` uniform numbers of each prompt.
      sampling: How the next token is drawn.
      end: The token that marks an end, or None.
    """
    samples, tokens = numbers[0].shape
    written: list[list[list[int]]] = [[] for _ in prompts]
    if not tokens:
        return [[[] for _ in range(samples)] for _ in prompts]
    for prompt in prompts:
        reader.check(len(prompt) + tokens - 1)
    for places in _alike([len(prompt) for prompt in prompts], samples * (tokens + max(map(len, prompts)))):
        made = _together(reader, [prompts[i] for i in places], np.stack([numbers[i] for i in places]), sampling, end)
        for row, place in enumerate(np.repeat(places, samples).tolist()):
            ids = made[row].tolist()
            written[place].append(ids[: ids.index(end)] if end in ids else ids)
    return written


def _alike(lengths: list[int], tokens: int) -> Iterator[list[int]]:
    """Places of prompts of one length, no more than fit into one pass."""
    most = max(1, TOKENS // tokens)
    for length in sorted(set(lengths)):
        places = [place for place, own in enumerate(lengths) if own == length]
        yield from (places[start : start + most] for start in range(0, len(places), most))


def _together(
    reader: Reader, prompts: list[list[int]], numbers: Floats, sampling: Sampling, end: int | None
) -> NDArray[np.intp]:
    """``(prompts * samples, tokens)`` tokens; those after an end mean nothing."""
    torch = import_torch()
    samples, tokens = numbers.shape[1:]
    flat = numbers.reshape(-1, tokens)
    made = np.full(flat.shape, -1, dtype=np.intp)
    ids = torch.tensor(prompts, device=reader.device)
    options = {"logits_to_keep": 1} if reader.short else {}
    if reader.cache:
        options["use_cache"] = True
    answer = reader.ask(ids, **options)
    kept: Any = getattr(answer, reader.cache or "", None)
    share = hasattr(kept, "batch_repeat_interleave")
    if share and samples > 1:
        kept.batch_repeat_interleave(samples)
    whole = ids.repeat_interleave(samples, dim=0)
    logits = getattr(answer, "logits", answer)[:, -1].repeat_interleave(samples, dim=0)
    for step in range(tokens):
        logs = torch.log_softmax(logits.double(), dim=-1).cpu().numpy()
        made[:, step] = drawn(logs, sampling, flat[:, step])
        if step + 1 == tokens or (end is not None and bool((made == end).any(axis=1).all())):
            break
        new = torch.as_tensor(made[:, step : step + 1], device=reader.device)
        whole = whole if share else torch.cat([whole, new], dim=1)
        more = {**options, reader.cache: kept} if share and reader.cache else options
        answer = reader.ask(new if share else whole, **more)
        kept = getattr(answer, reader.cache or "", kept)
        logits = getattr(answer, "logits", answer)[:, -1]
    return made
