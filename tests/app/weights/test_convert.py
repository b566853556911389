"""tinyres/app/weights/convert.py and naming.py: CIFAR ResNets of other repositories compute the same here."""

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, models
from tinyres.app.weights import NAMINGS, WeightsError, convert
from tinyres.app.weights.convert import export
from tinyres.app.weights.naming import channel_orders
from tinyres.models.resnet import cifar_resnet

torch = pytest.importorskip("torch", reason="torch is not installed: there is no other net to compare with")
from app.weights.torch_resnets import ResNet, randomised  # noqa: E402
from networks import images  # noqa: E402
from torch.nn import functional as F  # noqa: E402

CIFAR, WIDE = (16, 32, 64), (64, 128, 256, 512)
LINEAR = {"conv1": "conv1", "bn1": "bn1", "shortcut": "shortcut", "fc": "linear"}


def numbers(theirs):
    return {name: value.numpy() for name, value in theirs.state_dict().items()}


def assert_same_scores(converted, theirs):
    model = models.build(converted.model, converted.num_classes, converted.shortcut)
    model.load_state_dict(converted.state)
    x = images(3, 3, 16, 16)
    with tinyres.no_grad(), torch.no_grad():
        ours, wanted = model.eval()(Tensor(x)).numpy(), theirs.eval()(torch.tensor(x)).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def akamaster(counts=(3, 3, 3), num_classes=10):
    """Shortcut A with half of the zeros before, half behind."""
    return randomised(ResNet(counts, CIFAR, num_classes, names=LINEAR, option="A", before=0.5))


def test_akamaster():
    theirs = akamaster()
    state = {f"module.{name}": values for name, values in numbers(theirs).items()}
    found = convert(state)
    assert (found.model, found.shortcut, found.num_classes) == ("resnet20", "A", 10)
    assert found.notes[0] == "names as in akamaster/pytorch_resnet_cifar10"
    assert "channels were moved" in found.notes[1]
    assert_same_scores(found, theirs)


def test_the_channels_must_be_moved():
    theirs = akamaster()
    with pytest.raises(AssertionError):
        assert_same_scores(convert(numbers(theirs), zeros="behind"), theirs)


def test_zeros_behind_under_the_same_names():
    theirs = randomised(ResNet((1, 1, 1), CIFAR, 10, names=LINEAR, option="A", before=0.0))
    assert_same_scores(convert(numbers(theirs), zeros="behind"), theirs)


def test_zeros_on_both_sides_under_torchvisions_names():
    theirs = randomised(ResNet((1, 1, 1), CIFAR, 10, option="A", before=0.5))
    assert_same_scores(convert(numbers(theirs), zeros="both"), theirs)


def test_the_order_of_the_channels():
    orders = channel_orders(convert(numbers(akamaster((1, 1, 1)))).state)
    assert [len(order) for order in orders.values()] == [16, 32, 64]
    assert orders[2][:3].tolist() == [8, 9, 10]  # our channel 0 is their channel 8
    assert orders[3][0] == 16 + 8
    assert all(sorted(order) == list(range(len(order))) for order in orders.values())


def test_kuangliu():
    theirs = randomised(ResNet((2, 2, 2, 2), WIDE, 100, names=LINEAR))
    found = convert(numbers(theirs))
    assert (found.model, found.shortcut, found.num_classes) == ("resnet18_cifar", "B", 100)
    assert found.notes == ("names as in kuangliu/pytorch-cifar",)
    assert_same_scores(found, theirs)


def test_chenyaofo():
    theirs = randomised(ResNet((1, 1, 1), CIFAR, 100))
    found = convert(numbers(theirs))
    assert (found.model, found.shortcut, found.num_classes) == ("resnet8", "B", 100)
    assert_same_scores(found, theirs)


def test_weiaicunzai():
    """Its net is ours except for the names: it has a Sequential for the stem, and one for F."""
    theirs = randomised(ResNet((2, 2, 2, 2), WIDE, 100))
    places = {"conv1": "0", "bn1": "1", "conv2": "3", "bn2": "4"}
    state = {}
    for name, values in numbers(theirs).items():
        parts = name.split(".")
        if parts[0] in ("conv1", "bn1"):
            parts[0] = f"conv1.{places[parts[0]]}"
        if parts[0].startswith("layer"):
            parts[0] = f"conv{int(parts[0][5:]) + 1}_x"
            parts[2] = "shortcut" if parts[2] == "downsample" else f"residual_function.{places[parts[2]]}"
        state[".".join(parts)] = values
    assert {"conv1.0.weight", "conv5_x.1.residual_function.4.running_var", "conv3_x.0.shortcut.0.weight"} <= set(state)
    found = convert(state)
    assert (found.model, found.notes) == ("resnet18_cifar", ("names as in weiaicunzai/pytorch-cifar100",))
    assert_same_scores(found, theirs)
    assert export(found, "pytorch-cifar100").keys() == state.keys()


