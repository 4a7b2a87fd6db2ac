"""End this process, and every process that it starts, at the first attempt to open an internet socket: Linux's seccomp.

    python no_sockets.py [code]   # runs the code without sockets; -SIGSYS is the exit status of one that opens any

A test that only takes Python's sockets away would not see what a library's C++ does.
"""

from __future__ import annotations

import ctypes
import platform
import socket
import sys

#: Machine -> number of its system call `socket`, and its name for the kernel's audit.
CALLS = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
KILL, ALLOW = 0x80000000, 0x7FFF0000
LOAD, SAME, RETURN = 0x20, 0x15, 0x06


class Instruction(ctypes.Structure):
    """Of Berkeley's packet filter."""

    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    """A filter, as the kernel takes it."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction)))


def forbid_sockets() -> None:
    """Let the kernel end the process at its first internet socket. Raises OSError where it cannot."""
    call, machine = CALLS[platform.machine()]
    rows = (
        (LOAD, 0, 0, 4),
        (SAME, 1, 0, machine),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),
        (SAME, 0, 3, call),
        (LOAD, 0, 0, 16),  # the family of addresses
        (SAME, 2, 0, int(socket.AF_INET)),
        (SAME, 1, 0, int(socket.AF_INET6)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL),
    )
    instructions = (Instruction * len(rows))(*(Instruction(*row) for row in rows))
    program = Program(len(rows), instructions)
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or kernel.prctl(SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel has no seccomp filter")


if __name__ == "__main__":
    forbid_sockets()
    exec(sys.argv[1])
