"""Memory of freed results: the C library keeps it for the next ones."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Page faults of arrays as large as those of a megapixel image with attributes, after the first ones
# were freed.
PROGRAM = """
import resource
import numpy as np
from ddepth_gl.engines.shared.freed_memory import keep_freed_memory
if {keeps}:
    keep_freed_memory()
def render():
    return [np.full(3 << 18, 1.0, np.float32) for _ in range(32)]
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries differ")
@pytest.mark.parametrize(
    "setting",
    [
        {"MALLOC_TRIM_THRESHOLD_": "1000000"},
        {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1000000"},
    ],
)
def test_settings_of_the_user_stay(setting):
    program = PROGRAM.format(keeps=True)
    environment = {**os.environ, **setting}
    assert int(subprocess.check_output([sys.executable, "-c", program], env=environment)) > 1000
