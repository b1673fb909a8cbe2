"""winit: how much do a network's initial weights help or hinder its training?"""

__version__ = "0.2.0.dev0"
