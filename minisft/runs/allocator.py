"""Page faults: glibc returns large arrays to the system as soon as they are freed, and every step faults them in again.

Two options of glibc stop that, so layers may allocate as a textbook does. The price: freed memory stays with the
process. The command line calls this function, an import never does: a library does not change its host unasked. A
notebook may call it too.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # malloc.h of glibc


def keep_freed_arrays() -> bool:
    """Let glibc keep freed arrays for the next step: True if it agreed.

    Without glibc, or if the user has set options of malloc, it has no effect.
    """
    if "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc: musl, macOS, Windows
        return False
    kept = mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # in bytes; one option without the other does nothing
    return bool(kept and (mallopt(M_MMAP_THRESHOLD, 1 << 30) or mallopt(M_MMAP_MAX, 0)))  # the second before glibc 2.35
