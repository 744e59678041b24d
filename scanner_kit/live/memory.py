"""Memory that a day needed is given back when it is over, where else a process keeps the most that it ever had."""

import ctypes
import ctypes.util
import gc

import pyarrow as pa


def give_back() -> None:
    """Give memory that is free back to the system, as far as the allocators can be asked to.

    The C library keeps what lies between two blocks in use, and so a little more with each day; glibc gives it back
    when it is asked.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("c")
    return None if name is None else ctypes.CDLL(name)
