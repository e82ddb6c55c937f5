"""Numbers with a checksum: payment cards and international bank accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int, bool]

_CARD = re.compile(
    r"(?<![\w.,-])(?:(?<!\d{4}[ -])\d{4}([ -])\d{4}\1\d{4}\1\d{4}(\1\d{3}(?!\d))?"
    r"|3\d{3}([ -])\d{6}\3\d{4,5}|\d{13,19})(?![\w-]|[.,]\d)"
)
"""Alone, or beside other numbers, such as a date and a code; it does not begin within a row of groups of four."""
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")

ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (340000, 349999, (15,)),  # American Express
    (370000, 379999, (15,)),
    (300000, 305999, (14,)),  # Diners Club
    (360000, 369999, (14,)),
    (380000, 399999, (14,)),
    (352800, 358999, (16,)),  # JCB
    (400000, 499999, (13, 16, 19)),  # Visa
    (510000, 559999, (16,)),  # Mastercard
    (222100, 272099, (16,)),
    (601100, 601199, (16, 19)),  # Discover
    (644000, 659999, (16, 19)),
    (620000, 629999, (16, 17, 18, 19)),  # UnionPay
)
"""First six digits from … to, and how long such a number is (ISO/IEC 7812)."""

_LENGTHS = """
AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 EE:20
EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30
KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 NL:18 NO:15 PK:24
PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22
VG:24 XK:20
"""
IBAN_LENGTHS: dict[str, int] = {pair[:2]: int(pair[3:]) for pair in _LENGTHS.split()}
"""Country → characters of an account number (SWIFT, IBAN registry)."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def issued(digits: str) -> bool:
    """Whether some issuer gives numbers that begin so and are so long."""
    first = int(digits[:6])
    return any(low <= first <= high and len(digits) in lengths for low, high, lengths in ISSUERS)


def iban_holds(account: str) -> bool:
    """Whether an account number has its country's length and its check digits (ISO 13616: 1 modulo 97)."""
    if IBAN_LENGTHS.get(account[:2]) != len(account):
        return False
    moved = account[4:] + account[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def cards(text: str) -> Iterator[Span]:
    """Card numbers: written in one or in the usual groups, of a known issuer, with the right check digit."""
    for match in _CARD.finditer(text):
        ends = (match.end(), match.start(2)) if match[2] else (match.end(),)  # three digits more may be a code
        for end in ends:
            digits = re.sub(r"\D", "", text[match.start() : end])
            if issued(digits) and luhn(digits) and len(set(digits)) > 1:
                yield match.start(), end, True
                break


def ibans(text: str) -> Iterator[Span]:
    """Account numbers of a known country, with or without spaces, cut to the country's length."""
    for match in _IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match.group()[:2], 0)
        places = [i for i, c in enumerate(match.group()) if c != " "][:length]
        if len(places) < length or not length:
            continue
        end = match.start() + places[-1] + 1
        if iban_holds("".join(match.group()[i] for i in places)) and not text[end : end + 1].isalnum():
            yield match.start(), end, True
