"""Tokens that a server tells of are found in the text that it was sent, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepmum.errors import TargetError
from keepmum.targets._aligned import UNTOLD, Told, cut

B = "\ufffd"


def told(tokens, first=None, **more) -> Told:
    return Told(tuple(tokens), (first, *(-float(i) for i in range(1, len(tokens)))), **more)


@given(
    st.lists(st.text(st.characters(exclude_characters=B), min_size=1, max_size=3), min_size=1, max_size=12), st.data()
)
def test_any_cut_of_any_tokens_against_a_slow_twin(tokens: list[str], data: st.DataObject) -> None:
    sent = "".join(tokens)
    at = data.draw(st.integers(0, len(sent)))
    scored = cut(told([*tokens, "written"]), sent[:at], sent[at:])
    starts = [len("".join(tokens[:i])) for i in range(len(tokens))]
    kept = [
        i for i in range(1, len(tokens)) if any(place >= at for place in range(starts[i], starts[i] + len(tokens[i])))
    ]
    assert scored.tokens == tuple(tokens[i] for i in kept)
    assert scored.starts.tolist() == [starts[i] - at for i in kept]
    assert scored.log_probs.tolist() == [-i for i in kept]


@given(st.text(st.sampled_from("aé語😀 b"), min_size=1, max_size=12), st.data())
def test_tokens_of_single_bytes_are_found_again(sent: str, data: st.DataObject) -> None:
    """The hardest tokens that there are: each byte one, so that all of a character but ASCII are broken."""
    tokens = [c if c.isascii() else B for c in sent for _ in range(len(c.encode()))]
    at = data.draw(st.integers(0, len(sent)))
    scored = cut(told(tokens, -9.0), sent[:at], sent[at:])
    places = [i for i, c in enumerate(sent) for _ in range(len(c.encode()))]
    runs = [
        i if sent[i].isascii() else next(j for j in range(i, -1, -1) if j == 0 or sent[j - 1].isascii()) for i in places
    ]
    ends = [
        i if sent[i].isascii() else next((j for j in range(i, len(sent)) if sent[j].isascii()), len(sent)) - 1
        for i in places
    ]
    kept = [k for k in range(len(tokens)) if ends[k] >= at]
    assert scored.starts.tolist() == [runs[k] - at for k in kept]


def test_a_token_that_begins_with_a_character_and_ends_in_another() -> None:
    scored = cut(told(["a", f" {B}", B, B, "b", "c"]), "a ", "語bc")
    assert scored.tokens == (f" {B}", B, B, "b", "c")
    assert scored.starts.tolist() == [-1, -1, -1, 1, 2]


def test_the_first_token_that_nobody_spells_is_what_the_others_leave() -> None:
    assert cut(told([UNTOLD, "cd", "ef"]), "ab", "cdef").starts.tolist() == [0, 2]
    assert cut(told([UNTOLD, "ab", "cd", "ef"]), "ab", "cdef").starts.tolist() == [0, 2]
    assert cut(told([UNTOLD, B, B, "b"]), "", "語b").starts.tolist() == [0, 0, 1]


def test_marks_and_offsets_moved_by_them() -> None:
    whole = cut(told(["<s>", "ab", "cd"], offsets=(0, 3, 5)), "", "abcd")
    assert whole.tokens == ("ab", "cd")
    assert whole.log_probs.tolist() == [-1, -2]
    empty = cut(told(["", "ab", "cd"]), "", "abcd")
    assert empty.tokens == ("ab", "cd")


@pytest.mark.parametrize(
    "wrong",
    [
        told(["ab", "xx", "ef"]),
        told(["ab", "cd"]),
        told([]),
        told(["<s>", "<t>", "abcdef"]),
        told(["ab", "cd", "ef"], offsets=(0, 2, 5)),
        told(["ab", "cd", "ef"], offsets=(0, 1, 2)),
        told(["ab", B, "ef"]),
        Told(("ab", "cd", "ef"), (None, None, -1.0)),
        told(["▁ab", "cd", "ef"], -1.0),
    ],
    ids=str,
)
def test_what_does_not_reproduce_the_text_is_refused(wrong: Told) -> None:
    with pytest.raises(TargetError, match="expected"):
        cut(wrong, "ab", "cdef")


def test_whether_a_token_is_the_likeliest_goes_with_it() -> None:
    scored = cut(told(["ab", "cd", "ef"], likeliest=(False, True, False)), "ab", "cdef")
    np.testing.assert_array_equal(scored.likeliest, [True, False])
    assert scored.log_probs.tolist() == [-1, -2]
