"""Runs of consecutive cameras."""

from __future__ import annotations

import pytest

from ddepth_gl.camera.runs import camera_runs


def runs(cameras, max_length=3):
    """Return the runs of numbers in place of cameras; the tens of a number are its kind."""
    return list(camera_runs(cameras, lambda n: n // 10, lambda n: max_length))


def test_runs_are_of_one_kind_and_at_most_the_maximum_length():
    found = runs([1, 2, 3, 4, 11, 5, 6, 7, 8, 9, 9, 9])
    assert found == [
        (0, (1, 2, 3)),
        (0, (4,)),
        (1, (11,)),
        (0, (5, 6, 7)),
        (0, (8, 9, 9)),
        (0, (9,)),
    ]
    assert runs([]) == []


def test_runs_of_one_read_no_camera_ahead():
    read = []
    stream = camera_runs((read.append(n) or n for n in range(9)), lambda n: 0, lambda n: 1)
    for n in range(3):
        assert next(stream) == (0, (n,))
        assert read == list(range(n + 1))


def test_an_exception_is_yielded_last():
    *good, error = runs([1, 2, 3, 4, None, 5])
    assert good == [(0, (1, 2, 3)), (0, (4,))]
    assert isinstance(error, TypeError)

    def failing():
        yield 1
        raise LookupError("no more")

    *good, error = runs(failing())
    assert good == [(0, (1,))]
    assert isinstance(error, LookupError)


def test_keyboard_interrupt_is_raised_at_once():
    def interrupted():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs(interrupted())
