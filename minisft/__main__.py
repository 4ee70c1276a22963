"""The front door: `python -m minisft` is the same as `minisft`."""

import os
import signal
from types import FrameType


def main() -> None:
    """The command line. Ctrl-C while it is still being imported ends it as at any other time: one line, status 130."""
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not if it is ignored, as behind nohup
    if handled:
        signal.signal(signal.SIGINT, leave)
    from minisft import parallel

    parallel.divide_cores()  # before anything imports NumPy
    from minisft.cli.main import main

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


def leave(number: int, frame: FrameType | None) -> None:
    """End the process at once: an exception would pass through a package half imported, which may swallow it."""
    os.write(2, b"minisft: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
