"""How much of what stands before a secret an attacker knows."""

from __future__ import annotations

import re
from enum import StrEnum

from keepmum.detectors import find
from keepmum.targets.text import LogitTarget, TextTarget
from keepmum.texts import Secret

WORDS = 4
"""Words at the end of a prefix that stand for the name where none is found."""


class Known(StrEnum):
    """Part of the prefix that is given to the model."""

    NAME = "name"
    TEN = "10-tokens"
    FIFTY = "50-tokens"
    ALL = "all"


def prompt(target: TextTarget, secret: Secret, known: Known) -> str:
    """The end of a secret's prefix that an attacker knows.

    From the last name on, or the last four words where no name is found; or the last tokens, which are words where the
    model does not tell its tokens; or all of it.
    """
    prefix = secret.prefix
    if known is Known.ALL or not prefix:
        return prefix
    if known is Known.NAME:
        names = find(prefix, ("name",))
        return prefix[names[-1].start :] if names else _last_words(prefix, WORDS)
    wanted = {Known.TEN: 10, Known.FIFTY: 50}[known]
    if not isinstance(target, LogitTarget):
        return _last_words(prefix, wanted)
    tokens = target.encode(prefix)
    for count in range(min(wanted, len(tokens)), 0, -1):
        tail = target.decode(tokens[-count:])
        if prefix.endswith(tail):  # a character may be spread over several tokens
            return tail
    return prefix


def _last_words(text: str, count: int) -> str:
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    return text[starts[-count] :] if len(starts) > count else text
