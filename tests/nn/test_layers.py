"""The layers of tinyres/nn: each does what torch's layer of that name does. The ops have tests of their own."""

import inspect
import re

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, nn

LAYERS = (  # a layer, as both libraries write it, and the shape of an input
    ("Linear(5, 3)", (4, 5)),
    ("Linear(5, 3, False)", (2, 3, 5)),
    ("Conv2d(3, 4, 3)", (2, 3, 7, 6)),
    ("Conv2d(3, 4, (3, 2), (2, 1), (1, 0), 1, 1, False)", (2, 3, 7, 6)),
    ("Conv2d(3, 8, 1, stride=2, bias=False)", (2, 3, 7, 6)),
    ("BatchNorm2d(3)", (4, 3, 5, 2)),
    ("BatchNorm2d(3, 1e-3, 0.3)", (4, 3, 5, 2)),
    ("BatchNorm2d(3, momentum=None)", (4, 3, 5, 2)),
    ("BatchNorm2d(3, affine=False)", (4, 3, 5, 2)),
    ("BatchNorm2d(3, track_running_stats=False)", (4, 3, 5, 2)),
    ("BatchNorm1d(3)", (6, 3)),
    ("BatchNorm1d(3)", (4, 3, 5)),
    ("ReLU()", (4, 5)),
    ("ReLU(inplace=True)", (4, 5)),
    ("Sigmoid()", (4, 5)),
    ("Tanh()", (4, 5)),
    ("Softmax(dim=1)", (4, 5, 2)),
    ("MaxPool2d(3, 2, 1)", (2, 3, 7, 6)),
    ("MaxPool2d(2, ceil_mode=True)", (2, 3, 7, 5)),
    ("AvgPool2d(2)", (2, 3, 7, 6)),
    ("AvgPool2d(3, 2, 1, False, False)", (2, 3, 7, 6)),
    ("AvgPool2d(2, ceil_mode=True)", (2, 3, 7, 5)),
    ("AdaptiveAvgPool2d(1)", (2, 3, 7, 6)),
    ("AdaptiveAvgPool2d((3, 2))", (2, 3, 7, 6)),
    ("Upsample((6, 8))", (2, 3, 3, 2)),
    ("Upsample(scale_factor=2)", (2, 3, 3, 2)),
    ("Flatten()", (2, 3, 4, 5)),
    ("Flatten(2, 3)", (2, 3, 4, 5)),
    ("Dropout(0.0)", (4, 5)),
    ("Identity(54, unused=0.1)", (4, 5)),
)
LOSSES = ("CrossEntropyLoss()", "CrossEntropyLoss(reduction='none')", "CrossEntropyLoss(label_smoothing=0.1)")


def make(library, text):
    return eval(text, vars(library))


def normal(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal(shape)


def assert_close(a, b, what=""):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10, err_msg=what)


