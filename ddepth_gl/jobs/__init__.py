"""Jobs of the command line that read files, render and write files."""