def test_d_x_y():
    """Shortcut A with all zeros behind, like ours."""
    theirs = randomised(ResNet((1, 1, 1), CIFAR, 10, option="A"))
    letters = {"conv1": "conv_a", "bn1": "bn_a", "conv2": "conv_b", "bn2": "bn_b"}
    state = {}
    for name, values in numbers(theirs).items():
        parts = name.split(".")
        if parts[0].startswith("layer"):
            parts[0], parts[2] = f"stage_{parts[0][5:]}", letters[parts[2]]
        parts[0] = {"conv1": "conv_1_3x3", "bn1": "bn_1", "fc": "classifier"}.get(parts[0], parts[0])
        state[".".join(parts)] = values
    found = convert(state)
    assert (found.model, found.notes) == ("resnet8", ("names as in D-X-Y/ResNeXt-DenseNet",))
    assert_same_scores(found, theirs)
    assert export(found, "ResNeXt-DenseNet").keys() == state.keys()


@pytest.mark.parametrize("naming", NAMINGS)
def test_there_and_back(naming):
    model = models.resnet18_cifar(10) if naming == "pytorch-cifar" else cifar_resnet(8, 10, "A")
    if naming in ("pytorch-cifar100",):
        model = models.resnet18_cifar(10)
    state = model.state_dict()
    theirs = export(convert(state), naming)
    back = convert(theirs).state
    assert back.keys() == state.keys()
    assert all(np.array_equal(back[name], values) for name, values in state.items())


def test_ours_computes_the_same_at_akamasters():
    theirs, model = akamaster((1, 1, 1)), cifar_resnet(8, 10, "A")
    model(Tensor(images(4, 3, 16, 16)))  # so that the running statistics are not the initial ones
    state = export(convert(model.state_dict()), "pytorch_resnet_cifar10")
    theirs.load_state_dict({name: torch.tensor(values) for name, values in state.items()}, strict=True)
    assert_same_scores(convert(model.state_dict()), theirs)


def test_the_pad_is_akamasters():
    """Its option A is special: on each side it puts zeros for a quarter of the new channels."""
    x = torch.ones(1, 16, 4, 4)
    padded = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 32 // 4, 32 // 4))
    assert padded[0, :, 0, 0].tolist() == [0] * 8 + [1] * 16 + [0] * 8


def test_option_c():
    found = convert(models.resnet20(shortcut="C").state_dict())
    assert (found.model, found.shortcut) == ("resnet20", "C")


# ---- what does not fit -----------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_recognised():
    with pytest.raises(WeightsError, match=r"its 2 names \(a, b, …\) belong to no known model; name it with"):
        convert({"a": np.zeros(2), "b": np.zeros(3)})


def test_names_that_did_not_fit_are_said():
    state = numbers(akamaster((1, 1, 1)))
    state["layer1.0.attention.weight"] = np.zeros(16)
    del state["bn1.bias"]
    with pytest.raises(WeightsError) as error:
        convert(state, source="a.th")
    assert str(error.value).splitlines()[:3] == [
        "a.th: does not fit ResNet:",
        "  bn1.bias is missing",
        "  layer1.0.attention.weight is unknown here",
    ]


def test_another_model_than_the_one_that_was_named():
    with pytest.raises(WeightsError, match=r"layer1\.1\.conv1\.weight is missing"):
        convert(numbers(akamaster((1, 1, 1))), model="resnet20")


def test_a_model_of_another_family_by_its_name(undrawn):
    state = models.nin().state_dict()
    with pytest.raises(WeightsError, match="expected a classifier, but it has no linear layer"):
        convert(state, model="nin")
    found = convert(models.vgg16_cifar(7).state_dict(), model="vgg16_cifar")
    assert (found.num_classes, found.shortcut) == (7, None)
