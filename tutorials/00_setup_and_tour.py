# %% [markdown]
# # 00 · setup and tour
#
# At the end of this lesson tinyres runs on your machine. You have trained a small residual network in seconds, computed
# your first gradient and solved your first exercise, and you know where everything is.
#
# *15 minutes. Before it: nothing.*

# %% [markdown]
# ## Install
#
# You need Python 3.11 or newer and the folder of this project. In that folder, these two commands set everything up:
#
# ```sh
# pip install -e . && tinyres train
# pip install -e ".[test]" && pytest
# ```
#
# The first command trains a small network for a minute, so you see at once that everything works. Half of that minute
# is spent on compiling the fast kernels, which happens only once. The second command runs the tests. For the lessons
# you can use:
#
# - **JupyterLab**: `pip install -e ".[tutorials]"`, then `jupyter lab tutorials`.
# - **VS Code**: open the folder, then a notebook, and choose as its kernel the Python into which you installed tinyres.
# - **Colab**: open or upload the notebook. Each session there begins with an empty machine, so put the following line
#   into a new first cell, with the address of the repository that this notebook is from. Run it, then choose *Restart
#   session* from the menu:
#
#   ```
#   !git clone ADDRESS tinyres && pip install -e tinyres
#   ```
#
# If the next cell runs, you are ready. (Click on it and press Shift + Enter. Each cell needs the cells before it.)

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
# Shapes is a data set that is drawn in code, so nothing is downloaded. It has ten shapes in any colour, place, size and
# angle, under stripes, stray lines and noise. To save time, we make the pictures half as wide and half as high: 16 × 16
# pixels.

# %% tags=["sizes"] quick="IMAGES, EPOCHS = 500, 1"
IMAGES, EPOCHS = 4000, 5  # training pictures, and how often the network sees them

# %%
train, test = data.shapes(train=IMAGES, test=500)


def halved(dataset):
    """The same pictures at half the size: the mean of every 2 × 2 pixels."""
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
# ResNet-8 is the smallest relative of the paper's networks: it has three residual blocks. A random guess is right one
# time in ten. **How often do you expect a network to be right that has seen each of 4000 pictures five times?**
#
# Do not try to understand every line now; the lessons explain them one by one. (The very first run on a machine
# compiles the kernels before anything else happens. This takes the half minute.)

# %% tags=["varies"]
tinyres.manual_seed(0)
mean, std = data.channel_statistics(train)
batches = data.Loader(train, batch_size=50, shuffle=True, mean=mean, std=std)
unseen = data.Loader(test, batch_size=250, mean=mean, std=std)

model = models.build("resnet8")
optimizer = optim.Adam(model.parameters(), lr=0.01)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(batches))


def share_right():
    """The fraction of the test set that the network classifies correctly."""
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
# This is far from perfect, and far from chance. (`tinyres train` uses 10,000 pictures of full size, sees each ten
# times, and gets above 98 %.) Here is what the network says about pictures that it was not trained on:

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
# How did the network get better? One line of the loop did the main work: `loss.backward()`. For each weight of the
# network it computes in which direction, and how strongly, the loss changes if the weight goes up a little. This is the
# *gradient*. The optimiser then moves each weight in the opposite direction.
#
# You can do the same with any computation. Make a Tensor, request its gradient with `requires_grad=True`, and
# calculate. At x = 3, how many times as fast as x does y = x·x + 2·x grow? Decide before you run the cell after next.

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
# The library recorded what you computed. The next cell lets you step through this record, forward and backward. (You
# only see it where the notebook runs. In a terminal, `tinyres step chain` writes such a page, and `tinyres step
# resnet20` writes one for a network.)

# %% tags=["varies"]
x = Tensor(3.0, requires_grad=True)
viz.stepper(lambda: x * x + 2 * x, "The first gradient", {"x": x})

# %% [markdown]
# ## Exercises check your answer
#
# You have just met `check`. Put a number in place of `None` above: first a wrong one, say 15, then the right one. The
# reply begins with ○ if there is no answer yet, with ✗ and a reason if the answer is wrong, and with ✓ if it is right.
# After the second and the third wrong answer you get a hint. `check.first_slope.hint()` gives the hint at once, and
# `check.first_slope.solution()` shows the solution.
#
# More often you write a function. You get its first line and a description, and your code goes where the `...` is. The
# next exercise is a *backward* function. Suppose x² is one step of a long computation with a loss at its end. The steps
# after it have found out how the loss grows with y = x², and pass this to you as gy. How does the loss grow with x?


# %%
def square_backward(gy, x):
    """y = x², element by element. gy, x (N, M) -> gx (N, M)"""
    ...  # your code


check.square_backward(square_backward)

# %% [markdown]
# What does `check` say about a wrong answer? Here is a backward function that forgets the 2. (`examine` gives the same
# reply as `check`, but records nothing.)

# %%
print(check.square_backward.examine(lambda gy, x: gy * x))

# %% [markdown]
# A small file in your home directory keeps what you have solved; the notebook does not. `check` by itself shows the
# list, and so does `tinyres course` in a terminal.

# %%
print(*str(check).splitlines()[:9], "…", sep="\n")

# %% [markdown]
# ## Where everything is
#
# | folder | what is in it |
# |---|---|
# | `tinyres/autograd.py` | the engine: Tensor, Op and the backward pass, on one page |
# | `tinyres/ops/` | one operation per file: its formula, its forward pass and its hand-written backward pass |
# | `tinyres/nn/`, `tinyres/optim/` | layers and optimisers, under torch's names |
# | `tinyres/models/` | ResNets, their plain twins, and the relatives |
# | `tinyres/data/`, `tinyres/train.py` | pictures in batches; the training loop |
# | `tinyres/study/labs/`, `tinyres/look/viz/` | experiments on claims about residual networks; pages and pictures |
# | `kernels/tinyres_kernels/` | the arithmetic: as loops to read, in NumPy, and compiled |
# | `tests/`, `tutorials/` | the tests, in the same tree; these lessons |
#
# An op and everything that belongs to it have the same name: `git ls-files '*relu*'` lists the page, the kernels and
# the test. The next cell prints such a page. Its second method is a backward function like the one you wrote.
# (`kernels_for` picks the fastest code for the given array.)

# %%
from tinyres.ops.relu import ReLU

print(inspect.getsource(ReLU))

# %% [markdown]
# ## What else there is
#
# In a terminal:
#
# - `tinyres lab --list` shows the experiments, and `tinyres lab chain` runs one. Each states a claim, tests it, and
#   says whether it was true. Several were not: [docs/labs.md](../docs/labs.md).
# - `tinyres gradcheck` compares every backward pass in the library with the measured slope of its forward pass.
# - `tinyres train` trains any of the models, and `tinyres summary resnet20` shows the layers of one.
#
# You can also run the same program from Python, without leaving the notebook:

# %% tags=["varies"]
from tinyres.app.cli import main

_ = main(["lab", "--list"])

# %% [markdown]
# ## Summary
#
# - `loss.backward()` computes the gradient of every weight, and the optimiser moves each weight against its gradient.
#   The rest of the course is about how `backward` works, and about networks in which it works well.
# - `check.NAME(mine)` checks an answer, and `check` shows your progress.
# - The code of the library is meant to be read. Start with `tinyres/autograd.py`.
# - The names are torch's. What you learn here carries over.
#
# Next: [01 · the chain rule by hand](01_chain_rule.ipynb).
