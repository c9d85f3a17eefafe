"""Error messages of `make` when a variable is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("variables", [(), ("A=bookworm",), ("B=trixie",)])
def test_compare_demo_needs_two_suites(variables):
    done = subprocess.run(
        ["make", "--no-print-directory", "compare-demo", *variables],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "give two suites" in line
    assert "make compare-demo A=bookworm B=trixie" in line
