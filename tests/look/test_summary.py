"""tinyres/look/summary.py: the table is right, and the model stays unchanged."""

import numpy as np
import pytest

from tinyres import Tensor, models, nn
from tinyres.look.summary import Layer, count_parameters, folded, layers, summary
from tinyres.models.resnet import cifar_resnet


def small_net():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10))


class TestLayers:
    def test_rows(self):
        assert layers(small_net(), (3, 8, 8)) == [
            Layer("0", "Conv2d", (8, 4, 4), 3 * 8 * 9 + 8, 8 * 4 * 4 * 3 * 9),
            Layer("1", "BatchNorm2d", (8, 4, 4), 16, 0),
            Layer("2", "ReLU", (8, 4, 4), 0, 0),
            Layer("3", "Flatten", (128,), 0, 0),
            Layer("4", "Linear", (10,), 1290, 1280),
        ]

    def test_in_the_order_of_running(self):
        class Backwards(nn.Module):
            def __init__(self):
                super().__init__()
                self.last, self.first = nn.Linear(3, 2), nn.Linear(4, 3)

            def forward(self, x):
                return self.last(self.first(x))

        assert [row.name for row in layers(Backwards(), (4,))] == ["first", "last"]

    def test_they_add_up(self):
        model = models.resnet20()
        assert sum(row.parameters for row in layers(model, (3, 32, 32))) == count_parameters(model) == 269_722

    def test_a_layer_that_runs_twice_works_twice_and_has_its_parameters_once(self):
        layer = nn.Linear(4, 4)
        model = nn.Sequential(layer, nn.ReLU())
        model.forward = lambda x: layer(layer(x))
        assert layers(model, (4,)) == [Layer("0", "Linear", (4,), 20, 16), Layer("0", "Linear", (4,), 0, 16)]

    def test_frozen_parameters_count(self):
        assert count_parameters(small_net().requires_grad_(False)) == count_parameters(small_net())

    def test_a_double_model(self):
        assert layers(small_net().double(), (3, 8, 8)) == layers(small_net(), (3, 8, 8))


class TestTable:
    def test_every_figure(self):
        assert summary(small_net(), (3, 8, 8)).splitlines() == [
            "layer               output  parameters  multiply-adds",
            "─────────────────────────────────────────────────────",
            "0      Conv2d        8×4×4         224          3,456",
            "1      BatchNorm2d   8×4×4          16              0",
            "2      ReLU          8×4×4           0              0",
            "3      Flatten         128           0              0",
            "4      Linear           10       1,290          1,280",
            "─────────────────────────────────────────────────────",
            "parameters      1,530",
            "multiply-adds   4,736 for one image of 3×8×8",
        ]

    def test_equal_blocks_are_folded(self):
        rows = folded(layers(cifar_resnet(32, 10, "A"), (3, 32, 32)))
        stages = list(dict.fromkeys(row.name.rpartition(".")[0] for row in rows if row.name.startswith("layer")))
        assert stages == ["layer1.[0-4]", "layer2.0", "layer2.[1-4]", "layer3.0", "layer3.[1-4]"]

    def test_wherever_they_lie(self):
        model = nn.Module()
        model.inner = nn.Module()
        model.inner.stage = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3)))
        model.forward = model.inner.forward = model.inner.stage
        assert [row.name for row in folded(layers(model, (4,)))] == ["inner.stage.[0-2].0", "inner.stage.[0-2].1"]

    def test_blocks_that_differ_are_not(self):
        net = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4, bias=bias), nn.ReLU()) for bias in (True, True, False)))
        model = nn.Module()
        model.stage, model.forward = net, net
        names = [row.name for row in folded(layers(model, (4,)))]
        assert names == ["stage.[0-1].0", "stage.[0-1].1", "stage.2.0", "stage.2.1"]

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("resnet20", ["parameters      269,722", "multiply-adds   40,551,040 for one image of 3×32×32"]),
            ("resnet110", ["parameters      1,727,962", "multiply-adds   252,887,680 for one image of 3×32×32"]),
            ("preactresnet164", ["parameters      1,703,258", "multiply-adds   244,500,992 for one image of 3×32×32"]),
            ("highway20", ["parameters      514,522", "multiply-adds   78,299,776 for one image of 3×32×32"]),
            ("densenet_bc100", ["parameters      769,162", "multiply-adds   287,929,692 for one image of 3×32×32"]),
        ],
    )
    def test_totals_beside_the_papers(self, name, lines):
        text = summary(models.build(name), models.input_shape(name), name).splitlines()
        assert text[-3:-1] == lines
        assert text[-1].startswith("the paper says  ")
        assert not summary(models.build(name), models.input_shape(name)).splitlines()[-1].startswith("the paper")


class TestNothingChanges:
    def test_training_flags_each_their_own(self):
        model = models.resnet8()
        model.layer2.eval()  # a part of it is frozen
        before = [module.training for module in model.modules()]
        summary(model, (3, 32, 32))
        assert [module.training for module in model.modules()] == before
        assert True in before and False in before

    def test_state_and_gradients(self):
        model = models.resnet8()
        before = model.state_dict()
        summary(model, (3, 32, 32))
        assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())

    @pytest.mark.parametrize("shape", [(3, 8, 8), (4, 8, 8)], ids=["fits", "does not fit"])
    def test_hooks(self, shape):
        model, calls = small_net(), []
        model[2].register_forward_hook(lambda *call: calls.append(call))
        model.train()
        try:
            summary(model, shape)
        except ValueError as error:
            assert shape[0] == 4 and "expected input (N, 3, H, W) for weight (8, 3, 3, 3), got (1, 4, 8, 8)" in str(
                error
            )
        assert [len(module.forward_hooks) for module in model.modules()] == [0, 0, 0, 1, 0, 0]
        assert model.training
        model(Tensor(np.zeros((2, 3, 8, 8), np.float32)))
        assert len(calls) == (2 if shape[0] == 3 else 1)
