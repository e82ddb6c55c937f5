"""What is found in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keepmum.detectors._addresses import emails, phones, ssns
from keepmum.detectors._checked import cards, ibans
from keepmum.detectors._keys import keys
from keepmum.detectors._names import names
from keepmum.errors import ConfigError

Span = tuple[int, int, bool]

_DETECTORS: Mapping[str, Callable[[str], Iterator[Span]]] = {
    "key": keys,
    "e-mail": emails,
    "iban": ibans,
    "card": cards,
    "ssn": ssns,
    "phone": phones,
    "name": names,
}
KINDS: tuple[str, ...] = tuple(_DETECTORS)
"""What can be found; where findings overlap, the earlier kind has it."""


@dataclass(frozen=True)
class Found:
    """One piece of personal data, or a key, in a text.

    Attributes:
      kind: One of `KINDS`.
      start: Where it begins, in characters.
      end: Where it ends, exclusive.
      text: The piece itself.
      sure: Whether more than its looks speaks for it: a checksum, a range of numbers, a prefix that nothing else has.
    """

    kind: str
    start: int
    end: int
    text: str
    sure: bool = False


def find(text: str, kinds: Sequence[str] = KINDS) -> list[Found]:
    """Pieces of some kinds in a text, in their order, none overlapping another.

    Formats and checksums only: a piece that looks right may still be made up. Whether it leaks is for an attack to say,
    with twins beside.

    Raises:
      ConfigError: An unknown kind.
    """
    unknown = [kind for kind in kinds if kind not in _DETECTORS]
    if unknown:
        raise ConfigError(f"expected kinds among {', '.join(KINDS)}, got {unknown[0]!r}")
    taken: list[Found] = []
    held = bytearray(len(text))  # characters that belong to a piece
    for kind in (kind for kind in KINDS if kind in kinds):
        for start, end, sure in _DETECTORS[kind](text):
            if not any(held[start:end]):
                held[start:end] = b"\x01" * (end - start)
                taken.append(Found(kind, start, end, text[start:end], sure))
    return sorted(taken, key=lambda found: found.start)