class TestAsTorch:
    @pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
    @pytest.mark.parametrize(("text", "shape"), LAYERS)
    def test_output_gradients_and_state(self, text, shape, training):
        torch = torch_or_skip()
        ours, theirs = make(nn, text).double().train(training), make(torch.nn, text).double().train(training)
        ours.load_state_dict({k: normal(*v.shape) ** 2 if v.ndim else v for k, v in theirs.state_dict().items()})
        theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
        for step in range(3):  # batch norm's running statistics move at each
            x = normal(*shape, seed=step)
            ours_x, theirs_x = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
            y, y_theirs = ours(ours_x), theirs(theirs_x * 1)  # * 1: in place is allowed for inner tensors only
            assert y.shape == tuple(y_theirs.shape)
            assert_close(y.data, y_theirs.detach(), "y")
            gy = normal(*y.shape, seed=step + 10)
            y.backward(gy)
            y_theirs.backward(torch.tensor(gy))
            assert_close(ours_x.grad, theirs_x.grad, "gx")
        for name, parameter in theirs.named_parameters():
            assert_close(dict(ours.named_parameters())[name].grad, parameter.grad, name)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for name, value in theirs.state_dict().items():
            assert ours.state_dict()[name].dtype == value.numpy().dtype
            assert_close(ours.state_dict()[name], value, name)

    @pytest.mark.parametrize("text", LOSSES)
    def test_cross_entropy(self, text):
        torch = torch_or_skip()
        labels = np.array([2, 0, 4, 4])
        x, x_theirs = Tensor(normal(4, 5), requires_grad=True), torch.tensor(normal(4, 5), requires_grad=True)
        y, y_theirs = make(nn, text)(x, Tensor(labels)), make(torch.nn, text)(x_theirs, torch.tensor(labels))
        assert_close(y.data, y_theirs.detach())
        y.backward(np.ones(y.shape))
        y_theirs.backward(torch.ones_like(y_theirs))
        assert_close(x.grad, x_theirs.grad)

    @pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
    def test_mse(self, reduction):
        torch = torch_or_skip()
        x, target = normal(4, 5), normal(4, 5, seed=1)
        theirs = torch.nn.MSELoss(reduction=reduction)(torch.tensor(x), torch.tensor(target))
        assert_close(nn.MSELoss(reduction=reduction)(Tensor(x), Tensor(target)).data, theirs)

    @pytest.mark.parametrize("name", [name for name in nn.__all__ if hasattr(getattr(nn, name), "forward")])
    def test_arguments(self, name):
        """Positional parameters have torch's order; those passed by name have torch's defaults."""
        torch = torch_or_skip()
        ours = inspect.signature(getattr(nn, name)).parameters
        theirs = inspect.signature(getattr(torch.nn, name)).parameters
        for position, (argument, parameter) in enumerate(ours.items()):
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                assert list(theirs)[position] == argument
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                required = parameter.default is parameter.empty  # we may insist where torch guesses, as for Softmax
                assert required or parameter.default == theirs[argument].default or argument == "modules"

    @pytest.mark.parametrize("text", ["Linear(20, 3000)", "Conv2d(5, 600, (3, 2))"])
    def test_fresh_weights_are_spread_alike(self, text):
        torch = torch_or_skip()
        torch.manual_seed(0)
        ours, theirs = make(nn, text), make(torch.nn, text)
        for name, parameter in theirs.named_parameters():
            mine, its = ours.state_dict()[name], parameter.detach().numpy()
            for moment in (np.max, np.min, np.std):
                np.testing.assert_allclose(moment(mine), moment(its), rtol=0.05)


class TestValues:
    """The same without torch, by hand."""

    def test_linear(self):
        layer = nn.Linear(2, 3)
        layer.weight.data[:] = [[1, 2], [3, 4], [5, 6]]
        layer.bias.data[:] = [10, 20, 30]
        assert layer(Tensor([[1.0, -1.0]])).data.tolist() == [[9, 19, 29]]
        assert nn.Linear(2, 3, bias=False).bias is None

    def test_conv2d(self):
        layer = nn.Conv2d(1, 1, 2, stride=2, padding=1)
        layer.weight.data[0, 0] = [[1, 10], [100, 1000]]
        layer.bias.data[:] = 0.5
        x = Tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        assert layer(x).data.tolist() == [[[[1000.5, 200.5], [30.5, 4.5]]]]

    def test_pooling(self):
        x = Tensor(np.arange(16.0).reshape(1, 1, 4, 4))
        assert nn.MaxPool2d(2)(x).data.tolist() == [[[[5, 7], [13, 15]]]]
        assert nn.AvgPool2d(2)(x).data.tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
        assert nn.AdaptiveAvgPool2d(1)(x).data.tolist() == [[[[7.5]]]]

    def test_upsample_and_flatten(self):
        x = Tensor([[[[1.0, 2.0]]]])
        assert nn.Flatten()(nn.Upsample(scale_factor=2)(x)).data.tolist() == [[1, 1, 2, 2, 1, 1, 2, 2]]

    def test_activations(self):
        x = Tensor([[-1.0, 0.0, 2.0]])
        assert nn.ReLU()(x).data.tolist() == [[0, 0, 2]]
        np.testing.assert_allclose(nn.Sigmoid()(x).data, 1 / (1 + np.exp(-x.data)), rtol=1e-6)
        np.testing.assert_allclose(nn.Tanh()(x).data, np.tanh(x.data), rtol=1e-6)
        np.testing.assert_allclose(nn.Softmax(1)(x).data, np.exp(x.data) / np.exp(x.data).sum(), rtol=1e-6)
        assert nn.Identity()(x) is x

    def test_losses(self):
        x, labels = Tensor([[0.0, 0.0], [np.log(3.0), 0.0]]), Tensor([0, 1])  # probabilities ½, ½ and ¾, ¼
        np.testing.assert_allclose(nn.CrossEntropyLoss()(x, labels).item(), (np.log(2) + np.log(4)) / 2, rtol=1e-6)
        np.testing.assert_allclose(nn.CrossEntropyLoss(reduction="sum")(x, labels).item(), np.log(8), rtol=1e-6)
        assert nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0])).item() == 2

    def test_inplace_relu_writes_nothing(self):
        x = Tensor([-1.0, 2.0])
        nn.ReLU(inplace=True)(x)
        assert x.data.tolist() == [-1, 2]


