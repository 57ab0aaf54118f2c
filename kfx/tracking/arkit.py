"""What kfx's blendshape net says, in its order, and the landmarks it reads.

Both are told in `kfx.arkit`, with the names themselves.
"""

from __future__ import annotations

from kfx.arkit import NAMES, POINTS, TAUGHT, UNSEEN

__all__ = ["NAMES", "POINTS", "TAUGHT", "UNSEEN"]
