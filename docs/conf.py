"""Settings of the site that `make docs` builds from this folder."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs/extensions")]

project = "ddepth_gl"
author = "The ddepth_gl authors"
copyright = "the ddepth_gl authors, MIT license"
[release] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated_pages"]
exclude_patterns = ["extensions"]

# Furo: for narrow and wide screens, light and dark. pip, attrs and many others use it, and its
# author maintains pip. It takes four small packages, and no page needs JavaScript to be read.
html_theme = "furo"
html_title = f"ddepth_gl {release}"
html_theme_options = {
    "source_repository": "https://github.com/ddepth-gl/ddepth_gl/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 4  # links to headings, by the names that GitHub gives them
myst_enable_extensions = ["colon_fence", "deflist"]

smartquotes = False  # options start with two hyphens

# Pages of the API. Docstrings quote names in single backticks, arguments and attributes too.
default_role = "py:obj"
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say dtype, shape, frame and unit
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]

nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # single backticks around what has no entry of its own
    ("py:class", r"(?!ddepth_gl\.).*"),  # dtypes, shapes, and classes of other packages
]
