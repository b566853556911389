"""Ctrl-C and SIGTERM as a request to stop after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # SIGTERM is sent by `kill`, at shutdown, and at a cluster's time limit


class StopOnCtrlC:
    """In `with StopOnCtrlC() as should_stop:` the first signal makes should_stop() True; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> StopOnCtrlC:
        self.handles = threading.current_thread() is threading.main_thread()  # Python allows it only there
        if self.handles:
            self.before = [signal.signal(number, self.ask) for number in SIGNALS]
        return self

    def ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.handles:
            for number, before in zip(SIGNALS, self.before, strict=True):
                signal.signal(number, before)
