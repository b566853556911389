"""tinyres/nn/init.py: how large fresh weights are."""

from math import sqrt

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, nn
from tinyres.nn import init

SHAPE = (80, 30, 3, 4)  # fan_in 30·12 = 360, fan_out 80·12 = 960; 28,800 draws
GAINS = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": sqrt(2), "leaky_relu": sqrt(2 / 1.0001)}


def filled(name, *args, **settings):
    tensor = Tensor(np.full(SHAPE, np.nan, np.float32))
    assert getattr(init, name)(tensor, *args, **settings) is tensor
    assert tensor.dtype == np.float32
    return tensor.data


class TestDistributions:
    """Four standard errors leave room for chance; a wrong fan or gain is off by far more."""

    @pytest.mark.parametrize(
        ("name", "settings", "bound"),
        [
            ("uniform_", {"a": -2.0, "b": 2.0}, 2),
            ("kaiming_uniform_", {}, sqrt(6 / 360)),
            ("kaiming_uniform_", {"a": sqrt(5)}, 1 / sqrt(360)),
            ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "tanh"}, 5 / 3 * sqrt(3 / 960)),
            ("xavier_uniform_", {}, sqrt(6 / (360 + 960))),
            ("xavier_uniform_", {"gain": 2.0}, 2 * sqrt(6 / (360 + 960))),
        ],
    )
    def test_uniform(self, name, settings, bound):
        values = filled(name, **settings) / bound
        assert 0.999 < values.max() <= 1 + 1e-6 and -0.999 > values.min() >= -1 - 1e-6
        assert abs(values.mean()) < 4 * sqrt(1 / 3 / values.size)
        assert abs(values.var() - 1 / 3) < 4 * sqrt(4 / 45 / values.size)

    @pytest.mark.parametrize(
        ("name", "settings", "std"),
        [
            ("normal_", {}, 1),
            ("normal_", {"std": 0.01}, 0.01),
            ("kaiming_normal_", {}, sqrt(2 / 360)),
            ("kaiming_normal_", {"nonlinearity": "relu"}, sqrt(2 / 360)),
            ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "linear"}, sqrt(1 / 960)),
            ("kaiming_normal_", {"a": 1.0}, sqrt(1 / 360)),
            ("xavier_normal_", {}, sqrt(2 / (360 + 960))),
            ("xavier_normal_", {"gain": 0.5}, 0.5 * sqrt(2 / (360 + 960))),
        ],
    )
    def test_normal(self, name, settings, std):
        values = filled(name, **settings) / std
        assert abs(values.mean()) < 4 / sqrt(values.size)
        assert abs(values.var() - 1) < 4 * sqrt(2 / values.size)
        assert abs((np.abs(values) < 1).mean() - 0.6827) < 0.011  # as many within one standard deviation as should be

    def test_means_and_constants(self):
        assert abs(filled("normal_", 3.0, 0.1).mean() - 3) < 0.01
        assert set(filled("constant_", 0.25).flat) == {0.25}
        assert set(filled("ones_").flat) == {1}
        assert set(filled("zeros_").flat) == {0}


class TestGainsAndFans:
    @pytest.mark.parametrize("nonlinearity", GAINS)
    def test_gain(self, nonlinearity):
        assert init.calculate_gain(nonlinearity) == pytest.approx(GAINS[nonlinearity], rel=1e-12)

    @pytest.mark.parametrize("nonlinearity", GAINS)
    def test_gain_as_torch(self, nonlinearity):
        torch = pytest.importorskip("torch", reason="torch is not installed: GAINS stands in for it")
        for param in ((), (0.2,), (0.0,)):
            assert init.calculate_gain(nonlinearity, *param) == torch.nn.init.calculate_gain(nonlinearity, *param)

    def test_relu_gain_keeps_the_size_of_a_signal(self):
        """What the gain is for: E(x²) is the same after twenty layers."""
        x = np.random.RandomState(0).standard_normal((500, 400))
        for _ in range(20):
            weight = Tensor(np.empty((400, 400)))
            x = np.maximum(x @ init.kaiming_normal_(weight, nonlinearity="relu").data.T, 0)
        assert 0.4 < (x**2).mean() < 2.5

    def test_fans(self):
        assert init.calculate_fans(Tensor(np.ones((7, 5)))) == (5, 7)
        assert init.calculate_fans(Tensor(np.ones(SHAPE))) == (360, 960)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"2 axes or more, got \(3,\)"):
            init.kaiming_normal_(Tensor(np.ones(3)))
        with pytest.raises(ValueError, match="expected mode 'fan_in' or 'fan_out', got 'fan'"):
            init.kaiming_normal_(Tensor(np.ones((3, 3))), mode="fan")
        with pytest.raises(ValueError, match=r"expected one of linear, conv2d, .*, got 'swish'"):
            init.calculate_gain("swish")


class TestLayers:
    @pytest.mark.parametrize(("layer", "fan_in"), [(nn.Linear, 200), (lambda i, o: nn.Conv2d(i, o, 3), 1800)])
    def test_fresh_layers_are_within_one_over_root_fan_in(self, layer, fan_in):
        fresh = layer(200, 300)
        for values in (fresh.weight.data, fresh.bias.data):
            assert 0.97 / sqrt(fan_in) < np.abs(values).max() <= 1 / sqrt(fan_in)

    def test_the_seed_decides(self):
        first, second = (seeded_weight(seed) for seed in (5, 5))
        assert np.array_equal(first, second)
        assert not np.array_equal(first, seeded_weight(6))

    def test_two_layers_differ(self):
        assert not np.array_equal(nn.Linear(4, 4).weight.data, nn.Linear(4, 4).weight.data)


def seeded_weight(seed):
    tinyres.manual_seed(seed)
    return nn.Linear(4, 4).weight.data
