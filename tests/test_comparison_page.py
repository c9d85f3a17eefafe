"""Numbers of docs/comparison.md, and of pages that quote measurements, are those on record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
COMPARISON, MEASURED, PERFORMANCE, METHODS = (
    (DOCS / name).read_text("utf-8")
    for name in ("comparison.md", "measurements.md", "performance.md", "check-layers.md")
)


def rows(text, first):
    """Return the cells of the rows of tables whose first cell is `first`."""
    lines = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.M)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def section(heading):
    """Return the text of a section; its paragraphs are one line each."""
    text = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", COMPARISON, re.M | re.S)[1]
    return re.sub(r"(?<=[^\n|])\n(?=[^\n|])", " ", text)


def same(told, measured):
    """Compare a number that is told with one on record, at the digits that are told."""
    digits = len(told.partition(".")[2])
    return abs(float(told) - float(measured.rstrip("%"))) <= 0.51 * 10**-digits


CASTERS = [
    ("Open3D, `RaycastingScene`", "Open3D", "Open3D"),
    ("trimesh with embreex", "trimesh + embreex", "trimesh with embreex"),
]


@pytest.mark.parametrize(("row", "peer", "heading"), CASTERS)
def test_factors_of_ray_casters(row, peer, heading):
    [[*_, cell]] = rows(COMPARISON, row)
    told = re.fullmatch(r"([\d.]+) both sheets, ([\d.]+) layers", cell).groups()
    text = section(heading)
    least = re.findall(r"\(at least ([\d.]+)\)", text)
    for number, smallest, what in zip(told, least, ("entry + exit", "all layers"), strict=True):
        [[mean, worst, _]] = rows(MEASURED, f"{what}, {peer}")
        # Digits that are left out are not rounded up.
        assert mean.startswith(number)
        assert same(smallest, worst.split()[0])
        assert number in text


@pytest.mark.parametrize(("row", "peer", "heading"), CASTERS)
def test_factors_of_data_sets(row, peer, heading):
    measured = [cells[-2] for cells in rows(MEASURED[MEASURED.index("## Data sets") :], peer)]
    told = re.search(r"takes it ([\d.]+) to ([\d.]+) times our CPU time", section(heading)).groups()
    assert len(measured) == 2
    # Digits that are left out are not rounded up.
    assert all(each.startswith(number) for number, each in zip(told, measured, strict=True))


def test_factors_of_photos():
    measured = [cells[-2] for cells in rows(MEASURED, "pyrender")]
    told = re.search(r"([\d.]+) times our CPU time at 256, ([\d.]+) times", section("pyrender"))
    assert list(told.groups()) == measured


def test_shares_of_methods():
    """The demo mesh is in the table of docs/check-layers.md, Suzanne in the text below."""
    suzanne = METHODS[METHODS.index("Suzanne, ") :]
    for method, of_demo, of_suzanne in (
        ("transparent nodes, 8 faces", "transparent nodes, 8 faces", "14.6"),
        ("cast again, a thousandth", "cast again, 1e-3 of the diagonal behind", "0.92"),
        ("cast again, a hundred-thousandth", "cast again, 1e-5 of the diagonal behind", "0.05"),
        ("rays through integer pixels", "rays through integer pixels", ""),
        ("the first 4 layers", "the first 4 layers", "2.2"),
        ("the first 8 layers", "the first 8 layers", ""),
        ("depths in float16", "depths in float16", ""),
    ):
        [(demo, other)] = re.findall(rf"^\| {method}.* \| (\S+) \| (.*) \|$", COMPARISON, re.M)
        assert demo == rows(METHODS, of_demo)[0][0]
        assert other == (of_suzanne or "not listed")
        assert f"{of_suzanne} %" in suzanne or not of_suzanne


def test_rates_of_nvdiffrast():
    table = re.findall(
        r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \|$", section("nvdiffrast"), re.M
    )
    assert len(table) == 5
    of_gpu = PERFORMANCE[PERFORMANCE.index("## On a GPU") :]
    lines = re.findall(r"^\| ([\d,]*) ?\| (\d+) \| (.*) \|$", of_gpu, re.M)
    on_record, faces = {}, ""
    for first, size, rest in lines:
        faces = first or faces  # an empty cell repeats the one above
        if size == "512":
            on_record[faces] = rest.split(" | ")
    for faces, theirs, ours, ratio in table:
        _, device, nvdiffrast, *_ = on_record[faces]
        assert (theirs, ours) == (nvdiffrast, device)
        ratio_on_record = float(ours.replace(",", "")) / float(theirs.replace(",", ""))
        assert same(ratio, str(ratio_on_record))


def test_scores_of_the_tutorial_are_those_of_the_guide():
    tutorial = (DOCS / "tutorials/training.md").read_text("utf-8")
    guide = (DOCS / "dataset.md").read_text("utf-8")
    scores = re.findall(r"^\| (?:network|true entry).*\|$", tutorial, re.M)
    assert len(scores) == 3
    assert all(line in guide for line in scores)
    for number in re.search(
        r"made (\S+) % of .*? was (\S+) %.*?of (\S+) with", tutorial, re.S
    ).groups():
        assert f"| {number} " in guide[guide.index("## What wrong exits cost") :]
