"""How Sphinx makes a site of these pages."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import gallery.programs

project = "mlx_spectro"
html_title = "mlx_spectro"
extensions = ["myst_parser"]
myst_heading_anchors = 2
html_theme = "furo"
html_static_path = [str(gallery.programs.OUT)]
html_copy_source = False
nitpicky = True

gallery.programs.run_all()
