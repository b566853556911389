# %% [markdown]
# # 12 · relatives
#
# At the end you know where the residual idea came from, what was tried beside it, and what was made of it: each
# relative built or taken apart in a few lines, and all of them weighed against each other in one table.
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
from tinyres.models import densenet, highway
from tinyres.models.googlenet import Inception
from tinyres.nn import Conv2d, Sequential
from tinyres.nn import functional as F
from tinyres.nn.init import undrawn
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
# ## Before: correct what is wrong
#
# "Compute only what is missing, and add it to what you have." The ResNet paper does not claim to have thought of that
# first. Its section 2 names two older trades that live by it: solvers for large equations, and descriptions of images.
# We try both. First the solvers.
#
# A string is fixed at both ends and loaded with weights $f$. Its shape $u$ obeys Poisson's equation $-u'' = f$. At 127
# points that is a system of linear equations, $A u = f$, with 2 on the diagonal and −1 beside it.


# %%
def laplacian(n):
    """(n, n): −u'' at n points between 0 and 1, where u is 0 at both ends"""
    return (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2


n = 127
A, f = laplacian(n), np.random.default_rng(0).standard_normal(n)
truth = np.linalg.solve(A, f)  # only to measure errors with

# %% [markdown]
# Jacobi's method begins with any $u$ and looks at what it gets wrong, the **residual** $r = f - A u$. It moves every
# point a little to where its own equation would be satisfied if the others stood still:
#
# $$u \leftarrow u + \tfrac{2}{3} D^{-1} (f - A u) \qquad\text{(D: the diagonal of A)}$$
#
# Read it as a layer: $y = x + F(x)$, and $F(x) = 0$ where $x$ is right already. Many sweeps are a residual network
# whose blocks share their weights; Jacobi's idea is from 1845. (The factor 2/3 keeps it from overshooting.)
#
# Each sweep is cheap. **How many do you expect until 99 % of the error are gone?**


# %%
def sweep(A, u, f):
    return u + 2 / 3 * (f - A @ u) / np.diag(A)


def error(u):
    return np.linalg.norm(u - truth) / np.linalg.norm(truth)


places = np.linspace(0, 1, n + 2)[1:-1]
from_zero = [np.zeros(n)]
from_rough = [truth + 0.005 * np.sin(64 * np.pi * places)]  # nearly there, but for a zigzag
for _ in range(1000):
    from_zero.append(sweep(A, from_zero[-1], f))
    from_rough.append(sweep(A, from_rough[-1], f))
print("error, if u begins as      0    the truth and a zigzag")
for sweeps in (0, 10, 100, 1000):
    print(f"after {sweeps:4} sweeps     {error(from_zero[sweeps]):.3f}        {error(from_rough[sweeps]):.5f}")

# %% [markdown]
# A thousand sweeps, and four fifths of the error are still there. But of a *rough* error ten sweeps leave nothing.
# Each point looks at its two neighbours only, so news travels one point a sweep. What is left is smooth; and what is
# smooth can be seen from farther away, on fewer points.
#
# There is no point in looking for $u$ itself with fewer points: they cannot hold its details. But the *correction* is
# smooth. Since $A(u + e) = f$ means
#
# $$A e = f - A u = r,$$
#
# the missing part obeys the same equation, with the residual in the place of $f$. So: sweep; hand the residual to a
# grid half as fine; solve for $e$ there, in the same way; bring $e$ back and **add** it; sweep once more. That is a
# multigrid solver.


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
    e = v_cycle(P.T @ A @ P / 2, np.zeros(P.shape[1]), P.T @ residual / 2)  # from 0: what has to be added?
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
WORK = 8  # a cycle in sweeps: two sweeps, the residual and the ways between the grids; (1 + 1/2 + 1/4 + …) = 2 times
right.semilogy(range(1001), [error(u) for u in from_zero], color=VERMILION, label="Jacobi")
right.semilogy([WORK * k for k in range(6)], [error(u) for u in cycles], "o-", color=BLUE, label="multigrid")
right.set_xlim(-10, 400)
tidy(right, "the error", "work, in sweeps", "error, of the solution's size")
plt.show()

# %% [markdown]
# One cycle costs about as much as eight sweeps and removes seven eighths of the error; a thousand sweeps remove a
# fifth.
#
# The paper's word for it is *preconditioning*. How hard a system is for such a method is its condition number: the
# largest eigenvalue of $A$ over the smallest, how differently it stretches in different directions. A cycle answers a
# residual with a correction, $M r$, and $M$ is a matrix. Of an error $e$ it leaves $(1 - M A)\,e$: so what it works on
# is not $A$ any more, but $M A$.


# %%
def condition(method):
    """Of what the method sees: 1 minus the eigenvalues of what it does to an error."""
    left_over = np.column_stack([method(A, e, np.zeros(n)) for e in np.eye(n)])
    eigenvalues = 1 - np.linalg.eigvals(left_over).real
    return eigenvalues.max() / eigenvalues.min()


print(f"sweeps: {condition(sweep):.0f}    cycles: {condition(v_cycle):.2f}")

# %% [markdown]
# The same equations, written down differently, are 5,000 times better conditioned. That is what section 3.1 hopes of
# $F(x) + x$: it can represent the same functions, but if what is wanted is near the identity, the solver (here SGD)
# starts near it. For networks this began as an analogy. Since then Li et al. (2016, "Demystifying ResNet") have
# computed the condition number at the start, with all weights at 0: with shortcuts over two layers it does not grow
# with depth; with shortcuts over one it does.
#
# The other trade: before 2012 an image was described by its *local descriptors*, vectors that say what small windows
# look like. They were compared with a codebook of typical ones, $c_1 \ldots c_K$. A "bag of words" counts how often
# each is the nearest. **VLAD** (Jégou et al. 2010) sums up what the count leaves out, the residuals:
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
# The counts cannot tell these images apart; the arrows, a tenth of $v_k$, can.
#
# **Fisher vectors** (Perronnin & Dance 2007) have a finer reason for the same thing. Say that descriptors come from a
# mixture of Gaussians around the $c_k$. Then ask: in which direction should the codebook move to make *this* image
# more likely? That is a gradient, and for gradients we have a tool. So let `backward` compute a Fisher vector.


# %%
def fisher_vector(x, deviation):
    """The gradient of log p(x) for the centres, times deviation², (K, D)"""
    centres = Tensor(codebook, requires_grad=True)
    away = Tensor(x[:, None]) - centres.reshape(1, *codebook.shape)  # (N, K, D)
    scores = (away * away).sum(2) * (-0.5 / deviation**2)  # log of each Gaussian, (N, K)
    largest = scores.data.max(1, keepdims=True)  # a constant: for exp's sake
    log_p = (scores - Tensor(largest)).exp().sum(1).log() + Tensor(largest[:, 0])
    log_p.sum().backward()
    return centres.grad * deviation**2


x = images["image one"]
for deviation in (2.0, 1.0, 0.5):
    print(f"deviation {deviation}: {np.round(fisher_vector(x, deviation), 2).tolist()}")
print(f"VLAD:          {np.round(vlad(x), 2).tolist()}")

# %% [markdown]
# The gradient of the log-likelihood for $c_k$ is $\sum_x p(k|x)\,(x - c_k)/\sigma^2$: residuals again, each shared out
# among the centres. The narrower the Gaussians, the more it all goes to the nearest; VLAD is the limit. (And for
# compressing vectors, encoding residuals works better than encoding the vectors themselves, adds section 2 of the
# paper.) (A Fisher vector proper is also scaled, and has a part for the deviations.)
#
# ## Before: deeper and deeper
#
# And the networks? Let us have numbers first. `layers` runs one image through a model and counts parameters and
# multiply-adds. Only shapes matter for that, so the weights are left undrawn; drawing those of VGG alone takes ten
# seconds.


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
# **AlexNet** (2012) won ImageNet with five convolutions and three linear layers. **VGG** (2014) made it 16 and 19
# layers from a single brick, the 3×3 convolution. ResNet-34 has nearly twice the layers of VGG-19. What do you expect:
# how much does it compute, as a share of VGG-19?

# %%
for name in ("alexnet", "vgg19", "resnet34"):
    print(f"{name:9} {parameters(name) / 1e6:6.1f} M parameters   {multiply_adds(name) / 1e9:5.2f} G multiply-adds")
print(f"\nResNet-34 is {100 * multiply_adds('resnet34') / multiply_adds('vgg19'):.1f} % of VGG-19.")

# %% [markdown]
# The paper says 3.6 of 19.6 billion, 18 % (section 3.3). We count the projections of option B, too: 3.66. With option
# A it is 3.64; "3.6" is rounded from there.
#
# Where did VGG spend it all? Guess first: of its parameters, and of its multiply-adds, which share belongs to the
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
# In VGG and AlexNet most parameters are in the linear layers, and most of the work is in the convolutions. **Network
# in Network** (2014) has no linear layer at all. It ends with one map a class, and a class's score is its map's
# average; ResNet took that over, and keeps one small linear layer behind it. And between its convolutions there are
# 1×1 ones, which you know from lesson 05: the same linear layer at every position.
#
# What do small kernels buy? VGG's section 2.3: three 3×3 convolutions see as far as one of 7×7. To see what an output
# sees, ask for its gradient:

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
# **GoogLeNet** (2014) was VGG's rival: 22 layers, with a twentieth of VGG's parameters. Its brick looks at x in four
# ways and puts the answers side by side:

# %%
print(inspect.getsource(Inception.forward))

# %% [markdown]
# The trick is in `reduce`: a 1×1 convolution cuts the channels down before the large windows come. What does it save?
# In the first such brick 192 channels come in. We count it as it is, and without the reductions:

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
# ## Beside: Highway
#
# Half a year before ResNet, Srivastava, Greff and Schmidhuber trained networks of 50 and 100 layers. Their layer
# decides for every value how much of it to compute anew, and how much to carry over (eq. 3):
#
# $$y = H(x) \cdot T(x) + x \cdot (1 - T(x)), \qquad T(x) = \mathrm{sigmoid}(W_T x + b_T)$$

# %%
print(inspect.getsource(highway.Highway.forward))

# %%
answer = None  # your letter
check.highway_gate(answer)

# %% [markdown]
# One of the two ways round is often told wrongly, so let us ask the layer. A large bias $b_T$ forces the gate.

# %%
x = Tensor(np.random.default_rng(0).standard_normal((2, 4)))
for bias in (-1000, 1000):
    layer = highway.fully_connected(4, gate_bias=bias).double()
    y = layer(x)
    T = layer.gate(x).data
    H = layer.transform(x).data
    print(f"T = {T.mean():.0f}:  y is x: {np.array_equal(y.data, x.data)},  y is H(x): {np.array_equal(y.data, H)}")

# %% [markdown]
# The backward pass is the product rule, three times. T stands in two places.


# %%
def highway_backward(gy, H, T, x):
    """y = H·T + x·(1 − T), a Highway layer once H and T are computed. All (N, M) -> gH, gT, gx (N, M)"""
    ...  # your code


check.highway_backward(highway_backward)

# %% [markdown]
# Now an experiment. We stack 20 such layers, untrained, and send a random gradient from the top to the bottom. Shut
# gates carry it down unchanged. With open gates it is a plain net with He's initialisation, which is made to keep the
# gradient's size as well. **What do you expect in the middle, with gates half open?**

# %%
DEPTH, BIASES = 20, (-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8)


def carried(bias, seed):
    """By how much a gradient's size has changed on its way through DEPTH layers."""
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
# A valley. At both ends the gradient keeps its size; in the middle, with T = ½, a fiftieth of it arrives. What is
# mixed from two unrelated halves is smaller than either: two parts of size T and 1 − T at right angles have size
# $\sqrt{T^2 + (1 - T)^2}$, which is 0.71 for T = ½, in every layer. (The dashed law takes H and x to be unrelated;
# they are not quite, so more arrives than it says.)
#
# That fits the paper's advice to start with gates nearly shut, the more so the deeper the net: $b_T$ at −1 to −3. And
# it is one way to see what a residual block does: both parts in full, $H + x$. Nothing is lost, and growth is left to
# batch norm.
#
# What do gates learn? We train a net of ten such layers for a few seconds, with the bias at −2, and read the gates
# out.

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
# (Few images are right: a net without convolutions has a hard time with Shapes, as lesson 05 tells.) Most gates stay
# shut on average. But for a single image some units open, and others for another image: the layers are used
# *selectively*, as in Fig. 2 of the paper. `tinyres lab gates` measures that with convolutions and three seeds.
#
# A gate can close the way for x; a residual block cannot. ResNet's paper adds (section 2) that highway nets had not
# shown a gain from more than a hundred layers.
#
# ## After: clear the way
#
# A ResNet's block is relu(F(x) + x). That last ReLU stands in everybody's way: of what a block adds, the next block
# sees only what leaves the sum positive. **Pre-activation** (He et al. 2016) moves batch norm and ReLU in front of the
# convolutions, so that nothing comes after the addition. Then (eq. 4) any later x is an earlier one plus what was
# added:
#
# $$x_L = x_l + \sum_{i=l}^{L-1} F(x_i)$$
#
# Is that so? We take the first stage of both nets, untrained, add up what the blocks compute, and compare.


# %%
def first_stage(name, last):
    """x before the net's first stage, x behind it, and each block's F(x), the output of its layer `last`."""
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
# In the first kind x can only grow, since what is negative is cut away; in the second it is free to move. With 110
# layers the paper has 6.37 % error on CIFAR-10 instead of 6.61, and 4.92 instead of 7.61 with 1001 (bottleneck) layers
# (Tables 2 and 3): the deeper, the more it matters.
#
# ## After: put side by side
#
# In a plain stack each layer sees only what the one before it let through: what is lost once is lost, a bottleneck of
# representation. A shortcut goes around it. Must it be an addition? **DenseNet** (2017) says: what was computed should
# stay as it is. A layer gets the outputs of all the layers before it in its block, side by side along the channels,
# and contributes $k$ new ones.

# %%
print(inspect.getsource(densenet.DenseBlock))

# %% [markdown]
# The backward pass of "side by side" is the easiest of all. Try it before you read on.


# %%
def concat_backward(gy, a, b):
    """y = a and b side by side along the channels, as in a DenseNet. a (N, A, H, W), b (N, B, H, W) -> ga, gb"""
    ...  # your code


check.concat_backward(concat_backward)

# %%
answer = None  # your letter
check.shortcut_signs(answer)

# %% [markdown]
# And the channels pile up. The first block of DenseNet-121 gets 64 and has six layers of $k = 32$.


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
# ## Who is near to the loss?
#
# DenseNet's authors have an explanation of their own for why shortcuts help: every layer is near to the loss, and gets
# its gradient from there directly ("implicit deep supervision", section 5). The ResNet paper, you remember, did not
# think that vanishing gradients were its plain nets' trouble. That cannot be settled here. But nearness can be
# counted. For each convolution: how many layers with weights must its output pass, at least, before it reaches the
# loss?


# %%
def distances(name):
    """For every convolution, the first one first: layers with weights between it and the loss, on the shortest way."""
    loss = F.cross_entropy(models.build(name)(Tensor(np.zeros((2, 3, 32, 32), np.float32))), np.array([0, 1]))
    distance, convolutions, queue = {}, [], deque([(0, loss.node)])  # a queue with the nearest in front
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
tidy(plt.gca(), title, "all convolutions of the net, the farthest first", "on the shortest way")
plt.xticks([])
plt.yticks(range(0, 20, 3))
plt.show()

# %% [markdown]
# In the plain net the first layer is behind all the others. In the residual net every convolution is one or two away:
# the linear layer, and for the first of a block the second. (Option A's shortcuts have no weights, even where the
# shape changes.) In a highway net there is a plain layer at each change of shape, in DenseNet a transition: three and
# four, even with a hundred layers. So near to the loss they all are. But near is not all: the shortest way carries
# only a part of the gradient, and lesson 11 measures how much.
#
# ## After: add across resolutions
#
# On its way up a network learns *what* is in the image, and forgets *where*: the last map means most and is smallest.
# **Feature pyramids** (2017) walk back down. From the last map they go to the finer ones, twice the size each time,
# and *add*. You have seen this picture: it is the multigrid cycle, with what the coarse grid found added on the fine
# one.

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
# What has a fine map gained? We ask again what a single value sees: the gradient of one place in the middle of the
# finest map for the image, without the pyramid (C0) and with it (P0).

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
# The same place, the same resolution; but one knows its surroundings, and the other the whole picture. (Brighter:
# larger, on a scale of powers of ten. The net is untrained: these are the ways that are open.)
#
# ## All on one map
#
# Now weigh the whole family, and hold every count against what is printed in the papers: of the nets themselves, and
# in the ResNet paper for both VGGs' multiply-adds. Where they differ, the last column says what theirs counts.

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
aside = {  # where names would lie upon each other
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
# (Below 300 million multiply-adds: nets for 32×32 images. Above 700: for 224×224.) Deeper did not come from computing
# more. VGG stands in the far corner with 19 layers; ResNet-50 and DenseNet-121, to the left and below, have many more.
#
# ## Summary
#
# - Correcting is easier than computing: multigrid solves for the residual, VLAD and Fisher vectors describe by it.
# - VGG's parameters sit in its linear layers, its work in its convolutions. 1×1 convolutions (Network in Network,
#   GoogLeNet) and averages over maps made room for depth: ResNet-34 computes a fifth of VGG-19.
# - Highway: T = 0 passes x, T = 1 is the plain layer. Half-open gates lose gradient; a residual block adds both in
#   full.
# - Pre-activation leaves nothing behind the addition. DenseNet concatenates: its backward cuts gy in two, where an
#   addition hands all of it to both. A pyramid adds across resolutions.
# - A count is only as good as what it says it counts: with linear layers or without, which stride, which shortcut.
#
# Next: [13 · making it fast](13_making_it_fast.ipynb): the same sums, ten thousand times faster.
