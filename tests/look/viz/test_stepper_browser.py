"""The stepper's page in a real browser, as a reader uses it: pip install -e ".[browser]", and a Chromium."""

import html
import inspect
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyres import Tensor, manual_seed, randn
from tinyres.look import viz
from tinyres.look.viz.examples import EXAMPLES
from tinyres.models import resnet20
from tinyres.nn import functional as F
from tinyres.ops.sigmoid import Sigmoid

playwright = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install -e ".[browser]"')
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the page with")

QUIET = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run"]
QUIET += ["disable-background-networking", "disable-component-update", "disable-sync"]
WIDE, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYRES_KERNELS", "array")
        for name, example in EXAMPLES.items():
            example().save(folder / f"{name}.html")
    return folder


@pytest.fixture
def look(chromium, pages):
    """look("chain") opens its page. After the test, the console must be empty and nothing may have been requested."""
    opened, heard = [], []

    def open_page(name, size=WIDE, scheme="light"):
        page = chromium.new_context(
            viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme
        ).new_page()
        place = (pages / f"{name}.html").as_uri()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: None if request.url in (place, "data:,") else heard.append(request.url))
        page.goto(place)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.context.close()
    assert heard == []


def at(page):
    """(step, number of steps)"""
    words = page.inner_text("#count").split()
    return int(words[1]), int(words[3])


def title(page):
    return page.inner_text("h2").lower().split()


def box(page, key):
    """The two lines of a box of the graph that is shown."""
    return page.locator(f'figure:visible [data-key="{key}"] text').all_text_contents()


def boxes(page):
    """[(name, the text below it)] of the graph that is shown, in the order of its computation."""
    return page.evaluate(
        "[...document.querySelectorAll('figure:not([hidden]) [data-key]')].map("
        "g => [...g.querySelectorAll('text')].map(t => t.textContent))"
    )


def cards(page):
    """{name: its numbers} of the step that is shown: the table's, or of a large array its statistics."""
    return page.evaluate("""() => {
      const texts = (card, parts) => [...card.querySelectorAll(parts)].map(part => part.textContent);
      const numbers = card => texts(card, 'small, text').join(' ').match(/-?[\\d.]+(e[-+]?\\d+)?/g) ?? [];
      return Object.fromEntries([...document.querySelectorAll('.flow .array')].map(card => [
        card.querySelector('b').textContent, card.querySelector('table') ? texts(card, 'td') : numbers(card)]));
    }""")


def shown(*numbers):
    return [f"{number:.6g}" for number in numbers]


# ---- stepping --------------------------------------------------------------------------------------------------------


def test_keys(look):
    page = look("chain")
    assert at(page) == (1, 20)
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        page.keyboard.press(key)
        seen.append(at(page)[0])
    assert seen == [2, 3, 2, 20, 20, 1, 1]


def test_every_step_forward_and_back(look):
    page = look("chain")
    forward = [
        "multiply",
        "sigmoid",
        "multiply",
        "add",
        "sigmoid",
        "multiply",
        "sigmoid",
        "subtract",
        "power",
        "multiply",
    ]
    expected = [("forward", op) for op in forward] + [("backward", op) for op in reversed(forward)]
    seen = []
    for _ in expected:
        seen.append(tuple(title(page)))
        page.keyboard.press("ArrowRight")
    assert seen == expected


def test_the_slider(look):
    page = look("block")
    page.locator("#slider").fill("12")
    assert at(page) == (13, 18) and title(page)[0] == "backward"
    assert page.locator("#slider").get_attribute("aria-valuetext") == "step 13 of 18: backward Add"
    page.locator("#slider").focus()
    page.keyboard.press("ArrowLeft")  # once, though both the slider and the page listen
    assert at(page) == (12, 18)


def test_buttons_links_and_boxes(look):
    page = look("chain")
    for button, step in (("#on", 2), ("#last", 20), ("#back", 19), ("#first", 1)):
        page.click(button)
        assert at(page)[0] == step
    page.click('[data-key="v9"]')  # the third multiplication
    assert title(page) == ["forward", "multiply"] and at(page)[0] == 6
    page.click("text=Sigmoid, step 5")  # whose output it reads
    assert at(page)[0] == 5
    page.keyboard.press("End")
    page.click('[data-key="v9"]')  # while the gradient is on its way: to its backward
    assert title(page) == ["backward", "multiply"] and at(page)[0] == 15


