"""tinyres/models/fpn.py: what comes down the pyramid, torchvision's names, torch's arithmetic, and training."""

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, images, losses, state_shapes

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.fpn import FeaturePyramid, PyramidClassifier, ResNetFPN, resnet50_fpn
from tinyres.models.resnet import cifar_resnet
from tinyres.nn import functional as F


def small(num_classes=10):
    """ResNet-8 below, 6 channels in the pyramid."""
    return PyramidClassifier(ResNetFPN(cifar_resnet(8, 10, "B"), (16, 32, 64), 6), 3, 6, num_classes)


def torch_pyramid(state, x):
    """small() as calls to torch."""
    import torch.nn.functional as T

    def convolution(name, x, stride=1):
        weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
        return T.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2)

    def batch_norm(name, x):
        return T.batch_norm(x, *(state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

    body, fpn, maps = "backbone.body", "backbone.fpn", []
    x = T.relu(batch_norm(f"{body}.bn1", convolution(f"{body}.conv1", x)))
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        block = f"{body}.layer{stage}.0"
        out = T.relu(batch_norm(f"{block}.bn1", convolution(f"{block}.conv1", x, stride)))
        out = batch_norm(f"{block}.bn2", convolution(f"{block}.conv2", out))
        if stage > 1:
            x = batch_norm(f"{block}.downsample.1", convolution(f"{block}.downsample.0", x, stride))
        x = T.relu(out + x)
        maps.append(x)
    scores, top = 0, None
    for k in (2, 1, 0):
        lateral = convolution(f"{fpn}.inner_blocks.{k}.0", maps[k])
        top = lateral if top is None else lateral + T.interpolate(top, size=lateral.shape[2:], mode="nearest")
        P = convolution(f"{fpn}.layer_blocks.{k}.0", top)
        mean = T.relu(batch_norm(f"heads.{k}.1", convolution(f"heads.{k}.0", P))).mean((2, 3))
        scores = scores + T.linear(mean, state["fc.weight"], state["fc.bias"]) / 3
    return scores


class TestPyramid:
    def test_what_comes_down_is_added_at_each_size(self):
        """With convolutions that pass their input on, each level is its own map plus all the coarser ones."""
        pyramid = FeaturePyramid((2, 2, 2), 2)
        for (block,) in (*pyramid.inner_blocks, *pyramid.layer_blocks):
            middle = block.kernel_size[0] // 2
            block.weight.data[:] = 0
            block.weight.data[[0, 1], [0, 1], middle, middle] = 1
        fine, middle, coarse = images(1, 2, 12, 16), images(1, 2, 6, 8), images(1, 2, 3, 4)
        P = pyramid([Tensor(C) for C in (fine, middle, coarse)])

        def doubled(x):
            return x.repeat(2, axis=2).repeat(2, axis=3)

        np.testing.assert_allclose(P[2].data, coarse, rtol=1e-6)
        np.testing.assert_allclose(P[1].data, middle + doubled(coarse), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(P[0].data, fine + doubled(middle + doubled(coarse)), rtol=1e-5, atol=1e-6)

    def test_gradients(self):
        class Joined(FeaturePyramid):
            """All levels in one tensor, which is what gradcheck takes; the maps come out of one, too."""

            def forward(self, x):
                levels = super().forward([x, x[:, :, ::2, ::2], x[:, :, ::4, ::4]])
                return sum((F.interpolate(P, size=x.shape[2:]) * (k + 1) for k, P in enumerate(levels)), x[:, :1] * 0)

        check_gradients(Joined((2, 2, 2), 3), images(2, 2, 7, 8))

    def test_another_number_of_maps(self):
        with pytest.raises(ValueError, match="FeaturePyramid: expected 2 maps, the finest first, got 1"):
            FeaturePyramid((2, 2), 2)([Tensor(images(1, 2, 4, 4))])

    def test_weights_start_evenly_and_biases_at_zero(self):
        for name, parameter in FeaturePyramid((64, 256), 64).named_parameters():
            if parameter.ndim > 1:
                bound = np.sqrt(3 / np.prod(parameter.shape[1:]))
                assert 0.98 * bound < np.abs(parameter.data).max() <= bound, name
                assert abs(parameter.data.std() / (bound / np.sqrt(3)) - 1) < 0.05, name
            else:
                assert not parameter.data.any(), name


class TestResNet50:
    def test_size(self, undrawn):
        """26.9 M parameters, 6.93 G multiply-adds for an image of 224×224, and a 12.25th of them for one of 64×64."""
        model = resnet50_fpn()
        assert count_parameters(model) == 26_852_416 == (25_557_032 - 2_049_000) + 3_344_384
        assert sum(row.multiply_adds for row in layers(model, (3, 64, 64))) * 49 == 6_929_104_896 * 4

    def test_names_and_shapes_are_torchvisions(self, undrawn):
        """body.… as its resnet50, without the classifier; then a lateral and a smoothing convolution for each map."""
        expected = {f"body.{name}": shape for name, shape in state_shapes(models.resnet50())}
        del expected["body.fc.weight"], expected["body.fc.bias"]
        for k, channels in enumerate((256, 512, 1024, 2048)):
            expected[f"fpn.inner_blocks.{k}.0.weight"] = (256, channels, 1, 1)
            expected[f"fpn.inner_blocks.{k}.0.bias"] = (256,)
        for k in range(4):
            expected[f"fpn.layer_blocks.{k}.0.weight"] = (256, 256, 3, 3)
            expected[f"fpn.layer_blocks.{k}.0.bias"] = (256,)
        assert state_shapes(resnet50_fpn()) == list(expected.items())

    def test_p2_to_p5(self, undrawn):
        P = resnet50_fpn().eval()(Tensor(images(1, 3, 64, 96)))
        assert [level.shape for level in P] == [(1, 256, 64 // s, 96 // s) for s in (4, 8, 16, 32)]


class TestClassifier:
    def test_size(self):
        model = models.resnet20_fpn()
        rows = layers(model, (3, 32, 32))
        assert count_parameters(model) == sum(row.parameters for row in rows) == 328_666
        assert sum(row.multiply_adds for row in rows) == 66_240_832

    @pytest.mark.parametrize("size", [(16, 8), (13, 10)], ids=["doubled sizes", "odd sizes"])
    def test_output_as_torch(self, size):
        torch = pytest.importorskip("torch", reason="torch is not installed; the pyramid is checked without it")

        class Twin(torch.nn.Module):
            def load_state_dict(self, state):
                self.state = state

            def forward(self, x):
                return torch_pyramid(self.state, x)

        assert_same_scores(small().double(), Twin(), images(2, 3, *size).astype(np.float64), tolerance=1e-10)

    def test_gradients(self):
        check_gradients(small(), images(3, 3, 8, 8))

    def test_every_weight_is_read(self):
        model = small()
        F.cross_entropy(model(Tensor(images(2, 3, 8, 8))), [1, 7]).backward()
        assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []

    def test_it_learns(self):
        seen = losses(models.resnet20_fpn(), images(6, 3, 8, 8), steps=8, lr=0.05)
        assert seen[-1] < 0.5 * seen[0]

    def test_num_classes(self):
        assert small(num_classes=7)(Tensor(images(2, 3, 8, 8))).shape == (2, 7)
