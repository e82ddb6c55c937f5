"""The bundled prose: what is promised of its documents, and that a random half is like the other."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from keepmum.datasets import load_prose
from keepmum.errors import DataError


def test_documents_are_short_plain_and_differ() -> None:
    texts = load_prose()
    assert len(texts) == 3000 == len({"".join(t.lower().split()) for t in texts})
    assert all(60 <= len(t) <= 600 and t.isascii() and "\n" not in t and t == t.strip() for t in texts)
    assert (resources.files("keepmum.datasets") / "prose.txt.xz").read_bytes()[:6] == b"\xfd7zXZ\x00"


def test_no_two_documents_share_ten_words_in_a_row() -> None:
    seen: set[str] = set()
    for text in load_prose():
        words = text.lower().split()
        runs = {" ".join(words[i : i + 10]) for i in range(len(words) - 9)}
        assert not runs & seen
        seen |= runs


def test_a_seed_is_an_order_and_less_is_the_beginning_of_more() -> None:
    assert load_prose(50, seed=3) == load_prose(seed=3)[:50] != load_prose(50, seed=4)
    assert sorted(load_prose(seed=3)) == sorted(load_prose(seed=4))


def test_both_halves_of_the_order_are_alike_and_halves_of_the_books_are_not() -> None:
    """Elizabeth lives in one book: where documents stand says who they are about until they are shuffled."""
    texts = load_prose(seed=1)
    named = np.array(["Elizabeth" in t for t in texts])
    assert abs(named[:1500].mean() - named[1500:].mean()) < 4 * named.std() * np.sqrt(2 / 1500)
    assert named.mean() > 0.03


@pytest.mark.parametrize("documents", [0, -1, 3001])
def test_more_or_fewer_than_there_are_is_refused(documents: int) -> None:
    with pytest.raises(DataError, match="1 to 3000 documents"):
        load_prose(documents)
