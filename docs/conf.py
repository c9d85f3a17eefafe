"""Settings of the site that `make docs` builds from this folder."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

ROOT = Path(__file__).parents[1]

project = "ddepth_gl"
author = "The ddepth_gl authors"
copyright = "the ddepth_gl authors, MIT license"
[release] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
version = release

extensions = ["myst_parser"]
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
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 4  # links to headings, by the names that GitHub gives them
myst_enable_extensions = ["colon_fence", "deflist"]

nitpicky = True
