"""kfx: real-time facial motion effects for music video production."""

__version__ = "0.1.0"
