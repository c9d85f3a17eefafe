"""The census of OpenGL objects in conftest.py."""

from __future__ import annotations

import gc

import pytest
from conftest import gl_census, no_gl_objects_left
from shapes import box

import ddepth_gl as dd


def leave_to_the_collector(renderer: dd.DepthRenderer) -> None:
    """Upload a scene that only the garbage collector can free."""
    cycle = [renderer.upload(box())]
    cycle.append(cycle)


@pytest.mark.slow
def test_objects_of_an_earlier_test_may_be_collected_at_any_time(renderer):
    leave_to_the_collector(renderer)
    with no_gl_objects_left(renderer):
        gc.collect()


def test_leaked_objects_are_found(renderer):
    with pytest.raises(AssertionError), no_gl_objects_left(renderer):
        leave_to_the_collector(renderer)


def test_the_census_finds_objects_after_many_others(renderer):
    """A driver that counts names up exceeds any fixed limit in a long test run."""
    with renderer._context as context:
        for _ in range(10_000):
            context.gl.buffer(reserve=4).release()
        before = gl_census()
        objects = context.gl.buffer(reserve=4), context.gl.texture((1, 1), 1)
        after = gl_census()
        for item in objects:
            item.release()
        added = {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]}
        assert added == {"Buffer": 1, "Texture": 1}
        assert gl_census() == before