class TestBatchNorm:
    x = normal(4, 3, 2, 5) * 2 + 1

    def test_training_normalises_with_the_batch(self):
        layer = nn.BatchNorm2d(3).double()
        layer.weight.data[:], layer.bias.data[:] = 2, 7
        y = layer(Tensor(self.x)).data
        mean, var = (statistic(self.x, (0, 2, 3), keepdims=True) for statistic in (np.mean, np.var))
        assert_close(y, 2 * (self.x - mean) / np.sqrt(var + 1e-5) + 7)

    def test_running_statistics(self):
        layer = nn.BatchNorm2d(3, momentum=0.25).double()
        layer(Tensor(self.x))
        assert_close(layer.running_mean.data, 0.25 * self.x.mean((0, 2, 3)))
        assert_close(layer.running_var.data, 0.75 + 0.25 * self.x.var((0, 2, 3), ddof=1))
        assert layer.num_batches_tracked.item() == 1

    def test_without_momentum_they_are_the_average_of_all_batches(self):
        layer = nn.BatchNorm2d(3, momentum=None).double()
        batches = [normal(4, 3, 2, 5, seed=seed) for seed in range(4)]
        for x in batches:
            layer(Tensor(x))
        assert_close(layer.running_mean.data, np.mean([x.mean((0, 2, 3)) for x in batches], axis=0))
        assert_close(layer.running_var.data, np.mean([x.var((0, 2, 3), ddof=1) for x in batches], axis=0))
        assert layer.num_batches_tracked.item() == 4

    def test_evaluation_uses_them_and_leaves_them(self):
        layer = nn.BatchNorm2d(3).double().eval()
        layer.running_mean.data[:], layer.running_var.data[:] = 5, 4
        before = layer.state_dict()
        assert_close(layer(Tensor(self.x)).data, (self.x - 5) / np.sqrt(4 + 1e-5))
        assert all(np.array_equal(value, before[name]) for name, value in layer.state_dict().items())

    def test_one_image_at_a_time_in_evaluation(self):
        layer = nn.BatchNorm2d(3).double()
        layer(Tensor(self.x))
        layer.eval()
        one_by_one = [layer(Tensor(self.x[n : n + 1])).data for n in range(4)]
        assert_close(np.concatenate(one_by_one), layer(Tensor(self.x)).data)

    def test_no_grad_in_training_mode_still_moves_them(self):
        layer = nn.BatchNorm2d(3).double()
        with tinyres.no_grad():
            layer(Tensor(self.x))
        assert layer.num_batches_tracked.item() == 1 and layer.running_mean.data.any()

    def test_not_affine(self):
        layer = nn.BatchNorm2d(3, affine=False)
        assert layer.weight is layer.bias is None
        assert list(layer.parameters()) == []

    def test_without_running_statistics_evaluation_uses_the_batch(self):
        layer = nn.BatchNorm2d(3, track_running_stats=False).double()
        assert list(layer.state_dict()) == ["weight", "bias"]
        assert np.array_equal(layer(Tensor(self.x)).data, layer.eval()(Tensor(self.x)).data)

    def test_one_value_a_channel_is_refused(self):
        x = Tensor(np.ones((1, 3, 1, 1)))
        layer = nn.BatchNorm2d(3).double()
        with pytest.raises(ValueError, match=r"training needs more than one value per channel, got input \(1, 3, 1, 1"):
            layer(x)
        assert layer.eval()(x).shape == (1, 3, 1, 1)


