"""Sphinx configuration."""

import keepmum

project = "keepmum"
author = "the keepmum authors"
copyright = "the keepmum authors"
release = version = keepmum.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
suppress_warnings: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
autodoc_class_signature = "mixed"
maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"

doctest_global_setup = "import keepmum"
doctest_test_doctest_blocks = ""

html_theme = "furo"
html_title = "keepmum"
html_show_sphinx = False
