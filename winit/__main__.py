"""`python -m winit`."""

from winit.cli import main

main()
