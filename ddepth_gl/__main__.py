"""``python -m ddepth_gl`` is the command `ddepth`."""

from .cli.start import main

main()
