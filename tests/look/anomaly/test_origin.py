"""detect_anomaly names the right line and layer."""

import re

import numpy as np
import pytest

import tinyres
from tinyres import AnomalyError, Tensor, models, nn


def message(call):
    with pytest.raises(AnomalyError) as error, tinyres.detect_anomaly():
        call()
    return str(error.value)


def lines(text):
    """[(file, source)] of the lines in a message."""
    return re.findall(r"^  line +.*?([\w.]+):\d+  (.*)$", text, re.MULTILINE)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([nn.Identity(), nn.Linear(2, 2)])
        self.inner[1].weight.data[:] = 3e38

    def forward(self, x):
        return self.inner[1](self.inner[0](x))


def test_the_users_line_and_layer():
    net = nn.Sequential(nn.ReLU(), Block())
    text = message(lambda: net(Tensor(np.full((1, 2), 9.0, "f4"))))
    assert lines(text) == [("test_origin.py", "return self.inner[1](self.inner[0](x))")]
    assert re.search(r"^  layer +1.inner.1 of Sequential$", text, re.MULTILINE)


def test_the_line_in_a_model_of_the_library_and_who_called_it():
    model = models.resnet8()
    model.layer2[0].conv2.weight.data[:] = 3e38
    image = Tensor(np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype("f4"))
    text = message(lambda: model(image))
    (model_file, model_source), (test_file, test_source) = lines(text)
    assert (model_file, test_file) == ("resnet.py", "test_origin.py")
    assert "self.conv2(out)" in model_source and test_source == "text = message(lambda: model(image))"
    assert "layer2.0.conv2 of ResNet" in text


def test_frames_of_the_interpreter_are_not_the_program():
    """`python -m tinyres` is called by runpy, whose source cannot be shown."""
    frozen = compile("x.log()", "<frozen runpy>", "exec")
    text = message(lambda: exec(frozen, {"x": Tensor([0.0])}))
    assert lines(text) == [("test_origin.py", 'text = message(lambda: exec(frozen, {"x": Tensor([0.0])}))')]


def test_backward_names_the_line_of_forward():
    def call():
        y = Tensor([0.0], requires_grad=True).sqrt()
        y.backward()

    assert lines(message(call)) == [("test_origin.py", "y = Tensor([0.0], requires_grad=True).sqrt()")]


def test_a_layer_by_itself_and_no_layer():
    layer = nn.Linear(1, 1)
    layer.weight.data[:] = np.nan
    assert re.search(r"^  layer +Linear$", message(lambda: layer(Tensor([[1.0]]))), re.MULTILINE)
    without = message(lambda: Tensor([0.0]).log())
    assert not re.search("^  layer ", without, re.MULTILINE)
