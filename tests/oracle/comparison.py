"""Comparison of a renderer's two sheets with the reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .closed_patches import closed_patch_bound
from .geometry import Booleans, Floats
from .sheets import Reference, Sheet

Failure = tuple[int, int, str, float, float]  # row, column, sheet, got, expected
BandFailure = tuple[int, int, str, float, str]  # row, column, sheet, got, what was possible


@dataclass(frozen=True)
class Report:
    """The result of `check`. Counts are of values, two per pixel.

    Attributes:
        stable: values compared with the exact answer.
        covered: stable values where reference and renderer both have a depth.
        band: values compared with the candidates' intervals.
        coverage_mismatches: stable values where only one of the two is NaN.
        depth_failures: stable values whose error is larger than allowed.
        band_failures: band values that no candidate explains.
        max_relative_error: over the covered values.
        max_error_over_allowed: over the covered values; more than 1 is a failure.
        within_flat: fraction of the covered values with |error| <= relative * z + absolute.
        flat_fraction: least `within_flat` that passes.
    """

    stable: int
    covered: int
    band: int
    coverage_mismatches: list[Failure]
    depth_failures: list[Failure]
    band_failures: list[BandFailure]
    max_relative_error: float
    max_error_over_allowed: float
    within_flat: float
    flat_fraction: float

    @property
    def ok(self) -> bool:
        """Whether the renderer passes."""
        failures = self.coverage_mismatches or self.depth_failures or self.band_failures
        return not failures and self.within_flat >= self.flat_fraction

    def __str__(self) -> str:
        text = (
            f"{'ok' if self.ok else 'FAILED'}: {self.stable} stable values "
            f"({self.covered} with a depth), {self.band} in the band; "
            f"largest relative error {self.max_relative_error:.3g}, "
            f"largest error / allowed {self.max_error_over_allowed:.3g}, "
            f"{self.within_flat:.3%} within the flat tolerance ({self.flat_fraction:.3%} needed)"
        )
        kinds: tuple[tuple[str, list[Failure] | list[BandFailure]], ...] = (
            ("coverage mismatches", self.coverage_mismatches),
            ("depths beyond the allowance", self.depth_failures),
            ("unexplained band values", self.band_failures),
        )
        for kind, failures in kinds:
            if failures:
                shown = "; ".join(
                    f"{name} at row {row}, column {column}: got {got:.9g}, expected "
                    + (expected if isinstance(expected, str) else f"{expected:.9g}")
                    for row, column, name, got, expected in failures[:5]
                )
                text += f". {len(failures)} {kind}, the first: {shown}"
        return text + "."


def check(
    reference: Reference,
    entry: npt.ArrayLike,
    exit: npt.ArrayLike,
    relative: float = 2e-6,
    flat_fraction: float = 0.999,
    absolute: float = 0.0,
) -> Report:
    """Compare a renderer's two sheets with the reference.

    Below, `tolerance` is relative * |depth| + absolute, and [low, high] is a candidate's interval
    (see `Candidates`). To first order the interval is depth -+ slope * margin. It is exactly the
    range of the plane's depth over the square of half-width `margin`, clamped to the face's depths.

    A stable value passes if:
      * it is NaN exactly where the reference is NaN;
      * it lies in the answering face's [low - tolerance, high + tolerance].
    All but 1 - flat_fraction of the stable depths must also lie within the tolerance alone, without
    the margin.

    For band values, let `bound` be the farthest depth that the answer can have. ("Far" is meant in
    the sheet's direction: for exit, read "near".) Two things set it:
      * A certain candidate: the answer is not beyond its high.
      * A closed patch around the center (`closed_patch_bound`): faces that join along shared edges
        and have no other edge within the margin. Together they cover the center however their
        corners move, though none of them does so for certain. The answer is not beyond the highest
        of their highs.

    A band value passes if a candidate explains it:
      * A depth is explained by a candidate whose [low, high] contains it within the tolerance, if
        the depth is not beyond the bound by more than the tolerance. The candidate may have
        the right facing, certain or not. It may also have the wrong facing and be uncertain, if it
        is so thin that it may turn over, or if a candidate with the right facing is uncertain as
        well. The last case is a silhouette: a front and a back face meet, and entry and exit are
        one depth.
      * NaN is explained if there is no bound. So an interior edge never excuses a hole, or a view
        through it to what lies behind. A silhouette, the rim of an open mesh, a crack or a
        T-junction does.

    Args:
        reference: the reference for the same mesh and view.
        entry, exit: (H, W) depths in mesh units, NaN for a miss.
        relative: relative tolerance.
        flat_fraction: least fraction of the stable depths that must be within the tolerance alone.
        absolute: absolute tolerance, mesh units. Raise it only if the camera is so near that the
            rounding of the mesh's coordinates is not small compared with the depth.

    Returns:
        Counts and all failures.
    """
    relative, absolute = float(relative), float(absolute)
    stable = covered = band = flat = 0
    mismatches: list[Failure] = []
    failures: list[Failure] = []
    band_failures: list[BandFailure] = []
    worst_relative = worst_allowed = 0.0
    c = reference.candidates

    for name, given in (("entry", entry), ("exit", exit)):
        got = np.asarray(given, np.float64)
        if got.shape != reference.view.shape:
            raise ValueError(f"{name} has shape {got.shape}, the view {reference.view.shape}")
        sheet = reference.sheets[name]

        wrong = sheet.stable & (np.isfinite(got) != np.isfinite(sheet.depth))
        wrong |= sheet.stable & np.isinf(got)  # a miss is NaN, nothing else
        mismatches += _failures_where(wrong, sheet, got)
        compared = sheet.stable & ~wrong & np.isfinite(got)
        answer = sheet.candidate[compared]
        value, exact = got[compared], sheet.depth[compared]
        error = np.abs(value - exact)
        tolerance = relative * np.abs(exact) + absolute
        by_margin = np.where(value > exact, c.high[answer] - exact, exact - c.low[answer]).clip(0)
        allowed = tolerance + by_margin
        too_large = np.zeros(got.shape, bool)
        too_large[compared] = error > allowed
        failures += _failures_where(too_large, sheet, got)
        stable += int(sheet.stable.sum())
        covered += int(compared.sum())
        flat += int((error <= tolerance).sum())
        with np.errstate(divide="ignore", invalid="ignore"):
            relative_error, ratio = error / np.abs(exact), error / allowed
        worst_relative = max(worst_relative, float(np.nan_to_num(relative_error).max(initial=0)))
        worst_allowed = max(worst_allowed, float(np.nan_to_num(ratio).max(initial=0)))

        band += int((~sheet.stable).sum())
        band_failures += _band_failures(reference, sheet, got, relative, absolute)

    return Report(
        stable=stable,
        covered=covered,
        band=band,
        coverage_mismatches=mismatches,
        depth_failures=failures,
        band_failures=band_failures,
        max_relative_error=worst_relative,
        max_error_over_allowed=worst_allowed,
        within_flat=flat / covered if covered else 1.0,
        flat_fraction=flat_fraction,
    )


def _failures_where(wrong: Booleans, sheet: Sheet, got: Floats) -> list[Failure]:
    return [
        (int(row), int(column), sheet.name, got[row, column], sheet.depth[row, column])
        for row, column in np.argwhere(wrong)
    ]


def _band_failures(
    reference: Reference, sheet: Sheet, got: Floats, relative: float, absolute: float
) -> list[BandFailure]:
    """Return the band values of one sheet that nothing explains; see `check`."""
    c = reference.candidates
    key, low, high = sheet.keys(c)

    # First with the bound that the certain candidates set.
    value = sheet.sign * got.ravel()[c.pixel]
    tolerance = relative * np.abs(value) + absolute
    selected = sheet.selects(c)
    at_rim = np.zeros(got.size, bool)
    at_rim[c.pixel[selected & c.uncertain]] = True
    possible = (selected & c.certain) | ((selected | c.thin | at_rim[c.pixel]) & c.uncertain)
    fits = possible & (value >= low - tolerance) & (value <= high + tolerance)
    fits &= (value <= sheet.bound.ravel()[c.pixel] + tolerance) & np.isfinite(value)
    explained_pixels = np.zeros(got.size, bool)
    explained_pixels[c.pixel[fits]] = True
    explained = explained_pixels.reshape(got.shape)
    missing = np.isnan(got)
    explained |= missing & np.isinf(sheet.bound)

    # Closed patches matter only if the value is beyond the exact answer's interval, or missing.
    end = np.full(got.shape, np.inf)
    answered = sheet.candidate >= 0
    end[answered] = high[sheet.candidate[answered]]
    late = missing | (sheet.sign * got > end + relative * np.abs(got) + absolute)
    band = ~sheet.stable
    for row, column in np.argwhere(band & explained & answered & late):
        bound = closed_patch_bound(reference, sheet, row, column)
        if missing[row, column]:
            explained[row, column] = np.isinf(bound)
        else:
            slack = relative * abs(got[row, column]) + absolute
            explained[row, column] = sheet.sign * got[row, column] <= bound + slack

    failures: list[BandFailure] = []
    for row, column in np.argwhere(band & ~explained):
        here = reference.candidates_at(row, column)
        here = here[possible[here]]
        candidates = [
            f"face {c.face[i]} in [{c.low[i]:.9g}, {c.high[i]:.9g}] "
            f"(clearance {c.clearance[i]:.2g} px)"
            for i in here[np.argsort(key[here])][:4]
        ]
        reason = "; or ".join(candidates) or "no value"
        failures.append((int(row), int(column), sheet.name, float(got[row, column]), reason))
    return failures
