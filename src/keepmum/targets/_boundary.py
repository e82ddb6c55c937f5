"""Where a text begins among the tokens of prefix and text: found on the tokens that the model really reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import NDArray

Encode = Callable[[str], Sequence[int]]
Decode = Callable[[Sequence[int]], str]
Offsets = Callable[[str], tuple[Sequence[int], Sequence[tuple[int, int]]]]
"""A text's tokens, and where each begins and ends in the text, in characters."""


@dataclass(frozen=True, eq=False)
class Joint:
    """Prefix and text as tokens.

    Attributes:
      ids: ``(t,)`` all tokens, those of the prefix first.
      first: How many belong to the prefix; a token that spans the boundary belongs to the text.
      starts: ``(t,)`` where each begins, in characters from the beginning of the text; below 0 in the prefix.
      pieces: ``(t,)`` tokens as text; together they are prefix and text, where the tokenizer keeps all characters.
    """

    ids: list[int]
    first: int
    starts: NDArray[np.intp]
    pieces: tuple[str, ...]


def joint(prefix: str, text: str, offsets: Offsets) -> Joint:
    """Prefix and text, tokenized together by a tokenizer that tells where its tokens stand.

    Some tokenizers leave white space out of a token's place, and give each part of a split character the whole of it:
    a token therefore begins where the one before ended, or earlier.
    """
    ids, places = offsets(prefix + text)
    ends = np.array([end for _, end in places], dtype=np.intp)
    begins = np.array([begin for begin, _ in places], dtype=np.intp)
    begins = np.minimum(begins, np.concatenate([[0], ends[:-1]])) if len(ends) else begins
    bounds = [*begins.tolist(), len(prefix) + len(text)]
    pieces = tuple((prefix + text)[a:b] for a, b in pairwise(bounds))
    return Joint(list(ids), int((ends <= len(prefix)).sum()) if text else len(ids), begins - len(prefix), pieces)


def joint_by_decoding(prefix: str, text: str, encode: Encode, decode: Decode) -> Joint:
    """The same for a tokenizer that tells nothing but tokens.

    Where decoding gives back what was encoded, the beginnings of the text that are decoded tell where tokens end.
    Elsewhere the text begins where its tokens leave those of the prefix alone: one token after another is retreated
    from until what is left is a beginning of both.
    """
    ids = list(encode(prefix + text))
    if decode(ids) == prefix + text:
        lengths = np.array([len(decode(ids[: i + 1])) for i in range(len(ids))], dtype=np.intp)
        ends = np.minimum.accumulate(lengths[::-1])[::-1]  # half a character may decode to more than one sign
        places = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)) if ids else []
        return joint(prefix, text, lambda _: (ids, places))
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(ids, encode(prefix), strict=False))
    first = sum(1 for _ in alike) if text else len(ids)
    pieces = tuple(decode([token]) for token in ids)
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.intp)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.intp) if ids else ends
    return Joint(ids, first, starts - (starts[first] if first < len(ids) else 0), pieces)
