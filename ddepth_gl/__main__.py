"""Entry point of ``python -m ddepth_gl``, the same as the command `ddepth`."""

from .cli.start import main

main()
