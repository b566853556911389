"""The API reference builds without a network, has every public module, and nothing in it leads nowhere."""

import html
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

import tinyres

BUILDER = Path(__file__).parents[1] / "docs" / "build_api.py"
NO_PAGES = "tinyres.app.cli"


def builder():
    spec = importlib.util.spec_from_file_location("build_api", BUILDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- how a docstring is set ------------------------------------------------------------------------------------------


def test_formulas_and_lists_keep_their_columns():
    text = "y = Σ x[n,c] · w        (x = 0 outside)\n\nx (N,C)  w (O)\n\ngw[o] = Σ gy\ngx: is added\n\n    >>> 1 < 2"
    paragraphs = builder().as_html(text).split('<pre class="preformatted">')[1:]
    assert [
        html.unescape(part).removesuffix("</pre>").rstrip("\n").removesuffix("</pre>") for part in paragraphs
    ] == text.split("\n\n")


def test_prose_flows_and_short_lines_stay_lines():
    page = builder()
    long = "word " * 20 + "end"
    assert (
        page.as_html(f"{long}\nand more of `x_y` & <that>")
        == f"<p>{long}\nand more of <code>x_y</code> &amp; &lt;that&gt;</p>"
    )
    assert page.as_html("data: as for load\nlr: the highest") == "<p>data: as for load<br>\nlr: the highest</p>"


# ---- the site --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("pdoc", reason='needs pdoc: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("api")
    builder().build(folder)
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_every_public_module_has_a_page_and_can_be_reached(site, pages):
    modules = {module.name for module in pkgutil.walk_packages(tinyres.__path__, "tinyres.")} | {"tinyres"}
    public = {name for name in modules if "._" not in name and not name.startswith(NO_PAGES)}
    wanted = {site / f"{name.replace('.', '/')}.html" for name in public}
    assert pages.keys() - {site / "index.html"} == wanted and len(wanted) > 200
    reached, new = set(), {site / "index.html"}
    while new:
        reached |= new
        new = {target for page in new for target, _ in links(page, pages[page])} - reached
    assert reached == pages.keys()


def test_what_users_import_is_there_with_its_formula(site, pages):
    page = pages[site / "tinyres" / "ops" / "conv2d.html"]
    assert "y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j] + b[o]        (x = 0 outside)" in page
    for module, names in {
        "tinyres": tinyres.__all__,
        "tinyres.nn": tinyres.nn.__all__,
        "tinyres.nn.functional": tinyres.nn.functional.__all__,
        "tinyres.optim": tinyres.optim.__all__,
        "tinyres.app.training.trainer": ["Trainer", "Trainer.fit"],
    }.items():
        page = pages[site / f"{module.replace('.', '/')}.html"]
        assert [
            name
            for name in names
            if f'id="{name}"' not in page and f'href="#{name}"' not in page and f"/{name}.html" not in page
        ] == []


def test_private_names_stay_out(pages):
    """Names with an underscore; __init__ is how an object is made."""
    names = {
        name
        for page in pages.values()
        for name in re.findall(r'<section id="([^"]+)">|class="classattr" id="([^"]+)"', page)
    }
    parts = {part for pair in names for name in pair for part in name.split(".")}
    assert {part for part in parts if part.startswith("_") and part != "__init__"} == set()


def links(page, text):
    """(file, fragment) of each link that stays on this site."""
    text = re.sub(r"(<script\b[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text) + re.findall(r'content="0; url=([^"]*)"', text):
        if not re.match(r"[a-z]+:", link):
            path, _, fragment = html.unescape(link).partition("#")
            yield ((page.parent / path).resolve() if path else page), fragment


def test_no_link_is_broken(pages):
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    count = 0
    for page, text in pages.items():
        for target, fragment in links(page, text):
            count += 1
            assert target in pages, f"{page}: {target}"
            assert not fragment or fragment in ids[target], f"{page}: {target}#{fragment}"
    assert count > 10_000


LOADS = r'<(?:script|img|iframe|link|source|video|audio|object|embed)\b[^>]*?\b(?:src|href|data)="([^"]*)"'


def test_nothing_is_loaded_from_outside(pages):
    for page, text in pages.items():
        markup = re.sub(r"<pre>.*?</pre>|<div class=\"pdoc-code.*?</div>", "", text, flags=re.DOTALL)
        loaded = [address for address in re.findall(LOADS, markup) if not address.startswith("data:")]
        assert [address for address in loaded if "//" in address] == [], page
        styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", styles), page
