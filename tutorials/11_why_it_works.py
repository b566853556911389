# %% [markdown]
# # 11 · why it works
#
# At the end you know five explanations of why an addition makes deep networks trainable. You have tested each of them
# in an experiment of your own, and you know what those experiments do not show.
#
# *35 minutes. Before it: [10](10_train_resnet20.ipynb).*

# %%
import inspect
from itertools import product
from math import comb
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Tensor, data, no_grad
from tinyres.random import generator
from tinyres.study.course import check
from tinyres.study.labs import lesion, paths, responses, shattered, symmetry
from tinyres.study.labs.drawing import BLUE, GREY, PLAIN, RESIDUAL, VERMILION, tidy
from tinyres.study.labs.fit import fit
from tinyres.study.labs.halved import halved
from tinyres.study.labs.twins import KINDS, twin

# %% [markdown]
# The addition in y = F(x) + x has no parameters and costs almost nothing. With it, the network cannot represent
# anything that it could not represent without it. But with it 110 layers train well, and without it they hardly train
# at all.
#
# Why? There is no single accepted answer. There are several partial answers, each with an experiment that its authors
# made. We repeat five of them on a small scale. Each time we ask: What do you expect? What is the result? And what does
# it *not* prove?
#
# For three of them we need trained networks, so here are twins of 20 layers. They have the same layers, the same
# initial weights and the same batches in the same order, one with the additions and one without.

# %% tags=["sizes"] quick="DEPTH, EPOCHS, IMAGES, NETS, LAYERS, SEEDS = 8, 1, 200, 4, (1, 2, 4), 1"
DEPTH, EPOCHS, IMAGES = 20, 4, 4000
NETS, LAYERS = 20, (1, 2, 4, 8, 16, 32)  # experiment 4: the number of random networks for each of these depths
SEEDS = 3  # in experiment 5

# %% tags=["varies"]
train, test = (halved(dataset) for dataset in data.shapes(IMAGES, 500))
average, deviation = data.channel_statistics(train)
nets, untrained = {}, twin("residual", DEPTH, len(train.classes), seed=0)
for kind in KINDS:
    nets[kind] = twin(kind, DEPTH, len(train.classes), seed=0)
    curve = fit(nets[kind], train, test, epochs=EPOCHS, lr=0.1, batch_size=32, augment=False)
    errors = [f"{100 * line['test_error']:.0f}" for line in curve]
    print(f"{kind:8}  test error after each epoch: {' '.join(errors)} %")

# %% [markdown]
# With the same layers and the same training, one of them is far ahead. Let us look inside.
#
# ## 1 · Paths
#
# Take blocks of one number each, y = x + f(x). The slope of a block is 1 + f′(x). In sequence, the slopes multiply:
#
# $$\frac{dy}{dx} = (1 + f_1')(1 + f_2')(1 + f_3')$$
#
# $$= 1 + f_1' + f_2' + f_3' + f_1'f_2' + f_1'f_3' + f_2'f_3' + f_1'f_2'f_3'$$
#
# The product has eight terms. Each is a **path**: at every block it goes either around (the 1) or through (the f′).

# %%
a, b = np.array([0.8, -0.6, 0.7]), np.array([1.0, 1.5, 0.5])  # f(x) = a·tanh(b·x)
x, slopes = 0.3, []
for k in range(3):
    slopes.append(a[k] * b[k] * (1 - np.tanh(b[k] * x) ** 2))
    x = x + a[k] * np.tanh(b[k] * x)

