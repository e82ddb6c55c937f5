"""What else could stand in the place of a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from keepmum.canaries.kinds import KINDS, Draw, from_alphabets, size
from keepmum.errors import DataError, NotApplicableError
from keepmum.texts import Secret, Secrets

TRIES = 20
"""Draws for each reference, before there are taken to be no more."""


@dataclass(frozen=True)
class Others:
    """How secrets of a kind are drawn.

    Attributes:
      kind: Which kind.
      draw: One at random.
      alphabets: The characters of each place, where they are independent of each other; else empty.
      taken: Secrets of that kind that are asked about: none of them is a reference for another.
    """

    kind: str
    draw: Draw
    alphabets: tuple[str, ...]
    taken: frozenset[str]

    @property
    def space(self) -> float:
        """How many there could be, where they can be listed; else infinity."""
        return size(self.alphabets) if self.alphabets else np.inf

    def every(self) -> list[str]:
        """All that there could be."""
        return ["".join(characters) for characters in product(*self.alphabets)]

    def some(self, count: int, rng: np.random.Generator) -> list[str]:
        """So many different ones, or fewer where there are no more; none is asked about itself."""
        drawn: dict[str, None] = {}
        for _ in range(TRIES * count):
            secret = self.draw(rng)
            if secret not in self.taken:
                drawn[secret] = None
                if len(drawn) == count:
                    break
        return list(drawn)


def others_of(secrets: Sequence[Secret], known: Secrets | None) -> Mapping[str, Others]:
    """For each kind of secret, how it is drawn: by the alphabets that are given, or as canaries of that kind are.

    Raises:
      NotApplicableError: A kind that nobody knows how to draw, or secrets of the name of a canary that are spelled
        otherwise.
      DataError: A secret that is not of the alphabets that are given for its kind.
    """
    return {kind: _of_kind(kind, [s for s in secrets if s.kind == kind], known) for kind in _kinds(secrets)}


def _kinds(secrets: Sequence[Secret]) -> Iterator[str]:
    yield from dict.fromkeys(secret.kind for secret in secrets)


def _of_kind(kind: str, secrets: Sequence[Secret], known: Secrets | None) -> Others:
    given = () if known is None else known.alphabets.get(kind, ())
    alphabets = given or (KINDS[kind].alphabets if kind in KINDS else ())
    taken = frozenset(secret.secret for secret in secrets)
    if not alphabets:
        if kind not in KINDS:
            raise NotApplicableError(
                f"needs to know what else could stand in the place of a secret of the kind {kind!r}: give its "
                "alphabets, or ask about canaries that keepmum made"
            )
        return Others(kind, KINDS[kind].draw, (), taken)
    for secret in secrets:
        if len(secret.secret) != len(alphabets) or any(
            c not in a for c, a in zip(secret.secret, alphabets, strict=True)
        ):
            if not given:
                raise NotApplicableError(
                    f"needs to know what else could stand in the place of the secrets of the kind {kind!r}, which are "
                    "not spelled as keepmum's canaries of that name: give their alphabets"
                )
            raise DataError(
                f"a secret of the kind {kind!r} is not spelled in the alphabets that are given for its kind: "
                f"expected {len(alphabets)} characters as these say; give one string of characters for each place, the "
                "white space before it among them"
            )
    return Others(kind, lambda rng: from_alphabets(alphabets, rng), alphabets, taken)
