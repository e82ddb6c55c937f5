"""Made-up pieces of the same kind and format as given ones."""

from __future__ import annotations

import re

import numpy as np

from keepmum.detectors._checked import luhn
from keepmum.detectors._names import GIVEN, SURNAMES

_UPPER, _LOWER, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
_KEPT = re.compile(
    r"^(?:AKIA|ASIA|AGPA|AROA|AIDA|gh[pousr]_|github_pat_|glpat-|npm_|pypi-AgEIcHlwaS5vcmc|sk-proj-|sk-svcacct-"
    r"|sk-ant-[a-z0-9]{2,8}-|sk-|hf_|xox[abeprs]-|AIza|[sr]k_(?:live|test)_|SG\.|SK|AC)"
)
_BASE32 = ("AKIA", "ASIA", "AGPA", "AROA", "AIDA")


def decoy(kind: str, like: str, rng: np.random.Generator) -> str:
    """Something of the same kind, format and length as a given piece, drawn anew where the format leaves a choice.

    Letters become letters of the same case and digits digits. Kept are the domain of an e-mail address, the country and
    first digits of a telephone number, the issuer of a card, the country of an account, the prefix of a key. Check
    digits are made right. A name is drawn from the list, with as many words.
    """
    if kind == "e-mail" and "@" in like:
        local, domain = like.rsplit("@", 1)
        return f"{_anew(local, rng)}@{domain}"
    if kind == "phone":
        return _phone(like, rng)
    if kind == "card":
        return _card(like, rng)
    if kind == "iban":
        return _iban(like, rng)
    if kind == "ssn":
        return _ssn(like, rng)
    if kind == "name":
        return _name(like, rng)
    kept = _KEPT.match(like) if kind == "key" else None
    start = kept.end() if kept else 0
    if kept and kept.group() in _BASE32:
        return like[:start] + "".join(rng.choice(list(_UPPER + "234567"), len(like) - start).tolist())
    return like[:start] + _anew(like[start:], rng)


def _anew(text: str, rng: np.random.Generator) -> str:
    sets = (_UPPER, _LOWER, _DIGITS)
    return "".join(next((str(rng.choice(list(s))) for s in sets if c in s), c) for c in text)


def _numbers(like: str, digits: list[int]) -> str:
    """The format of a piece with other digits, in the same writing."""
    left = iter(digits)
    return "".join(chr(ord(c) - int(c) + next(left)) if c.isdecimal() else c for c in like)


def _phone(like: str, rng: np.random.Generator) -> str:
    """The last seven digits anew, or the last two of a reserved number; an exchange never begins with 0 or 1."""
    digits = [int(c) for c in like if c.isdecimal()]
    text = "".join(map(str, digits))
    if "55501" in text[-7:]:
        digits[-2:] = rng.integers(0, 10, 2).tolist()
    else:
        digits[-7:] = [int(rng.integers(2, 10)), *rng.integers(0, 10, 6).tolist()]
    return _numbers(like, digits)


def _card(like: str, rng: np.random.Generator) -> str:
    digits = [int(c) for c in like if c.isdecimal()]
    digits[6:-1] = rng.integers(0, 10, len(digits) - 7).tolist()
    last = next(d for d in range(10) if luhn("".join(map(str, [*digits[:-1], d]))))
    return _numbers(like, [*digits[:-1], last])


def _iban(like: str, rng: np.random.Generator) -> str:
    account = like.replace(" ", "")
    body = _anew(account[4:], rng)
    number = int("".join(str(int(c, 36)) for c in f"{body}{account[:2]}00"))
    made = iter(f"{account[:2]}{98 - number % 97:02d}{body}")
    return "".join(c if c == " " else next(made) for c in like)


def _ssn(like: str, rng: np.random.Generator) -> str:
    area = int(rng.choice([a for a in range(1, 900) if a != 666]))
    text = f"{area:03d}{rng.integers(1, 100):02d}{rng.integers(1, 10_000):04d}"
    return _numbers(like, [int(c) for c in text])


def _name(like: str, rng: np.random.Generator) -> str:
    given, surnames = sorted(GIVEN), list(SURNAMES)
    words = like.split()
    titled = words[0].rstrip(".") in ("Mr", "Mrs", "Ms", "Dr", "Prof", "Herr", "Frau", "Mme", "Sr", "Sra")
    made = [words[0]] if titled else []
    first = len(words) - len(made) > 1
    for word in words[len(made) :]:
        if word[0].islower():  # of, from: "de la Cruz"
            made.append(word)
        elif word.endswith("."):
            made.append(f"{rng.choice(list(_UPPER))}.")
        else:
            made.append(str(rng.choice(given if first else surnames)))
            first = False
    return " ".join(made)