ways = sorted(product((0, 1), repeat=3), key=sum)  # 1: through the block
terms = [np.prod([slope for slope, through in zip(slopes, way, strict=True) if through]) for way in ways]
print(f"the product of 1 + f′: {np.prod(1 + np.array(slopes)):.6f}")
print(f"the sum over 8 paths:  {sum(terms):.6f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", width_ratios=(3, 2), sharey=True)
box = {"fc": "white", "ec": VERMILION}
for row, way in enumerate(ways):
    height = [row, *(row + 0.28 * through for through in way for _ in range(2)), row]
    place = [0, *(k + 1 + side for k in range(3) for side in (-0.25, 0.25)), 4]
    left.plot(place, height, color=BLUE, linewidth=1.5)
    for k, through in enumerate(way):
        if through:
            left.text(k + 1, row + 0.28, f"$f_{k + 1}$", ha="center", va="center", bbox=box)
left.set_yticks(range(8), [f"{sum(way)}" for way in ways])
left.set_xticks([0, 1, 2, 3, 4], ["x", "block 1", "block 2", "block 3", "y"])
left.set_ylim(-0.5, 7.8)
right.barh(range(8), terms, color=[GREY, BLUE, BLUE, BLUE, VERMILION, VERMILION, VERMILION, "black"])
right.axvline(0, color="black", linewidth=0.8)
tidy(left, "The eight paths from x to y", "", "blocks passed through")
tidy(right, "What each adds to the slope", "product of its f′")
plt.show()

# %% [markdown]
# With three blocks you can draw all paths. How many are there in a network of ten blocks?

# %%
answer = None  # your number
check.paths(answer)

# %% [markdown]
# The paths are not equally long. A path that goes through few blocks is a shallow network. How many paths are there of
# each length?


# %%
def path_lengths(n):
    """n residual blocks -> a list of n + 1 numbers: how many paths go through exactly 0, 1, …, n of them."""
    ...  # your code


check.path_lengths(path_lengths)

# %% [markdown]
# ResNet-110 has 54 blocks. How many of them does a typical path go through?

# %%
answer = None  # your number
check.typical_path(answer)

# %%
n = 54
share = np.array([comb(n, k) / 2**n for k in range(n + 1)])
figure, axes = plt.subplots(figsize=(9, 2.8))
axes.bar(range(n + 1), 100 * share, color=BLUE)
tidy(axes, f"The {2**n:,} paths of ResNet-110, by length", "blocks that a path goes through", "% of the paths")
plt.show()
print(f"{100 * share[19:36].sum():.0f} % of the paths go through 19 to 35 of the {n} blocks")

# %% [markdown]
# Almost none goes through all of them. Veit, Wilber & Belongie (2016) therefore say that residual networks "behave like
# ensembles of relatively shallow networks". What about a real network? There, f′ is a matrix, and a block is y =
# relu(F(x) + x), so gx is a sum of two arrays: the part that comes back through the identity, the **1**, and the part
# that comes back through the branch, the **∂F**. The lab runs each block with *two* inputs that hold the same x, one
# for each path. Then autograd does the splitting by itself:

# %%
print(inspect.getsource(paths.SplitBlock))

# %% [markdown]
# From the last block back to the first, it keeps separate what has gone through 0, 1, 2, … branches: with nine blocks
# these are ten arrays instead of 512. What do you expect? Does the sum over all paths agree with the gradient to one
# digit, to three, to all digits? And after training, do short paths or long ones carry most of the gradient?

# %%
images, labels = next(data.Loader(test, 16, mean=average, std=deviation, dtype="float64").epoch(0))
parts = {
    "before training": paths.split(untrained.double(), images, labels),
    "after training": paths.split(nets["residual"].double(), images, labels),
}
nets["residual"].float()
worst = max(part["largest_error"] for part in parts.values())
print("the parts add up to autograd's gradient,", "to 14 digits" if worst < 1e-14 else f"up to {worst:.0e}")

# %% tags=["varies"]
blocks = (DEPTH - 2) // 2
figure = plt.figure(figsize=(9, 3.6), layout="constrained")
paths.draw({"runs": [parts], "blocks": blocks, "depth": DEPTH}, figure)
plt.show()
for name, part in parts.items():
    length = paths.average_length(part["by_length"])
    print(f"{name}: {length:.1f} of {blocks} branches on average, weighted by the gradient; by number {blocks / 2}")

