"""The program of a worker process: batch numbers in, arrays out.

It is a plain child process with pipes, so it needs neither fork nor a guarded main module, and it cannot outlive
its parent: when the parent ends, in whatever way, the pipes close. Messages are a length, a pickled head, then the
bytes of the arrays.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

import numpy as np

from composer.errors import ComposeError, Problem
from composer.interrupt import SIGNALS

REQUEST = struct.Struct("<q")  # the number of a batch
HEAD = struct.Struct("<q")  # the bytes of the pickled head
Head = list[tuple[str, str, tuple[int, ...]]] | tuple[Problem, ...] | str  # arrays, or the user's error, or ours


def main() -> None:
    """Serve until the parent closes the pipe. Signals that ask to stop are the parent's affair."""
    for number in (getattr(signal, name, None) for name in SIGNALS):
        if number is not None:
            signal.signal(number, signal.SIG_IGN)
    incoming = sys.stdin.buffer
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not run into the arrays
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        maker = pickle.load(incoming)
        while len(request := incoming.read(REQUEST.size)) == REQUEST.size:
            _answer(outgoing, maker, REQUEST.unpack(request)[0])
    except (BrokenPipeError, EOFError):
        os._exit(0)  # the parent is gone; closing the pipe in an orderly way would fail once more


def _answer(outgoing: BinaryIO, maker: Any, number: int) -> None:
    arrays = []
    head: Head
    try:
        batch = maker.make(number)
        arrays = [np.ascontiguousarray(values) for values in batch.values()]
        head = [(name, values.dtype.str, values.shape) for name, values in zip(batch, arrays, strict=True)]
    except ComposeError as error:
        head = tuple(error.problems)
    except Exception:
        head = traceback.format_exc()  # a fault of ours; the parent raises it with this text
    packed = pickle.dumps(head)
    outgoing.write(HEAD.pack(len(packed)) + packed)
    for values in arrays:
        outgoing.write(values.data.cast("B") if values.size else b"")
    outgoing.flush()


def _leave_with_parent(parent: int) -> None:
    """Some other child of the parent may have inherited the pipes and keep them open; this does not depend on them."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
