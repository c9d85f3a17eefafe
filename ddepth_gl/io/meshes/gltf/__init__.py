"""Reader of glTF 2.0, with its compressions."""
