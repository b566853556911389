"""tinyres/app/export: other programs run every exported model, and get the same scores."""

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, models, nn
from tinyres.app.export import ExportError, export_onnx, largest_difference
from tinyres.app.export.check import run_onnx
from tinyres.models.alexnet import AlexNet
from tinyres.models.densenet import densenet_bc
from tinyres.models.fpn import ResNetFPN
from tinyres.models.highway import cifar_highway
from tinyres.models.nin import NIN
from tinyres.models.plain import cifar_plain
from tinyres.models.preact import cifar_preactresnet
from tinyres.models.resnet import cifar_resnet
from tinyres.models.vgg import VGG, CifarVGG
from tinyres.nn import functional as F

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

SMALL = {  # one small model of every family, and the shape of its images
    "resnet A": (lambda: cifar_resnet(8, 10, "A"), (3, 16, 16)),
    "resnet B": (lambda: cifar_resnet(8, 10, "B"), (3, 16, 16)),
    "preact": (lambda: cifar_preactresnet(8, 10, "A"), (3, 16, 16)),
    "plain": (lambda: cifar_plain(8, 10), (3, 16, 16)),
    "highway": (lambda: cifar_highway(8, 10, -2.0), (3, 16, 16)),
    "densenet": (lambda: densenet_bc(10, 4, 10), (3, 16, 16)),
    "nin": (lambda: NIN(((6, 5, 4), (6, 5, 4), (6, 5)), 10), (3, 21, 16)),
    "vgg": (lambda: VGG(((4,), (6,)), 8, 10), (3, 30, 30)),  # 7 does not come out of 30 / 4: pooled by matrices
    "vgg_cifar": (lambda: CifarVGG(((4,), (6,)), 10), (3, 16, 16)),
    "alexnet": (lambda: AlexNet((4, 6, 8, 7, 5), 8, 10), (3, 63, 70)),
    "pyramid, several maps": (lambda: ResNetFPN(cifar_resnet(8, 10, "A"), (16, 32, 64), 8), (3, 18, 14)),
}


def trained_a_little(model, shape):
    """The model with running statistics that are not the initial ones."""
    model.train()
    with tinyres.no_grad():
        model(Tensor(np.random.RandomState(7).standard_normal((4, *shape)).astype(np.float32)))
    return model.eval()


@pytest.mark.parametrize("name", SMALL)
def test_the_same_scores(name, tmp_path):
    make, shape = SMALL[name]
    model = trained_a_little(make(), shape)
    path = export_onnx(model, tmp_path / "model.onnx", shape)
    assert largest_difference(model, path, shape).relative < 1e-4


LIGHT = ("resnet20", "resnet20_fpn", "highway20", "preactresnet20")
EVERY = [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in models.names()]


@pytest.mark.parametrize("name", EVERY)
def test_every_model(name, tmp_path):
    side = 32 if models.input_shape(name)[1] == 32 else 64
    model = models.build(name)
    path = export_onnx(model.eval(), tmp_path / "model.onnx", (3, side, side))
    assert largest_difference(model, path, (3, side, side), batches=(3,)).relative < 1e-4


def exported(fn, shape, tmp_path):
    """(the file's outputs, ours) for a module that does fn."""

    class Does(nn.Module):
        def forward(self, x):
            return fn(x)

    path = export_onnx(Does(), tmp_path / "model.onnx", shape)
    x = np.random.RandomState(3).uniform(0.1, 2, (5, *shape)).astype(np.float32)
    return run_onnx(path, x)[1][0], fn(Tensor(x)).numpy()


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x.exp() * 2 - (x * x).log() / 3 + (x * x).sqrt(),
        lambda x: x.tanh() ** 2,
        lambda x: F.softmax(x, 1) + F.log_softmax(x, 2),
        lambda x: x.mean((2, 3)) + x.sum(dim=(2, 3)),
        lambda x: x.mean(1, keepdim=True) * x,
        lambda x: x.permute(0, 2, 3, 1) @ Tensor(np.arange(6, dtype=np.float32).reshape(3, 2)),
        lambda x: x[..., 1::2, :-1],
        lambda x: x[:, :, :],
        lambda x: x.reshape(-1, 5),
        lambda x: F.pad(x, (1, 2, 0, 1), value=-3.0),
        lambda x: F.interpolate(x, size=(7, 9)),
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        lambda x: F.avg_pool2d(x, 2, 2, 1),
        lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True),
        lambda x: F.max_pool2d(x, (2, 3), (3, 1), (1, 0)),
        lambda x: F.linear(x, Tensor(np.ones((2, 5), np.float32)), Tensor(np.ones(2, np.float32))),
    ],
    ids=range(17),
)
def test_ops(fn, tmp_path):
    theirs, ours = exported(fn, (3, 4, 5), tmp_path)
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)


