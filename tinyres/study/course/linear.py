"""Lesson 4: linear layers, ReLU, softmax and cross-entropy."""

import numpy as np

from tinyres.nn import init
from tinyres.ops.cross_entropy import CrossEntropy
from tinyres.ops.linear import Linear
from tinyres.ops.relu import ReLU
from tinyres.ops.softmax import Softmax
from tinyres.study.course.lesson import Lesson
from tinyres_kernels.array.cross_entropy import cross_entropy_grad_x, wanted
from tinyres_kernels.array.linear import linear_grad_b, linear_grad_w, linear_grad_x
from tinyres_kernels.array.relu import relu_grad_x

lesson = Lesson(4, "linear, ReLU, softmax and cross-entropy")


@lesson.backward(
    forward=lambda x: np.maximum(x, 0),
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((4, 5)),),
    hints=("ReLU is a gate: where was it open?", "gy where x > 0, and 0 elsewhere: gy * (x > 0)."),
    library=(ReLU.backward, relu_grad_x),
)
def relu_backward(gy, x):
    """y = max(x, 0). gy, x (N, M) -> gx (N, M)"""
    return gy * (x > 0)


@lesson.backward(
    forward=lambda x, w, b: x @ w.T + b,
    gradients="x w b",
    inputs=lambda rng: (rng.standard_normal((4, 3)), rng.standard_normal((2, 3)), rng.standard_normal(2)),
    hints=(
        "Write down the shapes: each gradient has the shape of its own, and only one product of gy with what is left "
        "gives it. b was added to every row.",
        "gx = gy @ w, gw = gy.T @ x, gb = gy.sum(0).",
    ),
    library=(Linear.backward, linear_grad_x, linear_grad_w, linear_grad_b),
)
def linear_backward(gy, x, w, b):
    """y = x @ w.T + b. gy (N, O), x (N, I), w (O, I), b (O) -> gx (N, I), gw (O, I), gb (O)"""
    return gy @ w, gy.T @ x, gy.sum(0)


def _softmax(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _log_softmax(x):
    z = x - x.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def _draw_scores(rng):
    x = rng.standard_normal((3, 4)) * 3 + np.array([[1000.0], [0.0], [-1000.0]])
    x[2, 0] += 1000.0  # so that the row's mean subtracted is not enough
    return (x,)


@lesson.function(
    inputs=_draw_scores,
    hints=(
        "exp(1000) is infinite. What may be subtracted from a whole row without changing the result?",
        "e = exp(x − the row's largest); then e / e.sum(1, keepdims=True).",
    ),
    mistakes=(
        (
            lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
            "right for small scores, but exp overflows at 710 and is 0 below −745: subtract each row's largest.",
        ),
        (lambda x: _softmax(x, 0), "normalised over the batch: each *row* must sum to 1, so axis 1."),
        (
            lambda x: _softmax(x) / len(x),
            "divided by the number of rows too: that belongs to a mean of losses, not to the softmax.",
        ),
        (lambda x: np.log(_softmax(x)), "this is log_softmax: the logarithm is one step too many."),
        (_log_softmax, "this is log_softmax: it is the probabilities that are asked for."),
        (
            lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(1, keepdims=True),
            "the largest of *all* scores is subtracted: rows far below it become 0/0. Take each row's own largest.",
        ),
        (
            lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
            "normalised over the whole array: each row must sum to 1.",
        ),
        (
            lambda x: np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(),
            "divided by the sum over the whole array: each row has its own, .sum(1, keepdims=True).",
        ),
    ),
    library=(Softmax.forward,),
)
def softmax(x):
    """x (N, K) scores, perhaps as large as 1000 -> (N, K) probabilities, e^x over the sum of its row's."""
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@lesson.backward(
    forward=_softmax,
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((3, 4)),),
    hints=(
        "Every output of a row depends on every input of it, by way of the sum below the line. So gx needs a sum.",
        "gx = y·(gy − Σ_k gy[k]·y[k]), the sum over the row: (gy * y).sum(1, keepdims=True).",
    ),
    library=(Softmax.backward,),
)
def softmax_backward(gy, x):
    """y = softmax of each row. gy, x (N, K) -> gx (N, K)"""
    e = np.exp(x - x.max(1, keepdims=True))
    y = e / e.sum(1, keepdims=True)
    return y * (gy - (gy * y).sum(1, keepdims=True))


def _onehot(x, labels):
    return np.eye(x.shape[1])[labels]


def _cross_entropy(x, labels):
    return -np.log(_softmax(x)[np.arange(len(x)), labels]).mean()


