"""``python -m ddepth_gl`` is the command `ddepth`."""

from .start import main

main()
