"""torch's twin computes what ours computes."""

from functools import partial

import numpy as np
import pytest

from tinyres import Tensor, models, no_grad
from tinyres.look.summary import count_parameters
from tinyres.models.densenet import densenet_bc
from tinyres.models.highway import HighwayNet
from tinyres.models.nin import NIN
from tinyres.models.preact import PreActBlock, PreActBottleneck, PreActResNet
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck, ImageNetResNet
from tinyres.models.vgg import VGG, CifarVGG
from tinyres.nn import functional as F

torch = pytest.importorskip("torch", reason="torch is not installed")


NETWORKS = {
    "A": partial(models.build, "resnet8", shortcut="A"),
    "B": partial(models.build, "resnet8", shortcut="B"),
    "C": partial(models.build, "resnet8", shortcut="C"),
    "plain": partial(models.build, "plain20"),
    "bottleneck": partial(ResNet, partial(Bottleneck, shortcut="B"), (1, 2), (4, 8), 10),
    "with max-pool": partial(ImageNetResNet, partial(BasicBlock, shortcut="B"), (1, 1, 0, 0), 10),
    "vgg": partial(VGG, ((4, 4), (8,)), 16, 10),
    "vgg for CIFAR": partial(CifarVGG, ((4, 4), (8,)), 10),
    "googlenet": partial(models.build, "googlenet"),
    "nin": partial(NIN, ((8, 6, 4), (8, 8, 8), (8, 8)), 10),
    "preact A": partial(PreActResNet, partial(PreActBlock, shortcut="A"), 2, 10),
    "preact B": partial(PreActResNet, partial(PreActBottleneck, shortcut="B"), 2, 10),
    "highway": partial(HighwayNet, 2, 10, gate_bias=-1.0),
    "densenet": partial(densenet_bc, 22, 4, 10),
    "pyramid": partial(models.build, "resnet20_fpn"),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_the_same_output(make):
    from bench.torch_twin import twin

    model = make().eval()
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), np.float32)
    with no_grad(), torch.no_grad():
        ours = model(Tensor(images)).numpy()
        theirs = twin(model).eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(("name", "parameters"), [("resnet56", 853_018), ("resnet18_cifar", 11_173_962)])
def test_the_same_training_step(name, parameters, monkeypatch):
    """Whole networks: as many parameters, the same loss, gradients and running statistics."""
    from bench.torch_twin import twin

    monkeypatch.setenv("TINYRES_KERNELS", "array")  # this tests the layers, not the kernels
    ours = models.build(name).double()
    theirs = twin(ours).double()
    assert count_parameters(ours) == sum(p.numel() for p in theirs.parameters()) == parameters

    images, labels = np.random.default_rng(0).standard_normal((4, 3, 16, 16)), np.arange(4)
    loss = F.cross_entropy(ours(Tensor(images)), labels)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(images)), torch.from_numpy(labels))
    expected.backward()

    assert loss.item() == pytest.approx(expected.item())
    gradients = {path: parameter.grad for path, parameter in ours.named_parameters()}
    for path, parameter in theirs.named_parameters():
        wanted = parameter.grad.numpy()
        np.testing.assert_allclose(gradients[path], wanted, rtol=0, atol=1e-8 * np.abs(wanted).max(), err_msg=path)
    for path, values in ours.state_dict().items():
        np.testing.assert_allclose(values, theirs.state_dict()[path].numpy(), rtol=1e-8, atol=1e-12, err_msg=path)


ENORMOUS = ("resnet101", "resnet152", "resnet1202", "vgg16", "vgg19")  # more of the same blocks


@pytest.mark.parametrize("name", [name for name in models.names() if name not in ENORMOUS])
def test_every_model_has_a_twin(name, undrawn):
    from bench.torch_twin import part

    model = models.build(name)
    with torch.device("meta"):
        theirs = part(model)
    shapes = {name: tuple(values.shape) for name, values in theirs.state_dict().items()}
    assert shapes == {name: values.shape for name, values in model.state_dict().items()}


@pytest.mark.parametrize("mode", ["eager", "channels_last"])
def test_measure(mode):
    from bench.torch_twin import measure

    measured = measure("resnet8", mode, batch_size=2, repeats=1)
    assert (len(measured["step"]), len(measured["forward"])) == (1, 1)
    assert measure("resnet8", mode, batch_size=1, repeats=1, forward_only=True).keys() == {"forward", "memory"}
