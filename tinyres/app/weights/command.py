"""The work of `tinyres convert`: reads a file of weights, writes another, and describes both."""

from __future__ import annotations

from pathlib import Path

from tinyres.app.weights.convert import convert, export
from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.files import read, save_weights
from tinyres.app.weights.naming import NAMINGS


def convert_file(file: Path, out: Path, model: str | None, zeros: str | None, to: str | None) -> list[str]:
    """Write `out`, and return lines that say what was found and done. WeightsError: lists the names that do not fit."""
    if out.suffix not in (".safetensors", ".npz"):
        raise WeightsError(f"{out}: expected a name ending in .safetensors or .npz")
    given = read(file)
    # With --to, `zeros` describes the file that is written; the file that is read has our names, or its names tell.
    found = convert(given, model, None if to else zeros, str(file))
    shortcut = f", shortcut {found.shortcut}" if found.shortcut else ""
    lines = [f"{file}: {len(given)} entries, {found.model}{shortcut}, {found.num_classes} classes"]
    lines += [f"  {note}" for note in found.notes]
    state = export(found, to, zeros) if to else found.state
    about = {"model": found.model, "num_classes": str(found.num_classes)}
    save_weights(state, out, **about, **({"shortcut": found.shortcut} if found.shortcut else {}))
    if to:
        return [*lines, f"{out}: the same weights with the names of {NAMINGS[to].repository}"]
    option = f", shortcut={found.shortcut!r}" if found.shortcut else ""
    use = f"tinyres.app.weights.load_weights(models.build({found.model!r}, {found.num_classes}{option}), {str(out)!r})"
    return [*lines, f"{out}: with our names; in Python: {use}"]
