"""What the tests themselves stand on: the census of GL objects."""

from __future__ import annotations

import gc

import pytest
from conftest import gl_census, no_gl_objects_left
from shapes import box

import ddepth_gl as dd


def leave_to_the_collector(renderer: dd.DepthRenderer) -> None:
    """An uploaded scene that only the garbage collector can free."""
    cycle = [renderer.upload(box())]
    cycle.append(cycle)


def test_what_an_earlier_test_left_may_be_collected_at_any_time(renderer):
    leave_to_the_collector(renderer)
    with no_gl_objects_left(renderer):
        gc.collect()


def test_objects_that_are_left_are_found(renderer):
    with pytest.raises(AssertionError), no_gl_objects_left(renderer):
        leave_to_the_collector(renderer)


def test_the_census_sees_objects_however_many_there_were_before(renderer):
    """A driver that counts up gives them names beyond any fixed number after so many tests."""
    with renderer._context as context:
        for _ in range(10_000):
            context.gl.buffer(reserve=4).release()
        before = gl_census()
        made = context.gl.buffer(reserve=4), context.gl.texture((1, 1), 1)
        after = gl_census()
        for each in made:
            each.release()
        assert {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]} == {
            "Buffer": 1, "Texture": 1,
        }  # fmt: skip
        assert gl_census() == before
