"""Canaries: made-up secrets that are put into training data, to see whether a model gives them away."""

from keepmum.canaries.kinds import KINDS, Kind
from keepmum.canaries.mixing import mix
from keepmum.canaries.registry import Mixed, Registry, load_registry, make

__all__ = ["KINDS", "Kind", "Mixed", "Registry", "load_registry", "make", "mix"]
