# %% [markdown]
# # 12 · relatives
#
# At the end you know where the residual idea came from, what was tried at the same time, and what came after it. You
# have built each relative, or looked inside it, in a few lines, and compared all of them in one table.
#
# *40 minutes. Before it: [11](11_why_it_works.ipynb).*

# %%
import inspect
import os
from collections import deque
from functools import cache

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres import Tensor, data, models, no_grad, optim
from tinyres.data.shapes import shapes
from tinyres.look.summary import layers
from tinyres.look.undrawn import undrawn
from tinyres.models import densenet, highway
from tinyres.models.googlenet import Inception
from tinyres.nn import Conv2d, Sequential
from tinyres.nn import functional as F
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, tidy
from tinyres.study.labs.halved import halved

os.environ["TINYRES_KERNELS"] = "array"  # convolutions in NumPy: fast enough for a few images, and nothing to compile

# %% tags=["sizes"] quick="EPOCHS, IMAGES, SEEDS, NETS = 1, 300, 1, ['alexnet', 'vgg19', 'resnet34', 'resnet20', 'nin']"
EPOCHS, IMAGES, SEEDS = 6, 3000, 5
NETS = [
    *("alexnet", "nin", "vgg16", "vgg19", "googlenet"),
    *("highway20", "resnet20", "resnet110", "resnet34", "resnet50", "preactresnet164"),
    *("densenet_bc100", "densenet121", "resnet20_fpn"),
]

# %% [markdown]
# ## Before ResNet: correct what is wrong
#
# "Compute only what is missing, and add it to what you have." The ResNet paper does not claim that this idea is new.
# Its section 2 names two older fields that use it: solvers for large systems of equations, and descriptions of images.
# We try both, beginning with the solvers.
#
# A string is fixed at both ends and loaded with weights $f$. Its shape $u$ obeys Poisson's equation $-u'' = f$. At 127
# points this is a system of linear equations, $A u = f$, with 2 on the diagonal and −1 next to it (times a constant).


