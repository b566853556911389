"""The tester tested: what has no bug survives, and nothing but a failing test counts as a kill."""

import pytest

from mutants.detectors import DETECTORS, detector_of
from mutants.mutant import Planted, Unchanged
from mutants.trial import CAN_FORK, EVERYTHING, TESTS, mirrored, trial

pytestmark = pytest.mark.mutants
needs_fork = pytest.mark.skipif(not CAN_FORK, reason="each trial is a process forked from a server")
EXP = "tinyres.ops.exp"


def exp(new, old="return gy * y"):
    return Planted("exp: something wrong", "Exp.backward", old, new)


@needs_fork
class TestTrials:
    @pytest.mark.parametrize("module", [EXP, "tinyres_kernels.array.relu", "tinyres_kernels.reference.relu"])
    def test_a_comment_more_survives(self, module):
        outcome = trial(Unchanged(module), [f"ops/test_{module.rpartition('.')[2]}.py"], to_the_end=True, reach=True)
        assert outcome.imports and not outcome.kills
        assert any(file.endswith(module.replace(".", "/") + ".py") for file in outcome.reached)  # it was looked at

    @pytest.mark.slow
    @pytest.mark.parametrize("module", [EXP, "tinyres_kernels.reference.relu"])
    def test_a_comment_more_survives_every_test(self, module):
        outcome = trial(Unchanged(module), to_the_end=True)
        assert outcome.imports and not outcome.kills

    def test_a_fatal_one_is_killed_by_what_saw_it(self):
        outcome = trial(exp("return gy * 0"), ["ops/test_exp.py"], to_the_end=True)
        assert {"stored values", "gradcheck"} <= outcome.kills.keys()
        assert "errors" not in outcome.kills
        assert outcome.kills["gradcheck"].startswith("tests/ops/test_exp.py::TestExp::test_gradcheck[")

    def test_the_first_kill_ends_it_unless_told_otherwise(self):
        assert len(trial(exp("return gy * 0"), ["ops/test_exp.py"]).kills) == 1

    @pytest.mark.parametrize(
        "mutant",
        [exp("return gy *"), Planted("exp: its base is unknown", "Exp", "Op", "Operation")],
        ids=["syntax", "error"],
    )
    def test_one_that_does_not_import_is_no_kill(self, mutant):
        outcome = trial(mutant, mirrored(EXP))
        assert not outcome.imports and not outcome.kills

    def test_the_end_of_the_interpreter_is_a_kill(self):
        assert trial(exp("import os; os.abort()"), ["ops/test_exp.py"]).kills.keys() == {"crash"}

    @pytest.mark.slow
    def test_an_endless_loop_is_a_kill(self):
        outcome = trial(exp("while True: pass"), ["ops/test_exp.py"])
        assert outcome.kills.keys() == {"stored values"}

    def test_a_trial_that_goes_wrong_itself_is_an_error(self):
        with pytest.raises(RuntimeError, match=r"the trial of .* itself went wrong:\n(.|\n)*no_such_setting"):
            trial(exp("return gy"), ["ops/test_exp.py"], no_such_setting=True)


class TestDetectors:
    @pytest.mark.parametrize(
        ("test", "kind"),
        [
            ("ops/test_exp.py::TestExp::test_stored_values[exp ()]", "stored values"),
            ("ops/test_exp.py::TestExp::test_torch", "torch"),
            ("ops/test_exp.py::TestExp::test_gradcheck[exp ()]", "gradcheck"),
            ("ops/test_relu.py::TestReLU::test_nan_stays_nan", "op's own"),
            ("test_autograd.py::test_fan_out_adds_up", "engine"),
            ("check/test_gradcheck.py::test_anything", "checker"),
            ("optim/test_optimizer.py::TestState::test_names", "optimiser"),
            ("app/cli/test_cli.py::test_anything", None),
        ],
    )
    def test_kinds(self, test, kind):
        assert detector_of(test) == kind

    def test_mirrors(self):
        assert mirrored(EXP) == ["ops/test_exp.py", "ops/test_needs.py"]
        assert "kernels/test_rungs.py" in mirrored("tinyres_kernels.array.relu")

    @pytest.mark.parametrize(
        "module", [None, "tinyres.nn.functional", "tinyres.autograd", "tinyres_kernels.windows", "tinyres.optim.sgd"]
    )
    def test_the_tests_are_there(self, module):
        paths = EVERYTHING if module is None else mirrored(module)
        assert paths and [path for path in paths if not (TESTS / path).exists()] == []

    def test_every_kind_has_a_name_that_fits_a_table(self):
        assert all("|" not in kind for kind in DETECTORS)
