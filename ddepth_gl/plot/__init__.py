"""Images to look at: previews, maps of counts, cross-sections."""