# %%
def laplacian(n):
    """(n, n): −u'' at n points between 0 and 1, where u is 0 at both ends"""
    return (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2


n = 127
A, f = laplacian(n), np.random.default_rng(0).standard_normal(n)
truth = np.linalg.solve(A, f)  # only used to measure errors

# %% [markdown]
# Jacobi's method begins with any $u$ and computes its error in the equations, the **residual** $r = f - A u$. It moves
# every point a part of the way to where its own equation would be satisfied if the others did not move:
#
# $$u \leftarrow u + \tfrac{2}{3} D^{-1} (f - A u) \qquad\text{(D: the diagonal of A)}$$
#
# Read it as a layer: $y = x + F(x)$, and $F(x) = 0$ where $x$ is already right. Many sweeps are a residual network
# whose blocks share their weights. Jacobi's idea is from 1845. (The factor 2/3 keeps it from overshooting.)
#
# Each sweep is cheap. **How many sweeps do you expect until 99 % of the error is gone?**


# %%
def sweep(A, u, f):
    return u + 2 / 3 * (f - A @ u) / np.diag(A)


def error(u):
    return np.linalg.norm(u - truth) / np.linalg.norm(truth)


places = np.linspace(0, 1, n + 2)[1:-1]
from_zero = [np.zeros(n)]
from_rough = [truth + 0.005 * np.sin(64 * np.pi * places)]  # the solution plus a zigzag
for _ in range(1000):
    from_zero.append(sweep(A, from_zero[-1], f))
    from_rough.append(sweep(A, from_rough[-1], f))
print("error, if u begins as      0    the truth and a zigzag")
for sweeps in (0, 10, 100, 1000):
    print(f"after {sweeps:4} sweeps     {error(from_zero[sweeps]):.3f}        {error(from_rough[sweeps]):.5f}")

# %% [markdown]
# After a thousand sweeps, four fifths of the error are still there. But ten sweeps remove a *rough* error completely.
# Each point sees only its two neighbours, so information travels one point per sweep. The remaining error is smooth,
# and a smooth function can be represented on fewer points.
#
# We cannot compute $u$ itself with fewer points, because they cannot represent its details. But the *correction* is
# smooth. Since $A(u + e) = f$ means
#
# $$A e = f - A u = r,$$
#
# the missing part obeys the same equation, with the residual instead of $f$. So we sweep, pass the residual to a grid
# that is half as fine, solve for $e$ there in the same way, bring $e$ back and **add** it, and sweep once more. This is
# a multigrid solver.


# %%
def interpolation(n):
    """(n, m): from the coarse grid's m = (n − 1)/2 points to n, those between halfway"""
    P = np.zeros((n, (n - 1) // 2))
    for j in range(P.shape[1]):
        P[2 * j : 2 * j + 3, j] = (0.5, 1, 0.5)
    return P


def v_cycle(A, u, f):
    """One pass down to a single point and back up."""
    if len(f) == 1:
        return f / A[0, 0]
    u = sweep(A, u, f)
    P = interpolation(len(f))
    residual = f - A @ u
    e = v_cycle(P.T @ A @ P / 2, np.zeros(P.shape[1]), P.T @ residual / 2)  # starts from 0: what must be added?
    return sweep(A, u + P @ e, f)


cycles = [np.zeros(n)]
for _ in range(5):
    cycles.append(v_cycle(A, cycles[-1], f))
print([f"{error(u):.4f}" for u in cycles])

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for u, colour, label in (
    (truth, "black", "the solution"),
    (from_zero[10], VERMILION, "10 sweeps"),
    (from_zero[1000], ORANGE, "1000 sweeps"),
    (cycles[1], BLUE, "1 cycle"),
):
    left.plot(places, u, color=colour, label=label, linewidth=3 if colour == "black" else 1.5, alpha=0.9)
tidy(left, "the string", "place", "u")
left.set_ylim(-0.002, 0.024)
left.legend(frameon=False, ncols=2, loc="upper center")
WORK = 8  # a cycle in sweeps: two sweeps, the residual and the transfers between grids; (1 + 1/2 + 1/4 + …) = 2 times
right.semilogy(range(1001), [error(u) for u in from_zero], color=VERMILION, label="Jacobi")
right.semilogy([WORK * k for k in range(6)], [error(u) for u in cycles], "o-", color=BLUE, label="multigrid")
right.set_xlim(-10, 400)
tidy(right, "the error", "work, in sweeps", "error, of the solution's size")
plt.show()

# %% [markdown]
# One cycle costs about as much as eight sweeps and removes seven eighths of the error; a thousand sweeps remove a
# fifth.
#
# The paper calls this *preconditioning*. The condition number says how hard a system is for such a method: it is the
# largest eigenvalue of $A$ divided by the smallest, and it measures how differently $A$ stretches different directions.
# A cycle turns a residual into a correction $M r$, where $M$ is a matrix. An error $e$ becomes $(1 - M A)\,e$, so the
# method no longer works with $A$, but with $M A$.


# %%
def condition(method):
    """The condition number of the method's matrix, whose eigenvalues are 1 minus those of its map of the error."""
    left_over = np.column_stack([method(A, e, np.zeros(n)) for e in np.eye(n)])
    eigenvalues = 1 - np.linalg.eigvals(left_over).real
    return eigenvalues.max() / eigenvalues.min()


print(f"sweeps: {condition(sweep):.0f}    cycles: {condition(v_cycle):.2f}")

# %% [markdown]
# The same equations, written differently, are 5,000 times better conditioned. Section 3.1 hopes for something similar
# from $F(x) + x$: it can represent the same functions, but if the wanted function is near the identity, the solver
# (here SGD) starts near it. For networks this began as an analogy. Since then Li et al. (2016, "Demystifying ResNet")
# have computed the condition number at the start, with all weights at 0: with shortcuts over two layers it does not
# grow with depth; with shortcuts over one layer it does.
#
# The other field is image description. Before 2012 an image was described by its *local descriptors*, vectors that say
# what small windows look like. They were compared with a codebook of typical descriptors, $c_1 \ldots c_K$. A "bag of
# words" counts how often each of these is the nearest. **VLAD** (Jégou et al. 2010) adds up what the count leaves out,
# the residuals:
#
# $$v_k = \sum_{x \text{ nearest to } c_k} (x - c_k)$$

# %%
rng = np.random.default_rng(1)
codebook = np.array([[0.0, 0.0], [4.0, 1.0], [1.5, 4.0]])
towards = {"image one": [(1, 0.3), (-0.8, 0.8), (0, -1)], "image two": [(-1, 0.3), (0.8, 0.8), (0.9, 0)]}
images = {
    name: np.concatenate([c + d + 0.3 * rng.standard_normal((12, 2)) for c, d in zip(codebook, moves, strict=True)])
    for name, moves in towards.items()
}


def nearest(x):
    return ((x[:, None] - codebook) ** 2).sum(2).argmin(1)


def vlad(x):
    """x (N, D) -> (K, D)"""
    return np.stack([(x[nearest(x) == k] - codebook[k]).sum(0) for k in range(len(codebook))])


_, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True, sharey=True, layout="constrained")
for axes, (name, x) in zip(panels, images.items(), strict=True):
    for k, colour in enumerate((BLUE, VERMILION, GREEN)):
        axes.plot(*x[nearest(x) == k].T, ".", color=colour, alpha=0.5)
        axes.annotate("", codebook[k] + vlad(x)[k] / 10, codebook[k], arrowprops={"arrowstyle": "-|>", "lw": 2})
    axes.plot(*codebook.T, "k*", markersize=11, label="codebook")
    tidy(axes, f"{name}: counts {np.bincount(nearest(x)).tolist()}", "descriptor, axis 0", "axis 1")
plt.show()

# %% [markdown]
# The counts cannot tell these images apart, but the arrows can (they show a tenth of $v_k$).
#
# **Fisher vectors** (Perronnin & Dance 2007) derive the same idea from probabilities. Assume that descriptors come from
# a mixture of Gaussians around the $c_k$. In which direction should the codebook move to make *this* image more likely?
# The answer is a gradient, so we can let `backward` compute a Fisher vector.


# %%
def fisher_vector(x, deviation):
    """The gradient of log p(x) for the centres, times deviation², (K, D)"""
    centres = Tensor(codebook, requires_grad=True)
    away = Tensor(x[:, None]) - centres.reshape(1, *codebook.shape)  # (N, K, D)
    scores = (away * away).sum(2) * (-0.5 / deviation**2)  # log of each Gaussian, (N, K)
    largest = scores.data.max(1, keepdims=True)  # a constant, so that exp does not overflow
    log_p = (scores - Tensor(largest)).exp().sum(1).log() + Tensor(largest[:, 0])
    log_p.sum().backward()
    return centres.grad * deviation**2


x = images["image one"]
for deviation in (2.0, 1.0, 0.5):
    print(f"deviation {deviation}: {np.round(fisher_vector(x, deviation), 2).tolist()}")
print(f"VLAD:          {np.round(vlad(x), 2).tolist()}")

# %% [markdown]
# The gradient of the log-likelihood for $c_k$ is $\sum_x p(k|x)\,(x - c_k)/\sigma^2$: these are residuals again, each
# divided among the centres. The narrower the Gaussians, the more goes to the nearest centre; VLAD is the limit.
# (Section 2 of the ResNet paper adds that, for compressing vectors, encoding residuals works better than encoding the
# vectors themselves. A real Fisher vector is also scaled, and has a part for the deviations.)
#
# ## Before ResNet: deeper and deeper
#
# Now to the networks. First we need numbers. `layers` runs one image through a model and counts parameters and
# multiply-adds. Only shapes matter for this, so we do not draw the weights; for VGG alone that would take ten seconds.


# %%
@cache
def rows(name):
    """A model's layers, on one image of the size it was made for."""
    with undrawn():
        return layers(models.build(name), models.input_shape(name))


def parameters(name):
    return sum(row.parameters for row in rows(name))


def multiply_adds(name):
    return sum(row.multiply_adds for row in rows(name))


# %% [markdown]
# **AlexNet** (2012) won ImageNet with five convolutions and three linear layers. **VGG** (2014) has 16 or 19 layers,
# built almost entirely from 3×3 convolutions. ResNet-34 has nearly twice as many layers as VGG-19. What fraction of
# VGG-19's computation do you expect it to need?

# %%
for name in ("alexnet", "vgg19", "resnet34"):
    print(f"{name:9} {parameters(name) / 1e6:6.1f} M parameters   {multiply_adds(name) / 1e9:5.2f} G multiply-adds")
print(f"\nResNet-34 is {100 * multiply_adds('resnet34') / multiply_adds('vgg19'):.1f} % of VGG-19.")

# %% [markdown]
# The paper says 3.6 of 19.6 billion, which is 18 % (section 3.3). We also count the projections of option B, which
# gives 3.66. With option A it is 3.64, which the paper rounds to 3.6.
#
# Where does VGG spend so much? Guess first: what fraction of its parameters, and of its multiply-adds, belongs to the
# three linear layers at the end?

# %%
_, panels = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True, layout="constrained")
shown = [name for name in ("resnet34", "nin", "vgg19", "alexnet") if name in NETS]  # from the bottom up
for axes, what in zip(panels, ("parameters", "multiply_adds"), strict=True):
    start = np.zeros(len(shown))
    for kind, colour in (("Conv2d", BLUE), ("Linear", VERMILION)):
        share = [
            sum(getattr(row, what) for row in rows(name) if row.kind == kind)
            / sum(getattr(row, what) for row in rows(name))
            for name in shown
        ]
        axes.barh(shown, np.multiply(100, share), left=start, color=colour, label=kind)
        start += np.multiply(100, share)
    axes.set(title=what.replace("_", "-"), xlabel="%")
    axes.spines[["top", "right"]].set_visible(False)
panels[0].legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.12), frameon=False)
plt.show()

