"""Paragraphs of Jane Austen's six novels: documents that a language model can be trained on and audited with."""

from __future__ import annotations

from importlib import resources

from keepmum.errors import DataError


def load_prose(documents: int | None = None, seed: int = 0) -> list[str]:
    """Load paragraphs of 60 to 600 characters of plain English, in random order.

    They were drawn at random from six novels, no two of them alike or with ten words in a row in common. In random
    order they are exchangeable: divide them anywhere, and nothing but training tells the parts apart. In the order of
    the books they are not.

    Args:
      documents: How many, at most 3,000; all by default.
      seed: Seed of the order.

    Returns:
      One text a document, in ASCII, without line ends.

    Raises:
      DataError: More than there are.

    References:
      Austen. Sense and Sensibility (1811), Pride and Prejudice (1813), Mansfield Park (1814), Emma (1815), Northanger
      Abbey and Persuasion (1817). In the public domain.
    """
    import lzma

    import numpy as np

    packed = (resources.files("keepmum.datasets") / "prose.txt.xz").read_bytes()
    texts = lzma.decompress(packed).decode("ascii").splitlines()
    if documents is not None and not 0 < documents <= len(texts):
        raise DataError(f"expected 1 to {len(texts)} documents, got {documents}")
    return [texts[place] for place in np.random.default_rng(seed).permutation(len(texts))[:documents]]
