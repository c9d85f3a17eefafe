"""Which cameras are rendered together."""

from __future__ import annotations

import pytest

from ddepth_gl.camera.runs import camera_runs


def runs(cameras, most=3):
    """Of numbers: their tens are their kind."""
    return list(camera_runs(cameras, lambda n: n // 10, lambda n: most))


def test_neighbors_of_one_kind_and_no_more_than_may_be():
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


def test_one_at_a_time_reads_no_camera_ahead():
    read = []
    stream = camera_runs((read.append(n) or n for n in range(9)), lambda n: 0, lambda n: 1)
    for n in range(3):
        assert next(stream) == (0, (n,))
        assert read == list(range(n + 1))


def test_an_error_comes_last():
    *good, error = runs([1, 2, 3, 4, None, 5])
    assert good == [(0, (1, 2, 3)), (0, (4,))]
    assert isinstance(error, TypeError)

    def failing():
        yield 1
        raise LookupError("no more")

    *good, error = runs(failing())
    assert good == [(0, (1,))]
    assert isinstance(error, LookupError)


def test_what_stops_a_program_is_raised_at_once():
    def interrupted():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs(interrupted())
