"""How a process keeps memory: what pictures took goes back to the system, what stays is not looked through again."""

import ctypes
import gc

# Of glibc's malloc.h. Where another C library runs they are not there, and nothing is set.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8

ARENAS = 2  # one for each thread would keep what that thread once needed
MAPPED_BYTES = 8_000_000  # a block of this size is mapped by itself; unset, glibc raises it to 32 MB, over Pillow's 16


def give_back() -> None:
    """Set it for this process, before its threads start."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, MAPPED_BYTES)


def settle() -> None:
    """Let the collector of cycles pass over what is there now and stays: looking through it stops all threads .4 s."""
    gc.collect()
    gc.freeze()
