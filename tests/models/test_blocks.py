"""The blocks of tinyres/models/resnet.py and plain.py: what they compute, and the gradients of that."""

import re

import numpy as np
import pytest

import tinyres
from tinyres import Tensor
from tinyres.models.plain import PlainBlock
from tinyres.models.resnet import BasicBlock, make_shortcut
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.nn import Conv2d, Identity, Sequential

BLOCKS = [  # block, channels in, width, stride, and shortcut where there is one
    *[(BasicBlock, 4, 4, 1, shortcut) for shortcut in "ABC"],
    *[(BasicBlock, 4, 8, 2, shortcut) for shortcut in "ABC"],
    *[(Bottleneck, 8, 2, 1, shortcut) for shortcut in "ABC"],
    *[(Bottleneck, 4, 2, 2, shortcut) for shortcut in "ABC"],
    *[(PlainBlock, 4, 4, 1), (PlainBlock, 4, 8, 2)],
]


def draw(*shape):
    return np.random.RandomState(0).standard_normal(shape)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", BLOCKS, ids=lambda case: " ".join(map(str, (case[0].__name__, *case[1:]))))
def test_gradients(case, training):
    """With respect to x and to every parameter."""
    make, channels, width, stride, *shortcut = case
    block = make(channels, width, stride, *shortcut).double().train(training)
    for parameter in block.parameters():  # with fresh biases, 0, a dead pixel would stand on the kink of the next ReLU
        parameter.data += np.random.RandomState(1).uniform(0.1, 0.5, parameter.shape)
    names = [name for name, _ in block.named_parameters()]
    modules = dict(block.named_modules())

    def run(x, *values):
        for name, value in zip(names, values, strict=True):
            path, _, attribute = name.rpartition(".")
            setattr(modules[path], attribute, value)
        return block(x)

    x = Tensor(draw(3, channels, 5, 4), requires_grad=True)
    assert run(x, *block.parameters()).shape == (3, block.channels_out, -(-5 // stride), 4 // stride)
    tinyres.gradcheck(run, [x, *block.parameters()])


class TestShortcut:
    x = Tensor(draw(2, 4, 5, 6))

    @pytest.mark.parametrize("option", ["A", "B"])
    def test_a_and_b_are_the_identity_where_the_shape_stays(self, option):
        assert isinstance(make_shortcut(option, 4, 4, 1), Identity)

    def test_a_takes_every_second_pixel_and_appends_zeros(self):
        shortcut = make_shortcut("A", 4, 10, 2)
        y = shortcut(self.x).data
        assert y.shape == (2, 10, 3, 3)
        assert np.array_equal(y[:, :4], self.x.data[:, :, [0, 2, 4]][..., [0, 2, 4]])
        assert not y[:, 4:].any()
        assert list(shortcut.parameters()) == []

    @pytest.mark.parametrize(("option", "out", "stride"), [("B", 10, 2), ("B", 4, 2), ("B", 10, 1), ("C", 4, 1)])
    def test_b_and_c_project(self, option, out, stride):
        """A 1×1 convolution is a linear map of every pixel's channels; batch norm follows."""
        shortcut = make_shortcut(option, 4, out, stride).double().eval()
        assert isinstance(shortcut, Sequential) and isinstance(shortcut[0], Conv2d)
        weight = shortcut[0].weight.data[:, :, 0, 0]
        wanted = np.einsum("oc,nchw->nohw", weight, self.x.data[:, :, ::stride, ::stride]) / np.sqrt(1 + 1e-5)
        np.testing.assert_allclose(shortcut(self.x).data, wanted, rtol=1e-12, atol=1e-12)
        assert shortcut[0].bias is None

    def test_another_letter(self):
        with pytest.raises(ValueError, match=re.escape("shortcut: expected 'A', 'B' or 'C', got 'D'")):
            make_shortcut("D", 4, 4, 1)


def without_branch(block, last):
    """The block with F = 0: the last batch norm scales by nothing."""
    getattr(block, last).weight.data[:] = 0
    return block.double()


class TestNothingLearnt:
    """F = 0 is all that a residual block must learn to do nothing; a plain block then loses everything."""

    def test_a_basic_block_passes_relu_of_x(self):
        x = Tensor(draw(2, 4, 5, 5))
        y = without_branch(BasicBlock(4, 4, 1, "A"), "bn2")(x)
        assert np.array_equal(y.data, np.maximum(x.data, 0))

    def test_which_is_x_itself_after_another_block(self):
        x = Tensor(np.abs(draw(2, 8, 5, 5)))
        for block in (without_branch(BasicBlock(8, 8, 1, "A"), "bn2"), without_branch(Bottleneck(8, 2, 1, "B"), "bn3")):
            assert np.array_equal(block(x).data, x.data)

    def test_and_hands_the_gradient_through_unchanged(self):
        x = Tensor(np.abs(draw(2, 4, 5, 5)), requires_grad=True)
        gy = draw(2, 4, 5, 5)
        without_branch(BasicBlock(4, 4, 1, "A"), "bn2")(x).backward(gy)
        assert np.array_equal(x.grad, gy)

    def test_a_plain_block_passes_nothing(self):
        x = Tensor(np.abs(draw(2, 4, 5, 5)))
        assert not without_branch(PlainBlock(4, 4, 1), "bn2")(x).data.any()


def test_the_stride_of_a_bottleneck_is_on_its_3x3():
    block = Bottleneck(16, 4, 2, "B")
    assert [block.conv1.stride, block.conv2.stride, block.conv3.stride] == [(1, 1), (2, 2), (1, 1)]
