# %% [markdown]
# # 10 · training
#
# At the end you have written the whole loop that trains a residual network. You can look at a curve and say whether the
# network learns, over-fits, diverges or is stuck, and what to look for next.
#
# *40 minutes. Before it: [09](09_residual_block.ipynb).*

# %%
import inspect
import re
from itertools import count, islice

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres import Tensor, data, manual_seed, models, optim
from tinyres.data.augment import crop, draw_crops, draw_flips, flip
from tinyres.nn import functional as F
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, tidy
from tinyres.study.labs.gradient_flow import network
from tinyres.study.labs.halved import halved
from tinyres.train import evaluate

# %% [markdown]
# The goal is that of the paper: ResNet-20 on CIFAR-10. This takes a quarter of an hour on two cores, which is too long
# for experiments. So this lesson uses *Shapes*, ten classes of pictures drawn in code, at half their size, with a
# ResNet-8. The loop is the same. When you have read to the end, put `"cifar10"` into the first line and run everything
# again.

# %% tags=["sizes"] quick="MODEL, EPOCHS, IMAGES, TINY = 'resnet8', 1, 300, 6"
DATA, DATA_DIR = "shapes", None  # or "cifar10" and the folder that contains it (None: it is downloaded)

if DATA == "shapes":
    MODEL, EPOCHS, BATCH, LR, IMAGES, HALF = "resnet8", 8, 32, 0.1, 4000, True
else:
    MODEL, EPOCHS, BATCH, LR, IMAGES, HALF = "resnet20", 30, 128, 0.3, 45_000, False
TINY = 200  # steps of each of the small runs in the second half

# %% [markdown]
# We need three sets of images with different purposes. The network learns from the first, the **training set**. The
# second, the **validation set**, is for *us*: everything that we choose (how long to train, how fast, which network),
# we choose by it. The third, the **test set**, is not used until nothing is left to choose. Why so strict? We will
# measure it.

