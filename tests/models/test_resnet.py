"""tinyres/models/resnet.py: the networks, against the papers' figures, torchvision's names and torch's arithmetic."""

import re
from functools import partial

import numpy as np
import pytest
from networks import images, losses

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.resnet import BasicBlock, ResNet, cifar_resnet
from tinyres.models.resnet_imagenet import Bottleneck, ImageNetResNet
from tinyres.nn import functional as F

NETWORKS = {  # parameters, millions of multiply-adds; for ImageNet as torchvision gives them for its weights
    "resnet20": (269_722, 40.6),
    "resnet32": (464_154, 68.9),
    "resnet44": (658_586, 97.2),
    "resnet56": (853_018, 125.5),
    "resnet110": (1_727_962, 252.9),
    "resnet1202": (19_421_274, 2829.2),
    "resnet18_cifar": (11_173_962, 555.4),
    "resnet18": (11_689_512, 1814.1),
    "resnet34": (21_797_672, 3663.8),
    "resnet50": (25_557_032, 4089.2),
    "resnet101": (44_549_160, 7801.4),
    "resnet152": (60_192_808, 11513.6),
}
CIFAR_DEPTHS = (20, 32, 44, 56, 110)


class TestSize:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_parameters_and_multiply_adds(self, name):
        model = models.build(name)
        multiply_adds = sum(layer.multiply_adds for layer in layers(model, models.input_shape(name)))
        assert (count_parameters(model), round(multiply_adds / 1e6, 1)) == NETWORKS[name]

    @pytest.mark.parametrize("depth", CIFAR_DEPTHS)
    def test_option_b_adds_two_projections(self, depth):
        a, b = (count_parameters(cifar_resnet(depth, 10, option)) for option in "AB")
        assert b - a == 2752 == (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)

    def test_option_c_projects_in_every_block(self):
        b, c = (cifar_resnet(20, 10, option) for option in "BC")
        assert len(projections(b)) == 2 and len(projections(c)) == 9

    @pytest.mark.parametrize("depth", CIFAR_DEPTHS)
    def test_depth_counts_the_layers_with_weights(self, depth):
        rows = layers(cifar_resnet(depth, 10, "A"), (3, 32, 32))
        assert sum(row.kind in ("Conv2d", "Linear") for row in rows) == depth

    @pytest.mark.parametrize(
        ("name", "shapes"),
        [
            ("resnet8", [(16, 32, 32), (32, 16, 16), (64, 8, 8)]),
            ("resnet18_cifar", [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]),
            ("resnet18", [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]),
            ("resnet50", [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]),
        ],
    )
    def test_each_stage_halves_the_map_and_doubles_the_width(self, name, shapes):
        model = models.build(name).eval()
        x = model.stem(Tensor(np.zeros((1, *models.input_shape(name)), np.float32)))
        seen = []
        for stage in model.stages():
            x = stage(x)
            seen.append(x.shape[1:])
        assert seen == shapes


def projections(model):
    return [name for name, _ in model.named_parameters() if name.endswith("downsample.0.weight")]


def torchvision_names(counts, convolutions, projected):
    """What torchvision calls the state of a ResNet. `projected`: the stages whose first block projects."""

    def batch_norm(name):
        parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{name}.{part}" for part in parts]

    names = ["conv1.weight", *batch_norm("bn1")]
    for stage, count in enumerate(counts, start=1):
        for i in range(count):
            block = f"layer{stage}.{i}"
            for k in range(1, convolutions + 1):
                names += [f"{block}.conv{k}.weight", *batch_norm(f"{block}.bn{k}")]
            if i == 0 and stage in projected:
                names += [f"{block}.downsample.0.weight", *batch_norm(f"{block}.downsample.1")]
    return [*names, "fc.weight", "fc.bias"]


@pytest.mark.parametrize(
    ("name", "counts", "convolutions", "projected"),
    [
        ("resnet18", (2, 2, 2, 2), 2, (2, 3, 4)),
        ("resnet34", (3, 4, 6, 3), 2, (2, 3, 4)),
        ("resnet50", (3, 4, 6, 3), 3, (1, 2, 3, 4)),
    ],
)
def test_names_are_torchvisions(name, counts, convolutions, projected):
    names = torchvision_names(counts, convolutions, projected)
    assert list(models.build(name).state_dict()) == names
    assert len(torchvision_names((3, 4, 6, 3), 3, (1, 2, 3, 4))) == 320  # as its resnet50.state_dict() has


def torch_resnet(state, x, imagenet):
    """The same network as calls to torch, found by the names in its state."""
    import torch.nn.functional as T

    def convolution(name, x, stride=1):
        weight = state[f"{name}.weight"]
        return T.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def batch_norm(name, x):
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return T.batch_norm(x, *parts)

    x = T.relu(batch_norm("bn1", convolution("conv1", x, 2 if imagenet else 1)))
    x = T.max_pool2d(x, 3, 2, 1) if imagenet else x
    for block in dict.fromkeys(name.rsplit(".", 2)[0] for name in state if re.match(r"layer\d\.\d\.conv", name)):
        stage, number = int(block[5]), int(block[7:])
        stride = 2 if stage > 1 and number == 0 else 1
        convolutions = 3 if f"{block}.conv3.weight" in state else 2
        out = x
        for k in range(1, convolutions + 1):
            its_stride = stride if k == convolutions - 1 else 1  # the second of three, the first of two
            out = batch_norm(f"{block}.bn{k}", convolution(f"{block}.conv{k}", out, its_stride))
            out = out if k == convolutions else T.relu(out)
        if f"{block}.downsample.0.weight" in state:
            x = batch_norm(f"{block}.downsample.1", convolution(f"{block}.downsample.0", x, stride))
        elif out.shape != x.shape:
            x = T.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
        x = T.relu(out + x)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


