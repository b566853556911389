"""tinyres/models/highway.py: what a gate does when open, closed and between; and the networks."""

import re

import numpy as np
import pytest
from networks import assert_same_scores, check_gradients, images, losses

from tinyres import Tensor, models
from tinyres.look.summary import count_parameters, layers
from tinyres.models.highway import (
    Highway,
    HighwayNet,
    cifar_highway,
    convolutional,
    fully_connected,
    highway_mlp,
)
from tinyres.nn import Linear

LAYERS = [
    pytest.param(convolutional, (2, 4, 5, 3), id="convolutional"),
    pytest.param(fully_connected, (3, 4), id="fully connected"),
]


class TestLayer:
    @pytest.mark.parametrize(("make", "shape"), LAYERS)
    def test_the_formula(self, make, shape):
        layer = make(4, gate_bias=-1.0).double()
        x = Tensor(images(*shape).astype(np.float64))
        H = layer.transform(x).data
        assert H.min() == 0
        T = 1 / (1 + np.exp(-layer.gate[0](x).data))
        np.testing.assert_allclose(layer(x).data, H * T + x.data * (1 - T), rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize(("make", "shape"), LAYERS)
    def test_gradients(self, make, shape):
        check_gradients(make(4, gate_bias=-1.0), images(*shape))

    @pytest.mark.parametrize(("make", "shape"), LAYERS)
    def test_a_closed_gate_passes_x_and_the_gradient(self, make, shape):
        layer = make(4, gate_bias=-1e4)
        x, gy = Tensor(images(*shape), requires_grad=True), images(*shape)[::-1]
        y = layer(x)
        y.backward(gy)
        assert np.array_equal(y.data, x.data)
        assert np.array_equal(x.grad, gy)

    @pytest.mark.parametrize(("make", "shape"), LAYERS)
    def test_an_open_one_leaves_the_plain_layer(self, make, shape):
        layer = make(4, gate_bias=1e4)
        x, gy = Tensor(images(*shape), requires_grad=True), images(*shape)[::-1]
        layer(x).backward(gy)
        copy = Tensor(x.data, requires_grad=True)
        plain = layer.transform(copy)
        plain.backward(gy)
        assert np.array_equal(layer(x).data, plain.data)
        np.testing.assert_allclose(x.grad, copy.grad, rtol=1e-5, atol=1e-6)

    def test_it_needs_a_bias_to_close_the_gate_with(self):
        with pytest.raises(ValueError, match="Highway: the gate needs a bias"):
            Highway(Linear(4, 4), Linear(4, 4, bias=False), -1.0)


class TestNet:
    @pytest.mark.parametrize(
        ("name", "parameters", "multiply_adds"),
        [("highway20", 514_522, 78_299_776), ("highway32", 902_938, 134_922_880)],
    )
    def test_size(self, name, parameters, multiply_adds):
        model = models.build(name)
        rows = layers(model, (3, 32, 32))
        assert count_parameters(model) == parameters
        assert sum(row.multiply_adds for row in rows) == multiply_adds
        in_line = [row for row in rows if row.kind in ("Conv2d", "Linear") and ".gate." not in row.name]
        assert len(in_line) == int(name.removeprefix("highway"))

    @pytest.mark.parametrize(("name", "depth"), [("highway20", 20), ("highway32", 32)])
    def test_it_is_the_plain_net_with_a_gate_beside_most_layers(self, name, depth):
        """Not the first, the last, and the two that halve the map. A gate costs what its layer does."""
        plain = layers(models.build(f"plain{depth}"), (3, 32, 32))
        convolutions = [row.multiply_adds for row in plain if row.kind == "Conv2d"]
        gated = [cost for cost in convolutions if cost == 16 * 9 * 16 * 32 * 32]
        rows = layers(models.build(name), (3, 32, 32))
        gates = [row for row in rows if row.name.endswith(".gate.0")]
        assert [row.multiply_adds for row in gates] == gated
        own = sum(row.parameters for row in rows) - sum(row.parameters for row in gates)
        assert own == sum(row.parameters for row in plain)
        assert len(gated) == depth - 4

    @pytest.mark.parametrize(("name", "bias"), [("highway20", -2), ("highway32", -3)])
    def test_gates_start_nearly_closed(self, name, bias):
        model, seen = models.build(name), []
        gates = [module.gate for module in model.modules() if isinstance(module, Highway)]
        for gate in gates:
            assert set(gate[0].bias.data) == {bias}
            gate.register_forward_hook(lambda gate, inputs, T: seen.append(T.data))
        model(Tensor(images(2, 3, 16, 16)))
        assert len(seen) == len(gates) == int(name.removeprefix("highway")) - 4
        assert all(T.min() > 0 and T.max() < 1 for T in seen)
        assert np.mean([T.mean() for T in seen]) < 0.3

    def test_gate_bias(self):
        assert set(models.highway20(gate_bias=-5.0).layer3[2].gate[0].bias.data) == {-5}

    def test_weights_start_as_he_has_them(self):
        for name, parameter in models.highway20().named_parameters():
            if parameter.ndim > 1:
                std = np.sqrt(2 / np.prod(parameter.shape[1:]))
                assert abs(parameter.data.std() / std - 1) < 4 / np.sqrt(2 * parameter.numel()), name
            elif ".gate." not in name:
                assert set(parameter.data) == {0 if name.endswith("bias") else 1}, name

    def test_output_as_torch(self):
        torch = pytest.importorskip("torch", reason="torch is not installed; the layer is checked without it")
        T = torch.nn.functional

        class Twin(torch.nn.Module):
            def load_state_dict(self, state):
                self.state = state

            def plain(self, name, x, stride=1):
                parts = (self.state[f"{name}.bn.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
                return T.relu(T.batch_norm(T.conv2d(x, self.state[f"{name}.conv.weight"], None, stride, 1), *parts))

            def forward(self, x):
                x = self.plain("conv1", x)
                for layer in dict.fromkeys(re.findall(r"layer\d\.\d+", " ".join(self.state))):
                    if f"{layer}.gate.0.weight" in self.state:
                        weight, bias = self.state[f"{layer}.gate.0.weight"], self.state[f"{layer}.gate.0.bias"]
                        gate = torch.sigmoid(T.conv2d(x, weight, bias, padding=1))
                        x = self.plain(f"{layer}.transform", x) * gate + x * (1 - gate)
                    else:
                        x = self.plain(layer, x, stride=2)
                return x.mean((2, 3)) @ self.state["fc.weight"].T + self.state["fc.bias"]

        x = images(2, 3, 17, 14).astype(np.float64)
        assert_same_scores(HighwayNet(2, 10, gate_bias=-1.0).double(), Twin(), x, tolerance=1e-10)

    def test_it_learns(self):
        seen = losses(models.highway20(), images(6, 3, 8, 8), steps=20, lr=0.05)
        assert seen[-1] < 0.5 * seen[0]

    @pytest.mark.parametrize("depth", [2, 21, 0])
    def test_a_depth_that_does_not_exist(self, depth):
        with pytest.raises(ValueError, match=rf"a CIFAR highway net has 6n \+ 2 layers .*, not {depth}"):
            cifar_highway(depth, 10, -1.0)


class TestFullyConnected:
    def test_layers_and_parameters(self):
        net = highway_mlp(784, 50, 8, 10, gate_bias=-2.0)
        assert sum(isinstance(layer, Highway) for layer in net) == 8
        assert count_parameters(net) == (784 * 50 + 50) + 8 * 2 * (50 * 50 + 50) + (50 * 10 + 10)

    def test_fifty_layers_learn(self):
        seen = losses(highway_mlp(48, 20, 50, 6, gate_bias=-4.0), images(6, 3, 4, 4), steps=20, lr=0.05)
        assert seen[-1] < 0.5 * seen[0]
