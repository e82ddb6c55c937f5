"""Texts longer than a model can read, in windows: each token is asked about once, half a window of text before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._base import Target
from keepmum.targets.text import LogitTarget, Scored, TokenScoreTarget

S = TypeVar("S", bound=np.generic)
SPARE = 2
"""Tokens of the context that are left free: for a beginning token, and for a word that is cut otherwise in context."""


def context_of(target: Target) -> int | None:
    """Tokens that a model can read at once, or None where it does not tell or its tokens cannot be counted."""
    return target.context if isinstance(target, LogitTarget) else None


def pieces(target: Target, text: str) -> list[tuple[str, str]]:
    """A text as windows: what stands before, and what is asked about. One window where the text fits.

    Windows begin at white space; a word longer than half a window is cut. A model that does not tell how much it can
    read gets the whole text, and refuses it if it is too long.
    """
    limit = context_of(target)
    if limit is None or not isinstance(target, LogitTarget) or len(target.encode(text)) + SPARE <= limit:
        return [("", text)]
    most = max(1, (limit - SPARE) // 2)
    steps: list[str] = []
    room = 0
    for part, length in _parts(target, text, most):
        if steps and length <= room:
            steps[-1] += part
            room -= length
        else:
            steps.append(part)
            room = most - length
    return list(zip(["", *steps[:-1]], steps, strict=True))


def _parts(target: LogitTarget, text: str, most: int) -> list[tuple[str, int]]:
    """Words with the white space before them, and how many tokens each is; none is more than ``most``."""
    parts: list[tuple[str, int]] = []
    waiting = [part for part in re.split(r"(?=(?<!\s)\s)", text) if part][::-1]
    while waiting:
        part = waiting.pop()
        length = len(target.encode(part))
        if length <= most or len(part) == 1:
            parts.append((part, length))
        else:
            waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return parts


def read(target: TokenScoreTarget, texts: Sequence[str], prefixes: Sequence[str] | None = None) -> list[Scored]:
    """What a model says of the tokens of each text, in as many windows as the text needs.

    Empty texts are not asked about. With prefixes each text is one window: it has to fit.
    """
    if prefixes is not None:
        windows = [[(prefix, text)] if text else [] for prefix, text in zip(prefixes, texts, strict=True)]
    else:
        windows = [pieces(target, text) if text else [] for text in texts]
    asked = [window for own in windows for window in own]
    answers = iter(target.score([text for _, text in asked], [prefix for prefix, _ in asked]))
    return [joined([next(answers) for _ in own], [len(text) for _, text in own]) for own in windows]


def joined(parts: Sequence[Scored], lengths: Sequence[int]) -> Scored:
    """Windows as one text; what one of them does not tell is not told."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *lengths])[: len(parts)]
    starts = [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
    return Scored(
        tuple(token for part in parts for token in part.tokens),
        np.concatenate([np.empty(0, dtype=np.intp), *starts]).astype(np.intp),
        np.concatenate([np.empty(0), *(part.log_probs for part in parts)]),
        _all([part.likeliest for part in parts], np.dtype(np.bool_)),
        _all([part.means for part in parts], np.dtype(np.float64)),
        _all([part.spreads for part in parts], np.dtype(np.float64)),
    )


def _all(parts: Sequence[NDArray[S] | None], kind: np.dtype[S]) -> NDArray[S] | None:
    told = [part for part in parts if part is not None]
    return np.concatenate([np.empty(0, dtype=kind), *told]) if len(told) == len(parts) else None
