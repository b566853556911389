# %% [markdown]
# # 10 · training
#
# At the end you have written the loop that trains a residual network, with every part of it; and you can look at a
# curve and say whether the network learns, learns by heart, explodes or is stuck, and what to look for next.
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
from tinyres.app.training.evaluate import evaluate
from tinyres.nn import functional as F
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, tidy
from tinyres.study.labs.gradient_flow import network
from tinyres.study.labs.halved import halved

# %% [markdown]
# The goal is the paper's: ResNet-20 on CIFAR-10. That takes a quarter of an hour on two cores, too long to play with.
# So this lesson runs on *Shapes*, ten classes of pictures drawn in code, at half their size, with a ResNet-8. It is
# the same loop. When you have read to the end, put `"cifar10"` into the first line and run everything again.

# %% tags=["sizes"] quick="MODEL, EPOCHS, IMAGES, TINY = 'resnet8', 1, 300, 6"
DATA, DATA_DIR = "shapes", None  # or: "cifar10", and the folder that you have it in (None: it is downloaded)

if DATA == "shapes":
    MODEL, EPOCHS, BATCH, LR, IMAGES, HALF = "resnet8", 8, 32, 0.1, 4000, True
else:
    MODEL, EPOCHS, BATCH, LR, IMAGES, HALF = "resnet20", 30, 128, 0.3, 45_000, False
TINY = 200  # steps of each of the little runs in the second half

# %% [markdown]
# Three sets, and they are not the same thing. The network learns from the first. The second, the **validation set**,
# is for *us*: whatever we choose (how long to train, how fast, which network), we choose by it. The third, the **test
# set**, stays in its envelope until nothing is left to choose. Why so strict? We shall measure it.

