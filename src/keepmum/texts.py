"""Documents and secrets: what an audit of a language model asks about.

A secret is text that was trained on (planted) or that might as well have been and was not (a twin, the control). Twins
are drawn like the planted secrets and by a coin flip never put into the training data, so that whatever a model says
of the ones and not of the others it knows from training.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keepmum.data import Records, Split
from keepmum.errors import DataError

COLUMNS = ("prefix", "secret", "suffix", "kind", "repeats", "group")


@dataclass(frozen=True)
class Secret:
    """A piece of text that a model should not give away, and where it stands.

    Attributes:
      prefix: What stands before it, as far as an attacker knows it; ends without the white space that belongs to the
        secret's first token.
      secret: The text itself, with the white space before it.
      suffix: What stands after it.
      kind: What it is: ``pin``, ``phone``, ``e-mail``, ``passage`` and so on.
      repeats: How often it stood in the training data; 0 for a twin.
      group: Which secrets were drawn together and are fair to compare; the kind unless said.
    """

    prefix: str
    secret: str
    suffix: str = ""
    kind: str = "text"
    repeats: int = 1
    group: str = ""

    def __post_init__(self) -> None:
        if not self.secret.strip():
            raise DataError(f"expected a secret of at least one character after {self.prefix[-30:]!r}, got none")
        if self.repeats < 0:
            raise DataError(f"expected repeats of 0 or more, got {self.repeats}")

    @property
    def text(self) -> str:
        """The secret in its context."""
        return self.prefix + self.secret + self.suffix


@dataclass(frozen=True)
class Secrets:
    """Planted secrets and their twins.

    Attributes:
      planted: Secrets that were trained on.
      twins: Secrets drawn alike that were not.
      spaces: How many secrets of each kind there could be, where that is known: kind → number.
      alphabets: The characters that each place of a secret of a kind is drawn from, where all places are independent:
        kind → one string of characters a place (a fixed place has one). Exact exposure walks these.
      paired: Whether the planted secret and the twin at the same place were drawn together, and a fair coin decided
        which of them was trained on: what a lower bound on epsilon rests on.
    """

    planted: tuple[Secret, ...]
    twins: tuple[Secret, ...]
    spaces: dict[str, float] = field(default_factory=dict)
    alphabets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    paired: bool = False

    def __post_init__(self) -> None:
        if not self.planted or not self.twins:
            raise DataError(
                f"expected planted secrets and twins that were never trained on, got {len(self.planted)} and "
                f"{len(self.twins)}: without twins nothing can be told from chance"
            )
        both = {s.text for s in self.planted} & {s.text for s in self.twins}
        if both:
            raise DataError(f"{len(both)} secrets are both planted and twins: a twin must not stand in the data")
        if self.paired and len(self.planted) != len(self.twins):
            raise DataError(f"expected pairs, got {len(self.planted)} planted secrets and {len(self.twins)} twins")

    @property
    def split(self) -> Split:
        """Planted secrets as members, twins as non-members: frames with the columns `COLUMNS`."""
        return Split(_records(self.planted), _records(self.twins))


def _records(secrets: Sequence[Secret]) -> Records:
    import pandas as pd

    frame = pd.DataFrame({name: [getattr(s, name) for s in secrets] for name in COLUMNS})
    return Records(frame, np.zeros(len(secrets), dtype=np.intp))


def secrets_of(records: Records) -> list[Secret]:
    """The secrets that stand in records, in their order.

    Raises:
      DataError: Records that hold none.
    """
    missing = [name for name in COLUMNS if name not in records.columns]
    if missing:
        raise DataError(f"expected records of secrets, got no column {missing[0]!r}")
    columns: list[list[Any]] = [records.column(name).tolist() for name in COLUMNS]
    return [Secret(*row) for row in zip(*columns, strict=True)]


def documents(texts: Iterable[Any]) -> Records:
    """Texts as records: one document a row, without labels.

    Raises:
      DataError: No texts, something else than text among them, or text that breaks off within a character.
    """
    if isinstance(texts, (str, bytes)):
        raise DataError("expected a list of documents, got one text: give one text a document, in a list")
    rows = list(texts)
    if not rows or not all(isinstance(row, str) for row in rows):
        odd = next((type(row).__name__ for row in rows if not isinstance(row, str)), "nothing")
        raise DataError(f"expected documents as texts, got {odd}: give one text a document")
    broken = next((place for place, row in enumerate(rows, 1) if not _whole(row)), None)
    if broken is not None:
        raise DataError(
            f"expected documents of whole characters, got half of one (a lone surrogate) in text {broken:,}"
        )
    X = np.empty(len(rows), dtype=object)
    X[:] = rows
    return Records(X, np.zeros(len(rows), dtype=np.intp))


def _whole(text: str) -> bool:
    """Whether a text can be written: JSON can hold halves of characters, which no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_labels(split: Split) -> bool:
    """Whether a split holds documents and nothing else: texts on both sides, and one label throughout."""
    sides = (split.members, split.nonmembers)
    return all(map(are_documents, sides)) and len({label for side in sides for label in side.y.tolist()}) == 1


def are_documents(records: Records) -> bool:
    """Whether records are texts, one a row."""
    X = records.X
    return isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "OU" and isinstance(X[0], str)


def masked(text: str, key: bytes) -> str:
    """A text as reports may show it: its first character, its length, and a hash that only this run can make.

    The same text has the same hash within a run, so that findings can be held together; without the key nobody can
    try texts against it.

    Args:
      text: What is not to be read; white space around it is left out.
      key: A key of the run, at least 16 random bytes.

    Raises:
      DataError: A key that is too short to keep anyone from guessing.
    """
    import hashlib
    import hmac

    if len(key) < 16:
        raise DataError(f"expected a key of at least 16 random bytes, got {len(key)}")
    bare = text.strip()
    told = hmac.new(key, bare.encode(), hashlib.sha256).hexdigest()[:10]
    count = f"{len(bare):,} character{'s' * (len(bare) != 1)}"
    return f"{bare[:1]}… ({count}, #{told})" if len(bare) > 2 else f"… ({count}, #{told})"


def repeats(said: str, text: str) -> bool:
    """Whether words share a piece of 16 characters with a text, or hold the whole text if it is shorter."""
    text = " ".join(text.split())
    size = min(16, len(text))
    return bool(size) and any(said[i : i + size] in text for i in range(len(said) - size + 1))
