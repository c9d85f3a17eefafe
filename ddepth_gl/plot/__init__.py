"""Figures of matplotlib, drawn from arrays: sheets, layers, counts, cross-sections, previews."""
