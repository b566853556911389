"""The batch-norm layers."""

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.module import Buffer, Module, Parameter


class _BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share: everything but the number of axes."""

    axes: tuple[int, ...]
    expected: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean = Buffer(np.zeros(num_features, np.float32)) if track_running_stats else None
        self.running_var = Buffer(np.ones(num_features, np.float32)) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.array(0, np.int64)) if track_running_stats else None

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, *self.next_batch(x))

    def next_batch(self, x: Tensor) -> F.Norm:
        """Check x and, in training, count it. Returns what F.batch_norm takes besides x."""
        if x.ndim not in self.axes:
            expected = self.expected.format(self.num_features)
            raise ValueError(f"{type(self).__name__}: expected input {expected}, got {x.shape}")
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data += 1
            if momentum is None:  # then the running statistics are the plain average over all batches
                momentum = 1 / self.num_batches_tracked.item()
        statistics = self.running_mean, self.running_var
        return F.Norm(*statistics, self.weight, self.bias, self.training, momentum or 0.0, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of x (N, num_features, H, W), per channel."""

    axes, expected = (4,), "(N, {}, H, W)"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of x (N, num_features) or (N, num_features, L), per feature."""

    axes, expected = (2, 3), "(N, {})"
