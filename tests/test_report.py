"""The report of a run."""

from __future__ import annotations

from ddepth_gl.jobs.report import RenderReport


def test_the_times_as_text():
    """The first image includes one-time work, so it is stated apart from the medians."""
    times = {
        "the sheets": [80.0, 1, 2, 9],
        "the photo": [100.0, 7, 7, 8],
        "writing": [20.0, 10, 30, 40],
    }
    assert RenderReport(milliseconds=times).times_text() == (
        "2.0 ms per image for the sheets, 7.0 for the photo, 25.0 for writing; "
        "180.0 to render the first, set-up included"
    )
    one = {step: each[:1] for step, each in times.items()}
    assert RenderReport(milliseconds=one).times_text() == (
        "80.0 ms per image for the sheets, 100.0 for the photo, 20.0 for writing; set-up included"
    )
