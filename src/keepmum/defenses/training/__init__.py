"""Defenses of a model's training."""

__all__: list[str] = []
