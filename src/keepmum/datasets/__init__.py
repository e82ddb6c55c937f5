"""Small real data, and faces of nobody, for the demo, the tests and the documentation."""

from keepmum.datasets._adult import load_adult
from keepmum.datasets._orl import load_orl
from keepmum.datasets._prose import load_prose
from keepmum.datasets.faces import make_faces

__all__ = ["load_adult", "load_orl", "load_prose", "make_faces"]
