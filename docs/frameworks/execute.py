"""Execute pytorch.ipynb and store its outputs: ``python docs/frameworks/execute.py``.

PyTorch is in no lock file, so the notebook is not run while the documentation is built.
"""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

BOOK = Path(__file__).parent / "pytorch.ipynb"
SETTINGS = """c.IPKernelApp.log_level = "ERROR"
c.IPKernelApp.matplotlib = "inline"
c.InlineBackend.figure_formats = {"svg"}
"""

book = nbformat.read(BOOK, as_version=4)
with tempfile.TemporaryDirectory() as folder:
    profile = Path(folder) / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(SETTINGS, encoding="utf-8")
    os.environ["IPYTHONDIR"] = folder
    os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning"  # of PyTorch about itself
    NotebookClient(book, timeout=300).execute()
for cell in book.cells:
    cell.metadata.pop("execution", None)  # when it ran says nothing to a reader
nbformat.write(book, BOOK)
