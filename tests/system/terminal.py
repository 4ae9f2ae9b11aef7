"""A terminal of a program that is under test."""

import os
import pathlib
import pty
import select
import sys
import time

MACHINE = pathlib.Path(__file__).resolve().parent.parent / "machine"


def start(*command):
    """Starts it; its process and our end of its terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], [str(word) for word in command])
    return child, terminal


def read_until(terminal, words, seconds):
    """Shows what comes until these words have come; all of it."""
    seen = b""
    end = time.monotonic() + seconds
    while words not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            sys.exit(f"FAILED: {words!r} has not appeared")
        try:
            data = os.read(terminal, 4096)
        except OSError:
            sys.exit(f"FAILED: the end came before {words!r}")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        seen += data
    return seen


def exit_status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