# %% [markdown]
# In VGG and AlexNet most parameters are in the linear layers, and most of the work is in the convolutions. **Network in
# Network** (2014) has no linear layer at all. It ends with one map per class, and the score of a class is the average
# of its map. ResNet adopted this, followed by one small linear layer. Between its convolutions, Network in Network has
# 1×1 convolutions, which you know from lesson 05: the same linear layer at every position.
#
# What is the advantage of small kernels? VGG's section 2.3 says that three 3×3 convolutions see as much as one of 7×7.
# To see which pixels an output depends on, compute its gradient:

# %%
tinyres.manual_seed(0)
x = Tensor(np.zeros((1, 1, 15, 15), np.float32), requires_grad=True)
three = Sequential(*(Conv2d(1, 1, 3, padding=1) for _ in range(3)))
gy = np.zeros(x.shape, np.float32)
gy[0, 0, 7, 7] = 1  # a single output pixel
three(x).backward(gy)
print("\n".join("".join("■ " if g else "· " for g in row) for row in x.grad[0, 0]))
print(f"\nweights, for C channels: 3·9·C² = {3 * 9} C² instead of 49 C², and three ReLUs instead of one")

# %% [markdown]
# **GoogLeNet** (2014) was VGG's rival: 22 layers, with a twentieth of VGG's parameters. Its building block processes x
# in four ways and concatenates the results:

