"""keepmum: does your model keep mum? Measures what a trained model gives away about its training data."""

from keepmum._version import __version__ as __version__
from keepmum.audit import audit
from keepmum.audit_text import audit_text
from keepmum.data import Records, Split
from keepmum.findings import Finding, Outcome
from keepmum.harden import Frontier, harden
from keepmum.report import Report
from keepmum.targets.files import load
from keepmum.texts import Secret, Secrets

__all__ = [
    "Finding",
    "Frontier",
    "Outcome",
    "Records",
    "Report",
    "Secret",
    "Secrets",
    "Split",
    "audit",
    "audit_text",
    "harden",
    "load",
]
