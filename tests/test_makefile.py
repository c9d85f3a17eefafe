"""What `make` says when it is called without what it needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("given", [(), ("A=bookworm",), ("B=trixie",)])
def test_compare_demo_asks_for_two_suites(given):
    done = subprocess.run(
        ["make", "--no-print-directory", "compare-demo", *given],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "give two suites" in line
    assert "make compare-demo A=bookworm B=trixie" in line
