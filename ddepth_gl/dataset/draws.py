"""Numbers that are the same on every machine: draws from a seed, sines and cosines.

NumPy's generators and the C library's sine may differ in the last bit between versions and CPUs. A
shard that two machines render must have the same bytes, so cameras are computed from what is here
and from ``+ - * /`` and square roots, which IEEE 754 rounds correctly everywhere.
"""

from __future__ import annotations

import hashlib
from decimal import Context, Decimal, localcontext
from functools import lru_cache

__all__ = ["cos_deg", "draw", "sin_deg", "tan_deg", "within"]

_DIGITS = Context(prec=40)
_LEAST = Decimal("1e-36")  # below the last bit of any result that counts
_PI = Decimal("3.141592653589793238462643383279502884197")


def draw(seed: int, id: str, *names: object) -> float:
    """Return a number from [0, 1) that depends on the arguments alone.

    It is the first 53 bits of SHA-256 of the arguments' texts, separated by null characters, over
    2**53. Different names are independent draws, so a further draw changes none of the others.

    Args:
        seed: seed of the data set.
        id: id of the mesh.
        names: name of the draw, such as the number of the view and ``"distance"``.
    """
    text = "\0".join(map(str, (seed, id, *names)))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def within(low: float, high: float, fraction: float) -> float:
    """Return the number at a fraction of the way from `low` to `high`."""
    return low if low == high else low + (high - low) * fraction


@lru_cache(maxsize=4096)
def sin_deg(angle_deg: float) -> float:
    """Return the sine of an angle in degrees, rounded from 40 digits."""
    with localcontext(_DIGITS):
        x = Decimal(angle_deg).remainder_near(360) * _PI / 180
        # The series x - x^3/3! + x^5/5! - ..., until a term no longer counts.
        term = total = x
        count = 1
        while abs(term) > _LEAST:
            term *= -x * x / ((count + 1) * (count + 2))
            total += term
            count += 2
        # A multiple of 180 degrees leaves the rounding of pi.
        return float(total) if abs(total) > _LEAST else 0.0


def cos_deg(angle_deg: float) -> float:
    """Return the cosine of an angle in degrees; see `sin_deg`."""
    return sin_deg(90.0 - angle_deg)


def tan_deg(angle_deg: float) -> float:
    """Return the tangent of an angle in degrees, between -90 and 90; see `sin_deg`."""
    return sin_deg(angle_deg) / cos_deg(angle_deg)
