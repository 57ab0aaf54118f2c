"""A process that has loaded everything and waits to become the engine.

``python -m kfx.engine.loop.standby MODULE ARGUMENTS…``. Loading takes seconds, most of a start; so
a second engine waits, with what can be made beforehand (`ready_made`), while the first one works.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C is not for the one who waits, nor while it loads
    signal.signal(signal.SIGINT, signal.SIG_IGN)

import os
import runpy
import sys
import traceback

from kfx.engine.health import quiet
from kfx.engine.loop import lifeline, ready_made
from kfx.sinks import vcam_link

READY, GO = b"ready", b"go"
CRASHED = 70  # exit code of an exception nobody caught (EX_SOFTWARE)


def main(arguments: list[str]) -> int:
    folder = os.environ[vcam_link.FOLDER_VARIABLE]
    supervisor = vcam_link.connect(vcam_link.address(folder, vcam_link.LIFELINE))
    supervisor.send_bytes(b"%d" % os.getpid())
    with quiet():  # what fails here the engine itself will say better
        ready_made.make(ready_made.left(folder), supervisor.poll)
    try:
        supervisor.send_bytes(READY)
        while supervisor.recv_bytes() != GO:
            pass
    except (EOFError, OSError):
        return 0  # never needed
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lifeline.hold(supervisor)
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return CRASHED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
