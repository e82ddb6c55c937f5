"""What secrets look like: from ranges that belong to nobody, and as many as is said."""

from __future__ import annotations

import math
import re
from itertools import product

import numpy as np
import pytest

from keepmum.canaries import KINDS
from keepmum.canaries._names import draw_names, names
from keepmum.canaries._words import DISEASES, DOSES, DRUGS, TIMES, WORDS
from keepmum.canaries.kinds import FREE_WORDS, iban_digits, luhn_digit
from keepmum.errors import ConfigError

SHAPES = {
    "pin": r" \d{4}",
    "phone": r" [2-9]\d\d-555-01\d\d",
    "card": r" 424242\d{10}",
    "iban": r" GB\d\dTEST000000\d{8}",
    "e-mail": r" [a-z]{8}@example\.org",
    "key": r" km_[a-z0-9]{16}",
    "text": r"( [a-z]+){8}",
    "note": r" [a-z]+, treated with [a-z]+ \d+ mg [a-z ]+, record \d{7}",
}


def drawn(kind: str, count: int = 300) -> list[str]:
    rng = np.random.default_rng(1)
    return [KINDS[kind].draw(rng) for _ in range(count)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_secret_stands_in_a_range_that_belongs_to_nobody(kind):
    assert all(re.fullmatch(SHAPES[kind], secret) for secret in drawn(kind))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_white_space_belongs_to_the_secret(kind):
    assert all(secret[0] == " " != secret[1] for secret in drawn(kind, 20))
    assert not KINDS[kind].prefix.endswith(" ")
    assert "{name}" in KINDS[kind].prefix


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.alphabets])
def test_alphabets_spell_what_is_drawn_and_are_all_used(kind):
    alphabets, secrets = KINDS[kind].alphabets, drawn(kind, 2000)
    assert math.prod(map(len, alphabets)) == KINDS[kind].space
    for place, alphabet in enumerate(alphabets):
        assert {secret[place] for secret in secrets} == set(alphabet)


def slow_luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(map(int, reversed(number))):
        total += digit if place % 2 == 0 else sum(map(int, str(2 * digit)))
    return total % 10 == 0


def slow_iban(iban: str) -> bool:
    """Remainder digit by digit, as it is done on paper."""
    remainder = 0
    for character in iban[4:] + iban[:4]:
        for digit in str(int(character, 36)):
            remainder = (remainder * 10 + int(digit)) % 97
    return remainder == 1


def test_cards_and_accounts_are_whole():
    assert all(slow_luhn(secret.strip()) for secret in drawn("card"))
    assert all(slow_iban(secret.strip()) for secret in drawn("iban"))
    assert luhn_digit("7992739871") == "3"
    assert luhn_digit("424242424242424") == "2"
    assert iban_digits("GB", "WEST12345698765432") == "82"
    assert not slow_luhn("4242424242424241")
    assert not slow_iban("GB83WEST12345698765432")


def test_spaces_count_what_can_be_drawn():
    assert KINDS["card"].space == 10**9
    assert KINDS["iban"].space == 10**8
    assert len(set(WORDS)) == 64
    assert KINDS["text"].space == 64**FREE_WORDS
    assert KINDS["note"].space == len(list(product(set(DISEASES), set(DRUGS), set(DOSES), set(TIMES)))) * 10**7


def test_names():
    first, last = names()
    assert (len(set(first)), len(set(last))) == (500, 1000)
    assert all(re.fullmatch(r"[A-Z][a-z]+", name) for name in (*first, *last))
    drawn = draw_names(5000, np.random.default_rng(0))
    assert len(set(drawn)) == 5000
    with pytest.raises(ConfigError, match="at most 500,000 names"):
        draw_names(500_001, np.random.default_rng(0))
