# %% [markdown]
# # 06 · pooling
#
# At the end you know how a gradient passes a maximum and a mean, what pooling throws away and what it only seems to
# throw away, and why residual networks hardly pool at all.
#
# *20 minutes. Before it: [05](05_convolution.ipynb).*

# %%
import inspect
from itertools import pairwise
from textwrap import dedent

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Observer, Tensor, adjoint_check, models, no_grad, observe
from tinyres.data.shapes import shapes
from tinyres.look.summary import MultiplyAdds
from tinyres.models.resnet import ResNet
from tinyres.nn import functional as F
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy
from tinyres_kernels import reference

# %% [markdown]
# ## The winner takes all
#
# In lesson 5 a filter found the edges of a frame wherever the frame was. When the frame moved, the answers moved with
# it. But the label "frame" must not change. Somewhere on the way to the label, the information *where* has to
# disappear.
#
# **Max pooling** is a first step: it keeps the largest value of each window. This value says whether there was an edge
# in the window, and how strong it was, but not exactly where.
#
# Here are sixteen values and four windows. The gradient that arrives from above is 1, 2, 3 and 4. Predict gx before you
# run the cell: which elements are not 0?

# %%
x = Tensor([[[[3.0, 1, 2, 8], [6, 0, 5, 4], [1, 7, 2, 2], [4, 5, 9, 3]]]], requires_grad=True)
gy = np.array([[[[1, 2], [3, 4]]]], "float32")
y = F.max_pool2d(x, 2)
y.backward(gy)


def draw_map(axes, values, title, chosen=None, window=None):
    """A map with its numbers: dark where `chosen`, with lines around windows of `window` values."""
    chosen = np.zeros(values.shape, bool) if chosen is None else chosen
    axes.imshow(np.where(chosen, 1.0, 0.25), cmap="Blues", vmin=0, vmax=1.3)
    for (r, c), value in np.ndenumerate(values):
        ink = "white" if chosen[r, c] else "black"
        axes.text(c, r, f"{value:g}", ha="center", va="center", color=ink, fontsize=12)
    for line in range(0, len(values) + 1, window or len(values)):
        axes.axhline(line - 0.5, color=VERMILION, linewidth=2)
        axes.axvline(line - 0.5, color=VERMILION, linewidth=2)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)


figure, panels = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
draw_map(panels[0], x.numpy()[0, 0], "x", x.grad[0, 0] != 0, 2)
draw_map(panels[1], y.numpy()[0, 0], "y: the largest of each", window=1)
draw_map(panels[2], gy[0, 0], "gy", window=1)
draw_map(panels[3], x.grad[0, 0], "gx", x.grad[0, 0] != 0, 2)
plt.show()

# %% [markdown]
# If we change the 5 next to the 8 a little, y stays the same, so its slope is 0. If we change the 8, y changes by the
# same amount, so its slope is 1. So **the winner gets the whole gradient and the others get nothing.** Backward only
# has to remember which element won.

# %%
answer = None  # your number
check.pooled_gradient(answer)

# %% [markdown]
# Windows may overlap. What then? Put one large value into the middle of 5×5 zeros, and pool with windows of 3×3 that
# are one place apart. There are nine of them. What is the gradient of the large value if gy is 1 everywhere?

# %%
middle = np.zeros((1, 1, 5, 5), "float32")
middle[0, 0, 2, 2] = 7
x = Tensor(middle, requires_grad=True)
F.max_pool2d(x, 3, stride=1).backward(np.ones((1, 1, 3, 3), "float32"))
print(x.grad[0, 0].astype(int))

# %% [markdown]
# It won nine times, and a value that is used in several places adds up its gradients, as always.


# %%
def max_pool_backward(gy, x, k, stride):
    """y = the largest of each k×k window of x, stride apart. gy (N, C, P, Q), x (N, C, H, W) -> gx (N, C, H, W)"""
    ...  # your code


check.max_pool_backward(max_pool_backward)

# %%
answer = None  # the number of the wrong line
check.pool_bug(answer)

# %% [markdown]
# Here are the library's loops. Forward has saved the place of each window's maximum in `argmax`.

# %%
print(inspect.getsource(reference.max_pool2d_grad_x))

