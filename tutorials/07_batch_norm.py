# %% [markdown]
# # 07 · batch norm
#
# At the end you can derive the whole backward pass of batch norm on a sheet of paper, and you know what each of its
# terms does. You also know what batch norm does to the weights before it, and to a single picture.
#
# *40 minutes. Before it: [06](06_pooling.ipynb).*

# %%
import inspect
import time
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Tensor, gradcheck, nn
from tinyres.check.gradcheck import GradientError
from tinyres.data.shapes import shapes
from tinyres.look import viz
from tinyres.nn import functional as F
from tinyres.nn.fused import batch_norm_relu
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_relu import BatchNormReLU
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy

rng = np.random.default_rng(0)

# %% [markdown]
# ## Thirty layers
#
# Lesson 4 ended with a rule: weights need He's standard deviation of √(2/n), or everything explodes or vanishes in a
# deep network. But this rule is only about the *start*; training moves the weights. Take thirty linear layers, each
# followed by a ReLU. What if the weights have become 20 % too small, or 20 % too large? Guess the size of the output if
# the input has size 1.


# %%
def sizes(scale, with_norm=False, depth=30, width=64):
    """The standard deviation of each layer's output, before its ReLU"""
    rng = np.random.default_rng(0)
    a, found = rng.standard_normal((256, width)), []
    for _ in range(depth):
        z = a @ rng.standard_normal((width, width)) * np.sqrt(2 / width) * scale
        if with_norm:
            z = (z - z.mean(0)) / z.std(0)
        found.append(z.std())
        a = np.maximum(z, 0)
    return found


figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for scale, colour, style in ((1.2, VERMILION, "-"), (1.0, GREEN, "--"), (0.8, BLUE, ":")):
    look = {"color": colour, "linestyle": style, "linewidth": 2.5}
    panels[0].semilogy(range(1, 31), sizes(scale), label=f"He's weights × {scale}", **look)
    panels[1].semilogy(range(1, 31), sizes(scale, with_norm=True), **look)
tidy(panels[0], "without", "layer", "standard deviation of its output")
tidy(panels[1], "with batch norm", "layer")
plt.show()

# %% [markdown]
# 0.8³⁰ is a thousandth, and 1.2³⁰ is 237: a small error in each layer becomes a large one in all layers together. In
# the first case the output hardly depends on the input any more. In the second case the softmax is sure of its answers
# before it has learnt anything.
#
# **Batch norm** (Ioffe & Szegedy 2015) corrects this directly: after each layer it subtracts the mean and divides by
# the standard deviation, both taken over the batch. In the plot on the right, the three curves coincide.
#
# (The authors called the drift "internal covariate shift" and believed that this is why batch norm helps. This has been
# doubted since: Santurkar et al. 2018 add such a shift after batch norm, and it still helps. But there is no doubt that
# training becomes faster and tolerates larger steps.)
#
# ## Forward
#
# The output of a convolution has the shape (N, C, H, W). Over which axes do we take the mean? A channel is one feature,
# the same at each pixel of each picture. So each **channel** gets one mean and one variance, over all M = N·H·W values.
#
# $$\mu = \frac1M \sum x \qquad v = \frac1M \sum (x - \mu)^2 \qquad r = \frac{1}{\sqrt{v + \varepsilon}} \qquad
# \hat x = (x - \mu)\,r \qquad y = \gamma\,\hat x + \beta$$
#
# ε = 1e-5 avoids a division by 0 in a constant channel. γ and β are learnt: if another size or mean is better for the
# layer, it can learn it.


# %%
def batch_norm_forward(x, gamma, beta):
    """x (N, C, H, W), gamma, beta (C) -> y (N, C, H, W): each channel to mean 0, variance 1; times gamma, plus beta.

    var is the mean of (x − mean)²; add eps = 1e-5 to it before taking the root.
    """
    ...  # your code


check.batch_norm_forward(batch_norm_forward)

