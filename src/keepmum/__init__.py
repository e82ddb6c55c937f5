"""keepmum: does your model keep mum? Measures what a trained model gives away about its training data."""

from keepmum.audit import audit
from keepmum.data import Records, Split
from keepmum.findings import Finding, Outcome
from keepmum.report import Report
from keepmum.targets.files import load

__version__ = "0.1.0"
__all__ = ["Finding", "Outcome", "Records", "Report", "Split", "audit", "load"]
