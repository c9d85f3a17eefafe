"""Names of OpenGL renderers: whether the CPU renders, and how fast doubles are."""

from __future__ import annotations

import os
import re

from ..errors import ContextError

__all__ = ["has_slow_doubles", "prefers_float_pairs", "renders_on_cpu"]

# Substrings of the lower-case names of Mesa's and Google's software rasterizers. OpenGL over Vulkan
# names the Vulkan device, too: "zink Vulkan 1.4(llvmpipe (LLVM 19.1.7, 256 bits) ...)".
_ON_CPU = ("llvmpipe", "softpipe", "swiftshader", "swrast")

# Of GPUs: vendors and product lines, and the models with half or a third as many units for doubles
# as for floats.
_VENDORS = ("nvidia", "geforce", "quadro", "tesla", "radeon", "amd", "intel")
_FAST_DOUBLES = re.compile(
    r"\b([pvah]100|a30|[ah]800|h200|gh200|g?b[12]00|g[pv]100|titan v|instinct"
    r"|radeon (pro )?vii|data center gpu max)\b"
)


def renders_on_cpu(renderer: str) -> bool:
    """Return whether a renderer, by its GL_RENDERER, is a software rasterizer."""
    return any(name in renderer.lower() for name in _ON_CPU)


def has_slow_doubles(renderer: str) -> bool:
    """Return whether a renderer, by its GL_RENDERER, is a GPU with few units for doubles.

    GPUs for consumers compute doubles at 1/16 to 1/64 of the speed of floats; those for data
    centers, and CPUs, at half of it. NVIDIA's professional GPUs of the last generations are like
    those for consumers, except the ones named here.
    """
    name = renderer.lower()
    if renders_on_cpu(renderer) or _FAST_DOUBLES.search(name):
        return False
    return any(vendor in name for vendor in _VENDORS)


def prefers_float_pairs(renderer: str) -> bool:
    """Return whether shaders should compute with pairs of floats instead of doubles.

    The environment variable DDEPTH_FLOAT_PAIRS decides, 0 or 1; without it, the renderer's name.

    Raises:
        ContextError: the variable has another value.
    """
    wish = os.environ.get("DDEPTH_FLOAT_PAIRS")
    if not wish:
        return has_slow_doubles(renderer)
    if wish not in ("0", "1"):
        raise ContextError(
            f"the environment variable DDEPTH_FLOAT_PAIRS is {wish!r}; set it to 1 for pairs of "
            "floats, to 0 for doubles, or unset it"
        )
    return wish == "1"