# %%
everything, test = data.load(DATA, DATA_DIR, quiet=True)
train, validation = data.split(everything.take(slice(IMAGES + IMAGES // 9)), IMAGES // 9, seed=0)
if HALF:
    train, validation, test = halved(train), halved(validation), halved(test)
mean, std = data.channel_statistics(train)  # the training set's alone: the others must not leak in
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
# A new network knows nothing, so it should give each of ten classes the same probability. Its loss can be told
# without running it: −ln(1/10) = ln 10 ≈ 2.30 ([lesson 04](04_linear_relu_softmax.ipynb)). Is it so? One batch
# through a network with fresh weights:

# %%
manual_seed(0)
model = models.build(MODEL, len(train.classes))
images, labels = next(data.Loader(train, 256, mean=mean, std=std).epoch(0))
scores = model(Tensor(images)).detach()
for factor in (1, 0.1, 0):
    print(f"the scores times {factor}: loss {F.cross_entropy(scores * factor, labels).item():.1f}")

# %% [markdown]
# Higher than it need be. The fresh network does not say "I don't know": its random scores differ, so it says wrong
# things with some conviction, and −ln p punishes conviction. Ours begins between 2.5 and 3. So the first thing any
# network learns is to be modest, and its loss falls to ln 10 ≈ 2.30 before it has learnt anything about pictures.
# Keep the number in mind:
#
# - a first loss **a little above ln 10** is healthy;
# - **30 or 300** means that the scores are far too large: look at the weights' initial size, and at the pictures'
#   scale;
# - a loss that comes **down to ln 10 and stays** there has learnt nothing but modesty. We shall meet it again.

# %% [markdown]
# ## A step
#
# Back-propagation gives the slope g of the loss for every weight. The simplest use of it is w ← w − lr·g, with lr the
# *learning rate*. What is wrong with it shows in a valley, steep across and flat along:
#
# $$C(w) = \tfrac12\,(w_1^2 + 25\,w_2^2) \qquad g = (w_1,\; 25\,w_2)$$
#
# Across the valley a step longer than lr = 2/25 = 0.08 leaps further up the other side than it came from. So lr must
# be small for the steep direction's sake, and then the flat one takes for ever. **Momentum** keeps a velocity v, a
# running sum of gradients: along the valley they agree and add up, across it they cancel.


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
# Hardly too long a step for the steep direction, and it diverges, slowly at first. Momentum overshoots and comes
# back, and is much nearer in the end. That is the whole of the optimiser in the paper: SGD with momentum 0.9. Write
# its step:


# %%
def sgd_momentum(w, g, v, lr, momentum):
    """w, its gradient g, the velocity v (N), two numbers -> the new w (N) and the new v (N), as torch has them."""
    ...  # your code


check.sgd_momentum(sgd_momentum)

# %% [markdown]
# There is one more force. **Weight decay** pulls every weight towards 0, as if ½·decay·|w|² were part of the loss: a
# weight has to earn its size. It looks tiny, 0.0001 in the paper; but it acts at every one of 64,000 steps.

# %%
for steps in (1000, 10_000, 32_000):
    print(f"a weight that nothing else moves, after {steps:6} steps at lr 0.1: {(1 - 0.1 * 1e-4) ** steps:.2f} of it")


# %%
def weight_decay_step(w, g, lr, weight_decay):
    """w and its gradient g (N), two numbers -> the new w (N) after a step of SGD with weight decay, no momentum."""
    ...  # your code


check.weight_decay_step(weight_decay_step)

# %% [markdown]
# The library's has both. (The arrays are changed in place; `nesterov` looks a step ahead.)

# %%
print(inspect.getsource(optim.SGD.update))

# %% [markdown]
# ## The loop
#
# Here is all of training. First what happens to one batch, in the order in which it must happen:


# %%
def step(model, optimizer, images, labels):
    """Learn from one batch; the loss (a number) and the scores (N, K) as they were before."""
    scores = model(Tensor(images))
    loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()  # forget the last batch's gradients: backward adds to them
    loss.backward()  # every parameter gets its .grad
    optimizer.step()  # every parameter moves
    return loss.item(), scores.data


# %% [markdown]
# Then that for every batch, and all batches again for every epoch; and once an epoch a look at the validation set.
# There the network does not learn, and batch norm uses what it has gathered, not the batch: `model.eval()`.


# %%
def error_of(model, dataset):
    """How many of the images are classified wrongly, in percent, and the mean loss."""
    score = evaluate(model, data.Loader(dataset, 250, mean=mean, std=std).epoch(0))
    return 100 * (1 - score.accuracy), score.loss


def learn(model, optimizer, schedule, batches, epochs):
    """Train; a loss for every step, and for every epoch the errors and losses on both sets."""
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
# It is short, and there is one line in it that people forget more often than any other. A friend sends you this one:

# %%
answer = None  # the number of the line
check.loop_bug(answer)

# %% [markdown]
# ## How fast, when?
#
# A high learning rate is good at the beginning, when everything is far off, and bad at the end, when the weights
# should settle: they keep leaping about the valley's floor. So one lowers it on the way. The paper does it in two
# steps: 0.1, divided by 10 at 32,000 iterations and again at 48,000; it stops at 64,000 (He et al. 2016a, section
# 4.2).


# %%
def paper_schedule(steps):
    """A list of step numbers -> a list of learning rates: 0.1, divided by 10 at 32,000 and again at 48,000 (paper)."""
    ...  # your code


check.paper_schedule(paper_schedule)

# %% [markdown]
# An iteration is one batch, of 128 images, and the paper learns from 45,000 (5,000 of the 50,000 are its validation
# set). What do 64,000 of them mean in epochs?

# %%
answer = None  # your number
check.paper_epochs(answer)

# %% [markdown]
# A smooth way down is half a cosine. With a short way up before it, it is known as *one-cycle* (Smith & Topin 2018),
# and gets far in few epochs: it begins gently, where steps are dangerous, and then dares more than one would dare to
# begin with.


# %%
def cosine_schedule(base, t, T):
    """base, t, T numbers -> the learning rate at step t: along half a cosine from base (t = 0) to 0 (t = T)."""
    ...  # your code


check.cosine_schedule(cosine_schedule)

# %% [markdown]
# The library's schedules, as functions of the step and nothing else (so that a run which was interrupted can go on
# from the middle):

# %%
nobody = [tinyres.nn.Parameter(np.zeros(1))]
paper = optim.lr_scheduler.MultiStepLR(optim.SGD(nobody, lr=0.1), [32_000, 48_000])
cycle = optim.lr_scheduler.OneCycleLR(optim.SGD(nobody, lr=0.1), 0.3, 64_000)
t = np.arange(0, 64_000, 100)
figure, axes = plt.subplots(figsize=(9, 2.8))
axes.plot(t, [paper.lr(0.1, k) for k in t], "--", color=VERMILION, label="the paper's, from 0.1")
axes.plot(t, [cycle.lr(0.3, k) for k in t], color=BLUE, label="one-cycle, up to 0.3")
tidy(axes, "Two learning-rate schedules", "step", "learning rate")
plt.show()

# %% [markdown]
# ## More pictures than there are
#
# A star that is moved by three pixels is a star, and so is its mirror image. The paper pads each picture with four
# pixels on every side, cuts a piece of the old size out of it at random, and mirrors every second one. The network
# never sees the same batch twice, and has a hard time learning by heart.

# %%
rng = np.random.default_rng(0)
one = everything.images[:1]  # (1, 3, H, W)
variants = [
    data.augment.flip(
        data.augment.crop(one, data.augment.draw_crops(1, rng, padding=4), padding=4), data.augment.draw_flips(1, rng)
    )
    for _ in range(7)
]
figure, panels = plt.subplots(1, 8, figsize=(9, 1.5))
for k, (axes, image) in enumerate(zip(panels, [one, *variants], strict=True)):
    axes.imshow(image[0].transpose(1, 2, 0))
    axes.set_title("the picture" if k == 0 else f"epoch {k}", fontsize=9)
    axes.axis("off")
plt.show()

# %% [markdown]
# Whether it is allowed depends on the pictures: mirror handwritten digits, and you teach the network that a 2 is what
# no one writes. And it is for the training set only.
#
# ## Train
#
# What do you expect? Chance is 90 % error. Write down where the two errors, on the training and on the validation
# images, will be after the last epoch, and which will be higher.

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
    """The mean over the last `width` values, so that one sees where it goes."""
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
# Read it from left to right. The loss starts between 2.5 and 3, sinks to 2.3 (modesty) and only then goes on. A
# single step's loss is noisy, for each batch is another one: never judge by less than some dozens. The validation
# curve jumps while the learning rate is high, and calms down as it falls: the weights leap, and batch norm's
# averages, which are used here, limp behind them.
#
# And did you expect the *validation* error to be the lower one at the end? How can a network do better on what it has
# not seen? Ask it about the same training images once more, as one asks about the others: after the epoch, and not
# shifted or mirrored.

# %% tags=["varies"]
print(f"training images, during the last epoch, augmented:   {curves[-1, 0]:.1f} % wrong")
print(f"training images, after it, as they are:              {error_of(model, train)[0]:.1f} % wrong")
print(f"validation images, after it, as they are:            {curves[-1, 1]:.1f} % wrong")
chance = np.sqrt(curves[-1, 1] * (100 - curves[-1, 1]) / len(validation))  # the binomial distribution's deviation
print(f"and that last figure, from {len(validation)} images, is uncertain by ± {chance:.1f}")

# %% [markdown]
# No miracle: three different questions, and a little chance. Compare curves only if you know how each was measured.
#
# ## Why the test set stays in its envelope
#
# Suppose twenty networks which are all equally good: each is wrong on 20 % of all the pictures in the world. You test
# them on 500 pictures, and report the best. What will you report?

# %%
rng = np.random.default_rng(0)
measured = 100 * rng.binomial(500, 0.2, (10_000, 20)) / 500  # errors in %: 10,000 times twenty networks
best = measured.min(1)
figure, axes = plt.subplots(figsize=(9, 2.8))
bins = np.arange(11.9, 28.2, 0.4)
axes.hist(measured[:, 0], bins, color=BLUE, alpha=0.6, density=True, label="one network")
axes.hist(best, bins, color=VERMILION, alpha=0.6, density=True, hatch="//", label="the best of twenty")
axes.axvline(20, color="black", linestyle=":", label="the truth")
tidy(axes, "Measured on 500 pictures", "measured error, %", "share per %")
plt.show()
print(f"one network: {measured[:, 0].mean():.1f} ± {measured[:, 0].std():.1f} %")
print(f"the best of twenty: {best.mean():.1f} % on average, though none is better than 20 %")

# %% [markdown]
# Three points for nothing, by looking. Thirty epochs, of which one keeps the best by its test error, are thirty such
# networks. So are ten learning rates, and five seeds. Hence three sins, which are common:
#
# - **choosing by the test set**, be it only the epoch: choose by the validation set, and test once;
# - **a single seed**: two runs that differ in nothing else end apart, by more than many an improvement that somebody
#   is proud of (look at the ± [in the labs](../docs/labs.md#degradation));
# - **the best instead of the mean**: the paper's own ResNet-110 stands at 6.43 % in most tables. That is the best of
#   five runs; the paper prints 6.61 ± 0.16 beside it (Table 6).
#
# ## The doctor's half
#
# The rest of this lesson is about runs that go wrong. Each is a small one, of a ResNet-8 at a steady learning rate,
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
# The first thing to set, and the first to suspect. Five of them, from 0.0001 to 10, each ten or a hundred times the
# one before. Which curves do you expect above ln 10 after 200 steps, and why?

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
# - **10**: up at once, by orders of magnitude. Nobody overlooks that.
# - **1**: this is the treacherous one. It leaps up, comes back to a little *above* ln 10, and lies there, flat. The
#   few wild steps at the beginning have left weights that it does not recover from. Flat is not the same as too slow!
# - **0.1**: learns.
# - **0.001**: comes down to ln 10 and creeps. It may get there, some day.
# - **0.0001**: does not even reach ln 10.
#
# So the cure for a flat curve depends on *where* it lies, and on how it came there. A few short runs, each with a
# third of the learning rate of the one before, answer it in minutes: take the largest that does not hurt.
#
# Batch norm kept even lr = 10 from ending in NaN. A plain net without it gets there in a few steps, and then nothing
# on the screen says where it began. `detect_anomaly` does:

# %% tags=["varies"]
bare = network("plain", 8, with_norm=False, weights="He", classes=10, seed=0)
try:
    with tinyres.detect_anomaly():
        little_run(lr=10, model=bare)
    print("no NaN so far")
except tinyres.AnomalyError as report:
    print(re.sub(r"/\S*/", "…/", str(report)))  # without my folders' names

# %% [markdown]
# Read it from below. The steps before have made weights (input 1) beyond all measure, so the values grew from layer
# to layer, until one left float32's range. The op that broke is named, but the fault lies in the *step* that made
# such weights: a learning rate too high. (`tinyres train` looks at a step that diverged in this way by itself.)
#
# ### Too much, too little
#
# Three more runs. One has 128 pictures and plenty of time. One has all the pictures, but is a single linear layer on
# the pixels: lesson 04's softmax regression. The third is the run that you have seen.

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
# By the *loss on the training batches* the first would be the champion. It knows 128 pictures by heart and next to
# nothing about shapes: **over-fitting**, small training error, large validation error. The gap between the two is the
# sign. The linear one makes many errors on both sets, and more time would not help it much: **under-fitting**. And
# the slowest at the beginning is the only one that has learnt something. (Lesson 08's degradation is neither: there
# the deeper net, which could do more, had the higher *training* error.)

# %%
answer = None  # a letter: check.two_errors shows the question
check.two_errors(answer)

# %% [markdown]
# ### Stuck at 10 %
#
# "My network is stuck at 10 % accuracy for a hundred epochs": every project's tracker has it. Here are four patients.
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
# Their curves, without their names. Which is which? Ask of each: do the weights move at all? is there anything to
# learn? how low *can* the loss get?

# %% tags=["varies", "picture"]
losses = {name: little_run(**settings)[0] for name, settings in patients.items()}
order = [2, 0, 3, 1]  # so that the names are no help
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
# Before you look: there is one more examination, the most useful of all. **Can it learn a single batch by heart?** A
# network has more than enough weights for 32 pictures. If it cannot, the fault is in the loop, not in the data, the
# size or the patience.

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
# - **A** has its *first* loss for ever, up and down with the batches and no more, and learns nothing by heart. The
#   weights never move: the **optimiser has another net's parameters**. (`zero_grad` between `backward` and `step`
#   looks the same.)
# - **B** moves wildly, and lies *above* ln 10: the gradients of all batches pile up, for **zero_grad is forgotten**.
#   It looks like a learning rate too high, and in effect it is one.
# - **C** falls to ln 10 and stays there, as calm as can be; but a single batch is learnt by heart! The loop is sound,
#   and there is nothing to learn: the **labels belong to other pictures**.
# - **D** begins at ln 10 exactly, with no excess, and hardly sinks; its single batch does not get far: **softmax
#   twice**. Scores between 0 and 1 can say "sure" no louder than −ln(e/(e+9)) = 1.46.
#
# C's lesson is an odd one: a network learns *nonsense* by heart, too, if there is little of it (Zhang et al. 2017).
# So a small training loss alone proves nothing.
#
# There are more causes: no batch norm and weights too small, so that nothing arrives in front ([lesson
# 08](08_degradation.ipynb)); pictures that were never shuffled, so that each batch is of one class; a learning rate
# from somebody's other network. The two questions sort them all: *where does the loss lie? can it learn one batch by
# heart?*

# %%
answer = None  # a letter: check.stuck shows the question
check.stuck(answer)

# %% [markdown]
# ## Open the envelope
#
# The network from above is trained, and nothing is left to choose. So now, once, the test set.

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
# One number hides who is mistaken for whom. The **confusion matrix** has a row for every true class and a column for
# every guess. What do you expect to be confused?

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
# The errors are not spread evenly. Some classes are nearly solved, others hardly begun; and they go in pairs: ring
# and frame, triangle and arrow, square and heart. At half their size these *are* much alike (a heart is drawn as a
# square with two half discs), so here is a question for you: would more pixels help, or more epochs?
#
# And look at pictures, always, at the worst ones: where the network was *sure* and wrong. Wrong labels, broken
# pictures and unfair questions show themselves here, and nowhere else.

# %% tags=["varies"]
right_p = p[np.arange(len(test)), test.labels]  # what it gave the true class
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
# Thirty epochs of the real thing, drawn by `tinyres train --data cifar10 --model resnet20 --epochs 30 --batch-size
# 128 --lr 0.3`: thirteen minutes on two cores.
#
# ![Loss and error of ResNet-20 on CIFAR-10 over thirty epochs](pictures/resnet20-cifar10.png)
#
# You can read it now. The validation error jumps between 26 and 52 % as long as the learning rate is high, and
# settles as it comes down. Most is won in the last ten epochs, when the steps get small. The training curve ends
# below the validation curve: a gap begins to open. The circle is the epoch that was kept, chosen on validation
# images. Only then was it tested: 13.3 % of the test images were wrong.
#
# The paper has 8.75 % (Table 6). It trained for about six times as long, with its own schedule and a smaller learning
# rate. And our pictures were a recompressed copy of CIFAR-10, so that the two cannot be compared to a tenth. torch,
# on the same copy, ended where we did. `--recipe paper` runs the paper's recipe, 64,000 iterations: at that speed,
# eighty minutes.

# %% [markdown]
# ## Summary
#
# - Training is five lines: forward, forget, backward, step, schedule. All else is looking at it.
# - Know the loss before you start: ln K for K classes. Above it: too sure, or too fast. At it: nothing learnt.
# - A flat curve has many causes. Where it lies, and whether one batch can be learnt by heart, tell them apart.
# - A small training error with a large validation error is over-fitting; both large, and flat, is under-fitting.
# - Choose by the validation set, test once, run several seeds, and report the mean.
#
# Next: [11 · why it works](11_why_it_works.ipynb).
