"""The rule for `engine="auto"` that benchmarks/gpu.py reads off its times."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def engine_rule(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield __import__("engine_rule")
    for name in ("engine_rule", "tables"):
        sys.modules.pop(name, None)


def cases(engine_rule, raster, compute):
    """Return cases of 10 to 10,000 faces and two sizes; times by functions of faces and pixels."""
    return [
        engine_rule.Timed(faces, pixels, raster(faces, pixels), compute(faces, pixels))
        for faces in (10, 100, 1000, 10_000)
        for pixels in (64, 4096)
    ]


@pytest.mark.parametrize(
    ("raster", "compute", "implied"),
    [
        (lambda f, n: 1.0, lambda f, n: 2.0, "always raster"),
        (lambda f, n: 3.0, lambda f, n: 2.0, "always compute"),
        (lambda f, n: f / 1000, lambda f, n: 0.5, "compute from 1,000 faces on"),
        (lambda f, n: f / n, lambda f, n: 0.2, "compute from 0.24 faces per pixel on"),
        # Within 2 % the simpler rule stays.
        (lambda f, n: 1.01, lambda f, n: 1.0, "always raster"),
    ],
)
def test_the_rule_that_follows(engine_rule, raster, compute, implied):
    report = engine_rule.rule_report(cases(engine_rule, raster, compute))
    assert report.endswith(f"The rule that follows for `auto`: {implied}.")


def test_losses_and_crossovers(engine_rule):
    given = cases(engine_rule, lambda f, n: f / 1000, lambda f, n: 1.0)
    always_raster, always_compute, by_faces, _ = engine_rule.rules(given)
    # Of eight cases, raster is 100, 10 and 1 times as fast, and 10 times as slow in two.
    assert always_raster.worst_loss == pytest.approx(10)
    assert always_raster.mean_loss == pytest.approx(10 ** (1 / 4))
    assert always_compute.worst_loss == pytest.approx(100)
    assert always_compute.mean_loss == pytest.approx(1000 ** (1 / 4))
    assert by_faces.mean_loss == by_faces.worst_loss == 1.0
    table = engine_rule.crossover_table(given[:-1]).splitlines()
    assert table[0] == "| faces | 8 | 64 |"
    assert table[2] == "| 10 | 0.01 | 0.01 |"
    assert table[-1] == "| 10,000 | 10.00 | - |"


def test_without_times_there_is_no_rule(engine_rule):
    assert "Nothing was timed" in engine_rule.rule_report([])