# %% [markdown]
# They agree to all digits: the split is not an approximation, but the product multiplied out. The left panel shows that
# at every block about as much of the gradient comes around it, through the identity, as through its branch.
#
# **What this does not show.** Veit et al. found that after training the gradient comes from paths much *shorter* than
# the average one. Compare the curves on the right: training has moved the gradient to the left, towards shorter paths,
# but in our small network only as far as the curve of the number of paths. We cannot see "short paths do the work" with
# nine blocks and four epochs. ([The lab](../docs/labs.md#paths) has a larger run.)

# %% [markdown]
# ## 2 · Lesions
#
# If there are many paths, no single block should be necessary. What happens if we remove one from the trained network,
# without training it again? What happens in its plain twin?

# %%
answer = None  # a letter: check.lesion shows the question
check.lesion(answer)

# %% [markdown]
# Deleting a block means that its F becomes 0 and its shortcut stays. From the plain network, two layers are removed.
# Only blocks that keep the shape of their input can be deleted.

# %%
print(inspect.getsource(lesion.without))
print(inspect.getsource(lesion.replaced))

# %% tags=["varies"]
batches = data.Loader(test, 250, mean=average, std=deviation)
cut = {kind: lesion.lesions(nets[kind], batches, generator(0, "lesion")) for kind in KINDS}

# %% tags=["varies", "picture"]
COLOURS = {"plain": PLAIN, "residual": RESIDUAL}
figure, (single, several) = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained", width_ratios=(3, 2))
for side, (kind, found) in zip((-0.2, 0.2), cut.items(), strict=True):
    place = np.arange(len(found["deleted"]))
    hatch = "//" if kind == "plain" else ""
    single.bar(place + side, found["deleted"].values(), 0.4, color=COLOURS[kind], hatch=hatch, label=f"{kind}, cut")
    single.axhline(found["whole"], color=COLOURS[kind], linestyle=":", linewidth=2, label=f"{kind}, whole")
    style = "s--" if kind == "plain" else "o-"
    several.plot([found["whole"], *found["several"]], style, color=COLOURS[kind], label=kind)
single.set_xticks(place, found["deleted"])
single.set_ylim(0, 140)
single.set_yticks(range(0, 101, 20))
several.set_xticks(range(len(found["several"]) + 1))
tidy(single, "One block deleted", "which: stage.place", "test error, %")
single.legend(frameon=False, ncols=2, loc="upper center")
tidy(several, "Several, chosen at random", "blocks deleted")
plt.show()
for kind, found in cut.items():
    without = mean(found["deleted"].values())
    print(f"{kind:8}  whole: {found['whole']:.0f} % wrong; without a block: {without:.0f} % on average")

# %% [markdown]
# The plain network fails, whichever block is deleted: the rest only guesses, or almost (chance is 90 % error). Each of
# its layers has learnt to work with the output of the layer before it, and with nothing else. The residual network
# still recognises about half of the pictures, and it gets worse step by step as more blocks are deleted. It tolerates
# two swapped neighbours better:

# %% tags=["varies"]
for kind, found in cut.items():
    swapped = " ".join(f"{error:.0f}" for error in found["swapped"].values())
    print(f"{kind:8}  error with two neighbouring blocks swapped: {swapped} %")

# %% [markdown]
# **What this does not show.** It does not show that a residual network hardly changes: the error of ours rises by some
# twenty percentage points. Veit et al. deleted one of 54 blocks from a fully trained network; we deleted one of nine,
# after four epochs, so each of our blocks matters more. (For the result of a larger run, with a threshold that was set
# in advance, see [the labs](../docs/labs.md#lesion).) And lesions do not prove that short paths *explain* training:
# they show what a trained network has become, not how it got there.

