"""Sphinx: the whole documentation, without network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate

from nbstamp import __version__

project = "nbstamp"
author = "The nbstamp developers"
copyright = "the nbstamp developers"
version = release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["reference/_generated/*.md"]  # parts of pages
html_theme = "furo"
html_title = f"nbstamp {__version__}"
html_show_sphinx = False
html_copy_source = False


def setup(app):
    """Write the reference from the code before anything is read."""
    folder = Path(__file__).parent / "reference" / "_generated"
    app.connect("builder-inited", lambda _: generate.write(folder))
