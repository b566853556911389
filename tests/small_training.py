"""A small network in training, for the tests of memory: whole, or with a leak planted in it."""

import gc
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np

from tinyres import Op, Tensor, nn, optim
from tinyres.nn import functional as F


class Net(nn.Module):
    """A small residual network; inside it, one more op may be planted."""

    def __init__(self, op=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)
        self.op = op

    def forward(self, x):  # (N, 3, 8, 8)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)) + x)
        if self.op is not None:
            x = self.op()(x)
        x = F.adaptive_avg_pool2d(F.max_pool2d(x, 2), 1)
        return self.fc(x.flatten(1))


class Training:
    """A network with its optimiser and a batch."""

    def __init__(self, op=None):
        self.net = Net(op)
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9)
        self.images, self.labels = np.random.RandomState(0).standard_normal((4, 3, 8, 8)).astype("f4"), np.arange(4)

    def loss(self):
        return F.cross_entropy(self.net(Tensor(self.images)), self.labels)

    def step(self):
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def steps(self, count):
        for _ in range(count):
            self.step()


# ---- planted: what each kind of leak looks like ----------------------------------------------------------------------


class Identity(Op):
    """y = x"""

    def forward(self, x):
        return x + 0

    def backward(self, gy):
        return gy


class InACycle(Identity):
    """Holds a function that holds the op, as in libraries whose backward is a closure over what forward computed."""

    def forward(self, x):
        y = x + 0
        self.again = lambda: (self, y)
        return y


class Hoarding(Identity):
    """Keeps every output in a list of the class."""

    hoard: list[np.ndarray] = []  # noqa: RUF012 (shared on purpose)

    def forward(self, x):
        self.hoard.append(x + 0)
        return self.hoard[-1]


# ---- how much memory is held -----------------------------------------------------------------------------------------


def growth(measure, training, steps):
    """By how many bytes `measure` grows in this number of steps, after a warm-up.

    That is twice the smallest growth in four times half as many steps. A leak shows in all four. A table of the
    interpreter that becomes larger once in a while, such as that of its interned strings, shows in some only.
    """
    training.steps(200)  # compiles kernels, fills the shelf of buffers and what the interpreter keeps for reuse
    marks = [measure()]
    for _ in range(4):
        training.steps(steps // 2)
        marks.append(measure())
    return 2 * min(after - before for before, after in pairwise(marks))


def traced():
    """Bytes of all living Python objects and NumPy arrays: exact, but blind to what other libraries allocate."""
    gc.freeze()  # so that no cycle is found when a collection empties the interpreter's lists of objects for reuse
    gc.collect()
    gc.unfreeze()
    return tracemalloc.get_traced_memory()[0]


def resident():
    """Bytes of this process in memory, whoever allocated them: but in pages, and with what allocators hold in reserve.

    So only in a fresh process does it tell of a leak: in an old one, a leak may fill space that others have left.
    """
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
