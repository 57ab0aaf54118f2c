"""kfx: real-time facial motion effects for music video production."""

import os

# NumPy's BLAS would share out products of some hundred rows, and its threads then wait for the
# next one awake: half a core that draws no picture. It reads this when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
