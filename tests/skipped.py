"""Says at the end why tests were skipped: one line a reason, with how to get what is missing."""

from __future__ import annotations

import re
from collections import Counter

import pytest

HOW_TO_GET = {  # what a reason names: how to get it
    "torch": "pip install -e '.[oracle]'",
    "GPU": "an NVIDIA GPU, its driver and pip install -e '.[cuda13]'",
    "chromium": "apt-get install chromium",
    "playwright": "pip install -e '.[browser]'",
    "pdoc": "pip install -e '.[docs]'",
    "mypy": "pip install -e '.[dev]'",
    "g++": "apt-get install g++",
    "nvcc": "the CUDA toolkit",
    "NVRTC": "pip install cuda-bindings nvidia-cuda-nvrtc nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm",
    "nbformat": "pip install -e '.[test]'",
    "onnx": "pip install -e '.[test]'",
    "tensorboardX": "pip install -e '.[test]'",
    "mpiexec": "pip install -e '.[test]'",
}


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The first clause: `torch is not installed: the stored values stand in for it` is about torch."""
    message = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return re.split("[:;,]", message.removeprefix("Skipped: "))[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = Counter(reason_of(report) for report in terminalreporter.getreports("skipped"))
    if not counts:
        return
    terminalreporter.ensure_newline()
    terminalreporter.section("skipped")
    for reason, count in counts.most_common():
        words = set(re.findall(r"[\w+]+", reason))
        hints = [hint for name, hint in HOW_TO_GET.items() if name in words]
        terminalreporter.write_line(f"{count:5}  {reason}" + "".join(f"    to get it: {hint}" for hint in hints))
