# %% [markdown]
# # 04 · linear, ReLU, softmax and cross-entropy
#
# At the end you can derive the backward pass of a layer from its indices. You have written, proved and trained a
# classifier in plain NumPy, in about thirty lines with every gradient by hand.
#
# *40 minutes. Before it: [03](03_gradient_checking.ipynb).*

# %%
import inspect
from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import tinyres
from tinyres import Tensor, data, nn, optim
from tinyres.nn import functional as F
from tinyres.ops.linear import Linear
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy

# %% [markdown]
# ## Three arms
#
# Here are 300 points on three arms of a spiral. The task is to say which arm a given point lies on. A person sees it at
# once, but no straight line separates any arm from the others.


# %%
def spirals(n=100):
    """3·n points (N, 2), and the arm of each point (N)."""
    rng = np.random.default_rng(0)
    radius = np.tile(np.linspace(0.15, 1, n), 3)
    labels = np.repeat(np.arange(3), n)
    angle = 4.2 * radius + 2 * np.pi * labels / 3
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points + 0.03 * rng.standard_normal(points.shape), labels


def scatter(axes):
    for k, (color, mark) in enumerate(((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"))):
        axes.scatter(*points[labels == k].T, color=color, marker=mark, s=12, edgecolor="white", linewidth=0.3)
    axes.set(aspect="equal", xticks=[], yticks=[])


points, labels = spirals()
figure, axes = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
scatter(axes)
plt.show()

# %% [markdown]
# Four operations are enough: a linear layer, ReLU, another linear layer, and softmax with cross-entropy at the end.
# Every ResNet contains all of them. We take them one at a time, forward and backward.
#
# ## The linear layer
#
# Every output is a weighted sum of all inputs. With a batch of $N$ rows, $I$ inputs and $O$ outputs:
#
# $$y_{no} = \sum_i x_{ni}\, w_{oi} + b_o \qquad x\,(N,I)\quad w\,(O,I)\quad b\,(O)\quad y\,(N,O)$$
#
# The loss $L$ depends on $y$, and backward receives $g_{no} = \partial L/\partial y_{no}$. One rule gives all
# gradients: **to find how the loss depends on a number, sum over all the outputs that this number reaches.**
#
# Which outputs does $x_{ni}$ reach? In the formula it appears in $y_{no}$ for the same $n$ and *every* $o$, with the
# factor $w_{oi}$:
#
# $$\frac{\partial L}{\partial x_{ni}} = \sum_o g_{no}\, w_{oi}$$
#
# Now do the same for $w_{oi}$ and $b_o$ on paper, before you read on. Which outputs do they reach?

# %% [markdown]
# The weight $w_{oi}$ is used in every row of the batch, so it reaches $y_{no}$ for every $n$, with the factor
# $x_{ni}$. And $b_o$ was added to every row, with the factor 1:
#
# $$\frac{\partial L}{\partial w_{oi}} = \sum_n g_{no}\, x_{ni} \qquad
# \frac{\partial L}{\partial b_o} = \sum_n g_{no}$$
#
# The index that is summed is always the one that is missing on the left. `np.einsum` can compute such formulas
# directly:

# %%
rng = np.random.default_rng(0)
N, I, O = 5, 3, 2
x, w, b, gy = (rng.standard_normal(shape) for shape in ((N, I), (O, I), O, (N, O)))

gx = np.einsum("no,oi->ni", gy, w)
gw = np.einsum("no,ni->oi", gy, x)
gb = np.einsum("no->o", gy)
print("gx", gx.shape, "  gw", gw.shape, "  gb", gb.shape)

# %% [markdown]
# As matrix products they are faster and shorter. The shapes help to find them: each gradient must have the shape of the
# array that it belongs to, and the index that is summed must be where the two factors meet.


# %%
def product(axes, title, left, right, result):
    """Three boxes, left @ right = result; each (name, rows, columns), where rows and columns are letters."""
    place, summed = 0, left[2]
    for (name, rows, columns), sign in ((left, "@"), (right, "="), (result, "")):
        width, height = lengths[columns], lengths[rows]
        color = BLUE if name == result[0] else GREY
        axes.add_patch(plt.Rectangle((place, -height / 2), width, height, facecolor=color, alpha=0.25, edgecolor=color))
        middle = place + width / 2
        axes.text(middle, 0, name, ha="center", va="center", fontsize="large")
        axes.text(place - 0.2, 0, rows, ha="right", va="center", color=VERMILION if rows == summed else "black")
        axes.text(middle, height / 2 + 0.2, columns, ha="center", color=VERMILION if columns == summed else "black")
        axes.text(place + width + 0.6, 0, sign, ha="center", va="center", fontsize="large")
        place += width + 1.9
    axes.set(xlim=(-1, place - 1.6), ylim=(-2.6, 3.4), aspect="equal", title=title)
    axes.axis("off")


lengths = {"N": N, "I": I, "O": O}
figure, panels = plt.subplots(1, 3, figsize=(9, 2.1), layout="constrained", width_ratios=(12.2, 13.2, 16.2))
product(panels[0], "forward", ("x", "N", "I"), ("wᵀ", "I", "O"), ("y", "N", "O"))
product(panels[1], "back to x", ("gy", "N", "O"), ("?", "O", "I"), ("gx", "N", "I"))
product(panels[2], "back to w", ("?", "O", "N"), ("?", "N", "I"), ("gw", "O", "I"))
plt.show()

# %% [markdown]
# The letter in red is summed and disappears: first the inputs, then the outputs, then the batch. What are the question
# marks?


# %%
def linear_backward(gy, x, w, b):
    """y = x @ w.T + b. gy (N, O), x (N, I), w (O, I), b (O) -> gx (N, I), gw (O, I), gb (O)"""
    ...  # your code


check.linear_backward(linear_backward)

# %% [markdown]
# The bias is where most people make a mistake. What is wrong here?

# %%
answer = None  # the number of a line
check.linear_bug(answer)

# %% [markdown]
# Shapes are a guide, not a proof. Suppose that batch, inputs and outputs are all 4. Then every product of two matrices
# has the right shape. Which of these is the gradient of x? Lesson 03 has the test that decides: $\langle g_y, J
# d\rangle = \langle g_x, d \rangle$.

# %%
x, w, gy, d = rng.standard_normal((4, 4, 4))
measured = np.vdot(gy, ((x + 1e-6 * d) @ w.T - (x - 1e-6 * d) @ w.T) / 2e-6)
for name, candidate in (("gy @ w", gy @ w), ("gy @ w.T", gy @ w.T), ("gy.T @ w", gy.T @ w), ("w @ gy", w @ gy)):
    print(f"{name:9} {candidate.shape}   claims {np.vdot(candidate, d):7.3f}   forward says {measured:.3f}")

# %% [markdown]
# So never test with square matrices. The library's page for this op contains only what you have derived, and so do the
# kernels that it calls:

# %%
print(inspect.getsource(Linear))
print(inspect.getsource(import_module("tinyres_kernels.array.linear")))

# %% [markdown]
# ## ReLU, or why a network needs a bend
#
# One linear layer draws straight borders. Two of them in sequence, with 64 hidden units between them, have 387
# learnable numbers. Will they separate the arms? Make a prediction. Then compare the two layers with a single layer
# whose weights are `w2 @ w1`:

# %%
w1, b1, w2, b2 = (rng.standard_normal(shape) for shape in ((64, 2), 64, (3, 64), 3))
two_layers = (points @ w1.T + b1) @ w2.T + b2
one_layer = points @ (w2 @ w1).T + (w2 @ b1 + b2)
print("largest difference:", f"{abs(two_layers - one_layer).max():.6f}")

# %% [markdown]
# There is no difference. A linear map of a linear map is a linear map: the two layers are one layer, with nine numbers.
# Something between them must bend, and the simplest bend is
#
# $$y = \max(x, 0) \qquad\qquad g_x = g_y \text{ where } x > 0, \text{ else } 0$$
#
# This follows from the rule: $x$ reaches only its own $y$, with the factor 1 or 0. ReLU works like a gate. That matters
# in deep networks: a sigmoid multiplies the gradient by 1/4 at most (lesson [01](01_chain_rule.ipynb)), an open gate
# multiplies it by 1. At exactly 0 there is no slope; like torch we take 0.


# %%
def relu_backward(gy, x):
    """y = max(x, 0). gy, x (N, M) -> gx (N, M)"""
    ...  # your code


check.relu_backward(relu_backward)

# %% [markdown]
# ## Softmax: scores become probabilities
#
# The last layer gives each class a score, which can be any number. Softmax turns the scores into positive numbers that
# sum to 1:
#
# $$p_k = \frac{e^{x_k}}{\sum_j e^{x_j}}$$
#
# In NumPy this is one line. What will it give for these two rows? The second row is the first plus 1000.


# %%
def naive_softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


scores = np.array([[1.0, 2.0, 3.0], [1001.0, 1002.0, 1003.0]])
with np.errstate(all="ignore"):
    print(naive_softmax(scores).round(4))

# %% [markdown]
# $e^{1001}$ is larger than a float64 can hold (the limit is $e^{709}$; in float32 it is $e^{88}$), and infinity divided
# by infinity is not a number. Scores of that size do occur, for example when a learning rate is too high.
#
# But the two rows should give the same result. If we add $c$ to every score, numerator and denominator are both
# multiplied by $e^c$, which cancels. So we may subtract any number. What would be a good choice?


# %%
def softmax(x):
    """x (N, K) scores, perhaps as large as 1000 -> (N, K) probabilities, e^x over the sum of its row's."""
    ...  # your code


check.softmax(softmax)

# %% [markdown]
# Now its backward. Which outputs does the score $x_k$ reach? It reaches every probability of its row, because it is
# part of the sum in the denominator. For one row the quotient rule gives
#
# $$\frac{\partial p_j}{\partial x_k} = p_j\,(\delta_{jk} - p_k) \qquad
# \delta_{jk} = 1 \text{ if } j = k, \text{ else } 0$$
#
# (For $j = k$ this is $p_k - p_k^2$. Otherwise only the denominator changes, which gives $-p_j p_k$.) Now sum over all
# outputs that $x_k$ reaches:
#
# $$g_{x,k} = \sum_j g_j\, p_j\,(\delta_{jk} - p_k) = p_k\,\Bigl(g_k - \sum_j g_j\, p_j\Bigr)$$
#
# The sum is the mean of $g$, weighted with $p$. Only the differences from this mean count: if the weights of all
# probabilities rise by the same amount, nothing should happen, because the probabilities always sum to 1. (That is why
# a seed of ones could not find the error.)


# %%
def softmax_backward(gy, x):
    """y = softmax of each row. gy, x (N, K) -> gx (N, K)"""
    ...  # your code


check.softmax_backward(softmax_backward)

# %% [markdown]
# ## Cross-entropy: a measure of surprise
#
# The network predicts $p$; the right answer is class $c$. The loss is $-\ln p_c$. It is zero if the network was certain
# and right, 2.3 if it gave the right class 10 %, and arbitrarily large if it was certain and wrong. Over a batch we
# take the mean.
#
# Its gradient is $-1/p_c$ for class $c$, and then comes that of softmax. Let us compute the two one after the other, in
# float32, for a network that is very sure of class 0 when the answer is class 1.

# %%
scores = np.array([[200.0, 0.0, 1.0]], dtype=np.float32)
e = np.exp(scores - scores.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
with np.errstate(all="ignore"):
    gp = np.array([[0, -1 / p[0, 1], 0]], dtype=np.float32)
    print("p       ", p[0])
    print("loss    ", -np.log(p[0, 1]))
    print("gradient", (p * (gp - (gp * p).sum(axis=1, keepdims=True)))[0])

# %% [markdown]
# The shift prevented the overflow, but the probability is $e^{-200}$, which float32 rounds to 0, and the rest is $-\ln
# 0$ and $0\cdot\infty$. This network could not learn from its mistake exactly when it is most wrong.
#
# Take the two operations together, on paper. The logarithm undoes the exponential:
#
# $$L = -\ln \frac{e^{x_c}}{\sum_j e^{x_j}} = -x_c + \ln \sum_j e^{x_j}$$
#
# What is the slope with respect to $x_k$? For the first term it is $-1$ if $k = c$, else 0. For the second it is
# $e^{x_k}/\sum_j e^{x_j}$, which is $p_k$. So
#
# $$\boxed{\;\frac{\partial L}{\partial x_k} = p_k - t_k\;} \qquad t_k = 1 \text{ if } k = c, \text{ else } 0$$
#
# The gradient is the prediction minus the truth. It contains no division that could overflow: for the row above it is
# $(1, -1, 0)$.

# %%
scores = np.array([1.0, 3.0, 0.5, 2.0])
p, t = np.exp(scores) / np.exp(scores).sum(), np.array([0, 0, 0, 1])
figure, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
for axes, values, color, title in zip(
    panels,
    (p, t, p - t),
    (BLUE, GREEN, VERMILION),
    ("p: what was said", "t: what is right", "p − t: the gradient"),
    strict=True,
):
    axes.bar(range(4), values, color=color)
    axes.axhline(0, color=GREY, linewidth=0.8)
    tidy(axes, title, "class", "probability" if values is p else "")
    axes.set_xticks(range(4))
plt.show()

# %% [markdown]
# A step *against* this gradient raises the score of the right class and lowers the others, each in proportion to its
# probability. The bars of $p - t$ sum to 0, so the sum of the scores does not change.


# %%
def cross_entropy_backward(gy, x, labels):
    """y = the mean over the rows of −ln softmax(x)[label]. gy a number, x (N, K), labels (N) -> gx (N, K)"""
    ...  # your code


check.cross_entropy_backward(cross_entropy_backward)

# %% [markdown]
# In the library the two are one op, as in torch. These are its kernels:

# %%
print(inspect.getsource(import_module("tinyres_kernels.array.cross_entropy")))

# %% [markdown]
# ## What should the first loss be?
#
# Before the network has learnt anything, you already know what the loss must be. What is it for ten classes?

# %%
answer = None  # your number
check.first_loss(answer)

# %% [markdown]
# This is a test that costs nothing and finds many mistakes: a forgotten mean, another logarithm, an eleventh class,
# weights that are too large. Here are scores of a network that knows nothing, at three sizes. Which of the three first
# losses is the one you predicted?


# %%
def mean_loss(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


rng = np.random.default_rng(0)
noise, random_labels = rng.standard_normal((10_000, 10)), rng.integers(0, 10, 10_000)
for size in (0.01, 1, 10):
    print(f"scores of size {size:5}: first loss {mean_loss(size * noise, random_labels):.2f}")

# %% [markdown]
# If the scores are large, the network is *sure* of what it does not know, and its loss is high. The first steps of
# training then only undo this.
#
# ## The network, by hand
#
# Now we put everything together. If you like, try it yourself first:


# %%
def network_backward(gy, x, w1, b1, w2, b2, labels):
    """y = cross_entropy(relu(x @ w1.T + b1) @ w2.T + b2, labels), a mean over the rows. gy a number, x (N, I),
    w1 (H, I), b1 (H), w2 (K, H), b2 (K), labels (N) -> gw1, gb1, gw2, gb2
    """
    ...  # your code


check.network_backward(network_backward)

# %% [markdown]
# This is our version. `forward` keeps what backward will need. `gradients` goes through the same lines from bottom to
# top, each with its formula from above:


# %%
def forward(x, parameters):
    w1, b1, w2, b2 = parameters
    z = x @ w1.T + b1  # (N, H)
    h = np.maximum(z, 0)
    scores = h @ w2.T + b2  # (N, K)
    return scores, (x, z, h)


def gradients(scores, saved, labels, parameters):
    """The mean cross-entropy, and its gradient for w1, b1, w2, b2."""
    x, z, h = saved
    _, _, w2, _ = parameters
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)

    gscores = p.copy()
    gscores[np.arange(len(x)), labels] -= 1  # p − t
    gscores /= len(x)  # the loss is a mean
    gw2, gb2, gh = gscores.T @ h, gscores.sum(0), gscores @ w2
    gz = gh * (z > 0)
    gw1, gb1 = gz.T @ x, gz.sum(0)
    return mean_loss(scores, labels), (gw1, gb1, gw2, gb2)


# %% [markdown]
# It looks right, but lesson 03 showed that this proves nothing. So we check it with a random direction in each of the
# four parameters, and two calls of forward:


# %%
def start(inputs, hidden, classes, rng, dtype=float):
    w1 = rng.standard_normal((hidden, inputs)) * np.sqrt(2 / inputs)
    w2 = rng.standard_normal((classes, hidden)) * np.sqrt(1 / hidden)
    return [array.astype(dtype) for array in (w1, np.zeros(hidden), w2, np.zeros(classes))]


rng = np.random.default_rng(0)
parameters = start(2, 64, 3, rng)
loss, grads = gradients(*forward(points, parameters), labels, parameters)
print(f"first loss {loss:.3f}, ln 3 = {np.log(3):.3f}\n")
for k, name in enumerate(("w1", "b1", "w2", "b2")):
    d = rng.standard_normal(parameters[k].shape)
    ahead, behind = (
        mean_loss(forward(points, [p + h * d if j == k else p for j, p in enumerate(parameters)])[0], labels)
        for h in (1e-6, -1e-6)
    )
    print(f"{name}: backward claims {np.vdot(grads[k], d):9.6f}   forward says {(ahead - behind) / 2e-6:9.6f}")

# %% [markdown]
# All four agree. (The loss is a number, so there is no $g_y$ to draw. This is not the trap of the seed of ones, because
# the loss is not a constant.)
#
# ## Training
#
# We step against the gradient, again and again, with all 300 points at once. We look at the result after 0, 30 and 1000
# steps.

# %% tags=["sizes"] quick="LOOKS = (0, 10, 20); PICTURES, EPOCHS = (500, 200), 1"
LOOKS = (0, 30, 1000)  # steps
PICTURES, EPOCHS = (4000, 1000), 15  # of Shapes


# %% tags=["varies", "picture"]
HIDDEN = 24
ticks = np.linspace(-1.2, 1.2, 200)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)  # (200, 200, 2)
pale = ListedColormap(["#b8d6ea", "#f3cdb3", "#b3dfd2"])


def look(axes, parameters, title):
    """Draw the predicted class of each point of the plane, and in grey where each hidden unit's gate opens."""
    winner = forward(grid.reshape(-1, 2), parameters)[0].argmax(axis=1).reshape(200, 200)
    axes.imshow(winner, origin="lower", extent=(-1.2, 1.2, -1.2, 1.2), cmap=pale, vmin=0, vmax=2)
    for w, b in zip(parameters[0], parameters[1], strict=True):
        axes.contour(ticks, ticks, grid @ w + b, levels=[0], colors=GREY, linewidths=0.4)
    scatter(axes)
    axes.set_title(title, fontsize="medium")


parameters = start(2, HIDDEN, 3, np.random.default_rng(0))
figure, panels = plt.subplots(1, 3, figsize=(9, 3.5), layout="constrained")
panel = iter(panels)
for step in range(LOOKS[-1] + 1):
    scores, saved = forward(points, parameters)
    loss, grads = gradients(scores, saved, labels, parameters)
    if step in LOOKS:
        right = (scores.argmax(axis=1) == labels).mean()
        look(next(panel), parameters, f"step {step}: loss {loss:.2f}, {right:.0%} right")
    parameters = [p - g for p, g in zip(parameters, grads, strict=True)]  # a learning rate of 1
plt.show()

# %% [markdown]
# Each grey line belongs to one hidden unit: its gate is open on one side of the line and closed on the other. Between
# the lines the network is linear, and its borders are straight; they bend where they cross a line. The biases start at
# 0, so at first all lines pass through the middle. Training moves them to where bends are needed.
#
# How few hidden units are enough? Make a prediction, then set `HIDDEN` to 12, 8, 6 or 4.
#
# ## Where √2 comes from
#
# `start` drew the weights with a standard deviation of $\sqrt{2/I}$. Does it matter? For two layers it hardly does. So
# let us stack thirty layers of 256 units each and watch the size of the numbers. We try four standard deviations: 0.03,
# $\sqrt{1/256} = 0.0625$, $\sqrt{2/256} = 0.088$ and 0.12. What do you expect after thirty layers?


# %% tags=["varies"]
def sizes(std, depth=30, width=256):
    """The root mean square of each layer's output (forward), and of the gradient that reaches it (backward)."""
    rng = np.random.default_rng(0)
    h, layers, up = rng.standard_normal((128, width)), [], []
    for _ in range(depth):
        w = std * rng.standard_normal((width, width))
        z = h @ w.T
        layers.append((w, z > 0))
        h = np.maximum(z, 0)
        up.append(np.sqrt((h**2).mean()))
    g, down = rng.standard_normal(h.shape), []
    for w, open_gates in reversed(layers):
        down.insert(0, np.sqrt((g**2).mean()))
        g = (g * open_gates) @ w
    return up, down


figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
for std, label, color, style in (
    (0.12, "0.12", ORANGE, "-"),
    (np.sqrt(2 / 256), "√(2/256), He", BLUE, "-"),
    (np.sqrt(1 / 256), "√(1/256)", GREEN, "--"),
    (0.03, "0.03", VERMILION, "-."),
):
    for axes, values in zip(panels, sizes(std), strict=True):
        axes.semilogy(range(1, 31), values, color=color, linestyle=style, label=label)
tidy(panels[0], "Forward: size of a layer's output", "layer", "root mean square")
tidy(panels[1], "Backward: size of the gradient", "layer")
panels[0].get_legend().remove()
plt.show()

# %% [markdown]
# 0.12 is not much larger than 0.088, but after thirty layers the numbers are ten thousand times as large. Every layer
# multiplies, so depth turns small errors into huge ones, in both directions. Only one choice keeps the size constant.
# Why that one?
#
# One output is a sum of $n$ products. If the weights have mean 0 and are independent of the inputs, the variances add:
#
# $$E(z^2) = n \cdot \mathrm{Var}(w) \cdot E(x^2)$$
#
# To keep the size constant we want $n \cdot \mathrm{Var}(w) = 1$. But then ReLU sets half of the values to 0. How much
# of $E(z^2)$ is left?

# %%
z = np.random.default_rng(0).standard_normal(1_000_000)
print(f"E(relu(z)²) / E(z²) = {(np.maximum(z, 0) ** 2).mean() / (z**2).mean():.2f}")

# %% [markdown]
# Half of it is left, because $z$ is positive as often as negative, and squares do not depend on the sign. So each layer
# loses a factor of 2, and the weights must make up for it: $n \cdot \mathrm{Var}(w) = 2$, a standard deviation of
# $\sqrt{2/n}$ (He et al. 2015, eq. 10). Without the 2, each layer shrinks the numbers by $\sqrt 2$: over thirty layers
# by $2^{15}$, the green line. In the library this is `nn.init.kaiming_normal_`.
#
# For a convolution, $n$ counts all the inputs of one output:

# %%
answer = None  # your number
check.he_std(answer)

# %% [markdown]
# ## Pictures
#
# Now we take something larger: Shapes, with pictures of 32 × 32 pixels in three colours and ten classes. We write the
# 3072 numbers of a picture in one row. The network is the same, with 128 hidden units, and we use batches of 100
# pictures.

# %%
train, test = data.shapes(*PICTURES)
mean, std = data.channel_statistics(train)


def rows(dataset):
    """Pixels with mean 0 and size 1, a row for each picture (N, 3072)."""
    pixels = dataset.images.astype(np.float32) / 255
    return (
        ((pixels - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))).reshape(len(pixels), -1).astype("float32")
    )


x_train, x_test = rows(train), rows(test)
figure, panels = plt.subplots(2, 10, figsize=(9, 2.1), layout="constrained")
for (row, label), axes in np.ndenumerate(panels):
    axes.imshow(train.images[train.labels == label][row].transpose(1, 2, 0))
    axes.set_title(train.classes[label], fontsize="small")
    axes.axis("off")
plt.show()

# %% [markdown]
# Guessing gets 10 % right, and a small ResNet gets more than 95 %. What do you expect from this network, on the
# pictures that it is trained on and on others?


# %% tags=["varies"]
def share_right(x, labels):
    return 100 * (forward(x, parameters)[0].argmax(axis=1) == labels).mean()


def both():
    return share_right(x_train, train.labels), share_right(x_test, test.labels)


rng = np.random.default_rng(0)
parameters = start(3072, 128, 10, rng, np.float32)
losses, curve = [], [both()]
for _ in range(EPOCHS):
    for batch in rng.permutation(len(x_train)).reshape(-1, 100):
        loss, grads = gradients(*forward(x_train[batch], parameters), train.labels[batch], parameters)
        parameters = [p - np.float32(0.05) * g for p, g in zip(parameters, grads, strict=True)]
        losses.append(loss)
    curve.append(both())

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
on_train, on_test = np.transpose(curve)
axes.plot(on_train, color=BLUE, marker="o", markersize=4, label="pictures it was trained on")
axes.plot(on_test, color=VERMILION, marker="s", markersize=4, label="other pictures")
axes.axhline(10, color=GREY, linestyle=":", label="guessing")
tidy(axes, "Two linear layers on Shapes", "epoch", "right, %")
plt.show()
print(f"first loss {losses[0]:.2f}, last loss {losses[-1]:.2f}; right {on_train[-1]:.0f} % and {on_test[-1]:.0f} %")

# %% [markdown]
# Training works, the gradients are right and the loss falls, but the result is useless: the network has memorised its
# 4000 pictures, and of the others it gets one in five right. It has 400,000 weights, which is enough for that. (By the
# way, the first loss is not ln 10, but the value that we saw for scores of size 1.)
#
# The network has the wrong structure for pictures. To a linear layer pixel 17 and pixel 18 are two of 3072 inputs, no
# closer to each other than to any third. A star that moves by one pixel is a completely new picture. We need a layer
# that knows which pixels are neighbours, and that sees the same thing in every place. That is the subject of the next
# lesson.
#
# ## The same in tinyres.nn
#
# Here is the network again, built from the library's parts. We give it the weights that we have just trained, and
# compare the loss of a batch and its gradients:

# %%
net = nn.Sequential(nn.Linear(3072, 128), nn.ReLU(), nn.Linear(128, 10))
net.load_state_dict(dict(zip(net.state_dict(), parameters, strict=True)))

x, t = x_train[:100], train.labels[:100]
loss, grads = gradients(*forward(x, parameters), t, parameters)
library_loss = F.cross_entropy(net(Tensor(x)), t)
library_loss.backward()
print("loss the same:", np.allclose(loss, library_loss.item(), rtol=1e-4))
for (name, parameter), g in zip(net.named_parameters(), grads, strict=True):
    print(f"gradient of {name:9} the same:", np.allclose(parameter.grad, g, rtol=1e-3, atol=1e-6))

# %% [markdown]
# The thirty lines have become two, and the engine does the backward pass for us. It calls the same formulas that you
# derived. Here is a whole training from new weights (`nn.Linear` draws them as torch does):

# %% tags=["varies"]
tinyres.manual_seed(0)
net = nn.Sequential(nn.Linear(3072, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = optim.SGD(net.parameters(), lr=0.05)
for epoch in range(min(EPOCHS, 3)):
    for batch in np.random.default_rng(epoch).permutation(len(x_train)).reshape(-1, 100):
        loss = F.cross_entropy(net(Tensor(x_train[batch])), train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss of the last batch {loss.item():.2f}")

# %% [markdown]
# ## Summary
#
# - To derive a backward from indices, sum over all the outputs that a number reaches. The index that is missing on the
#   left is the one that is summed; hence the sum over the batch for $b$.
# - Shapes help to find a formula, but they prove nothing: never test with square matrices.
# - Softmax is shifted by its largest score. Softmax and cross-entropy are one op, and its gradient is $p - t$.
# - The first loss for $K$ classes is $\ln K$. Always look at it.
# - ReLU keeps half of the mean square, so weights have a standard deviation of $\sqrt{2/n}$. Without batch norm, any
#   other size explodes or vanishes in a deep network.
#
# Next: [05 · convolution](05_convolution.ipynb), the layer that sees neighbours.
