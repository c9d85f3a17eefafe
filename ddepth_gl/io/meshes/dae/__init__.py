"""Reader of COLLADA (DAE)."""
