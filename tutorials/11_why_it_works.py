# %% [markdown]
# # 11 · why it works
#
# At the end you know five explanations of why an addition makes deep networks trainable; you have tried each of them
# in an experiment of your own; and you know what those experiments do not show.
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
# The addition in y = F(x) + x has no parameters and costs next to nothing. It does not let the network say anything
# that it could not say without it. Yet with it 110 layers train well, and without it they hardly train at all.
#
# Why? There is no single accepted answer. There are several partial ones, each with an experiment that its authors
# made. We repeat five of them, in small. Each time: what do you expect? what comes out? and what does that *not*
# prove?
#
# For three of them we need trained networks, so here are twins of 20 layers: the same layers, the same first weights,
# the same batches in the same order, one with the additions and one without.

# %% tags=["sizes"] quick="DEPTH, EPOCHS, IMAGES, NETS, LAYERS, SEEDS = 8, 1, 200, 4, (1, 2, 4), 1"
DEPTH, EPOCHS, IMAGES = 20, 4, 4000
NETS, LAYERS = 20, (1, 2, 4, 8, 16, 32)  # random nets for each of these depths, in experiment 4
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
# Same layers, same budget, and one of them is far ahead. Let us look inside.
#
# ## 1 · Paths
#
# Take blocks of one number each, y = x + f(x). The slope of a block is 1 + f′(x). Behind each other, the slopes
# multiply:
#
# $$\frac{dy}{dx} = (1 + f_1')(1 + f_2')(1 + f_3')$$
#
# $$= 1 + f_1' + f_2' + f_3' + f_1'f_2' + f_1'f_3' + f_2'f_3' + f_1'f_2'f_3'$$
#
# One product is eight terms. Each is a **path**: at every block it goes either around (the 1) or through (the f′).

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
tidy(left, "The eight ways from x to y", "", "blocks passed through")
tidy(right, "What each adds to the slope", "product of its f′")
plt.show()

# %% [markdown]
# With three blocks you can draw them. How many are there in a net of ten?

# %%
answer = None  # your number
check.paths(answer)

# %% [markdown]
# They are not equally long. A path that goes through few blocks is a shallow network. How many are there of each
# length?


# %%
def path_lengths(n):
    """n residual blocks -> a list of n + 1 numbers: how many paths go through exactly 0, 1, …, n of them."""
    ...  # your code


check.path_lengths(path_lengths)

# %% [markdown]
# ResNet-110 has 54 blocks. Is it a network of 54 blocks, then?

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
# Hardly one goes through all. Veit, Wilber & Belongie (2016) therefore say that residual networks "behave like
# ensembles of relatively shallow networks". And in a real network? There, f′ is a matrix, and a block is y =
# relu(F(x) + x), so gx is a sum of two arrays: what comes back through the identity, the **1**, and what comes back
# through the branch, the **∂F**. The lab runs each block with *two* inputs that hold the same x, one for either way;
# then autograd itself does the splitting:

# %%
print(inspect.getsource(paths.SplitBlock))

# %% [markdown]
# From the last block back to the first, it keeps what has gone through 0, 1, 2, … branches apart: with nine blocks,
# ten arrays instead of 512. What do you expect: does the sum over all paths agree with the gradient to one digit, to
# three, to all? And after training, do short paths or long ones bring most of it?

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
# To all digits: the split is no approximation, it is the product multiplied out. In the left panel, at every block
# about as much of the gradient comes past it, by the identity, as through it.
#
# **What this does not show.** Veit et al. found that after training the gradient comes from paths much *shorter* than
# the average one. Compare the curves on the right: training has moved the gradient to the left, towards shorter
# paths, but in our small net only as far as the mere number of paths goes. "Short paths do the work" does not show
# with nine blocks and four epochs. ([The lab](../docs/labs.md#paths) has a larger run.)

# %% [markdown]
# ## 2 · Lesions
#
# If there are so many paths, no block can be indispensable. Cut one out of the trained network, without training it
# again: what happens? What in its plain twin?

# %%
answer = None  # a letter: check.lesion shows the question
check.lesion(answer)

# %% [markdown]
# Deleting a block means: its F is 0, its shortcut stays. From the plain net the two layers are taken out. Only blocks
# that keep the shape of their input can go.

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
# The plain net is lost, whichever block it is: what is left guesses, or nearly (chance is 90 %). Its layers have
# learnt to read what the layer before them writes, and nothing else. The residual net still recognises about half of
# the pictures, and with more blocks gone it gets worse step by step. Two neighbours swapped it takes rather better:

# %% tags=["varies"]
for kind, found in cut.items():
    swapped = " ".join(f"{error:.0f}" for error in found["swapped"].values())
    print(f"{kind:8}  error with two neighbouring blocks swapped: {swapped} %")

# %% [markdown]
# **What this does not show.** "A residual net hardly notices": ours does notice, by some twenty points. Veit et al.
# cut one of 54 blocks out of a network trained to the end; we cut one of nine, after four epochs. Each of ours
# carries more. (How a larger run came out, against a threshold that was set beforehand, is [in the
# labs](../docs/labs.md#lesion).) And lesions do not prove that short paths *explain* training: they show what a
# trained net has become, not how it got there.

