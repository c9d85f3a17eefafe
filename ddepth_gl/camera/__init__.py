"""Cameras: where pixels lie, and which ray each of them has."""
