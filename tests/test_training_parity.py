"""Training ResNet-20 here and in torch, from the same weights on the same batches: the same numbers come out."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyres import Tensor, models, optim
from tinyres.nn import functional as F

STORED_LOSSES = [3.751322962046642, 3.6306738262270333, 2.5459895914943926]
SETTINGS = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def initial_state():
    """He's weights, from draws that never change."""
    draws = np.random.RandomState(0)
    state = models.resnet20().state_dict()
    for name, value in state.items():
        if value.ndim > 1:
            state[name] = draws.standard_normal(value.shape) * np.sqrt(2 / np.prod(value.shape[1:]))
    return state


def batch(step, size, dtype):
    draws = np.random.RandomState(step)
    return draws.standard_normal((size, 3, 32, 32)).astype(dtype), draws.randint(10, size=size)


def train_here(size, steps, dtype):
    """The losses, and the state after the last step."""
    model = models.resnet20().to(dtype=dtype)
    model.load_state_dict(initial_state())
    optimizer = optim.SGD(model.parameters(), **SETTINGS)
    losses = []
    for step in range(steps):
        images, labels = batch(step, size, dtype)
        loss = F.cross_entropy(model(Tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model.state_dict()


def train_in_torch(size, steps, dtype):
    import torch

    model = torch_resnet20().to(getattr(torch, dtype))
    model.load_state_dict({name: torch.tensor(value) for name, value in initial_state().items()})
    optimizer = torch.optim.SGD(model.parameters(), **SETTINGS)
    losses = []
    for step in range(steps):
        images, labels = map(torch.tensor, batch(step, size, dtype))
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: value.numpy() for name, value in model.state_dict().items()}


def torch_resnet20():
    """ResNet-20 with shortcut A, in plain torch; written from the paper, under the names used here."""
    from torch import nn
    from torch.nn import functional as T

    class Block(nn.Module):
        def __init__(self, channels_in, channels, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.stride, self.extra = stride, channels - channels_in

        def forward(self, x):
            out = self.bn2(self.conv2(T.relu(self.bn1(self.conv1(x)))))
            shortcut = T.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
            return T.relu(out + shortcut)

    class ResNet20(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
            self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
            self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            x = self.layer3(self.layer2(self.layer1(T.relu(self.bn1(self.conv1(x))))))
            return self.fc(x.mean((2, 3)))

    return ResNet20()


def differences(size, steps, dtype):
    """The largest difference between the losses, and between the parameters and statistics at the end."""
    pytest.importorskip("torch", reason="torch is not installed; test_stored_losses stands in for it")
    (ours, state), (theirs, their_state) = (train(size, steps, dtype) for train in (train_here, train_in_torch))
    assert list(state) == list(their_state)
    in_losses = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    return in_losses, max(np.abs(state[name] - their_state[name]).max() for name in state)


def test_stored_losses():
    """What torch gave, in float64: batch 16, three steps."""
    losses, _ = train_here(16, 3, "float64")
    np.testing.assert_allclose(losses, STORED_LOSSES, rtol=0, atol=1e-12)


def test_float64():
    assert max(differences(16, 3, "float64")) < 1e-12


def test_float32():
    assert differences(16, 3, "float32")[0] < 1e-3


@pytest.mark.slow
def test_float64_at_full_size():
    """Twenty steps of batch 128. Measured: losses to 9e-16, parameters to 4e-15."""
    assert max(differences(128, 20, "float64")) < 1e-9


@pytest.mark.slow
def test_float32_at_full_size():
    """Rounding differs, and training amplifies it: so the first five steps. Measured: 4e-5."""
    assert differences(128, 5, "float32")[0] < 1e-3


PEAK_OF_ONE_STEP = """
import numpy as np
from tinyres import Tensor, models, optim
from tinyres.nn import functional as F

model = models.resnet20()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
F.cross_entropy(model(Tensor(np.zeros((128, 3, 32, 32), np.float32))), np.zeros(128, int)).backward()
optimizer.step()
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_memory_of_a_step():
    """Batch 128 in float32, in a fresh process, Python and NumPy included. Measured: 0.24 GB."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", PEAK_OF_ONE_STEP], env=environment, capture_output=True, text=True, check=True
    )
    kibibytes = int(result.stdout)
    assert 0.1e9 < 1024 * kibibytes < 0.75e9