# %%
train, _ = shapes(200, 1)
pictures = train.images / 255  # (200, 3, 32, 32)
kernels = rng.standard_normal((3, 3, 3, 3))
before = F.conv2d(Tensor(pictures), Tensor(kernels))
after = F.batch_norm(before, None, None, training=True)

figure, panels = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for axes, values in zip(panels, (before, after), strict=True):
    for c, colour in enumerate((BLUE, VERMILION, GREEN)):
        look = {"density": True, "histtype": "step", "linewidth": 2, "color": colour}
        axes.hist(values.numpy()[:, c].ravel(), 80, label=f"channel {c}", **look)
tidy(panels[0], "a convolution's output", "value", "density")
tidy(panels[1], "after batch norm", "value")
panels[1].get_legend().remove()
plt.show()

# %% [markdown]
# The distributions keep their shape; only their position and width are normalised.
#
# ## Backward: a first try
#
# x̂ = (x − μ)·r looks like a factor and a shift. Is the gradient then simply gx = γ·r·gy? Let us ask the checker.
# `FirstTry` is the library's op with our own backward.


# %%
class FirstTry(BatchNorm):
    def backward(self, gy):
        x, mean, r, gamma = self.saved  # the last three: one number for each channel
        axes, c = (0, 2, 3), np.s_[:, None, None]
        xhat = (x - mean[c]) * r[c]
        return (gamma * r)[c] * gy, (gy * xhat).sum(axes), gy.sum(axes)


x = Tensor(rng.standard_normal((4, 3, 5, 5)), requires_grad=True)
gamma, beta = (Tensor(rng.standard_normal(3), requires_grad=True) for _ in range(2))


def examine(norm):
    """What the gradient checker says about norm(), a batch norm with some backward."""
    try:
        gradcheck(lambda *inputs: norm()(*inputs), [x, gamma, beta])
        return "right"
    except GradientError as error:
        return fill(error.diagnosis, 90)


print(examine(lambda: FirstTry(1e-5)))

# %% [markdown]
# It is wrong, and the checker knows why: we have treated μ and r as constants, but they are not. **If one value of a
# channel changes, all of y changes.** Here are eight values; the fifth is raised by 0.1.


# %%
def normalise(x, eps=1e-5):
    """One channel (M)"""
    return (x - x.mean()) / np.sqrt(x.var() + eps)


eight = np.array([-1.5, 0.2, 0.9, -0.4, 1.3, -0.8, 0.5, -0.2])
nudge = np.zeros(8)
nudge[4] = 0.1

figure, axes = plt.subplots(figsize=(7, 2.7), layout="constrained")
colours = [VERMILION if k == 4 else GREY for k in range(8)]
axes.bar(range(8), normalise(eight + nudge) - normalise(eight), color=colours)
axes.set_xticks(range(8), [f"{k}\nx = {value}" for k, value in enumerate(eight)])
axes.axhline(0, color="black", linewidth=0.8)
tidy(axes, "x[4] is raised by 0.1: how much y changes", "element, and its x before", "change of y")
plt.show()

# %% [markdown]
# The mean went up, which pushes all the others down. The variance also went up, which pulls distant values towards the
# middle: a value far below the mean, such as element 0, even rises.
#
# ## Three paths
#
# Let the library draw the graph. Written with single ops, batch norm looks like this:

# %%
mean = x.mean((0, 2, 3), keepdim=True)
centred = x - mean
variance = (centred * centred).mean((0, 2, 3), keepdim=True)
xhat = centred / (variance + 1e-5).sqrt()
viz.graph(xhat, {"x": x})

# %% [markdown]
# From x down to the result there are three kinds of paths: **directly** (Subtract, Divide), **through the mean**, and
# **through the variance**. By the chain rule we need the sum over all of them.
#
# The engine can compute this by itself, because it knows the backward of each small op. We will compare our own
# derivation with its result.

# %%
gy = rng.standard_normal(x.shape)
y = gamma.reshape(1, 3, 1, 1) * xhat + beta.reshape(1, 3, 1, 1)
y.backward(gy)
engine = {"x": x.grad, "gamma": gamma.grad, "beta": beta.grad}