@lesson.backward(
    forward=_cross_entropy,
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((4, 3)), rng.integers(0, 3, 4)),
    hints=(
        "What was said minus what is right: the softmax, less 1 at each row's label. And the loss is a mean.",
        "p = softmax(x); p[np.arange(N), labels] -= 1; gx = gy * p / N.",
    ),
    mistakes=(
        (
            lambda gy, x, labels: -gy * _onehot(x, labels) / _softmax(x) / len(x),
            "this is the gradient for the probabilities, −onehot/p; the softmax lies between, and together they give "
            "p − onehot.",
        ),
        (
            lambda gy, x, labels: gy * (_softmax(x) - labels[:, None]) / len(x),
            "the label's *number* is subtracted: subtract its one-hot, 1 at the label and 0 elsewhere.",
        ),
    ),
    library=(CrossEntropy.backward, cross_entropy_grad_x, wanted),
)
def cross_entropy_backward(gy, x, labels):
    """y = the mean over the rows of −ln softmax(x)[label]. gy a number, x (N, K), labels (N) -> gx (N, K)"""
    e = np.exp(x - x.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    return gy * p / len(x)


def _network(x, w1, b1, w2, b2, labels):
    return _cross_entropy(np.maximum(x @ w1.T + b1, 0) @ w2.T + b2, labels)


def _draw_network(rng):
    shapes = (4, 3), (6, 3), 6, (5, 6), 5
    return (*(rng.standard_normal(shape) for shape in shapes), rng.integers(0, 5, 4))


def _network_without_softmax(gy, x, w1, b1, w2, b2, labels):
    z = x @ w1.T + b1
    h = np.maximum(z, 0)
    scores = h @ w2.T + b2
    g = gy * (scores - _onehot(scores, labels)) / len(x)
    gz = g @ w2 * (z > 0)
    return gz.T @ x, gz.sum(0), g.T @ h, g.sum(0)


@lesson.backward(
    forward=_network,
    gradients="w1 b1 w2 b2",
    inputs=_draw_network,
    hints=(
        "Forward first, and keep z = x @ w1.T + b1 and h = relu(z). Then backwards: cross-entropy, the second linear "
        "layer, ReLU, the first. Each is one of the exercises above.",
        "g = gy * (softmax(scores) − onehot) / N; gw2 = g.T @ h, gb2 = g.sum(0); gz = (g @ w2) * (z > 0); gw1 and gb1 "
        "follow from gz and x as gw2 and gb2 did from g and h.",
    ),
    mistakes=(
        (
            _network_without_softmax,
            "the scores themselves, less the one-hot: the softmax of the scores is due.",
        ),
    ),
    library=(cross_entropy_grad_x, wanted, linear_grad_x, linear_grad_w, linear_grad_b, relu_grad_x),
)
def network_backward(gy, x, w1, b1, w2, b2, labels):
    """y = cross_entropy(relu(x @ w1.T + b1) @ w2.T + b2, labels), a mean over the rows. gy a number, x (N, I),
    w1 (H, I), b1 (H), w2 (K, H), b2 (K), labels (N) -> gw1, gb1, gw2, gb2
    """
    z = x @ w1.T + b1
    h = np.maximum(z, 0)
    scores = h @ w2.T + b2
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    g = gy * p / len(x)
    gz = g @ w2 * (z > 0)
    return gz.T @ x, gz.sum(0), g.T @ h, g.sum(0)


@lesson.bug(
    question="The backward of y = x @ w.T + b, x (N, I), w (O, I), b (O). Which line is wrong?",
    bug="gb = gy.sum(1)",
    mended="gb = gy.sum(0)",
    innocent={
        "def ": "gy, x and w are all it needs; b's value has no part in any gradient.",
        "gx = ": "(N, O) @ (O, I) is (N, I), as x is.",
        "gw = ": "(O, N) @ (N, I) is (O, I), as w is.",
        "return": "one gradient for each input, in their order.",
    },
    hints=("Write the shape behind every line.", "b has the shape (O); which axis of gy (N, O) must go?"),
)
def linear_bug(gy, x, w):
    gx = gy @ w
    gw = gy.T @ x
    gb = gy.sum(1)
    return gx, gw, gb


first_loss = lesson.predict(
    "first_loss",
    question="A network that has learnt nothing gives ten classes the same probability. What is its mean "
    "cross-entropy?",
    value=float(np.log(10)),
    mistakes=(
        (1.0, "that is log to the base 10; the cross-entropy takes the natural logarithm."),
        (0.1, "that is the probability; the loss is −ln of it."),
        (-float(np.log(10)), "−ln(1/10) is positive."),
        (float(np.log2(10)), "that is in bits; the cross-entropy takes the natural logarithm."),
        (0.9, "that is the error rate by guessing, not the cross-entropy."),
        (10.0, "that is 1/p; the loss is the logarithm of it."),
    ),
    hints=("−ln p, and p is 1/10.", "ln 10."),
    because="−ln(1/10) = ln 10 = 2.303. A first loss far above it means a bad initialisation.",
)

he_std = lesson.predict(
    "he_std",
    question="He's initialisation for a 3×3 convolution with 64 input channels and 32 output channels, before a ReLU "
    "(fan_in mode): which standard deviation?",
    value=float(np.sqrt(2 / 576)),
    mistakes=(
        (2 / 576, "that is the variance; the standard deviation is its root."),
        (float(np.sqrt(1 / 576)), "the 2 is missing: a ReLU lets half of the values through."),
        (float(np.sqrt(2 / 64)), "fan_in counts the kernel's places as well: 64·3·3."),
        (float(np.sqrt(2 / 288)), "that is fan_out: 32·3·3. fan_in has the input channels."),
        (float(np.sqrt(2 / (576 + 288))), "that is Glorot's, for fan_in + fan_out."),
    ),
    hints=("How many inputs does one output value see?", "√(2 / (64·3·3))"),
    because=f"√(2/fan_in) with fan_in = 64·3·3 = 576 (see {init.kaiming_normal_.__name__}).",
)
