"""Personal data and keys in texts, by format and checksum: e-mails, phones, cards, IBANs, SSNs, keys, names."""

from keepmum.detectors._decoys import decoy
from keepmum.detectors._find import KINDS, Found, find
from keepmum.detectors._own import Finder, secrets_in
from keepmum.detectors._presidio import presidio

__all__ = ["KINDS", "Finder", "Found", "decoy", "find", "presidio", "secrets_in"]
