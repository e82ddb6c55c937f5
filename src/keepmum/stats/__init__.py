"""Statistics of the audit: arrays in, `Estimate` out. Nothing here knows a model."""

from keepmum.stats._estimate import Estimate

__all__ = ["Estimate"]
