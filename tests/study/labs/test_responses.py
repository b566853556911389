"""tinyres/study/labs/responses.py: the deviations are batch norm's own, and the verdict follows them."""

import numpy as np

from tinyres import Tensor, no_grad
from tinyres.study import labs
from tinyres.study.labs.lab import picture
from tinyres.study.labs.twins import twin

lab = labs.find("responses")


def results(plain=(1.0, 1.0), residual=(0.6, 0.4)):
    def net(value):
        return [{"responses": [value, value], "test_error": 0.5}] * 3

    nets = {kind: {"8": net(a), "20": net(b)} for kind, (a, b) in {"plain": plain, "residual": residual}.items()}
    return {"nets": nets, "epochs": 1, "data": "made up"}


def test_of_every_layer_before_relu_and_addition():
    model = twin("residual", 8, 10, seed=0)
    images = np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)
    found = lab.deviations(model, images)
    assert len(found) == 7  # the stem, and two in each of three blocks
    with no_grad():
        first = model.bn1(model.conv1(Tensor(images))).data
    assert found[0] == float(first.std()) and first.min() < 0
    assert not any(module.forward_hooks for module in model.modules())


def test_the_verdict():
    assert lab.verdict(results()).reproduced
    assert not lab.verdict(results(residual=(0.6, 1.1))).reproduced  # not below its plain twin
    assert not lab.verdict(results(residual=(0.4, 0.6))).reproduced  # deeper, but larger
    assert "0.60 against 1.00 at 8 layers" in lab.verdict(results()).reason


def test_the_picture():
    labels = {line.get_label() for line in picture(lab, results()).axes[0].lines}
    assert labels == {"plain 8", "plain 20", "residual 8", "residual 20"}
