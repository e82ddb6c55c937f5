"""Personal data in a user's own training records, as secrets to ask a model about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from keepmum.data import Records
from keepmum.detectors._decoys import decoy
from keepmum.detectors._find import KINDS, Found, find
from keepmum.errors import DataError
from keepmum.texts import Secret, Secrets

Finder = Callable[[str, Sequence[str]], list[Found]]
"""Finds pieces of some kinds in a text."""
CONTEXT = 300
"""Characters before and after a piece that are kept as its context."""


def secrets_in(
    documents: Iterable[str] | Records,
    heldout: Iterable[str] | Records | None = None,
    kinds: Sequence[str] = KINDS,
    *,
    finder: Finder = find,
    seed: int = 0,
) -> Secrets:
    """Personal data found in training documents, each in its own context, with twins that were not trained on.

    Twins are what is found in held-out documents of the same source: drawn alike, so that the model alone can tell them
    apart. Kinds that the held-out documents have none of are left out. Without held-out documents twins are
    made up by format, one for each piece in the same context; a model that knows how real names and addresses look
    may favor the real ones without having seen them, so that held-out documents are the better control.

    Args:
      documents: Texts that the model was trained on.
      heldout: Texts of the same kind that it was not trained on.
      kinds: What to look for.
      finder: Who looks; `keepmum.detectors.presidio` makes another.
      seed: Seed of made-up twins.

    Raises:
      DataError: Nothing is found, or no twins.
    """
    planted = _found(documents, kinds, finder)
    if heldout is None:
        twins = _made_up(planted, seed)
    else:
        others = _found(heldout, kinds, finder)
        both = {_bare(s) for s in planted} & {_bare(s) for s in others}
        planted = [s for s in planted if _bare(s) not in both]
        twins = [replace(s, repeats=0) for s in others if _bare(s) not in both]
        shared = {s.kind for s in planted} & {s.kind for s in twins}
        planted, twins = ([s for s in side if s.kind in shared] for side in (planted, twins))
    if not planted or not twins:
        raise DataError(
            f"expected personal data ({', '.join(kinds)}) in the documents and twins of the same kinds, got "
            f"{len(planted)} and {len(twins)}: look for other kinds, or give more documents"
        )
    return Secrets(tuple(planted), tuple(twins))


def _bare(secret: Secret) -> str:
    return secret.secret.strip()


def _found(documents: Iterable[str] | Records, kinds: Sequence[str], finder: Finder) -> list[Secret]:
    """Each distinct piece where it stands first, with how often it stands anywhere."""
    texts = documents.X.tolist() if isinstance(documents, Records) else list(documents)
    first: dict[tuple[str, str], Secret] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for text in texts:
        for found in finder(text, kinds):
            key = (found.kind, found.text)
            counts[key] += 1
            if key not in first:
                first[key] = _in_context(text, found)
    return [replace(secret, repeats=counts[key]) for key, secret in first.items()]


def _in_context(text: str, found: Found) -> Secret:
    """A piece with what stands around it; white space before it is its own, as models tokenize it."""
    before = text[max(0, found.start - CONTEXT) : found.start]
    prefix = before.rstrip()
    return Secret(prefix, before[len(prefix) :] + found.text, text[found.end : found.end + CONTEXT], found.kind)


def _made_up(planted: Sequence[Secret], seed: int) -> list[Secret]:
    rng = np.random.default_rng([seed, 0x7477696E])
    real = {_bare(s) for s in planted}
    twins = []
    for secret in planted:
        bare = _bare(secret)
        space = secret.secret[: len(secret.secret) - len(secret.secret.lstrip())]
        made = next((m for m in (decoy(secret.kind, bare, rng) for _ in range(20)) if m not in real), None)
        if made is not None:
            twins.append(replace(secret, secret=space + made, repeats=0))
    return twins
