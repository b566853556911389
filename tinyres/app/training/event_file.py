"""The figures of metrics.jsonl as an event file for TensorBoard.

metrics.jsonl is the original. A run that begins or goes on writes a new event file from its lines, and then every
epoch adds its own figures. So every epoch is there exactly once, wherever an earlier process was killed.

The file is a sequence of records (TensorFlow's TFRecord). Each is: its length (8 bytes), the checksum of the length
(4), the record, the checksum of the record (4). tensorboardX has the types of the records and the checksum. Its
SummaryWriter is of no use here: it writes in a thread that dies silently when the disk is full, and then the run would
wait for that thread forever.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyres.app.training.errors import RunError
from tinyres.app.training.files import append, write_atomically
from tinyres.app.training.run_folder import Metrics

NAME = "events.out.tfevents."  # TensorBoard recognises its files by this
SCALARS = {  # {TensorBoard's tag: the name in metrics.jsonl}; tags with the same word before "/" are drawn together
    "loss/training": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "run/lr": "lr",
    "run/images_per_second": "images_per_second",
}


class EventFile:
    """A run's event file, in its folder. TensorBoard's "step" is the epoch. Older event files there are removed.

    metrics: the lines of the epochs so far, the first one first
    RunError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, metrics: Sequence[Metrics]):
        require_tensorboardx()
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        began = time.time() - sum(line["seconds"] for line in metrics)  # as if the run had never paused
        start = SessionLog(status=SessionLog.START)  # a running TensorBoard then forgets the older files
        events = [Event(wall_time=began, file_version="brain.Event:2"), Event(wall_time=began, session_log=start)]
        for line in metrics:
            began += line["seconds"]
            events.append(_event(line, began))
        self.path = folder / f"{NAME}{time.time():.0f}"
        write_atomically(self.path, *map(_record, events))
        for other in folder.glob(f"{NAME}*"):
            if other != self.path:
                other.unlink()

    def add(self, metrics: Metrics) -> None:
        """Add the figures of the epoch that has just ended."""
        append(self.path, _record(_event(metrics, time.time())))


def require_tensorboardx() -> None:
    """RunError: tensorboardX is not installed."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise RunError('--tensorboard needs tensorboardX: pip install "tinyres[tensorboard]"') from error


def _event(metrics: Metrics, ended: float) -> Any:
    """An epoch's figures. ended: in seconds since 1970"""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=metrics[name]) for tag, name in SCALARS.items()]
    return Event(wall_time=ended, step=metrics["epoch"], summary=Summary(value=values))


def _record(event: Any) -> bytes:
    from tensorboardX.record_writer import masked_crc32c

    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return b"".join(part + struct.pack("<I", masked_crc32c(part)) for part in (length, content))
