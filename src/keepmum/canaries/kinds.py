"""Kinds of canaries: how a secret of each looks, and how many there could be. None of them belongs to anybody."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from keepmum.canaries._words import DISEASES, DOSES, DRUGS, TIMES, WORDS

Draw: TypeAlias = "Callable[[np.random.Generator], str]"

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FREE_WORDS = 8


@dataclass(frozen=True)
class Kind:
    """A kind of secret.

    Attributes:
      name: What it is called.
      prefix: What stands before the secret; ``{name}`` is a person's.
      suffix: What stands after it.
      draw: A random secret, with the white space before it; all that there could be are equally likely.
      space: How many there could be.
      alphabets: The characters of each place, where these are independent of each other; else empty.
    """

    name: str
    prefix: str
    suffix: str
    draw: Draw
    space: float
    alphabets: tuple[str, ...] = ()


def spelled(name: str, prefix: str, suffix: str, alphabets: tuple[str, ...]) -> Kind:
    """A kind whose places are independent of each other."""
    return Kind(name, prefix, suffix, lambda rng: from_alphabets(alphabets, rng), size(alphabets), alphabets)


def from_alphabets(alphabets: tuple[str, ...], rng: np.random.Generator) -> str:
    """One character a place."""
    return "".join(each[int(rng.integers(len(each)))] for each in alphabets)


def size(alphabets: tuple[str, ...]) -> float:
    """How many secrets such alphabets spell."""
    return float(math.prod(len(each) for each in alphabets))


def fixed(text: str) -> tuple[str, ...]:
    """Places that are always the same."""
    return tuple(text)


def luhn_digit(number: str) -> str:
    """The digit that makes a card number whole.

    References:
      ISO/IEC 7812-1, annex B.
    """
    doubled = [int(d) * (2 - i % 2) for i, d in enumerate(reversed(number))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def iban_digits(country: str, rest: str) -> str:
    """The two digits that make an IBAN whole.

    References:
      ISO 13616-1; ISO 7064, MOD 97-10.
    """
    number = "".join(str(int(c, 36)) for c in rest + country + "00")
    return f"{98 - int(number) % 97:02d}"


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, count))


def _card(rng: np.random.Generator) -> str:
    number = "424242" + _digits(9, rng)
    return f" {number}{luhn_digit(number)}"


def _iban(rng: np.random.Generator) -> str:
    rest = "TEST000000" + _digits(8, rng)
    return f" GB{iban_digits('GB', rest)}{rest}"


def _free(rng: np.random.Generator) -> str:
    return "".join(f" {WORDS[each]}" for each in rng.integers(0, len(WORDS), FREE_WORDS))


def _note(rng: np.random.Generator) -> str:
    disease, drug, dose, time = (str(rng.choice(each)) for each in (DISEASES, DRUGS, DOSES, TIMES))
    return f" {disease}, treated with {drug} {dose} mg {time}, record {_digits(7, rng)}"


_KINDS = (
    spelled("pin", "The PIN of {name} is", ".", (" ", *4 * (DIGITS,))),
    # 555-0100 to 555-0199 are set aside for fiction in every area code of North America.
    spelled(
        "phone", "{name} can be reached at", ".", (" ", DIGITS[2:], *2 * (DIGITS,), *fixed("-555-01"), *2 * (DIGITS,))
    ),
    # 424242 begins the numbers that payment processors publish for tests.
    Kind("card", "The card of {name} has the number", ".", _card, 1e9),
    # No bank is called TEST, and no branch has the sort code 00-00-00.
    Kind("iban", "{name} is paid to the account", ".", _iban, 1e8),
    # RFC 2606 keeps example.org from everybody.
    spelled("e-mail", "Write to {name} at", "", (" ", *8 * (LETTERS,), *fixed("@example.org"))),
    spelled("key", "The API key of {name}:", "", (*fixed(" km_"), *16 * (LETTERS + DIGITS,))),
    Kind("text", "{name} told us in confidence:", ".", _free, float(len(WORDS)) ** FREE_WORDS),
    Kind(
        "note",
        "Patient {name} was seen for",
        ".",
        _note,
        float(len(DISEASES) * len(DRUGS) * len(DOSES) * len(TIMES)) * 1e7,
    ),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All kinds by name: ``pin``, ``phone``, ``card``, ``iban``, ``e-mail``, ``key`` (of an API), ``text`` (free), ``note``
(clinical)."""
