"""tinyres/app/weights/load.py: weights from torch, with torchvision's names, give torch's scores here; and back."""

import sys
from functools import partial

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, models
from tinyres.app.weights import WeightsError, load_weights, read, save_weights
from tinyres.models import resnet
from tinyres.models.alexnet import AlexNet
from tinyres.models.resnet import cifar_resnet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.models.vgg import VGG

torch = pytest.importorskip("torch", reason="torch is not installed")
from app.weights.torch_resnets import ResNet, randomised  # noqa: E402
from models.test_alexnet import torch_alexnet  # noqa: E402
from models.test_densenet import BLOCKS_121, torch_densenet, torch_stem  # noqa: E402
from models.test_googlenet import torch_googlenet  # noqa: E402
from models.test_vgg import D, E, torch_vgg  # noqa: E402
from networks import images  # noqa: E402

WIDTHS = (64, 128, 256, 512)
slow = pytest.mark.slow

SMALL_VGG, SMALL_ALEXNET = ((4, 6), (8,), (8, 10)), (4, 6, 8, 7, 5)


def narrow_bottlenecks():
    return resnet.ResNet(partial(Bottleneck, shortcut="B"), (2, 1), (4, 8), 7)


NETS = {  # ours, torch's, the images' side
    "resnet18": (lambda: models.resnet18(7), lambda: ResNet((2, 2, 2, 2), WIDTHS, 7, imagenet=True), 32),
    "bottlenecks, narrow": (narrow_bottlenecks, lambda: ResNet((2, 1), (4, 8), 7, True), 16),
    "vgg, narrow": (lambda: VGG(SMALL_VGG, 12, 7), lambda: torch_vgg(SMALL_VGG, 12, 7), 40),
    "alexnet, narrow": (lambda: AlexNet(SMALL_ALEXNET, 12, 7), lambda: torch_alexnet(SMALL_ALEXNET, 12, 7), 63),
}
DEEP = {
    "resnet34": (lambda: models.resnet34(7), lambda: ResNet((3, 4, 6, 3), WIDTHS, 7, imagenet=True), 48),
    "resnet50": (lambda: models.resnet50(7), lambda: ResNet((3, 4, 6, 3), WIDTHS, 7, True, True), 48),
    "resnet101": (lambda: models.resnet101(7), lambda: ResNet((3, 4, 23, 3), WIDTHS, 7, True, True), 64),
    "resnet152": (lambda: models.resnet152(7), lambda: ResNet((3, 8, 36, 3), WIDTHS, 7, True, True), 64),
    "densenet121": (lambda: models.densenet121(7), lambda: torch_densenet(torch_stem(64), BLOCKS_121, 32, 7), 64),
    "googlenet": (lambda: models.googlenet(7), lambda: torch_googlenet(7), 64),
    "vgg16": (lambda: models.vgg16(7), lambda: torch_vgg(D, 4096, 7), 64),
    "vgg19": (lambda: models.vgg19(7), lambda: torch_vgg(E, 4096, 7), 64),
    "alexnet": (lambda: models.alexnet(7), lambda: torch_alexnet((64, 192, 384, 256, 256), 4096, 7), 64),
}
ALL = [*NETS, *(pytest.param(name, marks=slow) for name in DEEP)]


def scores(model, x):
    with tinyres.no_grad():
        return model.eval()(Tensor(x)).numpy()


def torch_scores(model, x):
    with torch.no_grad():
        return model.eval()(torch.tensor(x)).numpy()


def assert_same(ours, theirs):
    assert np.ptp(theirs, axis=1).min() > 1e-3 * np.abs(theirs).max()  # the scores are not all alike
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())


def numbers(theirs):
    return {name: value.numpy() for name, value in theirs.state_dict().items()}


