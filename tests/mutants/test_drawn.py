"""Every mutant drawn by machine is killed."""

import pytest

from mutants.code import with_code
from mutants.drawn import all_sites, draw, sites

pytestmark = pytest.mark.mutants


@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.name) for m in draw()])
def test_is_killed(mutant, outcome):
    if not outcome.imports:
        pytest.skip("it does not import, which shows nothing; test_page.py sees to it that most do")
    hint = "write the test that fails on it; or if it means the same, write the original in another way"
    assert outcome.killed, f"it survives: {hint}"


# ---- the machine that draws ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "mutants"),
    [
        ("f(a + b)", {"pass", "a - b"}),
        ("f((a + b) * c)", {"pass", "a - b", "(a + b) / c"}),
        ("é = a @ b", {"pass", "b @ a"}),
        ("a -= -b", {"pass", "a += -b", "b"}),
        ("f(0 <= a < b)", {"pass", "0 < a < b", "0 <= a <= b", "1"}),
        ("f(a and not b)", {"pass", "a or not b", "b"}),
        ("f(a is not b)", {"pass", "a is b"}),
        ("f(a, 1, True)", {"pass", "f(1, a, True)", "2", "False"}),
        ("f(*a, 1)", {"pass", "2"}),
        ("x.sum((0, 2), axis=-1)", {"pass", "1", "3", "2"}),
        ("def f(a: int = 3) -> tuple[2]:\n    'A text, 1 + 1.'\n    return a", {"4"}),
        ("raise E(f'{a + 1}')", {"pass"}),
        ("if TYPE_CHECKING:\n    a = 1", set()),
        ("Array = Any", set()),
    ],
)
def test_what_becomes_of(code, mutants):
    assert {site.new for site in sites("a.module", f"{code}\n")} == mutants


@pytest.mark.parametrize("code", ["def f(x):\n    return x[0 : 1]  # one\n", "def f(x):\n\n    return x[0:\n 1]\n"])
def test_a_site_is_named_after_its_function_and_statement(code):
    _, second = sites("tinyres_kernels.array.first", code)
    assert second.name == "array.f: return x[0:«1 → 2»]"
    assert with_code(code, [second.node], second.new) == code.replace("1", "(2)")


def test_a_statement_with_others_inside_is_shown_by_its_first_line():
    first, *_ = sites("tinyres.module", "if a < b:\n    a = b\n    b = 0\n")
    assert first.name == ": if «a < b → a <= b»:"


def test_sites_have_names_of_their_own():
    names = [site.name for site in all_sites()]
    assert len(names) > 1000 and len(set(names)) == len(names)
