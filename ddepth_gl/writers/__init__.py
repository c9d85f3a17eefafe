"""Writers of depth maps: one file format, one module; every file appears whole or not at all."""
