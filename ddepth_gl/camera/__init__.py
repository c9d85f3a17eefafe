"""Cameras: intrinsics, poses and rays."""
