# %% [markdown]
# # 07 · batch norm
#
# At the end you can derive the whole backward pass of batch norm on a sheet of paper, know what each of its terms is
# good for, and what batch norm does to the weights before it and to a picture that comes alone.
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
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.batch_norm_relu import BatchNormReLU
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy

rng = np.random.default_rng(0)

# %% [markdown]
# ## Thirty layers
#
# Lesson 4 ended with a rule: weights with a standard deviation of √(2/n), He's, or else in a deep net everything
# explodes or vanishes. But a rule for the *start* binds nobody afterwards; training moves the weights. Take thirty
# linear layers, each with a ReLU behind it. What if the weights have become 20 % too small, or 20 % too large? Guess
# the size of what comes out, if what goes in has size 1.


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
# 0.8³⁰ is a thousandth, and 1.2³⁰ is 237: a small mistake in each layer becomes a large one in all of them. After the
# first, the output hardly depends on the input any more; after the second, the softmax is sure of itself before it
# has learned anything.
#
# **Batch norm** (Ioffe & Szegedy 2015) mends this by force: after each layer, subtract the mean and divide by the
# standard deviation, over the batch. On the right, the three curves lie on one another.
#
# (The authors called the drift "internal covariate shift", and thought that to be the reason why batch norm helps.
# Whether it is has been doubted since: Santurkar et al. 2018 add such a shift behind batch norm, and it helps all the
# same. That training becomes faster and bears larger steps is not in doubt.)
#
# ## Forward
#
# For a convolution's output (N, C, H, W), which mean, over which axes? A channel is one feature, the same at each
# pixel of each picture. So each **channel** gets one mean and one variance, over all M = N·H·W values.
#
# $$\mu = \frac1M \sum x \qquad v = \frac1M \sum (x - \mu)^2 \qquad r = \frac{1}{\sqrt{v + \varepsilon}} \qquad
# \hat x = (x - \mu)\,r \qquad y = \gamma\,\hat x + \beta$$
#
# ε = 1e-5 keeps a constant channel from a division by 0. γ and β are learned: should the layer want another size or
# mean, it can have it.


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
# The distributions keep their shape; only place and width are normalised.
#
# ## Backward: a first try
#
# x̂ = (x − μ)·r looks like a factor and a shift. Then gx = γ·r·gy, and we are done? Let us ask the checker.
# `FirstTry` is the library's op with a backward of our own.


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
    """What the gradient checker says of norm(), an op that is batch norm with some backward."""
    try:
        gradcheck(lambda *inputs: norm()(*inputs), [x, gamma, beta])
        return "right"
    except GradientError as error:
        return fill(error.diagnosis, 90)


print(examine(lambda: FirstTry(1e-5)))

# %% [markdown]
# It is wrong, and the checker knows why: we have treated μ and r as constants. They are not. **Nudge one value of a
# channel, and all of y moves.** Here are eight values; the fifth is raised by 0.1.


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
# The mean went up, which pushes all the others down. And the variance went up, which pulls the far ones towards the
# middle: what is far below, such as element 0, even rises.
#
# ## Three ways
#
# Let the engine draw it. Written with single ops, batch norm looks like this:

# %%
mean = x.mean((0, 2, 3), keepdim=True)
centred = x - mean
variance = (centred * centred).mean((0, 2, 3), keepdim=True)
xhat = centred / (variance + 1e-5).sqrt()
viz.graph(xhat, {"x": x})

# %% [markdown]
# From x down to the result there are three kinds of ways: **directly** (Subtract, Divide), **through the mean**, and
# **through the variance**. The chain rule wants the sum over all of them.
#
# The engine can do that by itself, as it knows the backward of each small op. We shall hold our own derivation
# against it.

# %%
gy = rng.standard_normal(x.shape)
y = gamma.reshape(1, 3, 1, 1) * xhat + beta.reshape(1, 3, 1, 1)
y.backward(gy)
engine = {"x": x.grad, "gamma": gamma.grad, "beta": beta.grad}

