"""Where the tokens that a server tells of stand in the text that it was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from keepmum.errors import TargetError
from keepmum.targets.text import Scored

BROKEN = "\ufffd"
"""Stands for a part of a character: a token may end in the middle of one."""
UNTOLD = "\x00untold"
"""Stands for a first token that a server does not spell."""


@dataclass(frozen=True)
class Told:
    """What a server tells of the tokens of a text and of what it wrote after it.

    Attributes:
      tokens: As text.
      log_probs: In nats; None for a token that has nothing before it.
      likeliest: Whether no token was likelier; None where that is not told.
      offsets: Where each begins, in characters, as the server says; None where it does not.
    """

    tokens: tuple[str, ...]
    log_probs: tuple[float | None, ...]
    likeliest: tuple[bool, ...] | None = None
    offsets: tuple[int, ...] | None = None


def cut(told: Told, prefix: str, text: str) -> Scored:
    """The tokens of the text: those that end after the prefix and begin before the text ends.

    Raises:
      TargetError: The tokens do not reproduce what was sent, or the offsets are not where the tokens are.
    """
    sent = prefix + text
    told = _spelled(_without_mark(told, sent), sent)
    starts, ends = _places(told.tokens, sent)
    _check_offsets(told, starts)
    inside = [
        i for i in range(len(starts)) if starts[i] < len(sent) and (ends[i] > len(prefix) or starts[i] >= len(prefix))
    ]
    if inside and inside[0] == 0 and told.log_probs[0] is None:
        inside = inside[1:]
    logs = [told.log_probs[i] for i in inside]
    if any(value is None for value in logs):
        raise TargetError("expected a log-probability for every token but the first, got none for others")
    likeliest = None if told.likeliest is None else np.array([told.likeliest[i] for i in inside], dtype=np.bool_)
    return Scored(
        tuple(told.tokens[i] for i in inside),
        np.array([starts[i] - len(prefix) for i in inside], dtype=np.intp),
        np.array(logs, dtype=np.float64),
        likeliest,
    )


def _without_mark(told: Told, sent: str) -> Told:
    """Without a token that marks the beginning and stands in no text."""
    if not told.tokens or told.log_probs[0] is not None or told.tokens[0] == UNTOLD:
        return told
    if sent.startswith(told.tokens[0].split(BROKEN)[0]):
        return told
    likeliest, offsets = told.likeliest, told.offsets
    return Told(
        told.tokens[1:], told.log_probs[1:], likeliest and likeliest[1:], None if offsets is None else offsets[1:]
    )


def _spelled(told: Told, sent: str) -> Told:
    """With the first token spelled: it is what the others leave over, nothing for a mark at the beginning."""
    if not told.tokens or told.tokens[0] != UNTOLD:
        return told
    for length in range(len(sent) + 1):
        try:
            _places(told.tokens[1:], sent[length:])
        except TargetError:
            continue
        return replace(told, tokens=(sent[:length], *told.tokens[1:]))
    raise _unlike("", sent, 0)


def _places(tokens: Sequence[str], sent: str) -> tuple[list[int], list[int]]:
    """Where each token begins and ends, ``(t,)`` each; what comes after the text is what the model wrote.

    Parts of characters are taken together until a token that is whole: they stand for some characters beyond ASCII.
    """
    starts, ends, place, i = [], [], 0, 0
    while i < len(tokens) and place < len(sent):
        token = tokens[i]
        if BROKEN not in token:
            if not sent.startswith(token, place):
                raise _unlike(token, sent, place)
            starts.append(place)
            place += len(token)
            ends.append(place)
            i += 1
            continue
        stop = next((j for j in range(i, len(tokens)) if BROKEN not in tokens[j]), len(tokens))
        after = "".join(_until_broken(tokens[stop:]))
        end = _end_of_broken("".join(tokens[i:stop]), after, sent, place)
        starts += [place] * (stop - i)
        ends += [end] * (stop - i)
        place, i = end, stop
    if place < len(sent):
        raise TargetError(
            f"expected tokens of all {len(sent)} characters that were sent, got tokens of the first {place}: the "
            "server cuts the text, or tells nothing of it"
        )
    return starts, ends


def _until_broken(tokens: Sequence[str]) -> list[str]:
    broken = next((j for j, token in enumerate(tokens) if BROKEN in token), len(tokens))
    return list(tokens[:broken])


def _end_of_broken(parts: str, after: str, sent: str, place: int) -> int:
    """Where a run of broken tokens ends: at the first place from which the tokens after it go on."""
    pattern = r"[^\x00-\x7f]*?".join(re.escape(piece) for piece in re.split(f"{BROKEN}+", parts))
    for end in range(place, len(sent) + 1):
        follows = sent.startswith(after, end) or (after and after.startswith(sent[end:]))
        if follows and (after or end == len(sent)) and re.fullmatch(pattern, sent[place:end]):
            return end
    raise _unlike(parts, sent, place)


def _unlike(token: str, sent: str, place: int) -> TargetError:
    return TargetError(
        f"expected tokens that reproduce the text, got one of {len(token)} characters that does not stand at place "
        f"{place} of {len(sent)}: scores cannot be cut at the boundary"
    )


def _check_offsets(told: Told, starts: Sequence[int]) -> None:
    """Offsets may be moved by a mark at the beginning, all alike; behind a broken character nobody counts alike."""
    if told.offsets is None:
        return
    whole = len(_until_broken(told.tokens))
    moved = {offset - start for offset, start in zip(told.offsets[:whole], starts, strict=False)}
    if len(moved) > 1:
        raise TargetError(
            "expected text_offset to say where the tokens stand in the text, got other places: scores cannot be trusted"
        )
