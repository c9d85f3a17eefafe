"""What rendering returns: depth maps, depth layers, their attributes and what follows from them."""
