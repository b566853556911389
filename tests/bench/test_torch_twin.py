"""torch's twin computes what ours computes."""

from functools import partial

import numpy as np
import pytest

from tinyres import Tensor, models, no_grad
from tinyres.models.resnet import BasicBlock, Bottleneck, ImageNetResNet, ResNet

torch = pytest.importorskip("torch")


NETWORKS = {
    "A": partial(models.build, "resnet8", shortcut="A"),
    "B": partial(models.build, "resnet8", shortcut="B"),
    "C": partial(models.build, "resnet8", shortcut="C"),
    "plain": partial(models.build, "plain20"),
    "bottleneck": partial(ResNet, partial(Bottleneck, shortcut="B"), (1, 2), (4, 8), 10),
    "with max-pool": partial(ImageNetResNet, partial(BasicBlock, shortcut="B"), (1, 1, 0, 0), 10),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_the_same_output(make):
    from tinyres.bench.torch_twin import twin

    model = make().eval()
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), np.float32)
    with no_grad(), torch.no_grad():
        ours = model(Tensor(images)).numpy()
        theirs = twin(model).eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


ENORMOUS = ("resnet101", "resnet152", "resnet1202")  # more of the same blocks


@pytest.mark.parametrize("name", [name for name in models.names() if name not in ENORMOUS])
def test_every_model_has_a_twin(name):
    from tinyres.bench.torch_twin import part

    model = models.build(name)
    with torch.device("meta"):
        theirs = part(model)
    shapes = {name: tuple(values.shape) for name, values in theirs.state_dict().items()}
    assert shapes == {name: values.shape for name, values in model.state_dict().items()}


@pytest.mark.parametrize("mode", ["eager", "channels_last"])
def test_measure(mode):
    from tinyres.bench.torch_twin import measure

    measured = measure("resnet8", mode, batch_size=2, repeats=1)
    assert (len(measured["step"]), len(measured["forward"])) == (1, 1)
    assert measure("resnet8", mode, batch_size=1, repeats=1, forward_only=True).keys() == {"forward", "memory"}
