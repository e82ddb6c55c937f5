"""Keys and tokens: by their issuers' prefixes, by structure, and by entropy where a text announces one."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator

Span = tuple[int, int, bool]

_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z2-7]{16}"  # Amazon
    r"|gh[pousr]_[A-Za-z0-9]{36}"
    r"|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|npm_[A-Za-z0-9]{36}"
    r"|pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"
    r"|sk-(?:proj-|svcacct-|ant-[a-z0-9]{2,8}-)?[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z]{34}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"
    r"|(?:SK|AC)[0-9a-f]{32}"
    r")(?![A-Za-z0-9_])"
)
_JWT = re.compile(r"(?<![\w.-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}(?![\w-])")
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,]|-(?!----))*-----END (?:[A-Z]+ )*PRIVATE KEY-----"
)
_SAID = re.compile(
    r"(?i:\b(?:api[ _-]?key|access[ _-]?key|secret|token|password|passwd|pwd|credential)s?\b"
    r"[^\n]{0,30}?(?:\bis\b|[:=]))\s*[\"']?([A-Za-z0-9+/=_-]{16,128})(?![A-Za-z0-9+/=_-])"
)
ENTROPY = 3.2
"""Bits a character from which a string that a text calls a key is one."""
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def keys(text: str) -> Iterator[Span]:
    """Keys of well-known issuers, JSON web tokens, private keys in PEM; what a text calls a key and looks random."""
    for match in _PREFIXED.finditer(text):
        body = max(re.split(r"[_-]", match.group()), key=len)  # many alphabets hold the separators
        random = entropy(body) >= (2.5 if len(body) < 24 else 3.0) and len(set(body)) > 5
        if random and (match.group()[:3] != "sk-" or any(c.isdigit() for c in match.group())):  # style sheets, too
            yield match.start(), match.end(), not match.group().startswith("gh") or github_checksum_holds(match.group())
    for match in _JWT.finditer(text):
        if jwt_holds(match.group()):
            yield match.start(), match.end(), True
    for match in _PEM.finditer(text):
        yield match.start(), match.end(), True
    for match in _SAID.finditer(text):
        value = match[1]
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if mixed and entropy(value) >= ENTROPY:
            yield match.start(1), match.end(1), False


def entropy(text: str) -> float:
    """Shannon entropy of the characters of a text, in bits a character."""
    counts = Counter(text).values()
    return -sum(c / len(text) * math.log2(c / len(text)) for c in counts)


def jwt_holds(token: str) -> bool:
    """Whether the first part of a token is a JSON object that names an algorithm (RFC 7519, RFC 7515)."""
    header = token.split(".")[0]
    try:
        told = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and "alg" in told


def github_checksum_holds(token: str) -> bool:
    """Whether a token's last six characters are the checksum of the others: CRC-32 in base 62, padded with zeros."""
    body, told = token.split("_", 1)[1][:-6], token[-6:]
    number, spelled = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        spelled = _BASE62[digit] + spelled
    return spelled.rjust(6, "0") == told