# %% [markdown]
# ## Ties
#
# What if two values are equally large? This seems rare, but it is not: after a ReLU very many values are exactly zero.
# Let us filter a few pictures, pass the answers through a ReLU, and count the windows without a single winner. What
# fraction do you expect?

# %%
train, _ = shapes(60, 1)
pictures = train.images.mean(1, keepdims=True) / 255  # (60, 1, 32, 32), grey
right_minus_left = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
four = [right_minus_left, -right_minus_left, right_minus_left.T, -right_minus_left.T]
kernels = np.stack(four)[:, None]  # (4, 1, 3, 3)


def edges(pictures):
    """(N, 1, 32, 32) -> (N, 4, 32, 32): edges in four directions; each border continues at the opposite one"""
    around = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="wrap")
    return F.relu(F.conv2d(Tensor(around), Tensor(kernels))).numpy()


maps = edges(pictures)
windows = maps.reshape(60, 4, 16, 2, 16, 2)  # a window is axes 3 and 5
largest = windows.max((3, 5), keepdims=True)
draw = (windows == largest).sum((3, 5)) > 1
of_zeros = draw & (largest.squeeze((3, 5)) == 0)
print(f"values that are 0: {(maps == 0).mean():.0%}")
print(f"windows of 2×2 with a tie: {draw.mean():.0%}")
print(f"ties between zeros: {of_zeros.sum() / draw.sum():.0%}")

# %% [markdown]
# It is one window in five. At a tie there is no slope: if one of the values rises, y rises with it; if it falls, y
# stays the same. This is a kink, like that of ReLU at 0, and we need a convention. The library follows torch: the first
# value wins.

# %%
x = Tensor(np.zeros((1, 1, 2, 2), "float32"), requires_grad=True)
F.max_pool2d(x, 2).backward(np.ones((1, 1, 1, 1), "float32"))
print("pool alone:\n", x.grad[0, 0].astype(int))

x = Tensor(np.full((1, 1, 2, 2), -1.0, "float32"), requires_grad=True)
F.max_pool2d(F.relu(x), 2).backward(np.ones((1, 1, 1, 1), "float32"))
print("ReLU, then pool:\n", x.grad[0, 0].astype(int))

# %% [markdown]
# The choice hardly matters, because the ties are between zeros that a ReLU produced, and its gate is closed for them.
# Whichever value gets the gradient, the ReLU sets it to 0 one step later.
#
# ## The mean
#
# **Average pooling** takes the mean of each window. There is no winner; each value contributes equally to y. So what
# gradient does each of the k² values get?


# %%
def avg_pool_backward(gy, x, k):
    """y = the mean of each k×k window, k apart. gy (N, C, H/k, W/k), x (N, C, H, W) -> gx (N, C, H, W)"""
    ...  # your code


check.avg_pool_backward(avg_pool_backward)

# %% [markdown]
# You have met this op before: it is a convolution with stride k whose weights are all 1/k² and are not trained. So it
# is linear, and the adjoint identity must hold. Does it also hold for max pooling?

# %%
rng = np.random.default_rng(0)
x = Tensor(rng.standard_normal((2, 1, 6, 6)), requires_grad=True)
quarter = Tensor(np.full((1, 1, 2, 2), 0.25))
same = np.allclose(F.avg_pool2d(x, 2).numpy(), F.conv2d(x, quarter, stride=2).numpy())
print("average pooling is a convolution:", same)
error = adjoint_check(lambda x: F.avg_pool2d(x, 2), [x])
print("average pooling keeps the adjoint identity:", error < 1e-12)
try:
    adjoint_check(lambda x: F.max_pool2d(x, 2), [x])
except ValueError as error:
    print("max pooling:", error)

# %% [markdown]
# The maximum of a sum is not the sum of the maxima. So max pooling is proved with small steps, as in lesson 3.
#
# If the window is as large as the map, one number is left for each channel. This is **global average pooling**.
# Residual networks end with it (and so did Network in Network before them: Lin, Chen & Yan 2014, section 3.2).


# %%
def global_avg_pool_backward(gy, x):
    """y = the mean of each channel's map. gy (N, C), x (N, C, H, W) -> gx (N, C, H, W)"""
    ...  # your code


