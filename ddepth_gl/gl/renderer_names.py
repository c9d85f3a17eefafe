"""What the name of an OpenGL renderer says about it."""

from __future__ import annotations

__all__ = ["renders_on_cpu"]

# Substrings of the lower-case names of Mesa's and Google's software rasterizers. OpenGL over Vulkan
# names the Vulkan device, too: "zink Vulkan 1.4(llvmpipe (LLVM 19.1.7, 256 bits) ...)".
_ON_CPU = ("llvmpipe", "softpipe", "swiftshader", "swrast")


def renders_on_cpu(renderer: str) -> bool:
    """Return whether a renderer, by its GL_RENDERER, is a software rasterizer."""
    return any(name in renderer.lower() for name in _ON_CPU)