SMALL = {
    **{f"CIFAR {option}": lambda option=option: cifar_resnet(14, 10, option) for option in "ABC"},
    "wide": models.resnet18_cifar,
    **{f"ImageNet {o}": lambda o=o: ImageNetResNet(partial(BasicBlock, shortcut=o), (1, 2, 1, 1), 7) for o in "ABC"},
    **{f"bottleneck {o}": lambda o=o: ImageNetResNet(partial(Bottleneck, shortcut=o), (1, 2, 1, 1), 7) for o in "ABC"},
}


@pytest.mark.parametrize("name", SMALL)
def test_output_as_torch(name):
    torch = pytest.importorskip("torch", reason="torch is not installed; test_blocks.py checks the parts without it")
    model = SMALL[name]().double()
    x = np.random.RandomState(0).standard_normal((2, 3, 33, 30))
    model(Tensor(x))  # so that the running statistics are real ones
    model.eval()
    state = {key: torch.tensor(value) for key, value in model.state_dict().items()}
    wanted = torch_resnet(state, torch.tensor(x), isinstance(model, ImageNetResNet)).numpy()
    assert np.abs(wanted).mean() > 0.1  # not everything has died on the way
    np.testing.assert_allclose(model(Tensor(x)).data, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("make", "lr"),
    [
        (models.resnet8, 0.02),
        (models.resnet20, 0.02),
        (lambda: models.resnet18(10), 0.02),
        (lambda: models.resnet50(10), 0.005),  # at 0.02 its first steps go up or down as rounding has it
    ],
    ids=["8", "20", "18", "50"],
)
def test_it_learns(make, lr):
    model = make()
    side = 64 if isinstance(model, ImageNetResNet) else 16
    seen = losses(model, images(4, 3, side, side), steps=8, lr=lr)
    assert seen[-1] < 0.5 * seen[0]


def test_resnet1202_forward_and_backward():
    """6,000 ops deep: a recursion would have died at 1,000. The gradient arrives at the first layer, and is finite."""
    model = models.resnet1202()
    x = np.random.RandomState(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
    loss = F.cross_entropy(model(Tensor(x)), [1, 7])
    loss.backward()
    assert np.isfinite(loss.item())
    assert all(np.isfinite(parameter.grad).all() for parameter in model.parameters())
    assert np.abs(model.conv1.weight.grad).max() > 0


def test_with_all_branches_zero_the_stem_is_averaged():
    """Every block passes relu(x) = x: a 110-layer net then computes what its first and last layer do."""
    model = models.resnet110(shortcut="A").double().eval()
    for stage in model.stages():
        for block in stage:
            block.bn2.weight.data[:] = 0
    x = Tensor(np.random.RandomState(0).standard_normal((2, 3, 8, 8)))
    means = model.stem(x).data[:, :, ::4, ::4].mean((2, 3))  # (2, 16); shortcut A skips pixels twice
    wanted = means @ model.fc.weight.data[:, :16].T  # the other channels are zeros
    np.testing.assert_allclose(model(x).data, wanted, rtol=1e-12, atol=1e-14)


def test_the_stem_for_imagenet_takes_the_largest_of_3_by_3_at_every_second_pixel():
    model = models.resnet18()
    x = Tensor(np.random.RandomState(0).standard_normal((1, 3, 21, 32)).astype(np.float32))
    before = ResNet.stem(model, x).data  # (1, 64, 11, 16), all 0 or more, so that zeros around it change no maximum
    padded = np.pad(before, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = [padded[:, :, i : i + 11 : 2, j : j + 16 : 2] for i in range(3) for j in range(3)]
    assert np.array_equal(model.stem(x).data, np.max(windows, axis=0))


@pytest.mark.parametrize("name", ["resnet32", "resnet18"])
def test_he_initialisation(name):
    for parameter_name, parameter in models.build(name).named_parameters():
        values = parameter.data
        if values.ndim > 1:
            std = np.sqrt(2 / np.prod(values.shape[1:]))
            assert abs(values.std() / std - 1) < 4 / np.sqrt(2 * values.size), parameter_name
        else:
            assert set(values) == {0 if parameter_name.endswith("bias") else 1}, parameter_name


def test_num_classes():
    assert models.resnet8(num_classes=7)(Tensor(np.zeros((2, 3, 8, 8), np.float32))).shape == (2, 7)


@pytest.mark.parametrize("depth", [2, 7, 21, 0, -4])
def test_a_depth_that_does_not_exist(depth):
    with pytest.raises(ValueError, match=f"a CIFAR ResNet has 6n \\+ 2 layers .*, not {depth}"):
        cifar_resnet(depth, 10, "A")
