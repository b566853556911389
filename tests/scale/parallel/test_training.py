"""`mpiexec -n N tinyres train` computes what one process computes; and what happens when a rank fails."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from ranks import end, mpiexec, needs_mpi
from runs import run, tiny_world

from tinyres.app.bench.machine import available_cores
from tinyres.app.training import RunFolder, checkpoint

pytestmark = [needs_mpi, pytest.mark.usefixtures("tiny_world")]

TRAIN = ("train", "--model", "tiny", "--epochs", "2", "--batch-size", "10")  # 72 images: 7 batches of 10 and one of 2
EXACT = (*TRAIN, "--precision", "float64")


def train(size, *arguments, **env):
    """The exit code, and what was printed to stdout and stderr."""
    return end(mpiexec(size, *arguments, env=env))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """The folders of two runs of one process, in float64 and in float32."""
    place = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        tiny_world.__wrapped__(patch, place)
        patch.setenv("TINYRES_KERNELS", "array")
        return {name: run(place / name, batch_size=10, precision=name) for name in ("float64", "float32")}


def assert_same(folder, wanted, tolerance):
    """Losses and arrays are the same up to rounding, and all counts are exactly the same."""
    for found, line in zip(folder.read_metrics(), wanted.read_metrics(), strict=True):
        for name in ("epoch", "step", "lr", "train_accuracy", "validation_accuracy"):
            assert found[name] == line[name]
        for name in ("train_loss", "validation_loss"):
            assert found[name] == pytest.approx(line[name], rel=tolerance)
    found, result = folder.read_result(), wanted.read_result()
    assert found["test_loss"] == pytest.approx(result["test_loss"], rel=tolerance)
    for name in ("epoch", "test_accuracy", "test_images", "validation_accuracy"):
        assert found[name] == result[name]
    for file in ("last", "best"):
        ours, theirs = (checkpoint.load(getattr(each, file)) for each in (folder, wanted))
        for kind in ("weights", "optimizer"):
            arrays, others = getattr(ours, kind), getattr(theirs, kind)
            assert arrays.keys() == others.keys()
            for name, array in arrays.items():
                np.testing.assert_allclose(array, others[name], rtol=tolerance, atol=tolerance, err_msg=name)


def goes_on(folder, size, wanted):
    code, _, err = train(size, "train", "--quiet", "--resume", folder)
    assert (code, err) == (0, "")
    assert_same(RunFolder(folder), wanted, 1e-10)


# ---- as one process --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "precision", "tolerance"), [(3, "float64", 1e-11), (2, "float32", 2e-5)])
def test_as_one_process(one_process, size, precision, tolerance):
    """Three ranks share 10 rows as 3 + 3 + 4. Of the 2 rows of the last batch the first rank has none."""
    code, out, err = train(size, *TRAIN, "--precision", precision, "--out", "run")
    assert (code, err) == (0, "")
    assert_same(RunFolder("run"), one_process[precision], tolerance)
    config = RunFolder("run").read_config()
    assert (config["ranks"], config["threads"]) == (size, max(1, available_cores() // size))
    assert out.count("of 50 test images") == out.count("2/2") == 1  # only the first rank prints
    assert os.listdir("elsewhere") == []  # and only it writes


def test_local_batch_norm_is_another_computation(one_process):
    assert train(2, *EXACT, "--batch-norm", "local", "--quiet", "--out", "run")[0] == 0
    found, wanted = (checkpoint.load(folder.last).weights for folder in (RunFolder("run"), one_process["float64"]))
    assert np.abs(found["1.running_var"] - wanted["1.running_var"]).max() > 1e-6
    assert RunFolder("run").read_config()["settings"].batch_norm == "local"


def test_one_event_file_for_all():
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    code, _, err = train(2, *TRAIN, "--tensorboard", "--quiet", "--out", "run")
    assert (code, err) == (0, "")
    assert len(list(Path("run").glob("events.out.*"))) == 1
    assert os.listdir("elsewhere") == []


# ---- a rank fails ----------------------------------------------------------------------------------------------------


@pytest.mark.faults("a rank dies")
def test_killed_and_gone_on_with_another_number(one_process, fault):
    with fault():
        code, _, _ = train(3, *EXACT, "--quiet", "--out", "run", ACCIDENT="1 11 kill")
        assert code != 0
        assert checkpoint.load(RunFolder("run").last).about["step"] in (9, 10)
        goes_on("run", 2, one_process["float64"])


@pytest.mark.faults("a rank dies")
def test_an_exception_of_one_ends_all(one_process, fault):
    with fault():
        code, out, err = train(2, *EXACT, "--quiet", "--out", "run", ACCIDENT="1 4 raise")
        assert (code, out) == (1, "")
        assert "tinyres: rank 1: Traceback" in err and "RuntimeError: planted" in err
        goes_on("run", 1, one_process["float64"])


@pytest.mark.faults("a gradient is NaN or Inf on one rank")
def test_nan_on_one_rank_ends_all(one_process, fault):
    with fault():
        code, _, err = train(2, *EXACT, "--quiet", "--out", "run", ACCIDENT="1 5 nan")
        assert code == 1
        assert err.count("training diverged: the loss is") == 1 and "after 4 steps" in err
        goes_on("run", 3, one_process["float64"])


@pytest.mark.faults("Ctrl-C or SIGTERM under mpiexec")
@pytest.mark.parametrize(("number", "size"), [(signal.SIGINT, 1), (signal.SIGTERM, 3)], ids=["SIGINT", "SIGTERM"])
def test_a_signal_stops_all_at_the_same_step(one_process, number, size, fault):
    with fault():
        job = mpiexec(2, *EXACT, "--quiet", "--out", "run", env={"ACCIDENT": "1 12 wait"})
        while not Path("elsewhere/waiting").exists() and job.poll() is None:
            time.sleep(0.02)
        job.send_signal(number)
        code, _, err = end(job)
        assert code == 130
        assert err.count("stopped in epoch 2 of 2, after 4 of its 8 batches; everything is saved") == 1
        assert checkpoint.load(RunFolder("run").last).about["step"] == 12
        goes_on("run", size, one_process["float64"])


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_of_all_is_said_once():
    code, out, err = train(2, "train", "--model", "resnet7")
    assert (code, out) == (2, "")
    assert err.count("unknown model 'resnet7'") == 1


def test_several_seeds_are_for_one_process():
    code, out, err = train(2, *TRAIN, "--seeds", "2")
    assert (code, out) == (2, "")
    assert err.count("argument --seeds: does not go with mpiexec") == 1


def test_a_folder_that_holds_something():
    Path("run").mkdir()
    Path("run/letter").touch()
    code, out, err = train(2, *TRAIN, "--out", "run")
    assert (code, out) == (1, "")
    assert err.count("tinyres: rank 0: run: expected a new or an empty folder for the run") == 1
    assert os.listdir("run") == ["letter"]