def test_it_plays_and_stops_at_the_end(look):
    page = look("chain")
    page.clock.install()
    page.locator("#slider").fill("17")
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "pause"
    page.clock.run_for(1000)
    assert at(page)[0] == 19
    page.clock.run_for(5000)
    assert at(page)[0] == 20 and page.locator("#play").get_attribute("aria-label") == "play"


def test_the_keyboard_alone_reaches_everything(look):
    page = look("chain")
    page.keyboard.press("End")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:6] == ["first", "back", "play", "on", "last", "slider"]
    assert {"PRE", "SUMMARY"} <= set(reached)
    page.locator("pre").first.focus()
    page.keyboard.press("ArrowLeft")  # scrolls the source
    assert at(page)[0] == 20


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_the_chains_numbers_are_those_of_the_chain_rule(look):
    def s(z):
        return 1 / (1 + np.exp(-z))

    w1, w2, w3, x, t = 0.5, -0.8, 1.2, 1.0, 0.0
    a1 = s(w1 * x)
    m2 = w2 * a1
    z2 = m2 + a1
    a2 = s(z2)
    z3 = w3 * a2
    a3 = s(z3)
    g3 = (a3 - t) * a3 * (1 - a3)  # of z3
    g2 = g3 * w3 * a2 * (1 - a2)
    g1 = g2 * (w2 + 1) * a1 * (1 - a1)
    page = look("chain")
    page.locator("#slider").fill("9")
    values = {(name, value) for name, value in boxes(page)}
    below = shown(a1, m2, z2, a2, z3, a3, (a3 - t) ** 2, (a3 - t) ** 2 / 2)
    names = ["Sigmoid", "Multiply", "Add", "Sigmoid", "Multiply", "Sigmoid", "Power", "Multiply"]
    assert set(zip(names, below, strict=True)) <= values
    page.keyboard.press("End")
    gradients = {f"g {number}" for number in shown(g1, g2 * (w2 + 1), g2, g3 * w3, g3, a3 - t, 1)}
    assert gradients <= {value for _, value in boxes(page)}
    assert [v for name, v in boxes(page) if name in ("w₁", "w₂", "w₃")] == [
        f"g {number}" for number in shown(g1 * x, g2 * a1, g3 * a2)
    ]
    page.locator("#slider").fill("17")  # back through w₂·a₁
    assert cards(page) == {"gy": shown(g2), "ga": shown(g2 * a1), "gb": shown(g2 * w2)}


def test_formula_source_and_loops(look):
    page = look("chain")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".formula") == "y = s(x) = 1 / (1 + e⁻ˣ), between 0 and 1"
    page.locator("#slider").fill("18")
    assert page.inner_text(".formula") == "gx = gy · s'(x) = gy · y·(1 − y)"
    lines, first = inspect.getsourcelines(Sigmoid.backward)
    source = page.evaluate("""[...document.querySelector('pre').childNodes].map(
        node => node.className === 'no' ? '' : node.textContent).join('')""")
    assert source.splitlines() == [line.rstrip().removeprefix("    ") for line in lines]
    assert page.locator("pre .no").first.inner_text() == str(first)
    assert page.locator(".file").inner_text() == f"tinyres/ops/sigmoid.py, line {first}"
    page = look("block")
    page.locator("#slider").fill("11")
    loops = page.locator("details").first
    assert loops.locator("summary").inner_text().startswith("relu_grad_x as loops: tinyres_kernels/reference/relu.py")
    loops.locator("summary").click()
    assert "for place in np.ndindex" in loops.inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.locator("details[open]").count() == 1  # what was opened stays so


