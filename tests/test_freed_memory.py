"""Memory of freed results: the C library keeps it for the next ones."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of arrays like those of an image with attributes, after the first ones were freed.
PROGRAM = """
import resource
import numpy as np
from ddepth_gl.engines.shared.freed_memory import keep_freed_memory
if {keeps}:
    keep_freed_memory()
def render():
    return [np.full(3 << 18, 1.0, np.float32) for _ in range(8)]
render()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
render()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries differ")
def test_memory_of_freed_results_is_used_again():
    returned, kept = (
        int(subprocess.check_output([sys.executable, "-c", PROGRAM.format(keeps=keeps)]))
        for keeps in (False, True)
    )
    assert kept < 100 < returned
