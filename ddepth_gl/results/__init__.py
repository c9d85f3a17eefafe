"""The results of rendering: depth maps, depth layers, their attributes and derived quantities."""
