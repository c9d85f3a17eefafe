"""What follows from names of renderers, as drivers report them."""

from __future__ import annotations

import pytest

from ddepth_gl.gl.renderer_names import has_slow_doubles, renders_on_cpu


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


@pytest.mark.parametrize(
    ("renderer", "expected"),
    [
        ("NVIDIA GeForce RTX 4090/PCIe/SSE2", True),
        ("NVIDIA RTX A6000/PCIe/SSE2", True),
        ("NVIDIA RTX A1000/PCIe/SSE2", True),
        ("NVIDIA RTX A3000 Laptop GPU/PCIe/SSE2", True),
        ("NVIDIA L40S/PCIe/SSE2", True),
        ("NVIDIA A10/PCIe/SSE2", True),
        ("NVIDIA TITAN RTX/PCIe/SSE2", True),
        ("Quadro RTX 8000/PCIe/SSE2", True),
        ("Tesla T4/PCIe/SSE2", True),
        ("AMD Radeon RX 6800 XT (radeonsi, navi21, LLVM 15.0.6, DRM 3.49)", True),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", True),
        ("zink Vulkan 1.3(NVIDIA GeForce RTX 3060 (NVIDIA_PROPRIETARY))", True),
        ("NVIDIA H100 80GB HBM3/PCIe/SSE2", False),
        ("NVIDIA GH200 480GB/PCIe/SSE2", False),
        ("NVIDIA B200/PCIe/SSE2", False),
        ("NVIDIA H20/PCIe/SSE2", True),
        ("NVIDIA H200/PCIe/SSE2", False),
        ("NVIDIA A100-SXM4-80GB/PCIe/SSE2", False),
        ("NVIDIA A30/PCIe/SSE2", False),
        ("Tesla V100-SXM2-16GB/PCIe/SSE2", False),
        ("NVIDIA TITAN V/PCIe/SSE2", False),
        ("AMD Instinct MI210 (radeonsi, aldebaran)", False),
        ("AMD Radeon VII (radeonsi, vega20, LLVM 15.0.6)", False),
        ("llvmpipe (LLVM 15.0.6, 256 bits)", False),
        ("zink Vulkan 1.4(llvmpipe (LLVM 19.1.7, 256 bits) (MESA_LLVMPIPE))", False),
        ("Apple M1", False),
    ],
)
def test_gpus_that_are_slow_with_doubles(renderer, expected):
    assert has_slow_doubles(renderer) == expected