# %%
everything, test = data.load(DATA, DATA_DIR, quiet=True)
train, validation = data.split(everything.take(slice(IMAGES + IMAGES // 9)), IMAGES // 9, seed=0)
if HALF:
    train, validation, test = halved(train), halved(validation), halved(test)
mean, std = data.channel_statistics(train)  # of the training set only: the others must not have any influence
print(f"{len(train)} images to learn from, {len(validation)} to choose by, {len(test)} to be judged by")

figure, panels = plt.subplots(1, 10, figsize=(9, 1.3))
for label, axes in enumerate(panels):
    axes.imshow(train.images[train.labels == label][0].transpose(1, 2, 0))
    axes.set_title(train.classes[label], fontsize=9)
    axes.axis("off")
plt.show()

# %% [markdown]
# ## Before the first step
#
# A new network knows nothing, so it should give each of ten classes the same probability. We know its loss without
# running it: −ln(1/10) = ln 10 ≈ 2.30 ([lesson 04](04_linear_relu_softmax.ipynb)). Is this true? Here is one batch
# through a network with new weights:

# %%
manual_seed(0)
model = models.build(MODEL, len(train.classes))
images, labels = next(data.Loader(train, 256, mean=mean, std=std).epoch(0))
scores = model(Tensor(images)).detach()
for factor in (1, 0.1, 0):
    print(f"the scores times {factor}: loss {F.cross_entropy(scores * factor, labels).item():.1f}")

# %% [markdown]
# The loss is higher than necessary. The new network does not say "I don't know": its random scores differ, so it makes
# wrong predictions with some confidence, and −ln p punishes this. Ours begins between 2.5 and 3. So the first thing
# that any network learns is to be less confident, and its loss falls to ln 10 ≈ 2.30 before it has learnt anything
# about pictures. Keep this number in mind:
#
# - a first loss **a little above ln 10** is healthy;
# - a first loss of **30 or 300** means that the scores are far too large: check the initial size of the weights, and
#   the scale of the pictures;
# - if the loss comes **down to ln 10 and stays** there, the network has learnt only to be less confident. We will meet
#   this again.

# %% [markdown]
# ## A step
#
# Back-propagation gives the slope g of the loss for every weight. The simplest use of it is w ← w − lr·g, with lr the
# *learning rate*. Its weakness becomes visible in a valley that is steep across and flat along:
#
# $$C(w) = \tfrac12\,(w_1^2 + 25\,w_2^2) \qquad g = (w_1,\; 25\,w_2)$$
#
# Across the valley, a step with lr above 2/25 = 0.08 goes further up the other side than where it came from. So the
# steep direction needs a small lr, and then the flat direction takes very long. **Momentum** keeps a velocity v, a
# running sum of gradients: along the valley they have the same sign and add up, across it they cancel.


# %%
def descend(lr, momentum, steps):
    w, v, path = np.array([-10.0, 1.0]), np.zeros(2), []
    for _ in range(steps):
        path.append(w)
        g = np.array([1, 25]) * w
        v = momentum * v + g
        w = w - lr * v
    return np.array(path)  # (steps, 2)


runs = {"no momentum, lr 0.07": (0.07, 0), "no momentum, lr 0.081": (0.081, 0), "momentum 0.7, lr 0.07": (0.07, 0.7)}
figure, axes = plt.subplots(figsize=(9, 3))
grid_1, grid_2 = np.meshgrid(np.linspace(-11, 4, 200), np.linspace(-2.2, 2.2, 100))
axes.contour(grid_1, grid_2, (grid_1**2 + 25 * grid_2**2) / 2, np.geomspace(0.5, 60, 8), colors=GREY, alpha=0.4)
for (name, (lr, momentum)), colour, marker in zip(runs.items(), (ORANGE, VERMILION, BLUE), "s^o", strict=True):
    path = descend(lr, momentum, 20)
    axes.plot(path[:, 0], path[:, 1], f"{marker}-", color=colour, label=name, markersize=4)
    far = np.abs(descend(lr, momentum, 61)).max(1)
    print(f"{name}: after 20 steps {far[20]:.2g} from the bottom, after 60 steps {far[60]:.2g}")
tidy(axes, "20 steps in a valley", "$w_1$: flat", "$w_2$: steep")
axes.legend(loc="upper right", frameon=True)
axes.set_xlim(-11, 7)
plt.show()

# %% [markdown]
# If the step is only slightly too long for the steep direction, it diverges, slowly at first. Momentum overshoots and
# comes back, and ends much closer to the minimum. This is the whole optimiser of the paper: SGD with momentum 0.9.
# Write its step:


# %%
def sgd_momentum(w, g, v, lr, momentum):
    """w, its gradient g, the velocity v (N), two numbers -> the new w (N) and the new v (N), as torch has them."""
    ...  # your code


check.sgd_momentum(sgd_momentum)

# %% [markdown]
# One more thing acts on the weights. **Weight decay** pulls every weight towards 0, as if ½·decay·|w|² were part of the
# loss, so a weight stays large only if the gradient supports it. It looks tiny, 0.0001 in the paper, but it acts in
# every one of 64,000 steps.

# %%
for steps in (1000, 10_000, 32_000):
    print(f"a weight that nothing else moves, after {steps:6} steps at lr 0.1: {(1 - 0.1 * 1e-4) ** steps:.2f} of it")


# %%
def weight_decay_step(w, g, lr, weight_decay):
    """w and its gradient g (N), two numbers -> the new w (N) after a step of SGD with weight decay, no momentum."""
    ...  # your code


check.weight_decay_step(weight_decay_step)

# %% [markdown]
# The library's SGD has both. (It changes the arrays in place; `nesterov` looks one step ahead.)

# %%
print(inspect.getsource(optim.SGD.update))

# %% [markdown]
# ## The loop
#
# Here is all of training. First comes what happens to one batch, in the necessary order:


# %%
def step(model, optimizer, images, labels):
    """Learn from one batch; return the loss (a number) and the scores (N, K) before the step."""
    scores = model(Tensor(images))
    loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()  # forget the last batch's gradients: backward adds to them
    loss.backward()  # every parameter gets its .grad
    optimizer.step()  # every parameter moves
    return loss.item(), scores.data


# %% [markdown]
# This happens for every batch, and for all batches in every epoch. Once per epoch we look at the validation set. There
# the network does not learn, and batch norm uses its running statistics instead of those of the batch: `model.eval()`.


# %%
def error_of(model, dataset):
    """The percentage of images that are classified wrongly, and the mean loss."""
    score = evaluate(model, data.Loader(dataset, 250, mean=mean, std=std).epoch(0))
    return 100 * (1 - score.accuracy), score.loss


def learn(model, optimizer, schedule, batches, epochs):
    """Train; return a loss for every step, and for every epoch the errors and losses on both sets."""
    steps, curves = [], []
    for epoch in range(epochs):
        model.train()
        wrong, before = 0, len(steps)
        for images, labels in batches.epoch(epoch):
            loss, scores = step(model, optimizer, images, labels)
            schedule.step()  # the learning rate of the next step
            steps.append(loss)
            wrong += (scores.argmax(1) != labels).sum()
        validation_error, validation_loss = error_of(model, validation)
        train_error = 100 * wrong / len(batches.dataset)
        curves.append((train_error, validation_error, np.mean(steps[before:]), validation_loss))
    return np.array(steps), np.array(curves)


# %% [markdown]
# The loop is short, but there is one line in it that people forget more often than any other. A friend sends you this
# version:

# %%
answer = None  # the number of the line
check.loop_bug(answer)

# %% [markdown]
# ## The learning-rate schedule
#
# A high learning rate is good at the beginning, when the weights are far from a minimum, and bad at the end, when they
# should settle, because then they keep jumping around it. So we lower the learning rate during training. The paper does
# this in two steps: it starts with 0.1, divides by 10 at 32,000 iterations and again at 48,000, and stops at 64,000 (He
# et al. 2016a, section 4.2).


# %%
def paper_schedule(steps):
    """A list of step numbers -> a list of learning rates: 0.1, divided by 10 at 32,000 and again at 48,000 (paper)."""
    ...  # your code


check.paper_schedule(paper_schedule)

# %% [markdown]
# An iteration is one batch of 128 images, and the paper trains on 45,000 images (5,000 of the 50,000 are its validation
# set). How many epochs are 64,000 iterations?

# %%
answer = None  # your number
check.paper_epochs(answer)

# %% [markdown]
# A smooth way to lower the learning rate is half a cosine. With a short rise before it, the schedule is called
# *one-cycle* (Smith & Topin 2018), and it gets good results in few epochs: it begins with small steps, while large ones
# are dangerous, and then uses a learning rate that would be too high at the start.


# %%
def cosine_schedule(base, t, T):
    """base, t, T numbers -> the learning rate at step t: along half a cosine from base (t = 0) to 0 (t = T)."""
    ...  # your code


check.cosine_schedule(cosine_schedule)

# %% [markdown]
# In the library, schedules are functions of the step only (so that an interrupted run can continue from the middle):

# %%
unused = [tinyres.nn.Parameter(np.zeros(1))]
paper = optim.lr_scheduler.MultiStepLR(optim.SGD(unused, lr=0.1), [32_000, 48_000])
cycle = optim.lr_scheduler.OneCycleLR(optim.SGD(unused, lr=0.1), 0.3, 64_000)
t = np.arange(0, 64_000, 100)
figure, axes = plt.subplots(figsize=(9, 2.8))
axes.plot(t, [paper.lr(0.1, k) for k in t], "--", color=VERMILION, label="the paper's, from 0.1")
axes.plot(t, [cycle.lr(0.3, k) for k in t], color=BLUE, label="one-cycle, up to 0.3")
tidy(axes, "Two learning-rate schedules", "step", "learning rate")
plt.show()

# %% [markdown]
# ## More pictures from the same pictures
#
# A star that is moved by three pixels is a star, and so is its mirror image. The paper pads each picture with four
# pixels on every side, cuts out a random piece of the original size, and mirrors it with probability one half. The
# network never sees the same batch twice, so it cannot easily memorise the pictures.

# %%
rng = np.random.default_rng(0)
one = everything.images[:1]  # (1, 3, H, W)


def variant(images):
    """images (N, C, H, W) -> each of them cropped and mirrored at random"""
    N = len(images)
    cropped = crop(images, draw_crops(N, rng, padding=4), padding=4)
    return flip(cropped, draw_flips(N, rng))


variants = [variant(one) for _ in range(7)]
figure, panels = plt.subplots(1, 8, figsize=(9, 1.5))
for k, (axes, image) in enumerate(zip(panels, [one, *variants], strict=True)):
    axes.imshow(image[0].transpose(1, 2, 0))
    axes.set_title("the picture" if k == 0 else f"epoch {k}", fontsize=9)
    axes.axis("off")
plt.show()

# %% [markdown]
# Whether this is allowed depends on the pictures: if you mirror handwritten digits, you teach the network a 2 that
# nobody writes. And augmentation is only for the training set.
#
# ## Train
#
# What do you expect? Guessing gives 90 % error. Write down the two errors that you expect after the last epoch, on the
# training and on the validation images, and which will be higher.

# %% tags=["varies"]
manual_seed(0)
model = models.build(MODEL, len(train.classes))
batches = data.Loader(train, BATCH, shuffle=True, augment=True, mean=mean, std=std)
optimizer = optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4)
schedule = optim.lr_scheduler.OneCycleLR(optimizer, LR, EPOCHS * len(batches))
steps, curves = learn(model, optimizer, schedule, batches, EPOCHS)
for epoch, (train_error, validation_error, *_) in enumerate(curves, 1):
    print(f"epoch {epoch}: {train_error:4.1f} % of the training images wrong, {validation_error:4.1f} % of the others")


# %%
def smooth(values, width=15):
    """The mean over the last `width` values, which shows the trend."""
    values = np.asarray(values, dtype=float)
    return np.array([values[max(0, k - width + 1) : k + 1].mean() for k in range(len(values))])


ends = np.arange(1, EPOCHS + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(np.arange(len(steps)) / len(batches), steps, color=BLUE, alpha=0.2)
left.plot(np.arange(len(steps)) / len(batches), smooth(steps), color=BLUE, label="training, each step (and smoothed)")
left.plot(ends, curves[:, 3], "s--", color=VERMILION, label="validation, after the epoch")
left.axhline(np.log(len(train.classes)), color=GREY, linestyle=":", label="ln 10: knows nothing")
right.plot(ends, curves[:, 0], "o-", color=BLUE, label="training, during the epoch")
right.plot(ends, curves[:, 1], "s--", color=VERMILION, label="validation, after the epoch")
tidy(left, "Loss", "epoch", "cross-entropy")
tidy(right, "Error", "epoch", "images classified wrongly, %")
left.set_ylim(0, 4)
right.set_ylim(0, 100)
plt.show()

# %% [markdown]
# Read the plots from left to right. The loss starts between 2.5 and 3, falls to 2.3 (the network becomes less
# confident) and only then falls further. The loss of a single step is noisy, because each batch is different: never
# judge by fewer than a few dozen steps. The validation curve jumps while the learning rate is high, and calms down as
# it falls: the weights change quickly, and the running statistics of batch norm, which are used here, lag behind.
#
# Did you expect the *validation* error to be the lower one at the end? How can a network be better on images that it
# has not seen? Let us measure the error on the training images once more, in the same way as on the others: after the
# epoch, and without augmentation.

# %% tags=["varies"]
print(f"training images, during the last epoch, augmented:   {curves[-1, 0]:.1f} % wrong")
print(f"training images, after it, as they are:              {error_of(model, train)[0]:.1f} % wrong")
print(f"validation images, after it, as they are:            {curves[-1, 1]:.1f} % wrong")
chance = np.sqrt(curves[-1, 1] * (100 - curves[-1, 1]) / len(validation))  # the binomial distribution's deviation
print(f"and that last figure, from {len(validation)} images, is uncertain by ± {chance:.1f}")

# %% [markdown]
# So there is no contradiction: these are three different measurements, with some noise. Compare curves only if you know
# how each was measured.
#
# ## Why the test set is used only once
#
# Suppose that twenty networks are all equally good: each is wrong on 20 % of all pictures in the world. You test them
# on 500 pictures and report the best result. What will you report?

# %%
rng = np.random.default_rng(0)
measured = 100 * rng.binomial(500, 0.2, (10_000, 20)) / 500  # errors in %: 10,000 times twenty networks
best = measured.min(1)
figure, axes = plt.subplots(figsize=(9, 2.8))
bins = np.arange(11.9, 28.2, 0.4)
axes.hist(measured[:, 0], bins, color=BLUE, alpha=0.6, density=True, label="one network")
axes.hist(best, bins, color=VERMILION, alpha=0.6, density=True, hatch="//", label="the best of twenty")
axes.axvline(20, color="black", linestyle=":", label="the truth")
tidy(axes, "Measured on 500 pictures", "measured error, %", "density per %")
plt.show()
print(f"one network: {measured[:, 0].mean():.1f} ± {measured[:, 0].std():.1f} %")
print(f"the best of twenty: {best.mean():.1f} % on average, though none is better than 20 %")

# %% [markdown]
# The reported error is about three percentage points too low, only because we chose the best. If you keep the best of
# thirty epochs by its test error, you choose among thirty such networks. The same is true of ten learning rates, or
# five seeds. So there are three common mistakes:
#
# - **choosing by the test set**, even if it is only the epoch: choose by the validation set, and test once;
# - **a single seed**: two runs that differ only in the seed end with different errors, and the difference is larger
#   than many published improvements (look at the ± [in the labs](../docs/labs.md#degradation));
# - **the best instead of the mean**: most tables give 6.43 % for the paper's ResNet-110. That is the best of five runs;
#   the paper also gives 6.61 ± 0.16 (Table 6).
#
# ## When training goes wrong
#
# The rest of this lesson is about runs that go wrong. Each is a small run of a ResNet-8 with a constant learning rate,
# so that you can make your own. Here is the tool:


# %%
def endless(batches):
    for epoch in count():
        yield from batches.epoch(epoch)


small = train if HALF else halved(train)
small_validation = validation if HALF else halved(validation)


def little_run(step=step, lr=0.1, images=small, model=None, parameters=None, seed=0, steps=TINY):
    """The losses of a short run, and the network."""
    manual_seed(seed)
    model = model or models.build("resnet8", len(images.classes))
    optimizer = optim.SGD(parameters or model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    batches = data.Loader(images, 32, seed=seed, shuffle=True, mean=mean, std=std)
    model.train()
    with np.errstate(all="ignore"):
        losses = [step(model, optimizer, x, y)[0] for x, y in islice(endless(batches), steps)]
    return losses, model


def draw(axes, losses, style="-", **how):
    axes.plot(np.arange(1, len(losses) + 1), smooth(losses), style, **how)


# %% [markdown]
# ### The learning rate
#
# This is the first thing to set, and the first to suspect. We try five learning rates, from 0.0001 to 10, each ten or a
# hundred times the one before. Which curves do you expect above ln 10 after 200 steps, and why?

# %% tags=["varies"]
rates = {lr: little_run(lr=lr) for lr in (0.0001, 0.001, 0.1, 1, 10)}
healthy, _ = rates[0.1]
figure, (whole, near) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", width_ratios=(2, 3))
for (lr, (losses, _)), colour, style in zip(
    rates.items(), (PURPLE, GREEN, BLUE, ORANGE, VERMILION), (":", "-.", "-", "--", "-"), strict=True
):
    for axes in (whole, near):
        draw(axes, losses, style, color=colour, label=f"lr {lr:g}", linewidth=2)
for axes in (whole, near):
    axes.axhline(np.log(10), color="black", linestyle=":", linewidth=1)
whole.set_yscale("log")
whole.set_ylim(1, 1e5)
near.set_ylim(1.5, 3.5)
near.text(0, np.log(10) - 0.03, "ln 10", va="top")
tidy(whole, "Five learning rates", "step", "loss, mean of 15 steps")
tidy(near, "nearer", "step")
whole.legend().remove()
near.legend(frameon=False, ncols=3, loc="upper right")
plt.show()

# %% [markdown]
# - **10**: the loss rises at once, by orders of magnitude. This is easy to notice.
# - **1**: this one is misleading. The loss jumps up, comes back to a little *above* ln 10, and stays there. The network
#   does not recover from the weights that a few huge steps at the beginning have left. A flat curve does not always
#   mean that the learning rate is too low.
# - **0.1**: the network learns.
# - **0.001**: the loss comes down to ln 10 and then falls very slowly.
# - **0.0001**: the loss does not even reach ln 10.
#
# So the remedy for a flat curve depends on *where* it is, and on how it got there. A few short runs, each with a third
# of the learning rate of the one before, answer the question in minutes: take the largest rate that does no harm.
#
# With batch norm even lr = 10 did not end in NaN. A plain network without it gets there in a few steps, and then
# nothing on the screen says where it began. `detect_anomaly` does:

# %% tags=["varies"]
bare = network("plain", 8, with_norm=False, weights="He", classes=10, seed=0)
try:
    with tinyres.detect_anomaly():
        little_run(lr=10, model=bare)
    print("no NaN so far")
except tinyres.AnomalyError as report:
    print(re.sub(r"/\S*/", "…/", str(report)))  # without the names of folders

# %% [markdown]
# Read it from the bottom. The previous steps have made the weights (input 1) extremely large, so the values grew from
# layer to layer until one left the range of float32. The message names the op that overflowed, but the cause is the
# *step* that made such weights: the learning rate is too high. (`tinyres train` examines a diverged step in this way by
# itself.)
#
# ### Too much, too little
#
# Here are three more runs. The first has 128 pictures and enough time. The second has all the pictures, but its network
# is a single linear layer on the pixels, the softmax regression of lesson 04. The third is the run that you have seen.

# %% tags=["varies"]
few = small.take(slice(128))
linear = tinyres.nn.Sequential(tinyres.nn.Flatten(), tinyres.nn.Linear(small.images[0].size, len(small.classes)))
fits = {
    "ResNet-8, 128 images": (*little_run(images=few), few, small_validation),
    "linear, all images": (*little_run(lr=0.003, model=linear), small.take(slice(1000)), small_validation),
    f"{MODEL}, the run above": (steps[:TINY], model, train.take(slice(1000)), validation),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", width_ratios=(3, 2))
for k, (name, (losses, net, *sets)) in enumerate(fits.items()):
    draw(left, losses, ("--", ":", "-")[k], color=(VERMILION, GREEN, BLUE)[k], label=name, linewidth=2)
    errors = [error_of(net, dataset)[0] for dataset in sets]
    places = [k - 0.2, k + 0.2]
    right.bar(places, errors, 0.36, color=(BLUE, VERMILION), hatch=("", "//"))
    for place, value in zip(places, errors, strict=True):
        right.text(place, value + 2, f"{value:.0f}", ha="center", fontsize=9)
left.axhline(np.log(10), color=GREY, linestyle=":")
tidy(left, "Loss on the training batches", "step", "loss, mean of 15 steps")
tidy(right, "Error in the end:\ntraining (blue), validation (hatched)", "", "%")
left.set_ylim(0, 4)
right.set_ylim(0, 110)
right.set_xticks(range(3), ["128\nimages", "linear", "the run\nabove"])
plt.show()

# %% [markdown]
# By the *loss on the training batches* the first run would be the best. It has memorised 128 pictures and knows almost
# nothing about shapes. This is **over-fitting**: a small training error and a large validation error. The gap between
# the two is the sign. The linear network makes many errors on both sets, and more time would not help it much. This is
# **under-fitting**. And the run that is slowest at the beginning is the only one that has learnt something useful. (The
# degradation of lesson 08 is neither: there the deeper network, which could represent more, had the higher *training*
# error.)

# %%
answer = None  # a letter: check.two_errors shows the question
check.two_errors(answer)

# %% [markdown]
# ### Stuck at 10 %
#
# "My network is stuck at 10 % accuracy for a hundred epochs": every project gets this question. Here are four patients.
# Each differs from the healthy run in one place, and none of them raises an error.


# %%
def forgets_nothing(model, optimizer, images, labels):
    scores = model(Tensor(images))
    loss = F.cross_entropy(scores, labels)
    loss.backward()  # and no zero_grad before it
    optimizer.step()
    return loss.item(), scores.data


def softmax_twice(model, optimizer, images, labels):
    scores = F.softmax(model(Tensor(images)), 1)  # but cross_entropy has a softmax inside
    loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores.data


another = models.build("resnet8", len(small.classes))  # "let me build the model once more, with …"
mixed_up = data.Dataset(
    small.images, np.random.default_rng(0).permutation(small.labels), small.classes, "shuffled labels"
)
patients = {
    "forgets zero_grad": {"step": forgets_nothing},
    "softmax twice": {"step": softmax_twice},
    "the optimiser has another net's parameters": {"parameters": list(another.parameters())},
    "labels shuffled, pictures not": {"images": mixed_up},
}

# %% [markdown]
# Here are their curves, without their names. Which is which? Ask three questions about each. Do the weights change at
# all? Is there anything to learn? How low *can* the loss get?

# %% tags=["varies", "picture"]
losses = {name: little_run(**settings)[0] for name, settings in patients.items()}
order = [2, 0, 3, 1]  # a different order from the names above
figure, panels = plt.subplots(1, 4, figsize=(9, 2.9), sharey=True, layout="constrained")
for axes, k, letter in zip(panels, order, "ABCD", strict=True):
    draw(axes, healthy, "--", color=GREY, label="healthy")
    draw(axes, list(losses.values())[k], color=VERMILION, linewidth=2, label=f"patient {letter}")
    axes.axhline(np.log(10), color="black", linestyle=":", linewidth=1)
    axes.set_ylim(1, 4.5)
    tidy(axes, f"Patient {letter}", "step", "loss" if letter == "A" else "")
panels[0].text(TINY, np.log(10) - 0.04, "ln 10", ha="right", va="top")
plt.show()

# %% [markdown]
# Before you look at the answer, there is one more test, the most useful of all. **Can the network memorise a single
# batch?** A network has more than enough weights for 32 pictures. If it cannot memorise them, the fault is in the loop,
# and not in the data, the size of the network or the training time.

# %% tags=["varies"]
for letter, k in zip("ABCD", order, strict=True):
    settings = list(patients.values())[k]
    one_batch = settings.get("images", small).take(slice(32))
    by_heart, _ = little_run(**{**settings, "images": one_batch}, lr=0.03, steps=min(TINY, 60))
    print(f"patient {letter}: loss on its single batch {by_heart[0]:.2f} -> {by_heart[-1]:.2f}")
by_heart, _ = little_run(images=small.take(slice(32)), lr=0.03, steps=min(TINY, 60))
print(f"healthy:   loss on its single batch {by_heart[0]:.2f} -> {by_heart[-1]:.2f}")

# %% [markdown]
# The diagnosis:
#
# - **A** keeps its *first* loss forever, apart from the differences between batches, and cannot memorise a batch. The
#   weights never change: the **optimiser has another network's parameters**. (`zero_grad` between `backward` and `step`
#   looks the same.)
# - **B** changes wildly and stays *above* ln 10: the gradients of all batches add up, because **zero_grad is missing**.
#   It looks like a learning rate that is too high, and in effect it is one.
# - **C** falls to ln 10 and stays there calmly, but it can memorise a single batch. The loop is right, and there is
#   nothing to learn: the **labels belong to other pictures**.
# - **D** begins exactly at ln 10 and hardly falls, and neither does the loss of its single batch: it applies **softmax
#   twice**. With scores between 0 and 1, the loss cannot fall below −ln(e/(e+9)) = 1.46.
#
# C shows something surprising: a network can also memorise *nonsense*, if there is little of it (Zhang et al. 2017). So
# a small training loss alone proves nothing.
#
# There are more causes: weights that are too small without batch norm, so that no gradient arrives at the first layers
# ([lesson 08](08_degradation.ipynb)); pictures that were not shuffled, so that each batch has only one class; a
# learning rate taken from a different network. Two questions distinguish all of them: *Where is the loss? Can the
# network memorise one batch?*

# %%
answer = None  # a letter: check.stuck shows the question
check.stuck(answer)

# %% [markdown]
# ## Use the test set
#
# The network from above is trained, and nothing is left to choose. So now we use the test set, once.

# %% tags=["varies"]
model.eval()
with tinyres.no_grad():
    scores = np.concatenate(
        [model(Tensor(x)).data for x, _ in data.Loader(test, 250, mean=mean, std=std).epoch(0)]
    )  # (N, K)
p = np.exp(scores - scores.max(1, keepdims=True))
p /= p.sum(1, keepdims=True)
guessed = p.argmax(1)
wrong = 100 * (guessed != test.labels).mean()
noise = np.sqrt(wrong * (100 - wrong) / len(test))
print(f"test error {wrong:.1f} %, ± {noise:.1f} for there being {len(test)} pictures only")

# %% [markdown]
# One number does not show which classes are confused with each other. The **confusion matrix** has a row for every true
# class and a column for every guess. Which classes do you expect to be confused?

# %% tags=["varies"]
K = len(test.classes)
confusion = np.zeros((K, K), int)
np.add.at(confusion, (test.labels, guessed), 1)
share = 100 * confusion / np.maximum(1, confusion.sum(1, keepdims=True))
figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
for i, j in np.ndindex(K, K):
    if share[i, j] >= 0.5:
        colour = "white" if share[i, j] > 55 else "black"
        axes.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", color=colour, fontsize=9)
axes.set_xticks(range(K), test.classes, rotation=45, ha="right")
axes.set_yticks(range(K), test.classes)
axes.set(title="Of every true class (row), % guessed as …", xlabel="guess", ylabel="truth")
plt.show()
mistakes = share - np.diag(np.diag(share))
for flat in np.argsort(mistakes, axis=None)[:-4:-1]:
    i, j = divmod(int(flat), K)
    print(f"{share[i, j]:.0f} % of {test.classes[i]} are taken for {test.classes[j]}")

# %% [markdown]
# The errors are not spread evenly. Some classes are nearly solved, others are hardly learnt, and the confused classes
# form pairs: ring and frame, triangle and arrow, square and heart. At half their size these *are* similar (a heart is
# drawn as a square with two half discs). So here is a question for you: would more pixels help, or more epochs?
#
# Always look at the worst pictures too: those where the network was *sure* and wrong. Here you find wrong labels,
# broken pictures and ambiguous ones, which no number shows.

# %% tags=["varies"]
right_p = p[np.arange(len(test)), test.labels]  # the probability of the true class
worst = np.argsort(right_p)[:8]
figure, panels = plt.subplots(1, 8, figsize=(9, 1.9), layout="constrained")
for axes, k in zip(panels, worst, strict=True):
    axes.imshow(test.images[k].transpose(1, 2, 0))
    axes.set_title(f"{test.classes[test.labels[k]]},\nsays {test.classes[guessed[k]]}\n{p[k].max():.0%}", fontsize=8)
    axes.axis("off")
plt.show()

# %% [markdown]
# ## ResNet-20 on CIFAR-10
#
# Here are thirty epochs of the real network, drawn by `tinyres train --data cifar10 --model resnet20 --epochs 30
# --batch-size 128 --lr 0.3`. They took thirteen minutes on two cores.
#
# ![Loss and error of ResNet-20 on CIFAR-10 over thirty epochs](pictures/resnet20-cifar10.png)
#
# Now you can read this picture. The validation error jumps between 26 and 52 % while the learning rate is high, and
# settles as it falls. Most of the improvement comes in the last ten epochs, when the steps become small. The training
# curve ends below the validation curve: a gap begins to open. The circle marks the epoch that was kept, chosen on
# validation images. Only then was the network tested: 13.3 % of the test images were wrong.
#
# The paper has 8.75 % (Table 6). It trained about six times as long, with its own schedule and a smaller learning rate.
# And our pictures were a recompressed copy of CIFAR-10, so the two errors cannot be compared to a tenth of a per cent.
# On the same copy, torch ended with our error. `--recipe paper` runs the paper's recipe of 64,000 iterations, which
# takes eighty minutes at this speed.

# %% [markdown]
# ## Summary
#
# - Training is five lines: forward, zero_grad, backward, step, schedule. Everything else is observation.
# - Know the loss before you start: ln K for K classes. Above it, the network is too sure, or the learning rate too
#   high. At it, the network has learnt nothing.
# - A flat curve has many causes. You can tell them apart by where it is, and by whether the network can memorise one
#   batch.
# - A small training error with a large validation error is over-fitting. If both are large and flat, it is
#   under-fitting.
# - Choose by the validation set, test once, run several seeds, and report the mean.
#
# Next: [11 · why it works](11_why_it_works.ipynb).