# %%
print(inspect.getsource(Inception.forward))

# %% [markdown]
# The trick is in `reduce`: a 1×1 convolution reduces the channels before the larger windows. How much does this save?
# The first such block has 192 input channels. We count its multiply-adds with and without the reductions:

# %%
with undrawn():
    brick = Inception(192, 64, 96, 128, 16, 32, 32)  # channels as in Table 1, "inception (3a)"
    with_reduction = sum(row.multiply_adds for row in layers(brick, (192, 28, 28)))
    unreduced = [Conv2d(192, 64, 1), Conv2d(192, 128, 3, padding=1), Conv2d(192, 32, 3, padding=1), Conv2d(192, 32, 1)]
    without = sum(row.multiply_adds for layer in unreduced for row in layers(layer, (192, 28, 28)))
print(f"{with_reduction / 1e6:.0f} M multiply-adds, and {without / 1e6:.0f} M without reductions")

# %% [markdown]
# ResNet's bottleneck, 1×1, 3×3, 1×1, is this idea with an addition around it.
#
# ## At the same time: Highway networks
#
# Half a year before ResNet, Srivastava, Greff and Schmidhuber trained networks of 50 and 100 layers. Their layer
# decides for every value how much of it to transform, and how much to carry unchanged (eq. 3):
#
# $$y = H(x) \cdot T(x) + x \cdot (1 - T(x)), \qquad T(x) = \mathrm{sigmoid}(W_T x + b_T)$$

# %%
print(inspect.getsource(highway.Highway.forward))

# %%
answer = None  # your letter
check.highway_gate(answer)

# %% [markdown]
# This is often explained the wrong way round, so let us test the layer. A large bias $b_T$ forces the gate.

# %%
x = Tensor(np.random.default_rng(0).standard_normal((2, 4)))
for bias in (-1000, 1000):
    layer = highway.fully_connected(4, gate_bias=bias).double()
    y = layer(x)
    T = layer.gate(x).data
    H = layer.transform(x).data
    print(f"T = {T.mean():.0f}:  y is x: {np.array_equal(y.data, x.data)},  y is H(x): {np.array_equal(y.data, H)}")

# %% [markdown]
# The backward pass is the product rule, used three times. T appears in two places.


# %%
def highway_backward(gy, H, T, x):
    """y = H·T + x·(1 − T), a Highway layer once H and T are computed. All (N, M) -> gH, gT, gx (N, M)"""
    ...  # your code


check.highway_backward(highway_backward)

# %% [markdown]
# Now an experiment. We stack 20 such layers, untrained, and send a random gradient from the last layer to the first.
# Closed gates pass it unchanged. With open gates the network is a plain one with He's initialisation, which also keeps
# the gradient's size. **What do you expect in the middle, with gates half open?**

# %%
DEPTH, BIASES = 20, (-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8)


def carried(bias, seed):
    """The factor by which DEPTH layers change the size of a gradient."""
    tinyres.manual_seed(seed)
    draws = np.random.default_rng(seed)
    net = Sequential(*(highway.fully_connected(50, float(bias)) for _ in range(DEPTH))).double()
    x = Tensor(draws.standard_normal((100, 50)), requires_grad=True)
    gy = draws.standard_normal((100, 50))
    net(x).backward(gy)
    return np.linalg.norm(x.grad) / np.linalg.norm(gy)


