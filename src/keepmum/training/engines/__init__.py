"""Where shadow models are trained: here, on other cores, or on a cluster. joblib is the one seam."""

from keepmum.training.engines._run import as_they_come
from keepmum.training.engines._seam import Shared, configured, engine, workers

__all__ = ["Shared", "as_they_come", "configured", "engine", "workers"]
