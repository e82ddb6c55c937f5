"""Small real data for the demo, the tests and the documentation."""

from keepmum.datasets._adult import load_adult

__all__ = ["load_adult"]
