"""Opens the small nets that come with kfx, for whoever needs one at once and on one CPU thread.

`blendshapes` and `motion` take well under a millisecond: the way to a GPU or to another thread
would take longer than the work. They keep no state, so one session each serves everybody.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kfx import assets
from kfx.errors import KfxError


@cache
def session(name: str) -> Any:
    """The onnxruntime session of ``models/NAME.onnx``, opened once a process.

    Raises `KfxError` where onnxruntime or the file is missing or broken.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise KfxError(f"onnxruntime can't be loaded ({error}); run: kfx doctor") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = assets.folder("models") / f"{name}.onnx"
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds
        raise KfxError(f"{path}: can't be opened ({error}); install kfx again") from error
