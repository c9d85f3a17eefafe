"""``python -m ddepth_gl`` is the command `ddepth`."""

from .cli import main

main()
