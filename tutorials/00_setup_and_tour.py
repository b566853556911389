# %% [markdown]
# # 00 · setup and tour
#
# At the end tinyres runs on your machine, you have trained a small residual network in seconds, asked for your first
# gradient and answered your first exercise; and you know where everything is.
#
# *15 minutes. Before it: nothing.*

# %% [markdown]
# ## Install
#
# You need Python 3.11 or newer and the folder of this project. In that folder, these two commands set up everything:
#
# ```sh
# pip install -e . && tinyres train
# pip install -e ".[test]" && pytest
# ```
#
# The first trains a small network for a minute, so you see at once that all is well; half of that minute goes into
# compiling the fast kernels, which happens once. The second runs the tests. For the lessons:
#
# - **JupyterLab**: `pip install -e ".[tutorials]"`, then `jupyter lab tutorials`.
# - **VS Code**: open the folder, then a notebook, and choose as its kernel the Python into which you installed tinyres.
# - **Colab**: open or upload the notebook. Each session there begins with an empty machine, so put this into a new
#   first cell, with the address of the repository that you have this from; run it, then take *Restart session* from the
#   menu:
#
#   ```
#   !git clone ADDRESS tinyres && pip install -e tinyres
#   ```
#
# If the next cell runs, you are ready. (Click on it and press Shift + Enter; each cell builds on those before.)

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres import Tensor, data, models, no_grad, optim
from tinyres.look import viz
from tinyres.nn import functional as F
from tinyres.study.labs.drawing import BLUE, GREEN, VERMILION, tidy

print("tinyres", tinyres.__version__, "is here")

# %% [markdown]
# ## Something to learn
#
# Shapes is a data set that is drawn in code, so nothing is downloaded: ten shapes in any colour, place, size and angle,
# under stripes, stray lines and noise. We make the pictures half as wide and high, 16 × 16 pixels, because we are in a
# hurry.

# %% tags=["sizes"] quick="IMAGES, EPOCHS = 500, 1"
IMAGES, EPOCHS = 4000, 5  # to train on, and how often to go through them

# %%
train, test = data.shapes(train=IMAGES, test=500)


def halved(dataset):
    """With the mean of every 2 × 2 pixels."""
    small = dataset.images.reshape(-1, 3, 16, 2, 16, 2).mean(axis=(3, 5))
    return data.Dataset(small.astype(np.uint8), dataset.labels, dataset.classes, dataset.name)


train, test = halved(train), halved(test)
_, rows = plt.subplots(2, 8, figsize=(8, 2.5), layout="constrained")
for axes, image, label in zip(rows.flat, test.images, test.labels, strict=False):
    axes.imshow(image.transpose(1, 2, 0))
    axes.set_title(test.classes[label], fontsize=9)
    axes.axis("off")
plt.show()

# %% [markdown]
# ## Train a residual network
#
# ResNet-8 is the smallest sibling of the paper's networks: three residual blocks. Who guesses gets one in ten right.
# **What do you expect of a network that has looked at each of 4000 pictures five times?**
#
# Do not try to understand every line now; the lessons take them apart one by one. (The very first run on a
# machine compiles the kernels before anything happens. That is the half minute.)

# %% tags=["varies"]
tinyres.manual_seed(0)
mean, std = data.channel_statistics(train)
batches = data.Loader(train, batch_size=50, shuffle=True, mean=mean, std=std)
unseen = data.Loader(test, batch_size=250, mean=mean, std=std)

model = models.build("resnet8")
optimizer = optim.Adam(model.parameters(), lr=0.01)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(batches))


def share_right():
    """How much of the test set the network gets right."""
    model.eval()
    with no_grad():
        right = [model(Tensor(x)).data.argmax(axis=1) == y for x, y in unseen.epoch(0)]
    model.train()
    return np.concatenate(right).mean()