def test_gradients_add_up_where_ways_meet(look):
    page = look("chain")
    page.locator("#slider").fill("16")  # the addition: the gradient goes both ways
    assert cards(page)["ga"] == cards(page)["gb"] == cards(page)["gy"]
    assert page.locator(".flow .role").all_inner_texts() == ["branch", "identity"]
    assert "passes its gradient on unchanged" in page.inner_text(".note")
    assert box(page, "v3")[1].endswith(" + …")  # a₁: there is more to come
    page.keyboard.press("ArrowRight")
    terms = [float(text) for text in page.locator(".term td").all_inner_texts()]
    assert terms[0] + terms[1] == pytest.approx(terms[2], rel=1e-5)
    assert page.locator(".term .role").all_inner_texts() == ["identity", "branch"]
    assert page.locator(".term .plus").all_inner_texts() == ["+", "="]
    assert "(1 + ∂F/∂x)" in page.inner_text(".note")
    assert box(page, "v3") == ["Sigmoid", f"g {page.locator('.term td').last.inner_text()}"]
    assert page.locator("path.identity:not(.head)").count() == 1


def test_large_arrays_are_pictures_with_histograms(look):
    page = look("block")
    assert page.locator(".array canvas").count() == 3 and page.locator(".array svg").count() == 3
    level = page.evaluate("""() => {
      const a = arrays[boxes[0].value], canvas = document.querySelector('canvas');
      const bytes = Uint8Array.from(atob(a.picture.levels), c => c.charCodeAt(0));
      const seen = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return [bytes.indexOf(255), bytes.indexOf(1)].map(k => k < 0 ? null : [...seen.slice(4 * k, 4 * k + 3)]);
    }""")
    assert [178, 24, 43] in level or [33, 92, 172] in level  # the largest is as red, or as blue, as can be


def test_blocks_fold(look):
    page = look("resnet20")
    names = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]
    folded = page.locator('figure[data-block=""]')
    assert folded.locator(".block text:first-of-type").all_text_contents() == names
    assert page.locator("figure:visible").count() == 1  # the first convolution is in no block
    folded.locator('[data-key="block layer2.0"]').click()
    assert page.locator("figure:visible").evaluate_all("all => all.map(f => f.dataset.block)") == ["", "layer2.0"]
    assert "layer2.0" in page.inner_text(".where")
    marked = page.locator("figure:visible g.now").evaluate_all("all => all.map(g => g.dataset.key)")
    assert marked[0] == "block layer2.0" and len(marked) == 2
    first = at(page)[0]
    page.keyboard.press("Shift+ArrowRight")
    assert "layer2.1" in page.inner_text(".where") and at(page)[0] == first + 9  # with a slice and a padding
    page.keyboard.press("Shift+ArrowLeft")
    assert at(page)[0] == first


