"""Engines: each renders a Scene as seen by a Camera, and returns arrays or GPU buffers."""
