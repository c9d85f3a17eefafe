"""Data sets: many meshes from many views, rendered into shards that a rerun completes."""
