"""kfx: real-time facial motion effects for music video production."""

import os

# NumPy's BLAS would share out products of some hundred rows, and its threads then wait for the
# next one awake: half a core that draws no picture. It reads this when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# ONNX Runtime from 1.31 on keeps a database of what it is used for, with an id of the device, and
# sends it to its maker: nothing may leave a set with unreleased music. It reads this when it opens.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
