"""TensorBoard events of a run: scalars in `events/`, one file for each time the run was started.

Written through tensorboardX, which brings protobuf and nothing else that a run does not have already;
`torch.utils.tensorboard` needs the whole TensorBoard with its server. Its record writer is used directly,
without the queue and thread around it: a full disk is then an error here and not a traceback of a thread.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboardX.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboardX.record_writer import RecordWriter  # type: ignore[import-untyped]

from composer.files import naming

_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = 4  # after the length and after the content of a record


class Events:
    """The open event file of this start of the run, whose first iteration is `first`."""

    def __init__(self, folder: Path, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names; the time and the first iteration make them unique.
        self._path = folder / f"events.out.tfevents.{time.time_ns():020d}.from-{first}"
        self._writer = RecordWriter(str(self._path))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        # Tells a TensorBoard that is already watching to forget what it read of these iterations.
        self._write(Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START)))

    def scalars(self, iteration: int, values: Mapping[str, float]) -> None:
        """Write the values of one iteration, by tag."""
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        self._write(Event(wall_time=time.time(), step=iteration, summary=summary))

    def sync(self) -> None:
        with naming(self._path):
            self._writer.flush()

    def close(self) -> None:
        with naming(self._path):
            self._writer.close()

    def _write(self, event: Event) -> None:
        with naming(self._path):
            self._writer.write(event.SerializeToString())


def cut(folder: Path, iteration: int) -> None:
    """Drop what was written at `iteration` and later, and records that are not whole."""
    for path in sorted(folder.glob("events.out.tfevents.*")) if folder.is_dir() else []:
        kept, steps = _whole_before(path.read_bytes(), iteration)
        if steps == 0:
            path.unlink()
        elif kept < path.stat().st_size:
            os.truncate(path, kept)


def _whole_before(content: bytes, iteration: int) -> tuple[int, int]:
    """How many bytes of an event file come before `iteration`, and how many records of scalars they hold."""
    position = steps = 0
    while position + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, position)
        start = position + _LENGTH.size + _CHECKSUM_BYTES
        end = start + length + _CHECKSUM_BYTES
        if end > len(content):
            break
        event = Event.FromString(content[start : start + length])
        if event.step >= iteration and event.HasField("summary"):
            break
        steps += event.HasField("summary")
        position = end
    return position, steps