def test_resnet20s_numbers_are_the_engines(look, monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    manual_seed(0)
    model, images, labels = resnet20(), randn(2, 3, 32, 32), Tensor(np.array([3, 7]))
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    page = look("resnet20")
    page.locator("#slider").fill("74")
    assert cards(page)["y"] == shown(loss.item())
    page.keyboard.press("End")
    gradients = {}
    last = "block => go(steps.findLastIndex(s => s.phase === 'backward' && boxes[s.box].block === block))"
    for block in page.evaluate("figures.map(figure => figure.dataset.block)"):
        page.evaluate(last, block)
        below = {name: text for name, text in boxes(page) if text.startswith("‖g‖") and "." in name}
        gradients |= {f"{block}.{name}".removeprefix("."): text for name, text in below.items()}
    for name, parameter in model.named_parameters():
        assert gradients[name] == f"‖g‖ {np.linalg.norm(parameter.grad.astype(float)):.6g}"
    page.keyboard.press("End")
    g = model.conv1.weight.grad.astype(float)
    numbers = cards(page)["gw"]
    assert {*shown(g.min(), g.max(), g.mean(), np.linalg.norm(g))} <= set(numbers)


# ---- for everybody ---------------------------------------------------------------------------------------------------

READABLE = (Path(__file__).parent / "readable.js").read_text(encoding="utf-8")
UNNAMED = """() => [...document.querySelectorAll('canvas, svg[role=img], input, button')].filter(
  e => !(e.getAttribute('aria-label') || e.querySelector('title')?.textContent || e.textContent.trim())
).map(e => e.outerHTML.slice(0, 80))"""
TOO_WIDE = "document.documentElement.scrollWidth - innerWidth"
OUTSIDE = """() => [...document.querySelectorAll('figure [data-key]')].filter(g => g.checkVisibility()).filter(g => {
  const box = g.querySelector('rect').getBBox();
  return [...g.querySelectorAll('text')].some(t => t.getBBox().width > box.width - 4);
}).map(g => g.textContent)"""


@pytest.mark.parametrize(
    ("name", "steps", "size", "scheme"),
    [
        ("chain", (0, 16, 17), WIDE, "light"),
        ("chain", (0, 16, 17), PHONE, "dark"),
        ("block", (5, 13), WIDE, "dark"),
        ("block", (5, 13), PHONE, "light"),
        ("resnet20", (30, 102), WIDE, "light"),
        ("resnet20", (30, 102), PHONE, "dark"),
    ],
)
def test_it_can_be_read(look, name, steps, size, scheme):
    page = look(name, size, scheme)
    for step in steps:
        page.locator("#slider").fill(str(step))
        assert page.evaluate(TOO_WIDE) <= 0
        assert page.evaluate(READABLE) == []
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(OUTSIDE) == []


def test_on_a_phone_graph_and_step_are_both_seen(look):
    page = look("resnet20", PHONE)
    page.locator("#slider").fill("100")
    (figure,) = [one.bounding_box() for one in page.locator("figure:visible").all()]  # the block's alone
    heading = page.locator("h2").bounding_box()
    assert figure["y"] + figure["height"] <= heading["y"] < PHONE[1] - 200
    current = page.locator("figure:visible .now rect").bounding_box()
    assert figure["x"] <= current["x"] and current["x"] + current["width"] <= figure["x"] + figure["width"]
    assert figure["y"] <= current["y"] and current["y"] + current["height"] <= figure["y"] + figure["height"]
    assert min(one.bounding_box()["height"] for one in page.locator(".buttons button").all()) >= 40  # for a thumb
    page.locator(".fold:visible").click()
    assert page.locator("figure:visible").get_attribute("data-block") == ""


def test_a_change_of_scheme_draws_anew(look):
    page = look("block")
    drawn = "document.querySelector('canvas').toDataURL()"
    light = page.evaluate(drawn)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {drawn} !== light", arg=light)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"light => {drawn} === light", arg=light)


# A key, and the frame that shows its effect, laid out and painted.
PRESS = """key => new Promise(done => {
  document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  requestAnimationFrame(() => {
    const channel = new MessageChannel();  // its message comes after the frame
    channel.port1.onmessage = () => done();
    channel.port2.postMessage(0);
  });
})"""


def test_every_step_of_resnet20_is_timed(look):
    """`pytest -rP` shows it: the processor's time of the page's thread, which should stay below 100 ms a step."""
    page = look("resnet20")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds():
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    times = []
    for k in range(at(page)[1]):
        before = seconds()
        page.evaluate(PRESS, "ArrowRight" if k else "Home")
        times.append(1000 * (seconds() - before))
    print(f"median {np.median(times):.0f} ms, worst {np.max(times):.0f} ms of {len(times)} steps")
    assert len(times) == 150 and np.min(times) > 0


# ---- in a notebook ---------------------------------------------------------------------------------------------------


def test_two_frames_in_a_notebook(chromium, monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    x = Tensor(2.0, requires_grad=True)
    frame = viz.stepper(lambda: x * x + x, 'with "quotes" & <signs>', {"x": x})._repr_html_()
    page = chromium.new_page(viewport={"width": 900, "height": 1700})
    heard = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    listen = "<script>const keys = []; addEventListener('keydown', e => keys.push(e.key));</script>"
    page.set_content(f"<!DOCTYPE html><style>h1 {{ color: red; }}</style>{listen}<textarea></textarea>{frame}{frame}")
    first, second = page.frames[1:]
    first.wait_for_selector("h2")
    second.wait_for_selector("h2")
    assert first.inner_text("h1") == 'with "quotes" & <signs>'
    assert first.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
    page.click("textarea")
    page.keyboard.press("ArrowRight")  # the notebook's own
    assert (at(first), at(second), page.evaluate("keys")) == ((1, 4), (1, 4), ["ArrowRight"])
    first.click("h2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert (at(first), at(second), page.evaluate("keys")) == ((3, 4), (1, 4), ["ArrowRight"])
    assert first.evaluate(TOO_WIDE) <= 0
    assert html.unescape(page.locator("iframe").first.get_attribute("title")) == 'with "quotes" & <signs>'
    assert heard == []
    page.close()