# %% [markdown]
# ## The derivation
#
# One channel, M values; $g_y$ is given (`gy` in the code), and $g_{x_i}$ is the gradient of the loss with respect to
# $x_i$, and so on.
#
# **γ, β and x̂.** From $y_j = \gamma \hat x_j + \beta$. Both γ and β are used M times, so their gradients add up:
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
# **1. Directly.** Hold μ and r still. From $\hat x_i = (x_i - \mu)\,r$ the value $x_i$ gets
#
# $$r\,g_{\hat x_i}$$
#
# **2. Through the variance.** Three steps back: to r, to v, to $x_i$. Every $\hat x_j = (x_j - \mu)\,r$ has used r:
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
# The ½ has met the 2, and all powers of r but one are gone.

# %%
directly = r * gxhat
gr = (gxhat * (values - mu)).sum(axes, keepdims=True)
gv = -0.5 * r**3 * gr
through_variance = gv * 2 / M * (values - mu)

# %% [markdown]
# **3. Through the mean.** Every $\hat x_j$ has used μ, with the slope $-r$:
#
# $$g_{\mu} = -r \sum_j g_{\hat x_j}$$
#
# v has used μ, too! But with the slope $-\frac2M \sum_j (x_j - \mu)$, and deviations from the mean sum to 0. Nothing
# comes that way. μ contains $x_i$ with the slope $\frac1M$, so $x_i$ gets
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
# Eleven ops of the engine, each with values of its own to keep, have become two lines that keep x and two numbers for
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
# An identity; a constant, because each value moves the mean alike; and a saddle, because the values far out move the
# variance most. The bars above were such a column, of the last matrix. Now you.


# %%
def batch_norm_backward(gy, x, gamma, beta):
    """y as in batch_norm_forward. gy, x (N, C, H, W), gamma, beta (C) -> gx (N, C, H, W), ggamma (C), gbeta (C)"""
    ...  # your code


check.batch_norm_backward(batch_norm_backward)

# %% [markdown]
# And somebody else:

# %%
answer = None  # the number of the wrong line
check.norm_bug(answer)

# %% [markdown]
# The library's page. (`needs` says which gradients anyone wants; the two sums come first, for gx needs them as well.
# `batch` matters where several processes share one batch, and does nothing otherwise.)

# %%
print(inspect.getsource(BatchNorm))

# %% [markdown]
# ## Leave one out
#
# A term that nobody misses is a term too many. What does the checker say if one is left out?


# %%
class Parts(BatchNorm):
    """Batch norm whose backward goes some of the ways only"""

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
# It finds each by name. How? It tries the formulas that people write by mistake, and sees which of them gives the
# same wrong numbers (`tinyres/check/diagnosis/`).
#
# ## What gx can never contain
#
# A prediction without any calculation: think what happens to y if the same number is added to all x of a channel.

# %%
answer = None  # your number
check.norm_gradient_sum(answer)

# %% [markdown]
# There is a second such direction. Stretch a channel, x → x + t·x̂: its variance grows, batch norm divides it away,
# and y stays (nearly: eps does not grow along). So the slope in that direction, Σ gx·x̂, must be 0 as well. Look
# again at the formula: the second term takes the mean out of gy, the third takes out whatever looks like x̂. **gx is
# what is left of gy when a shift and a stretch, which could do nothing anyway, have been removed.**

# %%
for eps in (1e-5, 1e-1):
    inputs = Tensor(values, requires_grad=True)
    F.batch_norm(inputs, None, None, gamma, beta, training=True, eps=eps).backward(gy)
    channel, z = inputs.grad[:, 0], normalise(values[:, 0], eps)
    cosine = (channel * z).sum() / np.linalg.norm(channel) / np.linalg.norm(z)
    print(f"eps {eps:g}: sum of gx {abs(channel.sum()):.4f}, cosine of gx and x̂ {abs(cosine):.4f}")

