"""Names of output files: stems of the meshes, and what distinguishes them where stems repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddepth_gl.jobs.names import unique_names


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/x.obj", "y.tar.obj", "a b ü.obj"], ["x", "y.tar", "a b ü"]),
        (["a/m.obj", "b/m.obj"], ["m-a", "m-b"]),
        (["b/m.obj", "a/m.obj"], ["m-b", "m-a"]),
        (["part.obj", "part.stl"], ["part-obj", "part-stl"]),
        (["r/1/a/m.obj", "r/2/a/m.obj"], ["m-1-a", "m-2-a"]),
        (["a/m.obj", "a/m.stl", "b/m.obj"], ["m-a-obj", "m-a-stl", "m-b-obj"]),
        (["m.obj", "m.obj", "m.obj"], ["m", "m-2", "m-3"]),
        (["a/m.obj", "b/m.obj", "a/m.obj", "m-a.ply"], ["m-a", "m-b", "m-a-2", "m-a-3"]),
        (["/m.obj", "/a/m.obj"], ["m", "m-a"]),
    ],
)
def test_unique_names(paths, expected):
    assert unique_names([Path(path) for path in paths]) == expected
