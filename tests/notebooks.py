"""Cells run in a real notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import ROOT


def run_cells(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *sources: str,
    during: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """Run cells one after another, and return them with their outputs.

    Args:
        monkeypatch: of the test.
        folder: working directory of the notebook.
        sources: of the cells.
        during: called with the number of each cell and the cell, once it has run.
    """
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    search = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, search)))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
            if during is not None:
                during(number, cell)
    cells: list[Any] = notebook.cells
    return cells