check.global_avg_pool_backward(global_avg_pool_backward)

# %% [markdown]
# What does it save? Compare the linear layer that follows it with one that gets all the pixels.

# %%
channels, side, classes = 64, 8, 10  # the end of ResNet-20
print(f"ResNet-20, after global average pooling: {channels * classes + classes:,} parameters")
print(f"the same for all 8×8 pixels:             {channels * side * side * classes + classes:,}")

sizes = (512 * 7 * 7, 4096, 4096, 1000)  # VGG-16 flattens its last maps
weights = sum(a * b for a, b in pairwise(sizes))
print(f"VGG-16's three linear layers: {weights / 1e6:.0f} of its 138 million parameters")

# %% [markdown]
# ## What pooling throws away
#
# People say that pooling makes a network insensitive to *where*. How insensitive? Take our edge maps, pool them, move
# the pictures by a few pixels (what leaves on the right comes back on the left), and see how much the pooled maps
# change. First we look at the maps.

# %%
frame = edges(pictures[18:19])
figure, panels = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
panels[0].imshow(pictures[18, 0], cmap="gray")
panels[0].set_title("the picture", fontsize=10)
for axes, k in zip(panels[1:], (1, 2, 4, 8), strict=True):
    axes.imshow(F.max_pool2d(Tensor(frame), k).numpy()[0].max(0), cmap="magma")
    axes.set_title("its edges" if k == 1 else f"max-pooled, {k}×{k}", fontsize=10)
for axes in panels:
    axes.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Now in numbers: how different are the maps of the moved picture from those of the original? At 1 the difference is as
# large as the maps themselves. Sketch the curves before you look: without pooling, with 2×2, with 8×8, and for the
# global mean.

# %% tags=["picture"]
SHIFTS = np.arange(9)


def pooled(maps, k):
    """k×k max pooling with stride k; for k = 32 the mean of all values."""
    pool = F.avg_pool2d if k == 32 else F.max_pool2d
    return pool(Tensor(maps), k).numpy()


def distance(a, b):
    """|a − b| / |b|, the mean over the pictures"""
    axes = (1, 2, 3)
    return (np.sqrt(((a - b) ** 2).sum(axes)) / np.sqrt((b**2).sum(axes))).mean()


moved = {s: edges(np.roll(pictures, s, axis=3)) for s in SHIFTS}
styles = {
    1: ("no pooling", GREY, "s"),
    2: ("max, 2×2", BLUE, "o"),
    4: ("max, 4×4", GREEN, "^"),
    8: ("max, 8×8", ORANGE, "D"),
    32: ("global mean", VERMILION, "v"),
}
figure, (still, along) = plt.subplots(1, 2, figsize=(9, 3.7), layout="constrained", sharey=True)
for k, (label, colour, marker) in styles.items():
    here = pooled(maps, k)
    changes = [distance(pooled(moved[s], k), here) for s in SHIFTS]
    still.plot(SHIFTS, changes, marker=marker, markersize=5, color=colour, label=label)
    if k < 32:
        best = []
        for s in SHIFTS:
            places = s // k, -(-s // k)  # the shift in places of the pooled map, rounded down and up
            best.append(min(distance(pooled(moved[s], k), np.roll(here, place, 3)) for place in places))
        along.plot(SHIFTS, best, marker=marker, markersize=5, color=colour)
tidy(still, "moved picture against picture", "picture moved by (pixels)", "difference of the maps")
tidy(along, "… its maps moved along, as well as they can", "picture moved by (pixels)")
still.get_legend().remove()
along.legend(*still.get_legend_handles_labels(), frameon=False, ncols=2, loc="upper right")
still.set_ylim(-0.05, 1.4)
plt.show()

# %% [markdown]
# The left plot shows what we hoped for: the larger the windows, the less a small move matters. The global mean does not
# change at all.
#
# The right plot may surprise you. The answers of a convolution move exactly with the picture (grey: 0 everywhere). A
# pooled map does so only if the picture moves by a multiple of the stride. In between, other values win, and the map is
# *different*, however you move it. **A stride breaks this property of convolution** (Zhang 2019, "Making convolutional
# networks shift-invariant again"). This is true of every stride, also of a convolution's.
#
# What do we lose when we ignore *where*? Let us scramble the edge map of the frame: all values stay the same, but each
# moves to a random place.

