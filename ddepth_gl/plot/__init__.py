"""Images for the eye: previews, layers, crossing counts and cross-sections."""
