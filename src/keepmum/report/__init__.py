"""Ways to show findings. Nothing here knows an attack by name."""

from keepmum.report._report import SCHEMA_VERSION, Report

__all__ = ["SCHEMA_VERSION", "Report"]
