"""Memory settings of a process: return freed memory to the system, and spare the garbage collector lasting objects."""

import ctypes
import gc

# Parameters of mallopt in glibc's malloc.h. Other C libraries have no mallopt, and nothing is set.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8

# Memory areas of malloc. With one for each thread, each area would keep the most memory that its thread ever needed.
ARENAS = 2
# Blocks of this size get their own mapping, which is returned when they are freed. By default glibc raises the limit up
# to 32 MB, above the 16 MB blocks of Pillow.
MAPPED_BYTES = 8_000_000


def give_back() -> None:
    """Make this process return freed memory to the system. Call before its threads start."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, MAPPED_BYTES)


def settle() -> None:
    """Exempt all present objects from garbage collection, which would stop all threads for 0.4 s each time."""
    gc.collect()
    gc.freeze()
