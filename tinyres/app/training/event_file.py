"""The lines of metrics.jsonl once more, as an event file for TensorBoard.

metrics.jsonl is what counts. Whoever begins or resumes a run writes an event file anew from its lines, so no epoch
stands there twice and none is missing, wherever the run before was killed; then every epoch adds its own.

The file is a row of records (TensorFlow's TFRecord), each: length (8 bytes), its checksum (4), the record, the record's
checksum (4). tensorboardX has the records' types and the checksum; its SummaryWriter writes in another thread, and
when the disk is full that one dies without a word and the run waits for it for ever.
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

NAME = "events.out.tfevents."  # how TensorBoard knows them
SCALARS = {  # {TensorBoard's tag: its name in metrics.jsonl}; tags with the same word before "/" are drawn in a group
    "loss/training": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/training": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "run/lr": "lr",
    "run/images_per_second": "images_per_second",
}


class EventFile:
    """A run's event file, in its folder. A line's step in TensorBoard is its epoch.

    metrics: the lines that there are already, the first epoch first. Older event files in the folder are removed.

    RunError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, metrics: Sequence[Metrics]):
        require_tensorboardx()
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        began = time.time() - sum(line["seconds"] for line in metrics)  # as if there had been no pause
        start = SessionLog(status=SessionLog.START)  # a TensorBoard that looks on forgets what the older files said
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
        """The figures of the epoch that has just ended."""
        append(self.path, _record(_event(metrics, time.time())))


def require_tensorboardx() -> None:
    """RunError: it is not there."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise RunError('--tensorboard needs tensorboardX: pip install "tinyres[tensorboard]"') from error


def _event(metrics: Metrics, ended: float) -> Any:
    """ended: in seconds since 1970"""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=metrics[name]) for tag, name in SCALARS.items()]
    return Event(wall_time=ended, step=metrics["epoch"], summary=Summary(value=values))


def _record(event: Any) -> bytes:
    from tensorboardX.record_writer import masked_crc32c

    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return b"".join(part + struct.pack("<I", masked_crc32c(part)) for part in (length, content))
