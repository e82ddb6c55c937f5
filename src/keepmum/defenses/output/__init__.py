"""Defenses of a served model's answers."""

from keepmum.defenses.output.label_only import LabelOnly

__all__ = ["LabelOnly"]
