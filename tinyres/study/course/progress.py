"""What the learner has solved, and how often it was tried: one small JSON file on the learner's own disk.

{"relu_backward": {"solved": true, "failures": 2}, …}
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from tinyres.app.training.files import write_json


class Record(NamedTuple):
    """solved: it was right at least once. failures: how many wrong answers came before that."""

    solved: bool = False
    failures: int = 0


def progress_file() -> Path:
    """$TINYRES_COURSE, else tinyres/study/course.json in the user's data folder ($XDG_DATA_HOME or ~/.local/share)."""
    if chosen := os.environ.get("TINYRES_COURSE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "tinyres" / "course.json"


def read() -> dict[str, Record]:
    """Every exercise that was tried. A damaged file counts as none, and is put aside when the next is written."""
    try:
        raw = json.loads(progress_file().read_text(encoding="utf-8"))
        return {name: Record(bool(entry["solved"]), int(entry["failures"])) for name, entry in raw.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def write(name: str, record: Record) -> str | None:
    """Keep the record of one exercise. What went wrong, if the disk does not let us: no reason to stop a lesson."""
    path = progress_file()
    records = read()
    try:
        if not records and path.exists() and path.read_text(encoding="utf-8").strip() not in ("", "{}"):
            path.replace(path.with_name(path.name + ".damaged"))
        path.parent.mkdir(parents=True, exist_ok=True)
        records[name] = record
        write_json(path, {key: kept._asdict() for key, kept in records.items()})
    except (OSError, ValueError) as error:
        return f"(Your progress cannot be kept in {path}: {error}. Name another file in $TINYRES_COURSE.)"
    return None