class TestTheFile:
    @pytest.fixture
    def proto(self, tmp_path):
        model = cifar_resnet(8, 10, "A")
        export_onnx(model, tmp_path / "model.onnx", (3, 16, 16), {"classes": "[]"})
        self.model = model
        return onnx.load(tmp_path / "model.onnx")

    def test_weights_have_their_names(self, proto):
        names = {name for name in self.model.state_dict() if not name.endswith("num_batches_tracked")}
        assert names <= {constant.name for constant in proto.graph.initializer}

    def test_nodes_are_named_after_their_layers(self, proto):
        names = [node.name for node in proto.graph.node]
        assert names[:3] == ["conv1/Conv", "bn1/BatchNormalization", "Relu"]
        assert "layer2.0.downsample/Pad" in names
        assert len(set(names)) == len(names)

    def test_only_the_batch_is_open(self, proto):
        def lengths(value):
            return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

        assert lengths(proto.graph.input[0]) == ["batch", 3, 16, 16]
        assert lengths(proto.graph.output[0]) == ["batch", 10]

    def test_metadata(self, proto):
        assert {entry.key: entry.value for entry in proto.metadata_props} == {"classes": "[]"}
        assert proto.producer_name == "tinyres"


def test_the_reference_says_the_same_as_the_runtime(tmp_path, monkeypatch):
    model = trained_a_little(cifar_resnet(8, 10, "A"), (3, 8, 8))
    path = export_onnx(model, tmp_path / "model.onnx", (3, 8, 8))
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    found = largest_difference(model, path, (3, 8, 8), batches=(2,))
    assert found.runner == "onnx's reference" and found.relative < 1e-4


def test_the_check_finds_a_difference(tmp_path):
    model = cifar_resnet(8, 10, "A")
    path = export_onnx(model, tmp_path / "model.onnx", (3, 8, 8))
    model.fc.bias.data += 1
    assert largest_difference(model, path, (3, 8, 8)).relative > 0.01


def test_the_model_is_left_as_it_was(tmp_path):
    model = cifar_resnet(8, 10, "A").train()
    before = model.state_dict()
    model.layer1.eval()
    export_onnx(model, tmp_path / "model.onnx", (3, 8, 8))
    assert model.training and not model.layer1.training
    assert all(np.array_equal(values, before[name]) for name, values in model.state_dict().items())


class Behind(nn.Module):
    def forward(self, x):
        return x * Tensor(x.data.mean(axis=(1, 2, 3), keepdims=True))


class Grows(nn.Module):
    def forward(self, x):
        return x if len(x) < 3 else x * 2


class Own(tinyres.Op):
    def forward(self, x):
        return x


class Foreign(nn.Module):
    def forward(self, x):
        return Own()(x)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Behind(), "a tensor depends on the images but was not made by an op"),
        (Grows(), "with three images the network runs other ops than with two"),
        (Foreign(), "Own cannot be exported to ONNX; these ops can: Ad"),
        (nn.Linear(4, 2).double(), r"expected weights in float32, got float64; use model\.float"),
    ],
)
def test_what_cannot_be_exported(model, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        export_onnx(model, tmp_path / "model.onnx", (3, 4, 4))
    assert list(tmp_path.iterdir()) == []


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ExportError, match=r"the package onnx is not installed: pip install"):
        export_onnx(nn.ReLU(), tmp_path / "model.onnx", (3, 4, 4))