@pytest.mark.parametrize("name", ALL)
def test_theirs_here_and_ours_there(name, tmp_path, undrawn):
    make_ours, make_theirs, side = {**NETS, **DEEP}[name]
    theirs, model = randomised(make_theirs()), make_ours()
    save_weights(numbers(theirs), tmp_path / "theirs.safetensors")
    assert load_weights(model, tmp_path / "theirs.safetensors") == []
    x = images(2, 3, side, side)
    wanted = torch_scores(theirs, x)
    assert_same(scores(model, x), wanted)

    from safetensors.torch import load_file

    save_weights(model, tmp_path / "ours.safetensors")
    fresh = make_theirs()
    fresh.load_state_dict(load_file(tmp_path / "ours.safetensors"), strict=True)
    np.testing.assert_array_equal(torch_scores(fresh, x), wanted)


# ---- the kinds of file -----------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    return randomised(ResNet((1, 1, 1), (16, 32, 64), 10))


def fresh():
    return cifar_resnet(8, 10, "B")


def write(theirs, path):
    if path.suffix == ".pth":
        torch.save(theirs.state_dict(), path)
    else:
        save_weights(numbers(theirs), path)


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pth"])
def test_every_kind_of_file(ending, small, tmp_path):
    path = tmp_path / f"weights{ending}"
    write(small, path)
    model = fresh()
    assert load_weights(model, path) == []
    x = images(3, 3, 16, 16)
    assert_same(scores(model, x), torch_scores(small, x))


def test_a_checkpoint_of_a_training_script(small, tmp_path):
    state = {f"module.{name}": value for name, value in small.state_dict().items()}
    torch.save({"epoch": 3, "best_prec1": 92.5, "state_dict": state}, tmp_path / "a.pth")
    model = fresh()
    load_weights(model, tmp_path / "a.pth")
    assert np.array_equal(model.state_dict()["fc.weight"], numbers(small)["fc.weight"])


def test_bfloat16_becomes_float32(small, tmp_path):
    torch.save(small.bfloat16().state_dict(), tmp_path / "a.pth")
    assert read(tmp_path / "a.pth")["fc.weight"].dtype == np.float32


class Malicious:
    def __reduce__(self):
        return print, ("the pickle has run code",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"fc.weight": Malicious()}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth: torch's restricted reader refuses it"):
        read(tmp_path / "a.pth")
    np.savez(tmp_path / "a.npz", weights=np.array([Malicious()], dtype=object))
    with pytest.raises(WeightsError, match=r"a\.npz: damaged, or not an \.npz file of plain arrays"):
        read(tmp_path / "a.npz")
    assert "the pickle has run code" not in capsys.readouterr().out


def test_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WeightsError, match=r"so it needs torch's restricted reader, and torch is not installed"):
        read(tmp_path / "a.pth")


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pth"])
def test_a_file_cut_short(ending, small, tmp_path):
    path = tmp_path / f"weights{ending}"
    write(small, path)
    whole = path.read_bytes()
    for part in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:part])
        with pytest.raises(WeightsError, match=f"weights{ending}: "):
            read(path)


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pth"])
def test_a_file_that_is_not_there(ending, tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / f"none{ending}")


def test_other_endings(tmp_path):
    with pytest.raises(WeightsError, match=r"a\.h5: expected a file of weights with a name ending in \.safetensors, "):
        read(tmp_path / "a.h5")
    with pytest.raises(WeightsError, match=r"a\.pth: expected a name ending in \.safetensors or \.npz"):
        save_weights(fresh(), tmp_path / "a.pth")


def test_a_pth_without_a_state(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="expected a state_dict of names and tensors; it holds epoch"):
        read(tmp_path / "a.pth")
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"expected a state_dict.* it holds a list"):
        read(tmp_path / "a.pth")


def test_our_own_checkpoint_without_what_the_optimiser_remembers(tmp_path):
    state = fresh().state_dict()
    save_weights({**state, "optimizer/0": np.zeros(3)}, tmp_path / "a.safetensors")
    assert read(tmp_path / "a.safetensors").keys() == state.keys()


# ---- what differs in published files ---------------------------------------------------------------------------------


