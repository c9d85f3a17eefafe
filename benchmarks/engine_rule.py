"""Which engine is faster where, and the simplest rule that follows from it, for gpu.py."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tables import markdown_table


@dataclass(frozen=True)
class Timed:
    """Seconds per image of both engines, for one mesh at one image size."""

    faces: int
    pixels: int
    raster: float
    compute: float


@dataclass(frozen=True)
class Rule:
    """A rule for `engine="auto"`, and what it loses against the better engine of each case.

    Attributes:
        text: the rule.
        mean_loss: geometric mean of the time of its choice over that of the better engine.
        worst_loss: the largest such ratio.
    """

    text: str
    mean_loss: float
    worst_loss: float


def judged(text: str, cases: list[Timed], takes_compute: list[bool]) -> Rule:
    """Return a rule with its losses, given its choice for each case."""
    losses = [
        (case.compute if takes else case.raster) / min(case.compute, case.raster)
        for case, takes in zip(cases, takes_compute, strict=True)
    ]
    return Rule(text, statistics.geometric_mean(losses), max(losses))


def rules(cases: list[Timed]) -> list[Rule]:
    """Return both constant rules, and the best threshold on faces and on faces per pixel."""
    faces = [case.faces for case in cases]
    faces_per_pixel = [case.faces / case.pixels for case in cases]
    return [
        judged("always raster", cases, [False] * len(cases)),
        judged("always compute", cases, [True] * len(cases)),
        _best_threshold("compute from {:,} faces on", cases, faces),
        _best_threshold("compute from {:.2g} faces per pixel on", cases, faces_per_pixel),
    ]


def _best_threshold(text: str, cases: list[Timed], values: Sequence[float]) -> Rule:
    """Return the best rule that takes `compute` from a value on; `values` has one per case."""
    found = []
    for limit in sorted(set(values)):
        found.append(judged(text.format(limit), cases, [value >= limit for value in values]))
    return min(found, key=lambda rule: (rule.mean_loss, rule.worst_loss))


def crossover_table(cases: list[Timed]) -> str:
    """Return the time of `raster` over that of `compute`, by faces (rows) and image size."""
    sizes = sorted({case.pixels for case in cases})
    ratios = {(case.faces, case.pixels): case.raster / case.compute for case in cases}
    rows = [
        [
            f"{faces:,}",
            *(f"{ratios[faces, n]:.2f}" if (faces, n) in ratios else "-" for n in sizes),
        ]
        for faces in sorted({case.faces for case in cases})
    ]
    return markdown_table(["faces", *(f"{n**0.5:.0f}" for n in sizes)], rows)


def rule_report(cases: list[Timed]) -> str:
    """Return the table of crossovers, and the rules with the best one named."""
    if not cases:
        return "Nothing was timed, so no rule follows."
    found = rules(cases)
    # The simpler one wins unless another is clearly better.
    implied = next(r for r in found if r.mean_loss <= 1.02 * min(r.mean_loss for r in found))
    rows = [[r.text, f"{r.mean_loss - 1:.0%}", f"{r.worst_loss - 1:.0%}"] for r in found]
    return (
        "Both sheets to NumPy, time of `raster` over that of `compute`:\n\n"
        f"{crossover_table(cases)}\n\n"
        "What a rule loses against the faster engine of each case:\n\n"
        f"{markdown_table(['rule', 'mean loss', 'largest'], rows)}\n\n"
        f"The rule that follows for `auto`: {implied.text}."
    )
