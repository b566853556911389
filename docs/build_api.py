"""The API reference, from the docstrings: python docs/build_api.py, then open docs/api/index.html. No network needed.

pdoc makes the pages. It expects Markdown in docstrings, but ours are plain text with formulas. So this program formats
them itself: text that is lined up or indented keeps its columns, and the rest flows as paragraphs.
"""

from __future__ import annotations

import argparse
import html
import pkgutil
import re
import warnings
from pathlib import Path
from typing import Any

import tinyres

API = Path(__file__).parent / "api"
COMMANDS = "tinyres.app.cli"  # have --help instead of pages
SOURCE_WIDTH = 80  # a docstring line of at least this length was broken because it was full
PREFORMATTED = re.compile(r"^ |\S {2,}\S|^[\w\[\],()]+ = ")  # an indented line, one with columns, or a formula


def module_names() -> list[str]:
    """Every module whose name does not begin with an underscore."""
    names = [module.name for module in pkgutil.walk_packages(tinyres.__path__, "tinyres.")]
    return ["tinyres", *(name for name in names if "._" not in name and not name.startswith(COMMANDS))]


def build(out: Path) -> list[Path]:
    """Write the site; return its pages."""
    from jinja2 import pass_context
    from pdoc import doc, extract, render

    link = render.env.filters["link"]

    @pass_context
    def link_unless_private(context: Any, spec: tuple[str, str], text: str | None = None) -> str:
        """A private name, such as that of a base class, has no page to link to."""
        return html.escape(text or spec[1]) if spec[1].startswith("_") else link(context, spec, text)

    render.configure(docformat="markdown", template_directory=Path(__file__).parent / "api_template")
    render.env.filters.update(to_markdown=str, to_html=as_html, link=link_unless_private)
    # The generated __init__ of a dataclass has strings as annotations. pdoc shows them unchanged and warns.
    warnings.filterwarnings("ignore", "Error parsing type annotation .* for .*__init__", UserWarning)
    for name in tinyres.__all__:
        getattr(tinyres, name)  # pdoc finds only what is loaded
    modules = {name: doc.Module(extract.load_module(name)) for name in module_names()}
    pages = {out / f"{name.replace('.', '/')}.html": module for name, module in modules.items()}
    for path, module in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render.html_module(module, modules), encoding="utf-8")
    (out / "index.html").write_text(render.html_index(modules), encoding="utf-8")
    (out / "search.js").write_text(render.search_index(modules), encoding="utf-8")
    return list(pages)


def as_html(docstring: str) -> str:
    """Each paragraph separately; empty lines divide them."""
    return "\n".join(map(paragraph, re.split(r"\n\s*\n", docstring.strip("\n"))))


def paragraph(text: str) -> str:
    escaped = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text.rstrip(), quote=False))
    lines = text.split("\n")
    if any(PREFORMATTED.search(line) for line in lines):
        return f'<pre class="preformatted">{escaped}</pre>'
    if all(len(line) >= SOURCE_WIDTH for line in lines[:-1]):
        return f"<p>{escaped}</p>"
    return "<p>" + escaped.replace("\n", "<br>\n") + "</p>"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the API reference.")
    parser.add_argument("--out", metavar="DIR", type=Path, default=API, help="default: docs/api")
    out = parser.parse_args().out
    try:
        pages = build(out)
    except ModuleNotFoundError as error:
        raise SystemExit(f'{error}: the API reference needs pdoc: pip install -e ".[docs]"') from error
    print(f"{len(pages)} pages; open {out / 'index.html'}")


if __name__ == "__main__":
    main()
