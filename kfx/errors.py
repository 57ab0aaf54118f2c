"""The errors a user can cause, each naming the place and the remedy."""


class KfxError(Exception):
    """Something outside kfx is wrong: a file, a device, a preset, a driver.

    The message reads ``place: what is wrong; what to do``. It is shown as it is, without a
    traceback, and the command exits with 1.
    """

    exit_code = 1


class UsageError(KfxError):
    """The command line or a spec can't be understood; the command exits with 2."""

    exit_code = 2


class Overflow(KfxError):
    """A queue that may not drop anything is full: the disk or encoder is too slow."""
