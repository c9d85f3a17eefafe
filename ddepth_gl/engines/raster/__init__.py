"""Engine `raster`: sheets by the fixed-function depth test, layers by depth peeling."""
