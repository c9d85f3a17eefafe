"""Reader of USD."""
