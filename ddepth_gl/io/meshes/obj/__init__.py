"""Reader of OBJ and MTL."""