# %% [markdown]
# ## The derivation
#
# We look at one channel with M values. $g_y$ is given (`gy` in the code), $g_{x_i}$ is the gradient of the loss with
# respect to $x_i$, and so on.
#
# **γ, β and x̂.** In $y_j = \gamma \hat x_j + \beta$ both γ and β are used M times, so their gradients add up:
#
# $$g_{\beta} = \sum_j g_{y_j} \qquad g_{\gamma} = \sum_j g_{y_j}\,\hat x_j \qquad
# g_{\hat x_j} = \gamma\,g_{y_j}$$

# %%
axes, eps = (0, 2, 3), 1e-5
values, g = x.numpy(), gamma.numpy()[:, None, None]
M = values.size / 3
mu = values.mean(axes, keepdims=True)
r = 1 / np.sqrt(values.var(axes, keepdims=True) + eps)
xhat = (values - mu) * r

gxhat = g * gy
print("gbeta as the engine's: ", np.allclose(gy.sum(axes), engine["beta"]))
print("ggamma as the engine's:", np.allclose((gy * xhat).sum(axes), engine["gamma"]))

# %% [markdown]
# **1. Directly.** Keep μ and r fixed. From $\hat x_i = (x_i - \mu)\,r$ the value $x_i$ gets
#
# $$r\,g_{\hat x_i}$$
#
# **2. Through the variance.** We go back in three steps: to r, to v, to $x_i$. Every $\hat x_j = (x_j - \mu)\,r$ uses
# r:
#
# $$g_{r} = \sum_j g_{\hat x_j}\,(x_j - \mu) = \frac1r \sum_j g_{\hat x_j}\,\hat x_j$$
#
# The slope of $r = (v + \varepsilon)^{-1/2}$ is $-\frac12 (v + \varepsilon)^{-3/2}$, which is $-\frac12 r^3$:
#
# $$g_{v} = -\tfrac12\, r^3\, g_{r} = -\tfrac12\, r^2 \sum_j g_{\hat x_j}\,\hat x_j$$
#
# And $v = \frac1M \sum_j (x_j - \mu)^2$ contains $x_i$ with the slope $\frac2M (x_i - \mu) = \frac{2}{Mr}\,\hat x_i$.
# So $x_i$ gets
#
# $$g_{v} \cdot \frac{2}{Mr}\,\hat x_i = -r\,\hat x_i \cdot \frac1M \sum_j g_{\hat x_j}\,\hat x_j$$
#
# The ½ cancels the 2, and only one power of r is left.

# %%
directly = r * gxhat
gr = (gxhat * (values - mu)).sum(axes, keepdims=True)
gv = -0.5 * r**3 * gr
through_variance = gv * 2 / M * (values - mu)

# %% [markdown]
# **3. Through the mean.** Every $\hat x_j$ uses μ, with the slope $-r$:
#
# $$g_{\mu} = -r \sum_j g_{\hat x_j}$$
#
# v also uses μ, but with the slope $-\frac2M \sum_j (x_j - \mu)$, and deviations from the mean sum to 0. So nothing
# comes along this path. μ contains $x_i$ with the slope $\frac1M$, so $x_i$ gets
#
# $$-r \cdot \frac1M \sum_j g_{\hat x_j}$$
#
# **The sum.** Each $\frac1M \sum$ is a mean, and γ is a factor of everything:
#
# $$g_{x} = \gamma\,r\,\bigl(g_{y} - \mathrm{mean}(g_{y}) - \hat x \cdot
# \mathrm{mean}(g_{y}\,\hat x)\bigr)$$

# %%
gmu = -r * gxhat.sum(axes, keepdims=True)
through_mean = gmu / M
step_by_step = directly + through_mean + through_variance

inner = gy - gy.mean(axes, keepdims=True) - xhat * (gy * xhat).mean(axes, keepdims=True)
two_lines = g * r * inner

print("step by step, as the engine's:", np.allclose(step_by_step, engine["x"]))
print("two lines, as the engine's:   ", np.allclose(two_lines, engine["x"]))

