"""MediaPipe's graphs, run in the thread that asks, on the picture itself.

The solutions of MediaPipe's Python package copy the picture, hand it from one thread of a pool to
the next at each of some forty nodes, and make a message object of every answer: 1.1 ms of the
5.4 ms that FaceMesh takes. Here the frame's own RGBA bytes are read in place, the nodes run one
after the other in the calling thread, and the answer stays bytes. The nets and what they find are
the same, to the bit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kfx.errors import KfxError

Picture = npt.NDArray[np.uint8]
"""(h, w, 4) RGBA; alpha isn't looked at."""

STEP_US = 33333  # from one picture to the next: graphs only want rising times


def load_mediapipe() -> Any:
    """The package, kept quiet; `KfxError` with the remedy if it can't be loaded."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import mediapipe
        from absl import logging
    except ImportError as error:
        raise KfxError(f"mediapipe can't be loaded ({error}); run: kfx doctor") from error
    logging.set_verbosity(logging.ERROR)
    return mediapipe


class Graph:
    """One graph of the wheel that takes a picture and gives a list of messages.

    `file` lies in the package, `settings` are ``node.option`` → value, `inputs` its side packets.
    """

    def __init__(
        self,
        file: str,
        output: str,
        *,
        settings: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
    ) -> None:
        package = Path(load_mediapipe().__file__).parent
        from mediapipe import python as mp
        from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
        from mediapipe.python.solution_base import SolutionBase

        config = CalculatorGraphConfig.FromString((package / file).read_bytes())
        del config.executor[:]
        config.executor.add().type = "ApplicationThreadExecutor"
        self._run = SolutionBase(
            graph_config=config,
            calculator_params=settings or {},
            side_inputs=inputs or {},
            outputs=[output],
        )
        self._packet = mp.packet_creator.create_image_frame
        self._format = mp.ImageFormat.SRGBA
        self._messages = _reader()
        self._output = output
        self._time_us = 0
        self._seen: Picture | None = None

    def __call__(self, picture: Picture) -> list[bytes]:
        """The messages for `picture`, serialised; none if the graph has nothing to say."""
        seen = np.ascontiguousarray(picture).view()
        seen.flags.writeable = False  # or it would be copied
        self._time_us += STEP_US
        outputs = self._run._graph_outputs
        outputs.clear()
        packet = self._packet(seen, image_format=self._format)
        self._run._graph.add_packet_to_input_stream("image", packet.at(self._time_us))
        self._run._graph.wait_until_idle()
        # The graph may still hold the last picture: it mustn't be the last one to do so.
        self._seen = seen
        answer = outputs.get(self._output)
        return [] if answer is None or answer.is_empty() else self._messages(answer)

    def reset(self) -> None:
        """Forget the pictures so far."""
        self._run.reset()

    def close(self) -> None:
        self._run.close()


def _reader() -> Any:
    """Packet → serialised messages: MediaPipe's own first step, without the objects after it."""
    from mediapipe.python import packet_getter

    try:
        from mediapipe.python._framework_bindings import _packet_getter

        raw = _packet_getter._get_serialized_proto_list
    except (ImportError, AttributeError):  # another release: the long way round
        return lambda p: [one.SerializeToString() for one in packet_getter.get_proto_list(p)]
    # An empty list has no type to ask for.
    return lambda p: raw(p) if _packet_getter._get_proto_vector_size(p) else []


def face_mesh() -> Graph:
    """FaceMesh with irises, following one face: a NormalizedLandmarkList of 478."""
    detector = "facedetectionshortrangecpu__facedetectionshortrange__facedetection__"
    return Graph(
        "modules/face_landmark/face_landmark_front_cpu.binarypb",
        "multi_face_landmarks",
        settings={
            f"{detector}TensorsToDetectionsCalculator.min_score_thresh": 0.5,
            "facelandmarkcpu__ThresholdingCalculator.threshold": 0.5,
        },
        inputs={"num_faces": 1, "with_attention": True, "use_prev_landmarks": True},
    )


def face_detector() -> Graph:
    """The full-range face detector: a Detection for each face it is 0.6 sure of."""
    return Graph("modules/face_detection/face_detection_full_range_cpu.binarypb", "detections")
