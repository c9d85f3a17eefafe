"""Benchmark reports: each has its place in docs/measurements.md, and only that place changes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
REPORTS = [
    "peers",
    "sheets",
    "layers raster",
    "layers compute",
    "attributes raster",
    "attributes compute",
    "small meshes",
    "photo",
    "loading",
    "throughput",
    "viewer",
    "data sets",
    "dense",
    "gpu",
    "writing",
]


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield __import__("tables")
    sys.modules.pop("tables")


def test_a_report_replaces_the_text_between_its_comments(tables):
    page = (
        "above\n<!-- a b: begin -->\nold\n<!-- a b: end -->\n"
        "<!-- a: begin -->\nkept\n<!-- a: end -->\n"
    )
    once = tables.replace_report(page, "a b", "new \\1")
    assert once == page.replace("old", "\nnew \\1\n")
    assert tables.replace_report(once, "a b", "new \\1") == once


@pytest.mark.parametrize(
    "page", ["", "<!-- a: end -->\n<!-- a: begin -->\n", 2 * "<!-- a: begin -->\n<!-- a: end -->\n"]
)
def test_a_page_must_have_one_pair_of_comments(tables, page):
    with pytest.raises(ValueError, match="must have one"):
        tables.replace_report(page, "a", "new")


def test_the_page_has_exactly_the_known_reports(tables):
    page = tables.PAGE.read_text(encoding="utf-8")
    assert sorted(re.findall(r"<!-- (.*): begin -->", page)) == sorted(REPORTS)
    for name in REPORTS:
        assert "new table" in tables.replace_report(page, name, "new table")


def test_reports_are_always_printed_and_written_on_request(tables, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- a: begin -->\n<!-- a: end -->\n", encoding="utf-8")
    monkeypatch.setattr(tables, "PAGE", page)
    text = tables.markdown_table(["mesh", "ms"], [["ball", 1.5]])
    tables.report("a", text, write=False)
    assert "ball" not in page.read_text(encoding="utf-8")
    tables.report("a", text, write=True)
    assert "| mesh | ms |\n| --- | --- |\n| ball | 1.5 |" in page.read_text(encoding="utf-8")
    assert capsys.readouterr().out == 2 * f"{text}\n\n"


def test_the_spread_of_the_rounds(tables):
    assert tables.median_and_spread([3.0]) == (3.0, 0.0)
    assert tables.median_and_spread([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ModuleNotFoundError("No module named 'open3d'"),
            "No module named 'open3d'; pip install '.[bench]'",
        ),
        (
            OSError("libusb-1.0.so.0: cannot open shared object file"),
            "open3d cannot be loaded (libusb-1.0.so.0: cannot open shared object file); "
            "apt-get install libusb-1.0-0",
        ),
        (ImportError("libGL.so.1"), "a peer cannot be loaded (libGL.so.1); install what it names"),
    ],
)
def test_why_a_peer_is_missing(tables, error, line):
    assert tables.why_skipped(error) == line