sizes = np.array([[carried(bias, seed) for bias in BIASES] for seed in range(SEEDS)])
T = 1 / (1 + np.exp(-np.array(BIASES)))
plt.figure(figsize=(7, 3.6), layout="constrained")
plt.fill_between(BIASES, sizes.min(0), sizes.max(0), color=BLUE, alpha=0.2, linewidth=0)
plt.semilogy(BIASES, np.median(sizes, 0), "o-", color=BLUE, label="measured, median and range of the seeds")
plt.semilogy(BIASES, np.sqrt(T**2 + (1 - T) ** 2) ** DEPTH, "--", color=GREY, label="(T² + (1 − T)²)^(L/2)")
tidy(plt.gca(), f"a gradient through {DEPTH} highway layers", "the gates' bias (shut … open)", "size, 1 = unchanged")
plt.ylim(1e-4, 3)
plt.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# The curve is a valley. At both ends the gradient keeps its size; in the middle, with T = ½, a fiftieth of it arrives.
# The reason is that a mixture of two unrelated vectors is smaller than each of them: two parts of size T and 1 − T at
# right angles have size $\sqrt{T^2 + (1 - T)^2}$, which is 0.71 for T = ½, in every layer. (The dashed law assumes that
# H and x are unrelated. They are not completely unrelated, so more arrives than the law says.)
#
# This agrees with the paper's advice to start with gates that are nearly closed, with $b_T$ from −1 to −3, lower for
# deeper networks. It also shows what a residual block does: it takes both parts in full, $H + x$. Nothing is lost, and
# batch norm controls the growth.
#
# What do gates learn? We train a network of ten such layers for a few seconds, with the bias at −2, and look at the
# values of the gates.

