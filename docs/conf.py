"""The documentation: every snippet runs while it is built, warnings are errors, nothing is fetched.

Formulas become MathML, which browsers draw by themselves.  Only data embedded in the libraries are
used, so that pages are the same on every machine.
"""

import os
import re
import sys
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

_BUILD = Path(__file__).parent / "_build"
_PROFILE = _BUILD / "ipython" / "profile_default"
_SETTINGS = """c.IPKernelApp.log_level = "ERROR"
c.IPKernelApp.matplotlib = "inline"
c.InlineBackend.figure_formats = {"svg"}
c.HistoryManager.enabled = False
"""
"""Settings of the kernels that run the snippets: a reader's own profile must not matter."""

_BASH = '''"""Cells of shell commands: one that fails ends the build; output comes in one piece."""
import subprocess
from IPython.core.magic import register_cell_magic

@register_cell_magic
def bash(_line, cell):
    """Run the cell and print what it prints."""
    ran = subprocess.run(["bash", "-ec", cell], capture_output=True, text=True)
    print(ran.stdout, end="")
    if ran.returncode:
        raise RuntimeError(ran.stderr)
'''

(_PROFILE / "startup").mkdir(parents=True, exist_ok=True)
(_PROFILE / "ipython_kernel_config.py").write_text(_SETTINGS, encoding="utf-8")
(_PROFILE / "startup" / "bash.py").write_text(_BASH, encoding="utf-8")

os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_BUILD / "compiled")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ.pop("INERTIAL_DATA", None)
os.environ["INERTIAL_DOCS"] = str(Path(__file__).parent)
os.environ["IPYTHONDIR"] = str(_PROFILE.parent)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

project = "inertial"
author = "the inertial developers"
version = release = version_of("inertial")
# PyTorch is an extra; its page needs the names only.
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["inertial.ipynb", "_build"]
default_role = "code"

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 2

nb_execution_mode = "force"
# PyTorch is in no lock file: its notebook is stored with the outputs of docs/frameworks/execute.py.
# The other frameworks are in the extra `docs`; a page whose framework is missing is not executed.
_FRAMEWORKS = {"equinox": "equinox", "flax": "flax", "keras": "keras", "pytorch": None}
nb_execution_excludepatterns = [
    f"frameworks/{page}.*"
    for page, module in _FRAMEWORKS.items()
    if module is None or not find_spec(module)
]
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "myst"

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90

html_theme = "pydata_sphinx_theme"
html_title = "inertial"
html_static_path = ["_static"]
html_extra_path = ["llms.txt", "inertial.ipynb"]
html_css_files = ["pages.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": [],
    "footer_end": [],
}
html_sidebars = {"*": [], "api/*": ["sidebar-nav-bs"]}

logger = logging.getLogger(__name__)

_BARE_FRACTION = re.compile(r"frac\d")
"""The reader of formulas takes all digits that follow for the numerator."""


def setup(app: Sphinx) -> None:
    """Register the renderer of formulas."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(_inline_formula, None),
        block_renderers=(_displayed_formula, None),
    )


def _inline_formula(page: HTML5Translator, node: nodes.math) -> None:
    page.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _displayed_formula(page: HTML5Translator, node: nodes.math_block) -> None:
    page.body.append(f'<div class="formula">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, *, as_block: bool) -> str:
    """Translate a formula; one that cannot be read is warned of, which ends the build."""
    if _BARE_FRACTION.search(node.astext()):
        logger.warning("give fractions braces: %s", node.astext(), location=node)
    try:
        return str(tex2mathml(node.astext(), as_block=as_block))
    except MathError as error:
        logger.warning("%s: %s", error, node.astext(), location=node)
        return ""