# %% [markdown]
# ## 3 · Responses
#
# Perhaps each block of a residual net simply does *less*. If F = 0 is near, and easy, a block need only add a little
# to x. The paper measures it by the standard deviation of each 3×3 layer's response, after batch norm and before ReLU
# or addition (section 4.2, Fig. 7). What do you expect for a network that has just been made?

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
# While it is being trained, a fresh network has 1 everywhere: batch norm divides by the standard deviation, and its γ
# begins at 1. So a response can only shrink as γ does, and that takes training, and weight decay. Ours have had four
# epochs of it. The residual net's lie a little lower, and they zigzag: the low ones are the second layers of the
# blocks, the ones that are added to x.
#
# **What this does not show.** In the paper's Fig. 7, after 182 epochs, the residual nets' responses are lower for the
# most part, and lower still in deeper ones. A difference of this size, from a single seed, is no finding. ([The
# lab](../docs/labs.md#responses) has three seeds and three depths.) And the measure hides something: what matters for
# "the block adds a little" is the size of F *against x*. Measure that, too.

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
# Nearly as large as x: blocks that "add a little" look different. But within a stage it falls from block to block: x
# is a sum that grows, and F stays about as large, so each block changes x by a smaller part than the one before. The
# deeper the net, the smaller the parts. (Where a stage begins, half of the channels of the padded x are zeros, so F
# is large against it.)

# %% [markdown]
# ## 4 · Shattered gradients
#
# Take a random network, untrained, and let its input walk along a circle, by small steps. At each step: how steeply
# does the output rise? One layer; 24 plain layers; 50 residual layers with batch norm. A step of training is only of
# use if the slope a little further on is much the same. What do you expect of each curve?

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
# (After Fig. 1 of Balduzzi et al. 2017.) The plain net's slope is nearly **white noise**: a degree and a half further
# on, it says nothing any more. It neither vanishes nor explodes: its *size* may be healthy, and the paper reports
# healthy gradient norms in plain nets that do not train well. It is shattered. The residual net's is rough, but one
# can see where it goes.
#
# The correlation of the slopes at two inputs follows a law for each kind of net. Can you guess the three?


# %%
def shattered_laws(L):
    """L layers -> the correlation of the gradients at two inputs, in theory, for three nets, as a tuple:

    plain, residual without batch norm, residual with batch norm (of the last, only how it depends on L: 1 at L = 1).
    """
    ...  # your code


check.shattered_laws(shattered_laws)

# %% [markdown]
# Measure it: many random nets, 32 random inputs each.

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
# On the left three nets follow three laws (batch norm's up to a factor: its points are parallel to the line). But
# look at the right-hand panel: plain and residual nets *without any normalisation* do not shatter like that. The
# theorems assume that each unit is active at about half of the inputs, independently. In a deep net without
# normalisation all hidden states grow alike, so the same units are active for every input. Batch norm, or taking away
# each unit's mean as the left-hand panel does, makes the assumption true. This is where attempts to reproduce the
# laws come to grief.
#
# **What this does not show.** These are random, fully connected nets before training. That shattering is the cause of
# deep plain nets' trouble is an argument, and a good one, but no measurement of ours.

# %% [markdown]
# ## 5 · Broken symmetry
#
# The last explanation is about weights that have nothing left to say. Three matrices W of eight units:
#
# - **a**: W = 0. Every unit is dead, whatever goes in;
# - **b**: two units have the same weights, in and out: they compute the same, get the same gradient, and remain the
#   same;
# - **c**: one unit's weights are the sum of two others': a dimension is lost.
#
# With a skip, y = relu(W·x + x), what counts is W + I.

# %%
draws = np.random.default_rng(0)
for case, name in symmetry.CASES.items():
    w, _ = symmetry.degenerate(case, draws)
    ranks = [np.linalg.matrix_rank(w + skip * np.eye(8)) for skip in (0, 1)]
    print(f"{case}, {name}: rank of W {ranks[0]} of 8, of W + I {ranks[1]} of 8")

# %% [markdown]
# Now train each of them from there on a task that needs more. Which of the six recovers, and which cannot?

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
# In **a** the plain layer is dead for good: nothing passes forward, so nothing comes back (ReLU's slope at 0 is 0).
# In **b** the two plain units stay together to the last bit, for 300 steps. No gradient can part them. With the skip
# they part at once, for each is added another x.
#
# **What this does not show.** Look at the errors of b and c: the plain layer learns about as well as the other. One
# dimension of eight is a small matter, and c is a state that training leaves by itself. Orhan & Pitkow (2018) argue
# that the *neighbourhood* of such points is slow, and that a deep net comes by many of them. That is a larger claim
# than ours.

# %% [markdown]
# ## What is left
#
# Some more views of the same thing, for which there is no room here:
#
# - **The landscape.** Around a trained residual net the loss is said to be smooth, around a plain one rugged (Li et
#   al. 2018). `tinyres lab landscape` draws it; what came of it at our sizes, and why it is hard to judge, is [in the
#   labs](../docs/labs.md#landscape).
# - **Degradation is an optimisation problem**: the deeper plain net has the higher *training* error, see [lesson
#   08](08_degradation.ipynb). All five experiments are about that: how to find good weights, not about which weights
#   there are.
# - **A contrary view.** The ResNet paper says that it is unlikely to be vanishing gradients. DenseNet's authors
#   (Huang et al. 2017) hold that shortcuts do help gradients, by shortening the way to the loss. Both can be right:
#   the *size* of a gradient is not its *use*, as experiment 4 shows.
#
# They are not five rival theories. "The gradient has a 1 in it", "there are many short paths", "a block can do
# nothing easily", "slopes stay alike", "W + I has full rank" are five sights of one small thing: **every layer begins
# as the identity plus something**, and not as something.

# %% [markdown]
# ## Summary
#
# - A net of n blocks is a sum over 2ⁿ paths, exactly; half of the blocks lie on the average path.
# - Cut a block out: the plain net is lost, the residual one limps. At our size it limps badly.
# - In deep plain nets gradients are healthy in size and shattered in direction: 1/2^L, (3/4)^L, 1/√L.
# - W + I keeps its rank where W loses it.
# - A small experiment can show that something happens, and rarely that it is the reason. Say which.
#
# Next: [12 · the relatives](12_relatives.ipynb).
