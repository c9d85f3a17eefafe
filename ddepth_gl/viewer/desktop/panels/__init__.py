"""Panels of the window: functions that draw one subject each, every frame."""
