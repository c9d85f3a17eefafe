# SPDX-License-Identifier: GPL-3.0-or-later
"""Double Depth: first entry and last exit of every pixel's ray, as an extension of Blender."""

from . import operators, panel, results, runs, settings


def register():
    """Add the settings of scenes, the operators and the panel."""
    settings.register()
    operators.register()
    panel.register()


def unregister():
    """End the renderer, and remove everything that was added, images included."""
    panel.unregister()
    operators.unregister()
    runs.close()
    settings.unregister()
    results.remove_images()
