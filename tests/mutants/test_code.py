"""A planted bug finds its place wherever that is, and says clearly when it cannot."""

import ast

import pytest

from mutants.code import find, sources, with_code
from mutants.mutant import Planted

EXP = """class Exp(Op):
    def forward(self, x):
        y = np.exp(x)  # ⟨é⟩
        self.saved = (y,)
        return y

    def backward(self, gy):
        (y,) = self.saved
        return gy * y
"""
FORMATTED = """class Exp(Op):
    def backward(
        self, gy
    ):
        (y,) = self.saved
        return (gy
                * y)  # the derivative of exp is exp
"""
OPS = {"tinyres.ops.exp": EXP, "tinyres.ops.relu": "def relu(x):\n    return ReLU()(x)\n"}
RELUS = {
    "kernels.array.relu": "def relu(x):\n    return np.maximum(x, 0)\n",
    "kernels.gpu.cupy.relu": "def relu(x):\n    return np.maximum(x, 0)\n",
    "kernels.reference.relu": "def relu(x):\n    for at in np.ndindex(x.shape):\n        y[at] = x[at]\n    return y\n",
}


def changed(texts, name, old, new):
    place = find(name, old, texts)
    return with_code(texts[place.module], place.nodes, new)


class TestTheChange:
    def test_an_expression(self):
        assert changed(OPS, "Exp.backward", "gy * y", "gy + 1") == EXP.replace("gy * y", "(gy + 1)")

    def test_a_statement(self):
        assert changed(OPS, "Exp.forward", "y = np.exp(x)", "y = x; y += 1") == EXP.replace("np.exp(x)", "x; y += 1")

    def test_statements_keep_their_indentation(self):
        new = changed(OPS, "Exp.backward", "(y,) = self.saved\nreturn gy * y", "if gy:\n    return gy\nreturn 0")
        assert new == EXP.replace(
            "(y,) = self.saved\n        return gy * y", "if gy:\n            return gy\n        return 0"
        )

    def test_a_line_left_out(self):
        new = changed(OPS, "Exp.forward", "self.saved = (y,)", "pass")
        assert new == EXP.replace("self.saved = (y,)", "pass")

    def test_a_constant(self):
        assert changed({"m": "SIZE = 1 << 20\n"}, "SIZE", "1 << 20", "1") == "SIZE = (1)\n"


class TestThePlace:
    def test_a_function_in_another_module_is_found(self):
        moved = {"tinyres.elementwise.all": OPS["tinyres.ops.relu"] + EXP}
        assert find("Exp.backward", "gy * y", OPS).module == "tinyres.ops.exp"
        assert find("Exp.backward", "gy * y", moved).module == "tinyres.elementwise.all"

    def test_spaces_lines_and_comments_do_not_matter(self):
        new = changed({"exp": FORMATTED}, "Exp.backward", "return gy*y", "return gy")
        assert ast.dump(ast.parse(new)) == ast.dump(ast.parse(FORMATTED.replace("* y", "")))

    def test_a_folder_tells_functions_of_one_name_apart(self):
        assert find("array.relu", "np.maximum(x, 0)", RELUS).module == "kernels.array.relu"
        assert find("gpu.relu", "np.maximum(x, 0)", RELUS).module == "kernels.gpu.cupy.relu"

    def test_or_the_code_does(self):
        assert find("relu", "y[at] = x[at]", RELUS).module == "kernels.reference.relu"


class TestTheErrors:
    def test_a_function_that_is_gone(self):
        with pytest.raises(LookupError, match=r"nothing is called 'Exp.grad': if it was renamed, use the new name"):
            find("Exp.grad", "gy * y", OPS)

    def test_code_that_is_gone(self):
        with pytest.raises(LookupError, match=r"Exp.backward in tinyres.ops.exp does not contain this:\ny \* gy"):
            find("Exp.backward", "y * gy", OPS)

    def test_code_that_is_there_twice(self):
        with pytest.raises(LookupError, match=r"Exp.forward contains this 3 times, in .*; give more of the code"):
            find("Exp.forward", "y", OPS)

    def test_functions_of_one_name(self):
        with pytest.raises(LookupError, match=r"in kernels.array.relu, kernels.gpu.cupy.relu; .* or name a folder too"):
            find("relu", "np.maximum(x, 0)", RELUS)


def test_a_mutant_is_the_file_with_only_that_code_changed():
    mutant = Planted("exp: something wrong", "Exp.backward", "gy*y", "gy")
    assert mutant.module == "tinyres.ops.exp"
    assert mutant.source() == sources()[mutant.module].replace("gy * y", "(gy)")
