"""Parts that both engines share: passes after rasterization, crossing keys, cameras, targets."""
