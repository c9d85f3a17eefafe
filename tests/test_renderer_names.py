"""What follows from names of renderers, as drivers report them."""

from __future__ import annotations

import pytest

from ddepth_gl.gl.renderer_names import renders_on_cpu


@pytest.mark.parametrize(
    ("renderer", "expected"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", True),
        ("zink Vulkan 1.4(llvmpipe (LLVM 19.1.7, 256 bits) (MESA_LLVMPIPE))", True),
        ("softpipe", True),
        ("Google SwiftShader", True),
        ("zink Vulkan 1.3(NVIDIA GeForce RTX 3060 (NVIDIA_PROPRIETARY))", False),
        ("NVIDIA H100 80GB HBM3/PCIe/SSE2", False),
        ("AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, DRM 3.49)", False),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", False),
    ],
)
def test_software_rasterizers(renderer, expected):
    assert renders_on_cpu(renderer) == expected
