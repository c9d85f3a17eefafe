"""The command `ddepth`: one module a command, plus its start, which imports nothing large."""
