"""Which defense works for a model: each is measured by an attacker who knows it."""

from keepmum.harden._run import harden
from keepmum.harden._tune import tune
from keepmum.harden._verdict import Verdict
from keepmum.harden.frontier import Frontier, Row

__all__ = ["Frontier", "Row", "Verdict", "harden", "tune"]
