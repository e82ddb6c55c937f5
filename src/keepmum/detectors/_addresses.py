"""E-mail addresses, telephone numbers, and social security numbers of the United States."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int, bool]

_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_])?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,24}(?![\w@-])"
)
_INTERNATIONAL = re.compile(r"(?<![\w+])\+[1-9](?:[ .-]?(?:\(\d{1,4}\)|\d)){6,14}(?!\d)")
_NORTH_AMERICAN = re.compile(
    r"(?<![\w.+-])(?:1[ .-])?(?:\(([2-9]\d\d)\) ?([2-9]\d\d)[ .-]|([2-9]\d\d)([ .-])([2-9]\d\d)\4)\d{4}(?![\w-])"
)
_RESERVED = re.compile(r"(?<![\w.+-])555-01\d\d(?![\w-])")
_SSN = re.compile(r"(?<![\w-])(\d{3})-(\d{2})-(\d{4})(?![\w-])")
_SSN_SAID = re.compile(
    r"(?:SSN|[Ss]ocial [Ss]ecurity(?: [Nn]umber)?)\W{0,3}(?:is |of )?(\d{3})([ -]?)(\d{2})\2(\d{4})(?!\d)"
)


def emails(text: str) -> Iterator[Span]:
    """Addresses as mail servers take them, without quotes; no two dots in a row."""
    for match in _EMAIL.finditer(text):
        if ".." not in match.group():
            yield match.start(), match.end(), True


def phones(text: str) -> Iterator[Span]:
    """Numbers with a country code (E.164: 8 to 15 digits after the plus), and North American ones as they are written.

    Ten digits without a break are no telephone number: nothing tells them from any other number. The reserved local
    numbers 555-0100 … 555-0199 count.
    """
    for match in _INTERNATIONAL.finditer(text):
        digits = sum(c.isdigit() for c in match.group())
        north = re.sub(r"\D", "", match.group())
        if 8 <= digits <= 15 and (
            north[0] != "1" or (digits == 11 and north[1] in "23456789" and north[4] in "23456789")
        ):
            yield match.start(), match.end(), True
    for pattern in (_NORTH_AMERICAN, _RESERVED):
        for match in pattern.finditer(text):
            area = next((group for group in match.groups() if group), "")
            if area[1:] != "11":  # 211 … 911 are services
                yield match.start(), match.end(), False


def ssns(text: str) -> Iterator[Span]:
    """Numbers that the Social Security Administration may have given: no area 000, 666 or 9xx, no group 00, no 0000.

    Without dashes only where the text says that it is one.
    """
    for match in _SSN.finditer(text):
        if _given(match[1], match[2], match[3]):
            yield match.start(), match.end(), True
    for match in _SSN_SAID.finditer(text):
        if match[2] != "-" and _given(match[1], match[3], match[4]):
            yield match.start(1), match.end(), True


def _given(area: str, group: str, serial: str) -> bool:
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
