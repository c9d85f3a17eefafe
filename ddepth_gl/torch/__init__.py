"""Data sets for PyTorch: stored ones, and ones that are rendered while training.

This package imports torch; nothing else in ddepth_gl does.
"""

from .rendered import RenderedDataset
from .stored import DoubleDepthDataset
from .stream import DoubleDepthStream

__all__ = ["DoubleDepthDataset", "DoubleDepthStream", "RenderedDataset"]
