"""Passes an encoded stream on to a server, in a process of its own: ``python -m`` this module.

libav opens connections without letting other threads of its process run: a server that doesn't
answer would stop the whole show. So kfx sends NUT over loopback to this process, which copies the
packets to the address in ``KFX_STREAM_URL`` (an environment, since a command line is public).
"""

from __future__ import annotations

import os
import sys

FORMATS = {"rtsp": "rtsp", "rtmp": "flv", "rtmps": "flv"}
TIMEOUT_S = 5.0


def main(source: str) -> int:
    """Copy until either side ends. Returns 1 with the reason on the last line of stderr."""
    import av

    av.logging.set_level(None)
    url = os.environ["KFX_STREAM_URL"]
    transport = os.environ.get("KFX_STREAM_TRANSPORT", "tcp")
    scheme = url.partition(":")[0]
    quick = {"fflags": "nobuffer", "probesize": "32", "analyzeduration": "1"}
    options = {"rtsp": {"rtsp_transport": transport}}.get(scheme, {})
    options = options | {"flush_packets": "1"}
    if scheme != "rtsp":
        options = options | {"rw_timeout": str(round(TIMEOUT_S * 1e6))}
    try:
        with (
            av.open(source, format="nut", options=quick) as packets,
            av.open(url, "w", format=FORMATS[scheme], options=options) as out,
        ):
            video = packets.streams.video[0]
            copy = out.add_stream_from_template(video)
            for packet in packets.demux(video):
                if packet.dts is not None:
                    packet.stream = copy
                    out.mux(packet)
    except (av.FFmpegError, OSError) as error:
        print(getattr(error, "strerror", None) or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