# %%
tinyres.manual_seed(0)
whole = shapes(IMAGES, 500)
train, test = (halved(part) for part in whole)
mean, std = data.channel_statistics(train)
net = highway.highway_mlp(train.images[0].size, 50, 10, len(train.classes), gate_bias=-2.0)
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(EPOCHS):
    for batch, labels in data.Loader(train, 32, shuffle=True, mean=mean, std=std).epoch(epoch):
        loss = F.cross_entropy(net(Tensor(batch)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

highways = [module for module in net.modules() if isinstance(module, highway.Highway)]
gates = []  # T of each layer, (N, 50)
hooks = [layer.gate.register_forward_hook(lambda gate, inputs, T: gates.append(T.data)) for layer in highways]
batch, labels = next(data.Loader(test, 500, mean=mean, std=std).epoch(0))
with no_grad():
    scores = net(Tensor(batch)).data
for hook in hooks:
    hook.remove()

# %% tags=["varies"]
right = (scores.argmax(1) == labels).mean()
print(f"{100 * right:.0f} % of the test images are right (guessing: 10 %)")
average = np.array([T.mean(0) for T in gates])  # (layer, unit)
picked = [int(np.flatnonzero(labels == c)[0]) for c in (0, 5)]
_, panels = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
maps = [average, *(np.array([T[k] for T in gates]) for k in picked)]
titles = ["mean over images", *(f"one {test.classes[labels[k]]}" for k in picked)]
for axes, values, title in zip(panels, maps, titles, strict=True):
    drawn = axes.imshow(values, aspect="auto", cmap="viridis", vmin=0, vmax=1)
    axes.set(title=title, xlabel="unit", yticks=range(10), yticklabels=range(1, 11))
panels[0].set_ylabel("highway layer")
plt.colorbar(drawn, ax=panels, label="T (0: passes x)")
plt.show()

# %% [markdown]
# (Few images are right, because a network without convolutions is bad at Shapes, as lesson 05 explains.) Most gates
# stay closed on average. But for a single image some units open, and for another image other units open: the layers are
# used *selectively*, as in Fig. 2 of the paper. `tinyres lab gates` measures this with convolutions and three seeds.
#
# A gate can block x; a residual block cannot. The ResNet paper adds (section 2) that Highway networks had not shown an
# improvement from more than a hundred layers.
#
# ## After ResNet: pre-activation
#
# The block of a ResNet is relu(F(x) + x). The last ReLU changes the sum: the next block sees only its positive part.
# **Pre-activation** (He et al. 2016) moves batch norm and ReLU in front of the convolutions, so that nothing follows
# the addition. Then (eq. 4) any later x is an earlier one plus everything that was added:
#
# $$x_L = x_l + \sum_{i=l}^{L-1} F(x_i)$$
#
# Is this true? We take the first stage of both networks, untrained, add up what the blocks compute, and compare.


# %%
def first_stage(name, last):
    """x before and after the network's first stage, and each block's F(x), the output of its layer `last`."""
    tinyres.manual_seed(0)
    net, ends, added = models.build(name).double(), [], []
    stage = net.stages()[0]
    for block in stage.children():
        getattr(block, last).register_forward_hook(lambda layer, inputs, y: added.append(y.data))
    stage.register_forward_hook(lambda stage, inputs, y: ends.extend([inputs[0].data, y.data]))
    with no_grad():
        net(Tensor(np.random.default_rng(0).standard_normal((8, 3, 32, 32))))
    return *ends, added


for name, last in (("resnet20", "bn2"), ("preactresnet20", "conv2")):
    before, behind, added = first_stage(name, last)
    missing = np.linalg.norm(behind - before - sum(added)) / np.linalg.norm(behind - before)
    print(f"{name:15} x_L − x_l differs from Σ F by {100 * missing:3.0f} %;  the smallest x_L is {behind.min():.1f}")

# %% [markdown]
# In the first kind x can never become negative; in the second it can have any sign. With 110 layers the paper has 6.37
# % error on CIFAR-10 instead of 6.61 %, and with 1001 (bottleneck) layers 4.92 % instead of 7.61 % (Tables 2 and 3):
# the deeper the network, the more it matters.
#
# ## After ResNet: concatenate
#
# In a plain stack each layer sees only the output of the layer before it. Information that is lost once is lost
# forever. A shortcut goes around this. Must it be an addition? In **DenseNet** (2017) everything that was computed
# stays unchanged. A layer gets the outputs of all the layers before it in its block, concatenated along the channels,
# and adds $k$ new channels.

# %%
print(inspect.getsource(densenet.DenseBlock))

# %% [markdown]
# The backward pass of concatenation is the easiest of all. Try it before you read on.


# %%
def concat_backward(gy, a, b):
    """y = a and b side by side along the channels, as in a DenseNet. a (N, A, H, W), b (N, B, H, W) -> ga, gb"""
    ...  # your code


check.concat_backward(concat_backward)

# %%
answer = None  # your letter
check.shortcut_signs(answer)

# %% [markdown]
# The number of channels grows. The first block of DenseNet-121 gets 64 channels and has six layers with $k = 32$.


# %%
def dense_channels(k0, k, layers):
    """A dense block: k0 channels come in, each of `layers` layers adds k -> how many channels come out."""
    ...  # your code


check.dense_channels(dense_channels)

# %%
with undrawn():
    block = densenet.DenseBlock(6, 64, 32)
reads = [layer.conv1.weight.shape[1] for layer in block.children()]
gives = [layer.conv2.weight.shape[0] for layer in block.children()]
colours = [GREY, BLUE, VERMILION, GREEN, ORANGE, PURPLE, "#56B4E9"]
plt.figure(figsize=(8, 3.2), layout="constrained")
for l in range(7):
    start = 0
    for source, width in enumerate([64, *gives][: l + 1]):
        plt.barh(l, width, left=start, color=colours[source], edgecolor="white")
        start += width
    plt.text(start + 4, l, f"{start}", va="center")
plt.yticks(range(7), [*(f"layer {l + 1} reads" for l in range(6)), "the block gives"])
plt.gca().invert_yaxis()
plt.gca().spines[["top", "right"]].set_visible(False)
plt.xlabel("channels, by where they come from (grey: the block's input)")
plt.xlim(0, 290)
plt.show()
assert reads == [64 + 32 * l for l in range(6)]

# %% [markdown]
# ## Which layers are close to the loss?
#
# DenseNet's authors have their own explanation of why shortcuts help: every layer is close to the loss and gets its
# gradient from there directly ("implicit deep supervision", section 5). As you remember, the ResNet paper did not think
# that vanishing gradients were the problem of its plain networks. We cannot settle this here. But we can count
# distances. For each convolution: how many layers with weights must its output pass, at least, before it reaches the
# loss?


# %%
def distances(name):
    """For every convolution, the first one first: the layers with weights on the shortest path to the loss."""
    loss = F.cross_entropy(models.build(name)(Tensor(np.zeros((2, 3, 32, 32), np.float32))), np.array([0, 1]))
    distance, convolutions, queue = {}, [], deque([(0, loss.node)])  # a queue with the nearest node first
    while queue:
        far, node = queue.popleft()
        if node in distance or node.op is None:
            continue
        distance[node] = far
        weighs = node.op.name in ("Conv2d", "Linear")
        if node.op.name == "Conv2d":
            convolutions.append(far)
        for x in node.op.inputs:
            queue.append((far + 1, x.node)) if weighs else queue.appendleft((far, x.node))
    return sorted(convolutions, reverse=True)


plt.figure(figsize=(8, 3.4), layout="constrained")
nearness = {"plain20": VERMILION, "highway20": GREEN, "resnet20": BLUE, "densenet_bc100": ORANGE}
for name, colour in nearness.items():
    found = distances(name)
    plt.plot(np.linspace(0, 1, len(found)), found, color=colour, label=f"{name}, at most {found[0]}", linewidth=2)
title = "layers with weights between a convolution and the loss"
tidy(plt.gca(), title, "all convolutions of the net, the farthest first", "on the shortest path")
plt.xticks([])
plt.yticks(range(0, 20, 3))
plt.show()

# %% [markdown]
# In the plain network all other layers are between the first layer and the loss. In the residual network every
# convolution is one or two layers away: the linear layer, and for the first convolution of a block also the second.
# (Option A's shortcuts have no weights, even where the shape changes.) A Highway network has a plain layer at each
# change of shape, and DenseNet has a transition, so the distances are at most three and four, even with a hundred
# layers. So in all of these networks every layer is close to the loss. But distance is not everything: the shortest
# path carries only a part of the gradient, and lesson 11 measures how much.
#
# ## After ResNet: add across resolutions
#
# From stage to stage a network learns more about *what* is in the image and forgets *where* it is: the last map has the
# most meaning, but it is the smallest. **Feature pyramids** (2017) go back down. They start from the last map, double
# its size step by step, and *add* it to the finer maps. You have seen this before: it is the multigrid cycle, in which
# the result of the coarse grid is added on the fine one.

# %%
tinyres.manual_seed(0)
pyramid = models.build("resnet20_fpn").backbone.eval()
picture = Tensor(whole[1].images[:1].astype(np.float32) / 255)
up, down, hooks = [], [], []
for stage in pyramid.body.stages():
    hooks.append(stage.register_forward_hook(lambda stage, inputs, C: up.append(C)))
down = pyramid(picture)

_, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
axes.set(xlim=(-1.2, 3.6), ylim=(-0.6, 2.7))
axes.axis("off")
box = {"boxstyle": "round,pad=0.5", "facecolor": "#dcebf7", "edgecolor": GREY}
arrow = {"arrowstyle": "-|>", "color": GREY, "lw": 1.6}
for l, (C, P) in enumerate(zip(up, down, strict=True)):
    for x, name, value in ((0, "C", C), (3, "P", P)):
        size = "×".join(map(str, value.shape[1:]))
        axes.text(x, l, f"{name}{l}\n{size}", ha="center", va="center", bbox=box)
    axes.text(1.65, l, "+" if l < 2 else "M2", ha="center", va="center", fontsize=16 if l < 2 else 11)
    axes.annotate("", (1.5, l), (0.45, l), arrowprops=arrow)
    axes.text(0.95, l + 0.12, "1×1", ha="center")
    axes.annotate("", (2.55, l), (1.8, l), arrowprops=arrow)
    axes.text(2.18, l + 0.12, "3×3", ha="center")
    axes.annotate("", (0, l - 0.28), (0, l - 0.72), arrowprops=arrow)
    axes.text(-0.1, l - 0.5, "stem, stage 1" if l == 0 else f"stage {l + 1}", ha="right", va="center")
    if l < 2:
        axes.annotate("", (1.65, l + 0.15), (1.65, l + 0.85), arrowprops=arrow)
        axes.text(1.75, l + 0.5, "×2", va="center")
axes.text(0, 2.5, "up: what?", ha="center", color=VERMILION)
axes.text(1.65, 2.5, "down: where?", ha="center", color=BLUE)
plt.show()

# %% [markdown]
# What does a fine map gain? We look again at what a single value sees: the gradient of one place in the middle of the
# finest map with respect to the image, without the pyramid (C0) and with it (P0).

# %%
seen = []
for which in ("C0", "P0"):
    x = Tensor(picture.data, requires_grad=True)
    up.clear()
    down = pyramid(x)
    fine = {"C0": up[0], "P0": down[0]}[which]
    gy = np.zeros(fine.shape, np.float32)
    gy[:, :, 15, 15] = np.random.default_rng(0).standard_normal(fine.shape[1])
    fine.backward(gy)
    seen.append((which, np.abs(x.grad).sum((0, 1))))
for hook in hooks:
    hook.remove()

_, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
panels[0].imshow(picture.data[0].transpose(1, 2, 0))
panels[0].set(title="the image")
for axes, (which, g) in zip(panels[1:], seen, strict=True):
    axes.imshow(np.where(g > 0, np.log10(np.maximum(g, 1e-12) / g.max()), np.nan), vmin=-5, vmax=0, cmap="viridis")
    axes.set(title=f"{which} sees {np.count_nonzero(g)} of {g.size} pixels")
for axes in panels:
    axes.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The place and the resolution are the same, but the first sees only its surroundings, and the second sees the whole
# picture. (Brighter means larger, on a logarithmic scale. The network is untrained: the plots show which pixels can
# have an influence.)
#
# ## All in one plot
#
# Now we count the whole family, and compare every count with the figures in the papers: those of the networks
# themselves, and the ResNet paper for the multiply-adds of both VGGs. Where they differ, the last column gives the
# reason.

# %%
PRINTED = {  # millions of parameters, millions of multiply-adds; None: the source does not say
    "alexnet": (60, None, "two towers, each sees half the channels; ours is one"),
    "vgg16": (138, 15_300, "without the linear layers' 124 M"),
    "vgg19": (144, 19_600, "with them"),
    "googlenet": (None, 1_500, "5×5 where torchvision and we have 3×3"),
    "highway20": (2.3, None, "FitNet's widths; ours has ResNet-20's"),
    "resnet20": (0.27, None, ""),
    "resnet110": (1.7, None, ""),
    "resnet34": (None, 3_600, "option A; ours is B"),
    "resnet50": (None, 3_800, "stride on the first 1×1; ours on the 3×3"),
    "preactresnet164": (1.7, None, "as many as ResNet-110"),
    "densenet_bc100": (0.8, 288, ""),
}
print(f"{'':16}{'parameters, M':>22}{'multiply-adds, M':>24}")
print(f"{'':16}{'ours':>11}{'printed':>11}{'ours':>12}{'printed':>12}")
for name in NETS:
    p, m, why = PRINTED.get(name, (None, None, ""))
    given = [f"{value:,}" if value else "–" for value in (p, m)]
    ours = parameters(name) / 1e6, multiply_adds(name) / 1e6
    print(f"{name:16}{ours[0]:11.2f}{given[0]:>11}{ours[1]:12,.0f}{given[1]:>12}  {why}".rstrip())

# %% tags=["picture"]
look = {"before": (VERMILION, "s"), "beside": (GREEN, "^"), "ResNets": (BLUE, "o"), "after": (ORANGE, "D")}
family = {
    "before": ("alexnet", "nin", "vgg16", "vgg19", "googlenet"),
    "beside": ("highway20",),
    "ResNets": ("resnet20", "resnet110", "resnet34", "resnet50"),
    "after": ("preactresnet164", "densenet_bc100", "densenet121", "resnet20_fpn"),
}
aside = {  # where names would overlap
    "resnet34": ((-4, -15), "left"),
    "densenet121": ((-8, 4), "right"),
    "resnet110": ((8, 3), "left"),
    "resnet20_fpn": ((-6, 6), "right"),
    "highway20": ((8, -5), "left"),
    "preactresnet164": ((8, -11), "left"),
    "densenet_bc100": ((-8, 4), "right"),
    "nin": ((-2, -16), "right"),
    "vgg16": ((-9, -4), "right"),
}
_, axes = plt.subplots(figsize=(9, 4), layout="constrained")
for when, names in family.items():
    names = [name for name in names if name in NETS]
    colour, marker = look[when]
    axes.loglog(
        [parameters(name) / 1e6 for name in names],
        [multiply_adds(name) / 1e6 for name in names],
        marker,
        color=colour,
        markersize=8,
        label=when,
    )
    for name in names:
        (dx, dy), side = aside.get(name, ((8, 2), "left"))
        at = parameters(name) / 1e6, multiply_adds(name) / 1e6
        axes.annotate(name, at, xytext=(dx, dy), textcoords="offset points", ha=side)
axes.set_xlim(0.1, 500)
axes.xaxis.set_major_formatter("{x:g}")
axes.yaxis.set_major_formatter("{x:,g}")
tidy(axes, "the family: what they hold and what they compute", "parameters, millions", "multiply-adds, millions")
axes.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# (Networks below 300 million multiply-adds are for 32×32 images, those above 700 million for 224×224.) Deeper networks
# did not need more computation. VGG with its 19 layers is in the upper right corner; ResNet-50 and DenseNet-121, below
# it and to the left, have many more layers.
#
# ## Summary
#
# - Correcting is easier than computing: multigrid solves for the residual, and VLAD and Fisher vectors describe images
#   by it.
# - VGG's parameters are in its linear layers, its work is in its convolutions. 1×1 convolutions (Network in Network,
#   GoogLeNet) and averages over maps made depth affordable: ResNet-34 needs a fifth of the computation of VGG-19.
# - Highway: T = 0 passes x, T = 1 is the plain layer. Half-open gates lose some of the gradient; a residual block adds
#   both parts in full.
# - With pre-activation nothing follows the addition. DenseNet concatenates: its backward splits gy in two, whereas an
#   addition passes all of gy to both sides. A pyramid adds across resolutions.
# - A count is only useful if you know what was counted: with linear layers or without, which stride, which shortcut.
#
# Next: [13 · making it fast](13_making_it_fast.ipynb): the same sums, ten thousand times faster.