shares = [share_right()]
for epoch in range(EPOCHS):
    for images, labels in batches.epoch(epoch):
        loss = F.cross_entropy(model(Tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    shares.append(share_right())
    print(f"epoch {epoch + 1}: loss {loss.item():.2f}, right {shares[-1]:.0%} of the pictures it has never seen")

# %% tags=["varies"]
_, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(range(len(shares)), shares, "o-", color=BLUE, linewidth=2, label="ResNet-8")
axes.axhline(0.1, color="black", linewidth=1, linestyle="--", label="guessing")
axes.set_ylim(0, 1)
tidy(axes, "ResNet-8 on Shapes, 16 × 16 pixels", "times it has seen the training pictures", "right in the test set")
plt.show()

# %% [markdown]
# Far from perfect, and far from chance. (`tinyres train` takes 10,000 pictures of full size, ten times, and gets above
# 98 %.) See what it makes of pictures it was not trained on:

# %% tags=["picture", "varies"]
images, labels = next(iter(unseen.epoch(0)))
model.eval()
with no_grad():
    guesses = model(Tensor(images)).data.argmax(axis=1)

_, rows = plt.subplots(3, 8, figsize=(9, 4), layout="constrained")
for axes, image, label, guess in zip(rows.flat, test.images, labels, guesses, strict=False):
    axes.imshow(image.transpose(1, 2, 0))
    right = label == guess
    axes.set_title(
        f"✓ {test.classes[guess]}" if right else f"✗ {test.classes[guess]}",
        color=GREEN if right else VERMILION,
        fontsize=10,
    )
    axes.axis("off")
plt.show()

# %% [markdown]
# ## Your first gradient
#
# How did it get better? One line of the loop did it: `loss.backward()`. It computes for each of the network's weights
# in which direction, and how strongly, the loss goes if the weight goes up a little: the *gradient*. The optimiser then
# moves each weight the other way.
#
# You can have this for any computation. Make a Tensor, ask for its gradient with `requires_grad=True`, and calculate.
# At x = 3, how many times as fast as x does y = x·x + 2·x grow? Decide before you run the cell after next.

# %%
from tinyres.study.course import check

answer = None  # your number
check.first_slope(answer)

# %%
x = Tensor(3.0, requires_grad=True)
y = x * x + 2 * x
y.backward()
print("y =", y.item(), "   ∂y/∂x =", x.grad)

# %% [markdown]
# Behind this is a record of what was computed. Here it is to step through, forward and back. (It shows where the
# notebook runs. From a terminal, `tinyres step chain` writes such a page; `tinyres step resnet20` does it for a
# network.)

# %% tags=["varies"]
x = Tensor(3.0, requires_grad=True)
viz.stepper(lambda: x * x + 2 * x, "The first gradient", {"x": x})

# %% [markdown]
# ## Exercises answer back
#
# You just met `check`. Put a number in place of `None` above: a wrong one first, 15 say, then the right one. It begins
# with ○ where there is no answer yet, ✗ where it is wrong, with a word on why, and ✓ where it is right. After the
# second and third wrong answer comes a hint. `check.first_slope.hint()` gives it at once, and
# `check.first_slope.solution()` tells all.
#
# More often you write a function. It stands there with its first line and a description; `...` is where your code goes.
# Here is a *backward*. Suppose x² is one step of a long computation with a loss at its end. Somebody has
# found out how the loss grows with y = x² and hands you that as gy. How does it grow with x?


# %%
def square_backward(gy, x):
    """y = x², element by element. gy, x (N, M) -> gx (N, M)"""
    ...  # your code


check.square_backward(square_backward)

# %% [markdown]
# What does it say to a wrong one? Here is a backward that forgets the 2. (`examine` only looks; it keeps no record.)

# %%
print(check.square_backward.examine(lambda gy, x: gy * x))

# %% [markdown]
# What you have solved is kept in a small file in your home directory, not in the notebook. `check` alone shows the
# list, and so does `tinyres course` in a terminal.

# %%
print(*str(check).splitlines()[:9], "…", sep="\n")

# %% [markdown]
# ## Where everything is
#
# | folder | what is in it |
# |---|---|
# | `tinyres/autograd.py` | the engine: Tensor, Op, and the way back. One page |
# | `tinyres/ops/` | one operation a file: formula, forward and a backward written by hand |
# | `tinyres/nn/`, `tinyres/optim/` | layers and optimisers, under torch's names |
# | `tinyres/models/` | ResNets, their plain twins, and the relatives |
# | `tinyres/data/`, `tinyres/app/training/` | pictures in batches; the loop that trains, saves and resumes |
# | `tinyres/study/labs/`, `tinyres/look/viz/` | experiments on the claims about residual networks; pages and pictures |
# | `kernels/tinyres_kernels/` | the arithmetic: once as loops to read, once in NumPy, once compiled |
# | `tests/`, `tutorials/` | the same tree again, with what proves it; these lessons |
#
# An op and all that belongs to it carry one name: `git ls-files '*relu*'` lists the page, the kernels and the test.
# This is such a page. Its second method is a backward like the one you wrote. (`kernels_for` picks the
# fastest code for the array at hand.)

# %%
from tinyres.ops.relu import ReLU

print(inspect.getsource(ReLU))

# %% [markdown]
# ## What else there is
#
# In a terminal:
#
# - `tinyres lab --list` shows the experiments, and `tinyres lab chain` runs one. Each states a claim, tries it,
#   and says whether it held. Several did not: [docs/labs.md](../docs/labs.md).
# - `tinyres gradcheck` proves every backward in the library against the slope of its forward.
# - `tinyres train` with its settings trains any of the models; `tinyres summary resnet20` says what one is made of.
#
# The same program from Python, for those who do not leave the notebook:

# %% tags=["varies"]
from tinyres.app.cli import main

_ = main(["lab", "--list"])

# %% [markdown]
# ## What to take along
#
# - `loss.backward()` finds the gradient of every weight; the optimiser walks against it. The rest of the course
#   is about how the first works, and about networks in which it works well.
# - `check.NAME(mine)` examines an answer, `check` shows your progress.
# - Library code is there to be read: start at `tinyres/autograd.py`.
# - The names are torch's. What you learn here carries over.
#
# Next: [01 · the chain rule by hand](01_chain_rule.ipynb).