# %% [markdown]
# ## 3 · Responses
#
# Perhaps each block of a residual network simply does *less*. If F = 0 is near and easy to learn, a block only needs to
# add a little to x. The paper measures this by the standard deviation of each 3×3 layer's response, after batch norm
# and before the ReLU or the addition (section 4.2, Fig. 7). What do you expect for a new network?

# %%
print(inspect.getsource(responses.deviations))

# %% tags=["varies"]
many, _ = next(data.Loader(test, 500, mean=average, std=deviation).epoch(0))
found = {kind: responses.deviations(nets[kind], many) for kind in KINDS}
figure, axes = plt.subplots(figsize=(9, 3))
for kind, style in zip(KINDS, ("s--", "o-"), strict=True):
    axes.plot(range(1, len(found[kind]) + 1), found[kind], style, color=COLOURS[kind], label=kind)
axes.set_ylim(0, 1.2)
axes.set_xticks(range(1, len(found["plain"]) + 1, 2))
tidy(axes, "Layer responses, after batch norm", "layer", "standard deviation")
axes.legend(frameon=False, loc="lower left")
plt.show()
for kind in KINDS:
    print(f"{kind:8}  mean response {mean(found[kind]):.2f}")

# %% [markdown]
# In training mode, a new network has 1 everywhere: batch norm divides by the standard deviation, and its γ begins at 1.
# So a response can only shrink if γ shrinks, which takes training and weight decay. Ours have had four epochs of both.
# The responses of the residual network are a little lower, and they zigzag: the low ones are the second layers of the
# blocks, whose outputs are added to x.
#
# **What this does not show.** In the paper's Fig. 7, after 182 epochs, the responses of residual networks are mostly
# lower, and even lower in deeper networks. A difference of our size, from a single seed, proves nothing. ([The
# lab](../docs/labs.md#responses) has three seeds and three depths.) And the measure hides something: to say that a
# block adds only a little, we must compare the size of F *with that of x*. So we measure this too.

# %% tags=["varies"]
ratios = []
with no_grad():
    x = nets["residual"].stem(Tensor(many))
    for stage in nets["residual"].stages():
        for block in stage.children():
            branch = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))  # F(x)
            ratios.append(float(np.linalg.norm(branch.data) / np.linalg.norm(block.downsample(x).data)))
            x = block(x)
figure, axes = plt.subplots(figsize=(9, 2.6))
axes.bar(range(1, len(ratios) + 1), ratios, color=RESIDUAL)
axes.axhline(1, color="black", linestyle=":")
tidy(axes, "How large F(x) is against x", "block, from the input", "|F(x)| / |x|")
plt.show()

# %% [markdown]
# F is nearly as large as x, so the blocks do not add only a little. But within a stage the ratio falls from block to
# block: x is a sum that grows, while F keeps its size, so each block changes x by a smaller fraction than the one
# before. The deeper the network, the smaller the fractions. (At the beginning of a stage, half of the channels of the
# padded x are zeros, so F is large compared with x.)

# %% [markdown]
# ## 4 · Shattered gradients
#
# Take a random, untrained network, and let its input move along a circle in small steps. At each step we measure the
# slope of the output. We do this for one layer, for 24 plain layers, and for 50 residual layers with batch norm. A
# training step is only useful if the slope is similar a little further on. What do you expect of each curve?

# %%
print(inspect.getsource(shattered.next_state))


# %%
def slopes_along_a_circle(net, depth, angles, width=128):
    """dy/d(angle) at each angle, for a random net."""
    draws = np.random.default_rng(0)
    u, v = draws.standard_normal((2, width))
    circle = np.outer(np.cos(angles), u) + np.outer(np.sin(angles), v)  # (angles, width)
    onward = np.outer(-np.sin(angles), u) + np.outer(np.cos(angles), v)  # how the input moves with the angle
    h = x = Tensor(circle, requires_grad=True)
    for _ in range(depth):
        h = shattered.next_state(h, Tensor(draws.normal(0, np.sqrt(2 / width), (width, width))), net)
    h.backward(np.tile(draws.standard_normal(width), (len(angles), 1)))  # y = h·(a random vector)
    return (x.grad * onward).sum(1)