def test_googlenets_auxiliary_classifiers_are_left_out_with_a_word(tmp_path, undrawn):
    state = models.googlenet(7).state_dict()
    state |= {"aux1.conv.conv.weight": np.zeros((128, 512, 1, 1)), "aux2.fc2.bias": np.zeros(7)}
    save_weights(state, tmp_path / "a.npz")
    (note,) = load_weights(models.googlenet(7), tmp_path / "a.npz")
    assert note == "its auxiliary classifiers, aux1 and aux2, are left out: only training needs them"


def test_densenets_older_names(tmp_path, undrawn):
    state = {}
    for k, (name, values) in enumerate(models.densenet121(7).state_dict().items()):
        old = name.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.")
        old = old.replace(".conv1.", ".conv.1.").replace(".conv2.", ".conv.2.")
        state[old] = values + np.asarray(k % 5, values.dtype)
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    save_weights(state, tmp_path / "a.npz")
    model = models.densenet121(7)
    (note,) = load_weights(model, tmp_path / "a.npz")
    assert "norm.1 for norm1, and were renamed" in note
    for loaded, values in zip(model.state_dict().values(), state.values(), strict=True):
        assert np.array_equal(loaded, values)


def test_files_without_the_counters(tmp_path, small):
    state = {name: values for name, values in numbers(small).items() if "num_batches" not in name}
    save_weights(state, tmp_path / "a.npz")
    (note,) = load_weights(fresh(), tmp_path / "a.npz")
    assert note.startswith("it has no num_batches_tracked for 9 batch norms")


# ---- what does not fit -----------------------------------------------------------------------------------------------


def refusal(state, tmp_path, model=None):
    """The message; and nothing is changed."""
    model = model or fresh()
    before = model.state_dict()
    save_weights(state, tmp_path / "a.npz")
    with pytest.raises(WeightsError) as error:
        load_weights(model, tmp_path / "a.npz")
    assert all(np.array_equal(before[name], values) for name, values in model.state_dict().items())
    return str(error.value)


def test_missing_surplus_and_misshapen_entries(tmp_path):
    state = fresh().state_dict()
    del state["layer1.0.conv1.weight"]
    state |= {"layer9.weight": np.zeros(2), "bn1.weight": np.zeros(5)}
    said = refusal(state, tmp_path)
    assert "a.npz: does not fit ResNet:\n" in said
    assert "\n  layer1.0.conv1.weight is missing\n" in said
    assert "\n  layer9.weight is unknown here\n" in said
    assert "\n  bn1.weight is (5,), expected (16,)" in said


def test_a_long_list_is_cut(tmp_path):
    said = refusal({"a": np.zeros(1)}, tmp_path)
    entries = [name for name in fresh().state_dict() if "num_batches_tracked" not in name]
    assert said.endswith(f"\n  and {len(entries) + 1 - 8} more") and said.count("\n") == 9


def test_other_classes_are_explained(tmp_path):
    said = refusal(cifar_resnet(8, 100, "B").state_dict(), tmp_path)
    assert "It knows 100 classes: build the model with num_classes=100." in said


def test_timms_other_stem_and_shortcuts_are_explained(tmp_path):
    state = fresh().state_dict()
    state["conv1.0.weight"] = state.pop("conv1.weight")
    state["layer2.0.downsample.2.weight"] = state.pop("layer2.0.downsample.1.weight")
    said = refusal(state, tmp_path)
    assert "a stem of several convolutions" in said
    assert "an average pooling in its shortcuts" in said


def test_cifar_repositories_are_explained(tmp_path):
    state = fresh().state_dict()
    state["linear.weight"] = state.pop("fc.weight")
    assert "`tinyres convert` changes them to ours" in refusal(state, tmp_path)


def test_a_single_array_under_another_ending(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(WeightsError, match=r"a\.npz: damaged, or not an \.npz file of plain arrays"):
        read(tmp_path / "a.npz")
