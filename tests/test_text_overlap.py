"""Documents that share passages leave both sides, copies count once, and what is left is a member by chance."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.data import Records, Split
from keepmum.errors import DataError
from keepmum.overlap import remove_overlap
from keepmum.text_overlap import linked, passages, sharing
from keepmum.texts import documents, without_labels


def prose(n: int, seed: int, words: int = 30) -> list[str]:
    rng = np.random.default_rng([seed, 0x70726F73])
    return [" ".join(f"w{k}" for k in rng.integers(0, 3_000, words)) for _ in range(n)]


def by_hand(text: str) -> set[str]:
    units = text.split()
    return {" ".join(units[i : i + 13]) for i in range(max(1, len(units) - 12))}


def test_passages_are_all_runs_of_thirteen_words():
    text = prose(1, 0)[0]
    assert len(passages(text)) == len(by_hand(text)) == 18
    assert passages(text) == passages(text.upper().replace(" ", ",  ")), "case and signs do not matter"
    assert len(passages("few words")) == len(passages("")) == len(passages("?!")) == 1
    assert passages("?!") != passages("")
    assert len(passages("字" * 60)) == 1, "sixty times the same: eleven equal passages of fifty characters"
    assert len(passages("".join(chr(0x4E00 + i) for i in range(60)))) == 11


def test_links_are_those_of_every_pair():
    texts = prose(30, 1)
    texts += [texts[0] + " " + texts[30 % 7], " ".join(texts[3].split()[:20] + prose(1, 9)[0].split()[:10])]
    texts += ["", "", "short text", "Short, text!"]
    group = linked([passages(text) for text in texts])
    own = [by_hand(text.lower().replace(",", "").replace("!", "")) for text in texts]
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        return i if parent[i] == i else root(parent[i])

    for i in range(len(texts)):
        for j in range(i):
            if len(own[i] & own[j]) > 0.2 * min(len(own[i]), len(own[j])):
                parent[root(i)] = root(j)
    expected = [root(i) for i in range(len(texts))]
    assert [[a == b for b in group.tolist()] for a in group.tolist()] == [[a == b for b in expected] for a in expected]
    assert len(set(expected)) < len(texts) - 3


def test_what_quotes_the_other_side_leaves_both():
    ours, theirs = prose(20, 2), prose(20, 3)
    theirs[4] = "Preface. " + " ".join(ours[7].split()[:28]) + " and more."
    ours[9] = " ".join(part for source in theirs[10:16] for part in source.split()[:15])  # a little of each of six
    near, other_near, _ = sharing(ours, theirs)
    assert np.flatnonzero(near).tolist() == [7, 9]
    assert 4 in np.flatnonzero(other_near)
    clean, overlap = remove_overlap(Split(documents(ours), documents(theirs)))
    assert not {ours[7], ours[9]} & set(clean.members.X)
    assert theirs[4] not in set(clean.nonmembers.X)
    assert (overlap.exact_members, overlap.near_members, overlap.repeated_members) == (0, 2, 0)
    assert overlap.near_nonmembers == int(other_near.sum())


def test_exact_near_and_repeated_are_counted_apart():
    ours, theirs = prose(20, 4), prose(20, 5)
    theirs[0] = ours[0]
    theirs[1] = ours[1] + " w1"
    ours[3] = ours[2] + " w1 w2"
    clean, overlap = remove_overlap(Split(documents(ours), documents(theirs)))
    assert (overlap.exact_members, overlap.near_members, overlap.repeated_members) == (1, 1, 1)
    assert (overlap.exact_nonmembers, overlap.near_nonmembers, overlap.repeated_nonmembers) == (1, 1, 0)
    assert (len(clean.members), len(clean.nonmembers)) == (17, 18)


def test_documents_with_labels_are_left_to_the_classifier():
    ours, theirs = prose(20, 6), prose(20, 7)
    theirs[1] = ours[1] + " w1"
    labels = np.arange(20) % 2
    labeled = Split(Records(documents(ours).X, labels), Records(documents(theirs).X, labels))
    assert not without_labels(labeled)
    assert without_labels(Split(documents(ours), documents(theirs)))
    assert remove_overlap(labeled)[1].near_members == 0


def test_the_same_documents_twice_are_refused():
    with pytest.raises(DataError, match="the same records"):
        remove_overlap(Split(documents(prose(5, 8)), documents(prose(5, 8))))
    with pytest.raises(DataError, match="nothing is left"):
        remove_overlap(Split(documents(prose(5, 8)), documents([text + " w1" for text in prose(5, 8)])))


@pytest.mark.parametrize("members", [60, 100, 150])
def test_near_copies_keep_the_null_also_when_sides_differ_in_size(members):
    """Whoever ranks documents by how many near copies they have must not look like an attack."""
    from keepmum.stats.null import rank_sum_p_value

    small, large = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        pool, families = prose(200, seed, 16), rng.integers(0, 120, 200)
        texts = np.array([pool[family] + f" v{i}" for i, family in enumerate(families)], dtype=object)
        copies = dict(zip(texts, np.bincount(families, minlength=120)[families], strict=True))
        clean, _ = remove_overlap(Split(documents(texts[:members]), documents(texts[members:])))
        ours, theirs = ([float(copies[t]) for t in side.X] for side in (clean.members, clean.nonmembers))
        small.append(rank_sum_p_value(-np.array(ours), -np.array(theirs)) <= 0.05)
        large.append(rank_sum_p_value(np.array(ours), np.array(theirs)) <= 0.05)
    limit = 60 * 0.05 + 2 * np.sqrt(60 * 0.05 * 0.95)
    assert sum(small) <= limit
    assert sum(large) <= limit
