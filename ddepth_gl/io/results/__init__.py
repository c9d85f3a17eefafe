"""Writers of results: one file format a module; every file appears whole or not at all."""
