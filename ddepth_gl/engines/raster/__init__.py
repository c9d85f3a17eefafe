"""The engine of the fixed pipeline: depth tests LESS and GREATER, layers by depth peeling."""
