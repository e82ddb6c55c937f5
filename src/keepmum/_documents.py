"""Documents as numbers, for learners that look at texts without asking the model; and a model that memorizes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDER = 6
"""Characters before a character that the memorizing twin looks at."""
WORDS = 4096
"""Columns that words and pairs of words are hashed into."""
YEAR = re.compile(r"(?<![\d.,])(1[5-9]\d\d|20\d\d)(?![\d])")
MONTH = re.compile(r"\b(january|february|march|april|june|july|august|september|october|november|december)\b")
MARKS = ",.;:!?'\"-()/\n"


def words(texts: Sequence[str]) -> Any:
    """Bag of words and of pairs of words, hashed, sparse ``(n, WORDS)``: logarithmic counts, each row of length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.preprocessing import normalize

    hashed = HashingVectorizer(n_features=WORDS, alternate_sign=False, norm=None, ngram_range=(1, 2))
    return normalize(hashed.transform(list(texts)).log1p())


def traits(texts: Sequence[str]) -> NDArray[np.float64]:
    """Length, characters, and dates of each document, ``(n, d)``; NaN where a document tells no year."""
    return np.array([[*_shape(text), *_dates(text)] for text in texts], dtype=np.float64)


def _shape(text: str) -> list[float]:
    """Length in characters, words and sentences, and shares of kinds of characters."""
    found, size = re.findall(r"\w+", text), max(1, len(text))
    kinds = [str.isupper, str.isdigit, str.isspace, lambda c: ord(c) > 127]
    return [
        len(text),
        len(found),
        len(re.findall(r"[.!?]+", text)),
        float(np.mean([len(word) for word in found])) if found else 0.0,
        len({word.lower() for word in found}) / max(1, len(found)),
        *(sum(map(kind, text)) / size for kind in kinds),
        *(text.count(mark) / size for mark in MARKS),
        float(text[:1].isupper()),
        float(text[-1:] in ".!?\"'"),
    ]


def _dates(text: str) -> list[float]:
    """Number of years named, their smallest, mean and largest, and number of months."""
    years = [int(year) for year in YEAR.findall(text)]
    months = len(MONTH.findall(text.lower()))
    if not years:
        return [0, np.nan, np.nan, np.nan, months]
    return [len(years), min(years), float(np.mean(years)), max(years), months]


def twin_scores(texts: Sequence[str], members: int) -> NDArray[np.float64]:
    """What a table of n-grams of the first documents says of each: mean log-probability of its characters, in nats.

    The table counts which character followed upon which ORDER characters; a character that never followed has a count
    of one, divided among all characters.
    """
    follows: dict[str, int] = {}
    stands: dict[str, int] = {}
    marked = ["\0" * ORDER + text for text in texts]
    for text in marked[:members]:
        for i in range(ORDER, len(text)):
            before = text[i - ORDER : i]
            stands[before] = stands.get(before, 0) + 1
            follows[before + text[i]] = follows.get(before + text[i], 0) + 1
    kinds = len(set("".join(texts))) + 1
    scores = np.zeros(len(texts))
    for place, text in enumerate(marked):
        rows = [text[i - ORDER : i + 1] for i in range(ORDER, len(text))]
        logs = [np.log((follows.get(row, 0) + 1 / kinds) / (stands.get(row[:-1], 0) + 1)) for row in rows]
        scores[place] = float(np.mean(logs)) if logs else 0.0
    return scores
