"""Code written for torch runs here with the word torch replaced."""

import numpy as np
import pytest

import tinyres

SOURCE = """
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Block(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super(Block, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(self.expansion * planes)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        out = F.relu(out)
        return out


class ResNet(nn.Module):
    def __init__(self, block, num_blocks, num_classes=10):
        super(ResNet, self).__init__()
        self.in_planes = 8
        self.stem = nn.Sequential(OrderedDict([
            ('conv', nn.Conv2d(3, 8, 3, 1, 1, bias=False)),
            ('norm', nn.BatchNorm2d(8)),
            ('relu', nn.ReLU(inplace=True)),
        ]))
        self.layer1 = self._make_layer(block, 8, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(block, 16, num_blocks[1], stride=2)
        self.linear = nn.Linear(16 * block.expansion, num_classes)

        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode='fan_out', nonlinearity='relu')
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, block, planes, num_blocks, stride):
        strides = [stride] + [1] * (num_blocks - 1)
        layers = []
        for stride in strides:
            layers.append(block(self.in_planes, planes, stride))
            self.in_planes = planes * block.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        out = self.stem(x)
        out = self.layer1(out)
        out = self.layer2(out)
        out = F.avg_pool2d(out, 4)
        out = out.view(out.size(0), -1)
        return self.linear(out)


def train(model, batches):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    model.train()
    history = []
    for inputs, targets in batches:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


def evaluate(model, inputs):
    model.eval()
    with torch.no_grad():
        return F.softmax(model(inputs), dim=1)
"""


def run(library):
    """The names that the source defines, written for `library`."""
    names = {"__name__": "user_code"}
    exec(SOURCE.replace("torch", library), names)
    return names


def batches(tensor):
    """Two classes that differ in brightness."""
    draws = np.random.RandomState(0)
    for _ in range(8):
        labels = draws.randint(2, size=16)
        images = draws.standard_normal((16, 3, 8, 8)) + labels[:, None, None, None]
        yield tensor(images.astype(np.float32)), tensor(labels)


def test_it_learns():
    code = run("tinyres")
    model = code["ResNet"](code["Block"], [2, 2], num_classes=2)
    history = code["train"](model, batches(tinyres.Tensor))
    assert history[-1] < 0.2 < 0.5 < history[0]
    images, labels = next(batches(tinyres.Tensor))
    probabilities = code["evaluate"](model, images).numpy()
    assert (probabilities.argmax(1) == labels.numpy()).mean() > 0.9


def test_it_does_what_it_did_there():
    torch = pytest.importorskip("torch", reason="torch is not installed; test_it_learns stands in for it")
    here, there = run("tinyres"), run("torch")
    model, their_model = (code["ResNet"](code["Block"], [2, 2], num_classes=2) for code in (here, there))
    their_model.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
    images = next(batches(np.asarray))[0]
    np.testing.assert_allclose(
        model(tinyres.Tensor(images)).numpy(),
        their_model(torch.tensor(images)).detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )
    history = here["train"](model, batches(tinyres.Tensor))
    np.testing.assert_allclose(history, there["train"](their_model, batches(torch.tensor)), rtol=1e-4)
    assert list(model.state_dict()) == list(their_model.state_dict())