# %%
order = np.random.default_rng(0).permutation(32 * 32)
scrambled = frame.reshape(1, 4, -1)[:, :, order].reshape(frame.shape)

figure, panels = plt.subplots(1, 2, figsize=(5.5, 2.6), layout="constrained")
for axes, (title, values) in zip(panels, {"a frame": frame, "confetti": scrambled}.items(), strict=True):
    axes.imshow(values[0].max(0), cmap="magma")
    axes.set(xticks=[], yticks=[])
    means = ", ".join(f"{mean:.3f}" for mean in values.mean((2, 3))[0])
    axes.set_title(f"{title}: global means\n{means}", fontsize=10)
plt.show()

# %% [markdown]
# For the global mean they are the same. So a network should use it only at its end, when a channel no longer means
# "edge" but "corner of a frame". The layers before must already have used the information *where*.
#
# ## Stride instead
#
# The maps must get smaller from layer to layer, or the cost becomes too large. To halve a map, we can pool after a
# convolution, or before it, or use a convolution with stride 2. A network can work with the last alone (Springenberg et
# al. 2015). What does each cost, and which inputs get a gradient?


# %%
def measure(halve):
    """The multiply-adds of one way to halve a map, and the fraction of its inputs that get a gradient."""
    x = Tensor(rng.standard_normal((1, 16, 32, 32)), requires_grad=True)
    w = Tensor(rng.standard_normal((32, 16, 3, 3)))
    counter = MultiplyAdds()
    with observe(counter):
        y = halve(x, w)
    y.backward(rng.standard_normal(y.shape))
    return counter.total, (x.grad != 0).mean()


ways = {
    "3×3, then 2×2 max": lambda x, w: F.max_pool2d(F.conv2d(x, w, padding=1), 2),
    "2×2 max, then 3×3": lambda x, w: F.conv2d(F.max_pool2d(x, 2), w, padding=1),
    "3×3 with stride 2": lambda x, w: F.conv2d(x, w, stride=2, padding=1),
    "1×1 with stride 2": lambda x, w: F.conv2d(x, w[:, :, 1:2, 1:2], stride=2),
}
for name, halve in ways.items():
    multiply_adds, share = measure(halve)
    print(f"{name}: {multiply_adds / 1e6:4.1f} M multiply-adds, {share:4.0%} of x gets a gradient")

# %% [markdown]
# It costs four times as much to convolve everywhere and discard three of four answers. Pooling first is cheap, but then
# three of four inputs have no influence. A 3×3 kernel with stride 2 is cheap, and every input has an influence. So
# residual networks halve their maps with a stride. Where do they use pooling, then?


# %%
class Pools(Observer):
    def __init__(self):
        self.names = []

    def applied(self, op, y):
        if "Pool" in op.name and y.shape != op.inputs[0].shape:
            self.names.append(op.name)


for name in ("vgg16_cifar", "resnet20"):
    pools = Pools()
    with no_grad(), observe(pools):
        models.build(name).eval()(Tensor(np.zeros((1, 3, 32, 32), "float32")))
    print(f"{name}: {', '.join(pools.names)}")

print()
print(dedent(inspect.getsource(ResNet.forward)))

# %% [markdown]
# ResNet-20 has only one, at the very end: `avg_pool2d(x, x.shape[2:])`, whose window is the whole map.
# (ResNets for large pictures have one more, a 3×3 max pooling with stride 2 after the first convolution: Table 1.)

# %% [markdown]
# ## Summary
#
# - Max pooling: the winner gets the whole gradient; overlapping windows add up; at a tie, which is a kink, the first
#   value wins.
# - Average pooling: every value gets gy/k². It is a convolution with fixed weights.
# - Pooling makes small moves matter less. But with any stride, a map follows the picture only for moves by multiples of
#   the stride.
# - The global mean forgets *where* completely and makes the largest layer unnecessary. Use it only at the end.
# - Residual networks halve their maps with stride 2, for a quarter of the cost.
#
# Next: [07 · batch norm](07_batch_norm.ipynb)