# %% [markdown]
# M values, and two directions are gone. What if a channel has only **two** values in its batch?

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
# Two numbers become −1 and 1, whatever they were, and gx is 0 (up to eps). Of two values, batch norm keeps nothing
# but which is the larger one; of few, little. It wants a batch of some size.
#
# ## A checker can be fooled
#
# Here is a batch norm whose backward says that nothing matters. Test it with a loss: the sum of y.


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
# You know this trap from lesson 3, where it caught softmax. y sums to M·β, whatever x and γ are. So for this loss the
# zeros are *right*, and a test that begins with `y.sum().backward()` finds nothing: gy = 1 is one of the two
# directions in which batch norm is blind. (Which is the other?) Draw gy at random, and no luck will hide a mistake.
#
# ## The weights before it
#
# A convolution or a linear layer stands before batch norm. If all its weights become ten times as large, so do its
# outputs, and batch norm takes it away again. What does that mean for gw?

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
# The same loss. Ten times the weights, a **tenth** of the gradient. And gw stands at right angles to w, as along w
# nothing changes.
#
# Then every step of gradient descent goes off at a right angle, and by Pythagoras |w|² grows by |step|². It can only
# grow! Let us train for a while and compare |w|² with what Pythagoras says.

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
# So batch norm lowers the learning rate on its own: what counts is how far a step turns w, and that shrinks as w
# grows. Weight decay works against it. It does not make such a layer "simpler", for its function does not change; it
# keeps the steps effective (van Laarhoven 2017).
#
# Another consequence: **a bias before batch norm is useless**. It shifts a channel, and the mean takes it away. That
# is why every convolution in `models/resnet.py` says `bias=False`.
#
# ## A picture that comes alone
#
# In training, what batch norm makes of a picture depends on the others in the batch. Same picture, two batches:

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
# When the network is used, that will not do: the answer for a picture should not depend on who else is asking. So
# while training, the layer keeps **running statistics**, and uses them in evaluation:

# %%
print(inspect.getsource(F.batch_norm))

# %% [markdown]
# Each batch moves them a little: `momentum` is the share of the new.


# %%
def running_mean(running, batch, momentum):
    """running, batch (C), a number -> the new running mean (C); momentum as in torch, where 0.1 is usual."""
    ...  # your code


check.running_mean(running_mean)

# %% [markdown]
# What is a good momentum? Let us watch, for the red channel of our pictures and batches of 16. Which of the curves
# comes from 0.01, which from 0.5?

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
# 0.5 believes the last two batches and is noisy; 0.01 is still on its way from its start, 0, after eighty. torch's
# 0.1 is a compromise: after 80 batches its start counts for 0.9⁸⁰, 0.02 %.
#
# In evaluation batch norm is only a factor and a shift, with constants. Then, and only then, is gx = γ·r·gy, our
# first try, right.
#
# A **batch of one** is the extreme case. With a map there are still H·W values in a channel. With a single value
# there are none to compare it with: x − μ is 0, y is β whatever comes in, and the library refuses.

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
# In a network batch norm is nearly always followed by a ReLU. Done in one go, the values in between need never be
# written to memory and read again. The gradient is the same formula with a gate before it: g is gy where y > 0.

# %%
print(inspect.getsource(BatchNormReLU))

# %% [markdown]
# "Where the gate was shut gx is not 0." Is that so? A plain ReLU would block there. And is the fused op the same as
# the two?

# %%
inputs, again = (Tensor(values, requires_grad=True) for _ in range(2))
fused = F.batch_norm_relu(inputs, None, None, training=True)
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
large = F.conv2d(some, kernels, padding=1).numpy()  # as a network hands it to batch norm
ways = {
    "two ops": lambda x: F.relu(F.batch_norm(x, None, None, training=True)),
    "one op": lambda x: F.batch_norm_relu(x, None, None, training=True),
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
# (The times are of this machine, and of this minute.) What is saved is in the docstring: as two ops 13 trips of an
# activation to or from memory, as one op 8. Lesson 13 is about such things.
#
# With batch norm, signals keep their size at any depth, and gradients do not vanish on their way back. (In a plain
# net of 44 layers they even grow, a thousandfold: `tinyres lab gradient-flow`.) A deeper network could copy a shallow
# one and do nothing in its other layers. So it should be at least as good. Is it?

# %% [markdown]
# ## Summary
#
# - x reaches the loss along three ways, so gx = γ·r·(gy − mean(gy) − x̂·mean(gy·x̂)): directly, through the mean,
#   through the variance.
# - The corrections take a shift and a stretch out of gy: gx sums to 0 and is at right angles to x̂, but for eps.
# - With gy = 1 everything about batch norm's gx is 0. Check with a random gy.
# - Weights before batch norm have no size that counts: gw ⟂ w, so |w| grows and steps shrink; a bias there is
#   useless.
# - Training uses the batch's statistics, evaluation the running ones. One value alone cannot be normalised.
#
# Next: [08 · degradation](08_degradation.ipynb)
