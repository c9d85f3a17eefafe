"""The engines: each takes a Scene and a Camera and returns buffers."""