angles = np.linspace(0, 2 * np.pi, 256, endpoint=False)
cases = {
    "1 layer": ("plain, centred", 1),
    "24 plain layers": ("plain, centred", 24),
    "50 residual layers": ("residual, batch norm", 50),
}
figure, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
for (name, (net, depth)), axes, colour in zip(cases.items(), panels, (GREY, PLAIN, RESIDUAL), strict=True):
    slope = slopes_along_a_circle(net, depth, angles)
    slope = (slope - slope.mean()) / slope.std()
    axes.plot(np.degrees(angles), slope, color=colour, linewidth=1)
    axes.set_xticks([0, 90, 180, 270, 360])
    axes.set_ylim(-4, 4)
    tidy(axes, name, "place on the circle, degrees", "slope, scaled" if name == "1 layer" else "")
    print(f"{name}: correlation of neighbouring slopes {np.corrcoef(slope[1:], slope[:-1])[0, 1]:.2f}")
plt.show()

# %% [markdown]
# (After Fig. 1 of Balduzzi et al. 2017.) The slope of the plain network is nearly **white noise**: a degree and a half
# further on, it is unrelated to the slope before. It neither vanishes nor explodes: its *size* may be healthy, and the
# ResNet paper reports healthy gradient norms in plain networks that do not train well. It is shattered. The slope of
# the residual network is rough, but it has a visible trend.
#
# For each kind of network, the correlation of the slopes at two inputs follows a law. Can you guess the three laws?


# %%
def shattered_laws(L):
    """L layers -> the correlation of the gradients at two inputs, in theory, for three nets, as a tuple:

    plain, residual without batch norm, residual with batch norm (of the last, only how it depends on L: 1 at L = 1).
    """
    ...  # your code


check.shattered_laws(shattered_laws)

# %% [markdown]
# Let us measure it with many random networks and 32 random inputs for each.

# %%
results = {"depths": list(LAYERS), "nets": {}}
for net in shattered.NETS:
    every = shattered.correlations(net, LAYERS, width=64, seeds=range(NETS))
    results["nets"][net] = shattered.judged(LAYERS, every, seed=0)
    row = "  ".join(f"{round(r, 2) + 0:.2f}" for r in results["nets"][net]["r"])
    print(f"{net:22}  r = {row}    (L = {', '.join(map(str, LAYERS))})")

# %%
figure = plt.figure(figsize=(9, 3.9), layout="constrained")
shattered.draw(results, figure)
figure.axes[0].set_title("each unit active at half of the inputs")
figure.axes[1].set_title("as they are, without normalisation")
plt.show()

# %% [markdown]
# On the left, the three networks follow the three laws (with batch norm up to a factor: its points are parallel to the
# line). But look at the right-hand panel: plain and residual networks *without any normalisation* do not shatter like
# that. The theorems assume that each unit is active at about half of the inputs, independently. In a deep network
# without normalisation all hidden states become similar, so the same units are active for every input. Batch norm makes
# the assumption true, and so does subtracting each unit's mean, as in the left-hand panel. Attempts to reproduce the
# laws fail if they miss this.
#
# **What this does not show.** These are random, fully connected networks before training. There are good arguments that
# shattering causes the problems of deep plain networks, but we have not measured it.

# %% [markdown]
# ## 5 · Broken symmetry
#
# The last explanation is about weights that have lost their diversity. Take three matrices W of eight units:
#
# - **a**: W = 0. Every unit is dead for every input;
# - **b**: two units have the same weights, in and out: they compute the same values, get the same gradient, and stay
#   the same;
# - **c**: one unit's weights are the sum of two others': a dimension is lost.
#
# With a skip, y = relu(W·x + x), the matrix that counts is W + I.

