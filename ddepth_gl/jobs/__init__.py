"""Jobs of the command line: read files, render, write files."""