class TestDropout:
    x = Tensor(np.ones((20, 50), np.float32))

    def masks(self, seed=0, epoch=0, step=0):
        """What the two layers of a net let through at that moment."""
        first, second = nn.Dropout(0.4), nn.Dropout(0.4)
        tinyres.manual_seed(seed)
        tinyres.random.set_step(epoch, step)
        return first(self.x).data, second(self.x).data

    def test_the_moment_decides_what_is_dropped(self):
        assert np.array_equal(self.masks(1, 2, 3), self.masks(1, 2, 3))

    def test_another_layer_seed_epoch_or_step_drops_others(self):
        moments = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3)]
        all_masks = [mask for moment in moments for mask in self.masks(*moment)]
        assert len({mask.tobytes() for mask in all_masks}) == 2 * len(moments)

    def test_share_and_scale(self):
        y = nn.Dropout(0.4)(self.x).data
        assert np.unique(y).tolist() == [0, np.float32(1 / 0.6)]
        assert abs((y == 0).mean() - 0.4) < 0.08  # 1000 draws: a standard deviation of 0.015

    def test_gradient_goes_where_the_values_went(self):
        x = Tensor(self.x.data, requires_grad=True)
        y = nn.Dropout(0.4)(x)
        y.backward(np.ones(x.shape))
        assert np.array_equal(x.grad, y.data)

    def test_evaluation_is_the_identity(self):
        assert nn.Dropout(0.4).eval()(self.x) is self.x


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("Linear(64, 10)", (32, 3, 32, 32), "linear: expected input (N, 64), got (32, 3, 32, 32); flatten first"),
        ("Linear(64, 10)", (32, 65), "linear: expected input (N, 64), got (32, 65)"),
        (
            "Conv2d(3, 8, 3)",
            (2, 1, 8, 8),
            "conv2d: expected input (N, 3, H, W) for weight (8, 3, 3, 3), got (2, 1, 8, 8)",
        ),
        ("Conv2d(3, 8, 3)", (3, 8, 8), "conv2d: expected images (N, C, H, W), got (3, 8, 8)"),
        ("BatchNorm2d(16)", (2, 8, 4, 4), "batch_norm: expected input (N, 16, …), got (2, 8, 4, 4)"),
        ("BatchNorm2d(16)", (2, 16), "BatchNorm2d: expected input (N, 16, H, W), got (2, 16)"),
        ("BatchNorm1d(16)", (2, 8), "batch_norm: expected input (N, 16, …), got (2, 8)"),
        ("BatchNorm1d(16)", (2, 16, 4, 4), "BatchNorm1d: expected input (N, 16), got (2, 16, 4, 4)"),
    ],
)
def test_wrong_input(text, shape, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make(nn, text)(Tensor(np.zeros(shape, np.float32)))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("Conv2d(3, 8, 3, dilation=2)", NotImplementedError, "only dilation=1 and groups=1 are supported, got 2 and 1"),
        ("Conv2d(4, 8, 3, groups=4)", NotImplementedError, "only dilation=1 and groups=1 are supported, got 1 and 4"),
        ("Conv2d(3, 8, 0)", ValueError, "expected kernel_size to be an int or a pair of ints, at least 1, got 0"),
        (
            "Conv2d(3, 8, 3, padding=-1)",
            ValueError,
            "expected padding to be an int or a pair of ints, at least 0, got -1",
        ),
    ],
)
def test_wrong_settings(text, error, message):
    with pytest.raises(error, match=f"^Conv2d: {re.escape(message)}$"):
        make(nn, text)


def torch_or_skip():
    return pytest.importorskip("torch", reason="torch is not installed: TestValues stands in for it")