# %% [markdown]
# Eleven ops of the engine, each of which saves values of its own, have become two lines that save x and two numbers for
# each channel. That is why libraries have an op for batch norm.
#
# We can look at the three terms. With γ = 1, gx = J·gy (J is symmetric), and the matrix J/r is a sum of three.

# %% tags=["picture"]
twelve = np.sort(rng.standard_normal(12))
z = normalise(twelve)
M = len(z)
terms = {
    "directly": np.eye(M),
    "through the mean": -np.ones((M, M)) / M,
    "through the variance": -np.outer(z, z) / M,
}
terms["all three"] = sum(terms.values())

figure, panels = plt.subplots(1, 4, figsize=(9, 3), layout="constrained")
for axes, (title, term) in zip(panels, terms.items(), strict=True):
    shown = axes.imshow(term, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    axes.set_title(title, fontsize=11)
    axes.set(xticks=[], yticks=[], xlabel="x, from small to large")
panels[0].set_ylabel("y")
figure.colorbar(shown, ax=panels, shrink=0.7, label="slope, divided by r", extend="both")
plt.show()

step, r12 = 1e-6, 1 / np.sqrt(twelve.var() + 1e-5)
nudges = step * np.eye(M)
measured = [(normalise(twelve + d) - normalise(twelve - d)) / (2 * step) for d in nudges]
print("the slopes of forward are r times that:", np.allclose(measured, r12 * terms["all three"]))

# %% [markdown]
# The first term is the identity. The second is constant, because each value moves the mean equally. The third is a
# saddle, because the values far from the mean move the variance most. The bars above were such a column of the last
# matrix. Now write it yourself.


# %%
def batch_norm_backward(gy, x, gamma, beta):
    """y as in batch_norm_forward. gy, x (N, C, H, W), gamma, beta (C) -> gx (N, C, H, W), ggamma (C), gbeta (C)"""
    ...  # your code


check.batch_norm_backward(batch_norm_backward)

# %% [markdown]
# Here is a version in which one line is wrong:

# %%
answer = None  # the number of the wrong line
check.norm_bug(answer)

# %% [markdown]
# Here is the library's page. (`needs` says which gradients are needed. The two sums come first, because gx needs them
# too.)

# %%
print(inspect.getsource(BatchNorm))

# %% [markdown]
# ## Leave one out
#
# Are all three terms necessary? What does the checker say if one is left out?


# %%
class Parts(BatchNorm):
    """Batch norm whose backward uses only some of the paths"""

    def __init__(self, *ways):
        super().__init__(eps=1e-5)
        self.ways = ways

    def backward(self, gy):
        x, mean, r, gamma = self.saved
        axes, c = (0, 2, 3), np.s_[:, None, None]
        xhat = (x - mean[c]) * r[c]
        parts = {
            "directly": gy,
            "mean": -gy.mean(axes, keepdims=True),
            "variance": -xhat * (gy * xhat).mean(axes, keepdims=True),
        }
        gx = (gamma * r)[c] * sum(parts[way] for way in self.ways)
        return gx, (gy * xhat).sum(axes), gy.sum(axes)


every = ("directly", "mean", "variance")
print("all three:", examine(lambda: Parts(*every)))
for k, missing in enumerate(every):
    rest = every[:k] + every[k + 1 :]
    print(f"\nwithout {missing!r}:")
    print(examine(lambda rest=rest: Parts(*rest)))

# %% [markdown]
# It names each missing term. How? It tries the formulas that people write by mistake, and looks for one that gives the
# same wrong numbers (`tinyres/check/diagnosis/`).
#
# ## What gx can never contain
#
# Make a prediction without any calculation: what happens to y if the same number is added to all x of a channel?

# %%
answer = None  # your number
check.norm_gradient_sum(answer)

# %% [markdown]
# There is a second such direction. If a channel is stretched, x → x + t·x̂, its variance grows, batch norm divides by
# it, and y stays the same (nearly, because eps does not grow). So the slope in this direction, Σ gx·x̂, must be 0 as
# well. Look again at the formula: the second term removes the mean from gy, and the third removes the part that is
# proportional to x̂. **gx is what is left of gy after a shift and a stretch, which have no effect anyway, have been
# removed.**

# %%
for eps in (1e-5, 1e-1):
    inputs = Tensor(values, requires_grad=True)
    F.batch_norm(inputs, None, None, gamma, beta, training=True, eps=eps).backward(gy)
    channel, z = inputs.grad[:, 0], normalise(values[:, 0], eps)
    cosine = (channel * z).sum() / np.linalg.norm(channel) / np.linalg.norm(z)
    print(f"eps {eps:g}: sum of gx {abs(channel.sum()):.4f}, cosine of gx and x̂ {abs(cosine):.4f}")

# %% [markdown]
# Of M directions, two are removed. What if a channel has only **two** values in its batch?

# %%
answer = None  # your number
check.pair_gradient(answer)

# %%
pair = Tensor(np.array([[3.0], [7.0]]), requires_grad=True)  # N = 2, C = 1
y = F.batch_norm(pair, None, None, training=True)
y.backward(np.array([[5.0], [-2.0]]))
print("y:   ", y.numpy().ravel().round(3))
print("|gx|:", abs(pair.grad).ravel().round(4))

# %% [markdown]
# Any two numbers become −1 and 1, and gx is 0 (up to eps). From two values, batch norm keeps only the information which
# is larger; from a few values, it keeps little. It needs a batch that is not too small.
#
# ## A checker can be fooled
#
# Here is a batch norm whose backward returns zeros. We test it with a loss, the sum of y.


# %%
class Lazy(BatchNorm):
    def backward(self, gy):
        x, _, _, gamma = self.saved
        return np.zeros_like(x), np.zeros_like(gamma), gy.sum((0, 2, 3))


inputs, factor = Tensor(values, requires_grad=True), Tensor(gamma.numpy(), requires_grad=True)
F.batch_norm(inputs, None, None, factor, beta, training=True).sum().backward()
print("loss y.sum(): the true gx is 0:", np.allclose(inputs.grad, 0))
print("and the true ggamma is 0:      ", np.allclose(factor.grad, 0))
try:
    gradcheck(lambda *inputs: Lazy(1e-5)(*inputs), [x, gamma, beta])
except GradientError as error:
    print("gradcheck, with a random gy:    wrong, in the gradient of", error.name)

# %% [markdown]
# You know this trap from lesson 3, where it affected softmax. y sums to M·β for any x and γ. So for this loss the zeros
# are *right*, and a test that begins with `y.sum().backward()` finds nothing: gy = 1 is one of the two directions that
# batch norm removes. (Which is the other?) If gy is drawn at random, the mistake cannot hide.
#
# ## The weights before it
#
# Before batch norm there is a convolution or a linear layer. If all its weights become ten times as large, so do its
# outputs, and batch norm divides by the factor again. What does this mean for gw?

# %%
small = F.avg_pool2d(Tensor(pictures), 4).numpy().mean(1).reshape(200, 64)  # 8×8 pixels, grey
labels = train.labels
head = Tensor(np.random.default_rng(1).standard_normal((10, 32)) * 0.3)


def loss_of(w):
    hidden = F.relu(F.batch_norm(F.linear(Tensor(small), w), None, None, training=True))
    return F.cross_entropy(F.linear(hidden, head), labels)


start = np.random.default_rng(2).standard_normal((32, 64)) * np.sqrt(2 / 64)
for factor in (1, 10):
    w = Tensor(factor * start, requires_grad=True)
    loss = loss_of(w)
    loss.backward()
    size = np.linalg.norm(w.grad)
    cosine = (w.numpy() * w.grad).sum() / np.linalg.norm(w.numpy()) / size
    print(f"weights × {factor:2}: loss {loss.item():.3f}, |gw| {size:.4f}; cosine of both {abs(cosine):.4f}")

# %% [markdown]
# The loss is the same. With ten times the weights, the gradient is a **tenth**. And gw is at right angles to w, because
# nothing changes along w.
#
# So every step of gradient descent is at right angles to w, and by Pythagoras' theorem |w|² grows by |step|². It can
# only grow. Let us train for a while and compare |w|² with this prediction.

# %% tags=["sizes"] quick="STEPS = 40"
STEPS = 200

# %%
w = Tensor(start, requires_grad=True)
squared, pythagoras, losses = [], [(start**2).sum()], []
for _ in range(STEPS):
    w.grad = None
    loss = loss_of(w)
    loss.backward()
    squared.append((w.numpy() ** 2).sum())
    losses.append(loss.item())
    pythagoras.append(pythagoras[-1] + (w.grad**2).sum())  # the learning rate is 1
    w.data = w.data - w.grad

figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
panels[0].plot(losses, color=BLUE, linewidth=2)
tidy(panels[0], "the loss falls", "step", "loss")
panels[1].plot(squared, color=VERMILION, linewidth=4, label="|w|²")
panels[1].plot(pythagoras[:-1], "--", color="black", label="|w|² at first + Σ |step|²")
tidy(panels[1], "and the weights grow", "step")
plt.show()

# %% [markdown]
# So batch norm lowers the learning rate by itself: what matters is how far a step turns w, and this angle shrinks as w
# grows. Weight decay works against it. It does not make such a layer "simpler", because its function does not change;
# it keeps the steps effective (van Laarhoven 2017).
#
# Another consequence: **a bias before batch norm is useless**. It shifts a channel, and subtracting the mean removes
# the shift. That is why every convolution in `models/resnet.py` has `bias=False`.
#
# ## A single picture
#
# In training, the result of batch norm for a picture depends on the other pictures in the batch. Here is the same
# picture in two batches:

# %%
norm = nn.BatchNorm2d(3).double()
for _ in range(60):  # let it see some batches
    norm(Tensor(pictures[rng.integers(0, 200, 32)]))

first, second = pictures[:8], pictures[[0, *range(50, 57)]]
for mode in (norm.train, norm.eval):
    mode()
    for name, batch in (("first batch", first), ("second", second)):
        pixels = norm(Tensor(batch)).numpy()[0, 0, 0, :4]  # of picture 0, which is in both
        print(f"{mode.__name__:6}{name:12}", *(f"{pixel:6.2f}" for pixel in pixels))

# %% [markdown]
# When the network is used, this is not acceptable: the answer for a picture should not depend on other pictures. So
# during training the layer keeps **running statistics**, and in evaluation it uses them:

# %%
print(inspect.getsource(F.batch_norm))
print(inspect.getsource(F.normalise))

# %% [markdown]
# Each batch moves them a little: `momentum` is the weight of the new value.


# %%
def running_mean(running, batch, momentum):
    """running, batch (C), a number -> the new running mean (C); momentum as in torch, where 0.1 is usual."""
    ...  # your code


check.running_mean(running_mean)

# %% [markdown]
# What is a good momentum? Let us watch the red channel of our pictures in batches of 16. Which of the curves belongs to
# 0.01, and which to 0.5?

# %%
red = pictures[:, 0]
draws = np.random.default_rng(3).integers(0, 200, (80, 16))
batch_means = red[draws].mean((1, 2, 3))

figure, axes = plt.subplots(figsize=(8, 3.3), layout="constrained")
axes.plot(range(1, 81), batch_means, ".", color=GREY, label="batch means")
for momentum, colour in ((0.5, VERMILION), (0.1, BLUE), (0.01, ORANGE)):
    layer, course = nn.BatchNorm2d(1, momentum=momentum), []
    for batch in draws:
        layer(Tensor(red[batch][:, None].astype("float32")))
        course.append(layer.running_mean.item())
    axes.plot(range(1, 81), course, color=colour, linewidth=2, label=f"momentum {momentum}")
axes.axhline(red.mean(), color="black", linestyle=":", label="all pictures")
tidy(axes, "Running mean of the red channel", "batches seen", "mean")
axes.legend(frameon=False, ncols=2, loc="lower right")
plt.show()

# %% [markdown]
# With 0.5 the running mean mostly follows the last two batches and is noisy. With 0.01 it is still moving away from its
# start, 0, after eighty batches. torch's 0.1 is a compromise: after 80 batches the start has a weight of 0.9⁸⁰, which
# is 0.02 %.
#
# In evaluation, batch norm is only a factor and a shift with constants. Only then is our first try, gx = γ·r·gy, right.
#
# A **batch of one** is the extreme case. If the input is a map, a channel still has H·W values. A single value has
# nothing to be compared with: x − μ is 0, and y is β for any input. So the library raises an error.

# %%
norm.train()
y = norm(Tensor(first[:1]))
print(f"one picture {y.shape}: fine, each channel has {y.numel() // 3} values")
try:
    nn.BatchNorm1d(3)(Tensor(np.ones((1, 3), "float32")))
except ValueError as error:
    print("one row:", error)

# %% [markdown]
# ## Two ops in one
#
# In a network, batch norm is nearly always followed by a ReLU. If both are done together, the values between them need
# not be written to memory and read again. The gradient is the same formula with a gate before it: g is gy where y > 0.

# %%
print(inspect.getsource(BatchNormReLU))

# %% [markdown]
# "Where the gate is shut gx is not 0." Is this true? A ReLU by itself would block the gradient there. And does the
# fused op give the same result as the two ops?

# %%
inputs, again = (Tensor(values, requires_grad=True) for _ in range(2))
fused = batch_norm_relu(inputs, F.Norm(None, None, training=True))
apart = F.relu(F.batch_norm(again, None, None, training=True))
fused.backward(gy)
apart.backward(gy)
same = np.allclose(fused.numpy(), apart.numpy()) and np.allclose(inputs.grad, again.grad)
print("fused op same as the two:", same)

shut = fused.numpy() == 0
not_zero = inputs.grad[shut] != 0
print(f"gates shut: {shut.mean():.0%}; of these, gx is not 0: {not_zero.mean():.0%}")

# %% tags=["varies"]
kernels = Tensor(rng.standard_normal((32, 3, 3, 3)).astype("float32"))
some = Tensor(pictures[:64].astype("float32"))
large = F.conv2d(some, kernels, padding=1).numpy()  # as batch norm gets it in a network
ways = {
    "two ops": lambda x: F.relu(F.batch_norm(x, None, None, training=True)),
    "one op": lambda x: batch_norm_relu(x, F.Norm(None, None, training=True)),
}
times = {name: [] for name in ways}
for _ in range(7):  # in turns; the first ones compile
    for name, run in ways.items():
        inputs = Tensor(large, requires_grad=True)
        began = time.perf_counter()
        run(inputs).backward(large)
        times[name].append(1000 * (time.perf_counter() - began))
for name in ways:
    print(f"{name}: {min(times[name]):.1f} ms, forward and backward")

# %% [markdown]
# (The times depend on the machine and change from minute to minute.) The docstring says what is saved: two ops move an
# activation to or from memory 13 times, one op 8 times. Lesson 13 is about such things.
#
# With batch norm, signals keep their size at any depth, and gradients do not vanish in the backward pass. (In a plain
# network of 44 layers they even grow by a factor of a thousand: `tinyres lab gradient-flow`.) A deeper network could
# copy a shallow one and do nothing in its other layers. So it should be at least as good. Is it?

# %% [markdown]
# ## Summary
#
# - x reaches the loss along three paths: directly, through the mean and through the variance. So gx = γ·r·(gy −
#   mean(gy) − x̂·mean(gy·x̂)).
# - The corrections remove a shift and a stretch from gy: gx sums to 0 and is at right angles to x̂, except for the
#   effect of eps.
# - With gy = 1, the gx of batch norm is 0. Check with a random gy.
# - The size of the weights before batch norm does not matter: gw ⟂ w, so |w| grows and the steps shrink. A bias there
#   is useless.
# - Training uses the statistics of the batch, evaluation uses the running ones. A single value cannot be normalised.
#
# Next: [08 · degradation](08_degradation.ipynb)
