"""The rasterizer in compute shaders."""
