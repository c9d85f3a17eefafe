"""The command line `ddepth`: one file for each command, and what the commands share."""
