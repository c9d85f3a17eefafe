"""The engines: each takes a Scene and a Camera and gives the buffers of the two sheets."""
