"""Writers of results: one file format a module; a file appears complete or not at all."""