# %%
draws = np.random.default_rng(0)
for case, name in symmetry.CASES.items():
    w, _ = symmetry.degenerate(case, draws)
    ranks = [np.linalg.matrix_rank(w + skip * np.eye(8)) for skip in (0, 1)]
    print(f"{case}, {name}: rank of W {ranks[0]} of 8, of W + I {ranks[1]} of 8")

# %% [markdown]
# Now train each of them from this start on a task that needs all units. Which of the six recover, and which cannot?

# %% tags=["varies"]
results = {
    case: {kind: symmetry.train_all(case, skip, range(SEEDS)) for kind, skip in symmetry.KINDS.items()}
    for case in symmetry.CASES
}
figure, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
shown = (
    ("a", "losses", "a: W = 0"),
    ("b", "losses", "b: two equal units"),
    ("b", "apart", "b: the two units' weights"),
)
for axes, (case, what, title) in zip(panels, shown, strict=True):
    for kind, style in zip(KINDS, ("--", "-"), strict=True):
        curve = np.median([run[what] for run in results[case][kind]], axis=0)
        axes.plot(curve, style, color=COLOURS[kind], label=kind, linewidth=2)
    tidy(axes, title, "step", "mean squared error" if what == "losses" else "largest difference")
    if what == "losses":
        axes.set_ylim(0, 2)
plt.show()
for case in symmetry.CASES:
    ends = [f"{kind} {symmetry.loss(results[case][kind]):.2f}" for kind in KINDS]
    print(f"{case}: error after 300 steps: {', '.join(ends)}")

# %% [markdown]
# In **a** the plain layer is dead for good: nothing passes forward, so nothing comes back (ReLU's slope at 0 is 0). In
# **b** the two plain units stay equal to the last bit, for 300 steps. No gradient can separate them. With the skip they
# separate at once, because a different x is added to each.
#
# **What this does not show.** Look at the errors of b and c: the plain layer learns about as well as the other. One
# dimension of eight matters little, and training leaves state c by itself. Orhan & Pitkow (2018) argue that training is
# slow in the *neighbourhood* of such points, and that a deep network passes many of them. That is a larger claim than
# ours.

# %% [markdown]
# ## Other explanations
#
# There are more explanations, for which there is no room here:
#
# - **The landscape.** Around a trained residual network the loss is said to be smooth, and around a plain one rugged
#   (Li et al. 2018). `tinyres lab landscape` draws it. [The labs](../docs/labs.md#landscape) show the result at our
#   sizes, and why it is hard to judge.
# - **Degradation is an optimisation problem**: the deeper plain network has the higher *training* error, see [lesson
#   08](08_degradation.ipynb). All five experiments are about this: how to find good weights, and not whether they
#   exist.
# - **A different view.** The ResNet paper says that vanishing gradients are unlikely to be the cause. DenseNet's
#   authors (Huang et al. 2017) argue that shortcuts do help gradients, by shortening the path to the loss. Both can be
#   right: the *size* of a gradient does not say how *useful* it is, as experiment 4 shows.
#
# The five explanations do not contradict each other. "The gradient contains a 1", "there are many short paths", "a
# block can easily do nothing", "slopes stay similar" and "W + I has full rank" are five views of one simple fact:
# **every layer begins as the identity plus something**.

# %% [markdown]
# ## Summary
#
# - A network of n blocks is exactly a sum over 2ⁿ paths. The average path goes through half of the blocks.
# - If a block is removed, the plain network fails, and the residual one gets worse. At our size it gets much worse.
# - In deep plain networks gradients have a healthy size, but they are shattered. The three laws are 1/2^L, (3/4)^L and
#   1/√L.
# - W + I keeps full rank where W does not.
# - A small experiment can show that something happens, but rarely that it is the reason. Always say which of the two
#   you have shown.
#
# Next: [12 · the relatives](12_relatives.ipynb).
