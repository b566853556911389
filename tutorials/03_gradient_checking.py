# %% [markdown]
# # 03 · gradient checking
#
# At the end you can prove a backward pass of your own in ten lines of NumPy. You know how such a proof can mislead, and
# you can read what `tinyres.gradcheck` says.
#
# *40 minutes. Before it: [02](02_engine.ipynb).*

# %%
import inspect
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from tinyres import AnomalyError, Op, Tensor, adjoint_check, detect_anomaly, gradcheck
from tinyres.check import slopes
from tinyres.nn import functional as F
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy

# %% [markdown]
# ## Four backward passes, one of them right
#
# A network with one hidden layer of 16 tanh units learns a wave. Its backward pass is written by hand, in four
# versions. One version is right. In each of the others, the gradient that passes back through tanh has a bug:
#
# - the slope of tanh, $1 - h^2$, is multiplied in twice
# - only the sign of the weights $w_2$ is used
# - the bias never gets a gradient
#
# All start from the same weights. What do you expect from the three wrong ones? An error? NaN? A loss that does not
# fall?

# %% tags=["sizes"] quick="STEPS = 50"
STEPS = 3000


# %% tags=["varies"]
def train(through_tanh, bias_learns=True):
    rng = np.random.default_rng(0)
    x = np.linspace(-3, 3, 64)[:, None]  # (64, 1)
    target = np.sin(2 * x)
    w1, b1, w2 = rng.standard_normal((1, 16)), rng.standard_normal(16), 0.1 * rng.standard_normal((16, 1))
    losses = []
    for _ in range(STEPS):
        h = np.tanh(x @ w1 + b1)  # (64, 16)
        y = h @ w2  # (64, 1)
        losses.append(((y - target) ** 2).mean())
        gy = 2 * (y - target) / len(x)
        gz = through_tanh(gy, h, w2)
        w2 -= 0.02 * h.T @ gy
        w1 -= 0.02 * x.T @ gz
        b1 -= 0.02 * gz.sum(0) * bias_learns
    return losses


curves = {
    "A": train(lambda gy, h, w2: gy @ w2.T * (1 - h**2) ** 2),
    "B": train(lambda gy, h, w2: gy @ np.sign(w2).T * (1 - h**2)),
    "C": train(lambda gy, h, w2: gy @ w2.T * (1 - h**2)),
    "D": train(lambda gy, h, w2: gy @ w2.T * (1 - h**2), bias_learns=False),
}
figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
looks = (VERMILION, "-"), (BLUE, "-"), (GREEN, "--"), (ORANGE, "-.")
for (name, losses), (color, style) in zip(curves.items(), looks, strict=True):
    axes.semilogy(losses, color=color, linestyle=style, label=name)
axes.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
axes.minorticks_off()
tidy(axes, "Which of them has the right gradient?", "step of gradient descent", "mean squared error")
plt.show()

# %% [markdown]
# All four learn. Try to pick the right one by its curve before you look it up in the cell above. (The lowest curve has
# a bug.)
#
# The shapes fit, no number is NaN, and the loss falls. **A falling loss proves nothing about a gradient.** What would
# be a proof?
#
# ## Measuring a slope
#
# A derivative makes a statement about forward: if the input moves by a small amount, the output moves by the slope
# times this amount. We can measure that with forward alone, and forward is the easy half. The simplest way is to take a
# step $h$ to one side:
#
# $$f'(x) \approx \frac{f(x+h) - f(x)}{h}$$
#
# A better way takes a step to both sides. Write it yourself:


# %%
def central_difference(f, x, h):
    """f a function of a number, x and h numbers -> the slope of f at x by central differences with steps ±h."""
    ...  # your code


check.central_difference(central_difference)

# %% [markdown]
# Is it worth a second call of $f$? We take a function whose slope we know, $e^x$ at $x = 1$, and divide $h$ by ten from
# line to line.


# %%
def one_sided(f, x, h):
    return (f(x + h) - f(x)) / h


def both_sides(f, x, h):
    return slopes.central(f, [x], 0, 1.0, h)  # the library's function; yours works as well


print("     h   one-sided  both sides      (errors)")
for h in (1e-1, 1e-2, 1e-3):
    print(f"{h:6g}  {one_sided(np.exp, 1.0, h) - np.e:10.1e}  {both_sides(np.exp, 1.0, h) - np.e:10.1e}")

# %% [markdown]
# A step that is ten times smaller makes the one-sided error ten times smaller, and the other error a hundred times
# smaller. Taylor's series explains why:
#
# $$f(x \pm h) = f(x) \pm h f' + \tfrac{h^2}{2} f'' \pm \tfrac{h^3}{6} f''' + \dots$$
#
# Subtract $f(x)$ from $f(x+h)$ and divide by $h$: the error begins with $\tfrac{h}{2} f''$. If you subtract $f(x-h)$
# instead and divide by $2h$, the even terms cancel, and the error begins with $\tfrac{h^2}{6} f'''$. This is called the
# *truncation* error, because the series is cut off.
#
# So should we simply make $h$ tiny? Before you run the next cell, decide which $h$ you would take: 1e-3, 1e-6, 1e-9 or
# 1e-15.

# %%
steps = 10.0 ** np.arange(-1, -16, -0.5)


def errors(measure, f=np.exp, x=1.0, slope=np.e):
    """Relative errors of a measured slope, for all steps."""
    return [max(abs(measure(f, x, h) - slope) / abs(slope), 1e-17) for h in steps]


figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
axes.loglog(steps, errors(one_sided), color=ORANGE, marker="s", markersize=4, label="one-sided")
axes.loglog(steps, errors(both_sides), color=BLUE, marker="o", markersize=4, label="central")
axes.invert_xaxis()
tidy(axes, "Slope of exp at 1: smaller steps are better, until they are not", "step h", "relative error")
plt.show()

# %% [markdown]
# The curve is a U with two walls. The left wall is truncation, a straight line of slope 1 or 2. The right wall comes
# from the computer's arithmetic. Look at the two numbers that are subtracted when $h$ is 1e-12:

# %% tags=["varies"]
ahead, behind = np.exp(1 + 1e-12), np.exp(1 - 1e-12)
print(f"f(x + h) = {ahead:.16f}\nf(x - h) = {behind:.16f}")
print(f"slope    = {(ahead - behind) / 2e-12:.6f}\ntrue value {np.e:.6f}")

# %% [markdown]
# A float64 has 16 digits, and these two agree in the first twelve. The subtraction removes those and leaves four, of
# which the last is affected by rounding. In general each value of $f$ has an error of about $10^{-16}$ (*roundoff*),
# and the division by $2h$ turns it into about $10^{-16}/h$: the right wall rises as $h$ falls.
#
# The best step is where the two walls meet. Assume that the errors are about $h^2$ and $10^{-16}/h$, and compute the
# best $h$ before you look at the picture again:

# %%
answer = None  # your number
check.step_size(answer)

# %% [markdown]
# ## And in float32?
#
# Networks train in float32, which has 7 digits. Would you trust a gradient check in float32? Make a prediction: how
# many digits of the slope are right at the best step?
#
# There is also a trick that removes the right wall completely. Do not step along the real line, but along the imaginary
# axis. If $f$ is a formula that also holds for complex numbers, Taylor's series says
#
# $$f(x + ih) = f(x) + ih f' - \tfrac{h^2}{2} f'' - \dots \qquad\text{so}\qquad
# f'(x) \approx \mathrm{Im}\, f(x + ih) / h$$
#
# (Squire & Trapp 1998). Nothing is subtracted, so nothing cancels.


# %% tags=["picture"]
def in_float32(f, x, h):
    x, h = np.float32(x), np.float32(h)
    return float((f(x + h) - f(x - h)) / (2 * h))


def complex_step(f, x, h):
    return f(x + 1j * h).imag / h


figure, axes = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
for label, measure, color, mark in (
    ("central, float32", in_float32, VERMILION, "^"),
    ("one-sided", one_sided, ORANGE, "s"),
    ("central", both_sides, BLUE, "o"),
    ("complex step", complex_step, GREEN, "D"),
):
    axes.loglog(steps, errors(measure), color=color, marker=mark, markersize=4, label=label)
axes.axvline(1e-6, ymax=0.9, color=GREY, linestyle=":")
axes.text(1.3e-6, 3e-17, "gradcheck's step", color=GREY, ha="right")
axes.text(4e-2, 2e-9, "truncation:\nthe curve\nbends", color=GREY, ha="left", va="top")
axes.text(3e-11, 2e-9, "roundoff: digits cancel", color=GREY)
axes.set_ylim(1e-17, 3e3)
axes.invert_xaxis()
tidy(axes, "How well a slope can be measured (exp at 1)", "step h", "relative error")
axes.legend(frameon=False, ncols=4, loc="upper center", fontsize="small")
plt.show()

# %% [markdown]
# - **float32**: about five digits at best, at a step near 0.01, and two at most at 1e-6. The best step is different for
#   every function, and away from it the noise soon reaches 1 %. A backward that is wrong by a factor of 1.001 is hidden
#   by this noise. So we check in float64, even if the code will run in float32.
# - **central, float64**: ten digits at the best step. gradcheck's step of 1e-6 is a little to the right of the minimum,
#   which is the safe side: for a curve that bends more, the left wall moves to the right.
# - **complex step**: all sixteen digits, for any small step. But it has a trap of its own:

# %%
print("slope of |x| at 1, central:      ", both_sides(np.abs, 1.0, 1e-6).round(6))
print("slope of |x| at 1, complex step: ", complex_step(np.abs, 1.0, 1e-30))

# %% [markdown]
# `np.abs` of a complex number is its length, a real number whose imaginary part is 0. No error is raised. The formula
# must *hold* for complex numbers; it is not enough that it accepts them.
#
# ## From a number to an array
#
# The input of a layer has many numbers. The definition still works: move one element and leave all others unchanged.
# This is slow and hard to get wrong, which is what we want from a reference.


# %%
def numerical_gradient(f, x):
    """f: an array -> a number; x (N, M) in float64 -> ∂f/∂x (N, M), measured by differences. x must stay as it is."""
    ...  # your code


check.numerical_gradient(numerical_gradient)

# %% [markdown]
# How slow is it? It takes two calls of forward for each element. For the 269,722 weights of the paper's smallest
# network, ResNet-20, that is half a million forward passes.
#
# And that is for a loss, which is a single number. A layer has many outputs, and each depends on each input. The slopes
# form a table, the *Jacobian* $J$, with a row for each output and a column for each input. For a row of five scores
# that softmax turns into five probabilities, the table is 5 × 5, small enough to look at.
#
# Here is softmax with its backward, and a tempting wrong one, which takes $y(1-y)$ as for a sigmoid.


# %%
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def right(gy, x):
    y = softmax(x)
    return y * (gy - (gy * y).sum(-1, keepdims=True))


def diagonal(gy, x):
    y = softmax(x)
    return gy * y * (1 - y)


x = np.array([0.5, -1.0, 1.5, 0.0, 1.0])
measured = np.stack([slopes.central(softmax, [x], 0, d, 1e-6) for d in np.eye(5)], axis=1)  # a column for each input
claimed = np.stack([diagonal(gy, x) for gy in np.eye(5)])  # a row for each output

figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
pictures = (measured, "measured on forward"), (claimed, "claimed by backward"), (claimed - measured, "difference")
for axes, (table, title) in zip(panels, pictures, strict=True):
    image = axes.imshow(table, cmap="PuOr", vmin=-0.25, vmax=0.25)
    axes.set(title=title, xlabel="input", ylabel="output", xticks=range(5), yticks=range(5))
figure.colorbar(image, ax=panels, shrink=0.8, label="slope")
plt.show()

# %% [markdown]
# The diagonal is right. Everything else is missing: if one score rises, the other probabilities must fall.
#
# `gradcheck(..., full=True)` computes exactly this table. But for a convolution it would have millions of entries. Is
# there a cheaper check that the wrong backward also fails?
#
# ## One number instead of a table
#
# Backward receives a weight $g_y$ for each output and returns $g_x = J^{\mathsf T} g_y$. If the input moves along a
# direction $d$, the outputs change by $J d$. Weight these changes with $g_y$, and move the matrix to the other side:
#
# $$\langle g_y,\; J d\rangle \;=\; \langle J^{\mathsf T} g_y,\; d\rangle \;=\; \langle g_x,\; d\rangle$$
#
# The left side is what forward does, measured in two calls. The right side is what backward claims, computed in one
# call. Each side is one number, for five inputs or for five million.


# %%
def directional_check(forward, backward, x, gy, d, h):
    """forward: x -> y and backward: gy, x -> gx are functions of arrays; d is a direction for x, gy has a weight for
    each element of y -> (claimed, measured): how Σ gy·y changes along d, as backward has it, and by central differences
    with steps ±h·d.
    """
    ...  # your code


check.directional_check(directional_check)

# %% [markdown]
# With this we test the two backward passes from above on softmax, for four rows of five scores:


# %%
def one_number(forward, backward, x, gy, d, h=1e-6):
    """What backward claims, and what forward really does, along d and weighted with gy."""
    measured = np.vdot(gy, (forward(x + h * d) - forward(x - h * d)) / (2 * h))
    return np.vdot(backward(gy, x), d), measured


rng = np.random.default_rng(0)
x, gy, d = rng.standard_normal((3, 4, 5))  # three arrays (4, 5)
for backward in (right, diagonal):
    claim, truth = one_number(softmax, backward, x, gy, d)
    print(f"{backward.__name__:9} claims {claim:.6f}   forward says {truth:.6f}")

# %% [markdown]
# That is all of gradient checking, in five lines. The rest of this lesson is about how it can go wrong.
#
# ## Trap 1: a seed of ones
#
# A random $g_y$ may look strange. A loss is a number, so why not check `softmax(x).sum()`? Its gradient arrives at
# softmax as ones. For comparison we add the laziest possible backward, `zeros`. Which of the three will pass with $g_y
# = 1$, and which with a random $g_y$? Decide before you run the cell.


# %%
def zeros(gy, x):
    return np.zeros_like(x)


def passes(forward, backward, x, gy, d, tolerance=1e-6):
    claim, truth = one_number(forward, backward, x, gy, d)
    return "passes" if abs(claim - truth) < tolerance else "caught"


print("softmax     gy = 1    gy random")
for backward in (right, diagonal, zeros):
    print(f"{backward.__name__:9} ", *(passes(softmax, backward, x, g, d).ljust(9) for g in (np.ones_like(gy), gy)))

# %% [markdown]
# A backward that returns only zeros passes, so this check tests nothing. Each row of a softmax sums to 1 for any $x$,
# so `softmax(x).sum()` is the number of rows. This is a constant, and the gradient of a constant *is* zero.
#
# This does not only happen with softmax. It also happens with batch norm, which follows every convolution of a ResNet.
# Here is batch norm with the gradient for x set to zero:

# %%
from tinyres.ops.batch_norm import BatchNorm


class LazyBatchNorm(BatchNorm):
    def backward(self, gy):
        gx, ggamma, gbeta = super().backward(gy)
        return 0 * gx, ggamma, gbeta


def verdict(fn, *inputs, check=gradcheck, **settings):
    """Print what the checker says."""
    try:
        check(fn, inputs, **settings)
    except (AssertionError, TypeError, ValueError) as complaint:
        text = re.sub(r"\d+\.\d{5,}", lambda number: f"{float(number[0]):.4g}", str(complaint))  # four digits suffice
        print(f"{type(complaint).__name__}: {text}")
    else:
        print("passes")


def drawn(*shape, seed=0):
    return Tensor(np.random.default_rng([seed, *shape]).standard_normal(shape), requires_grad=True)


x, gamma, beta = drawn(8, 3), drawn(3), drawn(3, seed=1)
print("of the sum:")
verdict(lambda x, gamma, beta: LazyBatchNorm(1e-5)(x, gamma, beta).sum(), x, gamma, beta)
print("\nof the output itself, with a random gy:")
verdict(lambda x, gamma, beta: LazyBatchNorm(1e-5)(x, gamma, beta), x, gamma, beta)

# %% [markdown]
# The first check used `tinyres.gradcheck` and still passed, because `.sum()` builds the seed of ones into the function.
# Give gradcheck the output itself, and let it draw $g_y$.

# %%
answer = None  # "a", "b", "c" or "d"
check.blind_check(answer)

# %% [markdown]
# ## Trap 2: a direction of ones
#
# The same can happen on the other side. With $d = 1$ the check compares $\sum g_x$, and a gradient whose elements are
# in the wrong places has the same sum. We reverse each row of a right gradient:


# %%
def reversed_rows(gy, x):
    return 2 * (gy * x)[:, ::-1]  # of y = x²


x, gy, d = rng.standard_normal((3, 4, 5))
for name, direction in (("d = 1", np.ones_like(x)), ("d random", d)):
    print(f"{name:9} {passes(np.square, reversed_rows, x, gy, direction)}")

# %% [markdown]
# Random numbers do not make the check less reliable. A wrong gradient passes only if its error is exactly at right
# angles to $d$, and for a random $d$ this has probability zero. (There is one limit: if a single element among a
# million is wrong by a thousandth, the number changes by a fraction of about 0.001/√1,000,000, one part in a million,
# which equals the tolerance.)
#
# ## Trap 3: kinks
#
# ReLU, $\max(x, 0)$, has no slope at 0. What does a central difference find there?


# %%
def relu(x):
    return np.maximum(x, 0)


for h in (1e-2, 1e-4, 1e-6):
    ahead, behind = one_sided(relu, 0.0, h), abs(one_sided(relu, 0.0, -h))
    print(f"h = {h:<6g}  to the right {ahead:.1f}, to the left {behind:.1f}, central {both_sides(relu, 0.0, h):.1f}")

x, gy, d = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, -0.5])
claim, truth = one_number(relu, lambda gy, x: gy * (x > 0), x, gy, d)
print(f"\na right backward, at x = -1, 0, 2: claims {claim:.2f}, forward says {truth:.2f}")

# %% [markdown]
# The central difference is one half for every step, but a backward returns 0 (here and in torch) or 1, never one half.
# So a right backward *fails* wherever an input lies on a kink. It is even worse if someone then raises the tolerance
# until the check passes.
#
# Exact zeros are not rare: black pixels, padding, a bias that starts at 0. Ties in max pooling are not rare either. And
# with a step of $10^{-6}$, every input within $10^{-6}$ of the kink is affected too.

# %%
h = 0.4
figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
line = np.linspace(-1.2, 1.2, 241)
axes.plot(line, relu(line), color=GREY, linewidth=3, alpha=0.5, label="relu")
for x0, color in ((0.0, VERMILION), (-0.2, ORANGE), (0.8, BLUE)):
    ends = np.array([x0 - h, x0 + h])
    slope = (relu(ends[1]) - relu(ends[0])) / (2 * h)
    axes.plot(ends, relu(ends), color=color, marker="o", label=f"x = {x0:g}: measured {slope:.2f}")
    axes.plot(x0, relu(x0), color=color, marker="x", markersize=9)
tidy(axes, "A central difference across a kink (h drawn large)", "x", "y")
plt.show()

# %% [markdown]
# How can a checker that has only forward notice a kink? It measures twice, with $h$ and with $h/2$. On a smooth curve
# the two one-sided slopes approach each other as $h$ shrinks. At a kink they stay apart:

# %%
print(inspect.getsource(slopes.smooth_outputs))

# %% [markdown]
# Outputs on kinks are left out of the comparison. If most outputs are on kinks, `gradcheck` moves to a point nearby. So
# ReLU passes with an input that is zero everywhere, and so does a ReLU that passes the gradient at 0:


# %%
class OpenAtZero(Op):
    def forward(self, x):
        self.saved = (x,)
        return relu(x)

    def backward(self, gy):
        (x,) = self.saved
        return gy * (x >= 0)


zero = Tensor(np.zeros((3, 4)), requires_grad=True)
verdict(lambda x: F.relu(x), zero)
verdict(lambda x: OpenAtZero()(x), zero)

# %% [markdown]
# No measurement can tell which of the two is right at 0. It is a convention, and needs a test of its own.
#
# ## The checker
#
# Now we use the real checker. First, find a bug yourself. Run the cell, and enter the number of the wrong line:

# %%
answer = None  # the number of a line
check.tanh_bug(answer)

# %% [markdown]
# `tinyres.gradcheck` takes any function of tensors, draws $g_y$ and $d$, and compares. If the numbers differ, it checks
# every op separately, finds the worst element, and tries to say what the mistake *is*. Here is the softmax with the
# diagonal only, as an op:


# %%
class DiagonalSoftmax(Op):
    def forward(self, x):
        self.saved = (softmax(x),)
        return self.saved[0]

    def backward(self, gy):
        (y,) = self.saved
        return gy * y * (1 - y)


verdict(lambda x: DiagonalSoftmax()(x), drawn(4, 5))

# %% [markdown]
# The message has three parts. It says what was wrong: the one number. It says where: *guilty* names the op, its input
# and the worst element. And it gives a *diagnosis* if one explains everything that was measured; to find it, gradcheck
# tries a long list of common mistakes.
#
# gradcheck also finds the guilty op in a whole network. This ReLU passes every gradient, and it is between two linear
# layers:


# %%
class OpenReLU(Op):
    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, gy):
        return gy


x, w1, w2 = drawn(5, 4), drawn(8, 4), drawn(3, 8)
verdict(lambda x, w1, w2: F.log_softmax(F.linear(OpenReLU()(F.linear(x, w1)), w2), dim=1), x, w1, w2)

# %% [markdown]
# Some mistakes are not in the formula. Can you say what is wrong here before gradcheck does?


# %%
class Cube(Op):
    """y = x³"""

    def forward(self, x):
        self.saved = (x,)
        return x**3

    def backward(self, gy):
        (x,) = self.saved
        gy *= 3 * x**2
        return gy


verdict(lambda x: Cube()(x), drawn(3, 4))

# %% [markdown]
# The numbers are right. But `gy *= …` writes into an array that something else uses: at a residual addition both
# branches receive the *same* `gy` (lesson [02](02_engine.ipynb)), and the second branch would get the changed values. A
# check that only compares numbers, on a chain, does not notice this. gradcheck runs everything twice and looks for
# writes.
#
# Now break something yourself. `Mine` is right. Change its backward in any way you like and read the message. (Try a
# wrong sign, a forgotten 2, `.sum(1)` instead of `.sum(0)`, `a` and `b` exchanged, `None`, a wrong shape.)


# %%
class Mine(Op):
    """y = a² · b, where the row b is used for every row of a.        a (N, K)  b (K)"""

    def forward(self, a, b):
        self.saved = a, b
        return a**2 * b

    def backward(self, gy):
        a, b = self.saved
        return gy * 2 * a * b, (gy * a**2).sum(0)


verdict(lambda a, b: Mine()(a, b), drawn(4, 3), drawn(3))

# %% [markdown]
# gradcheck has three methods. You know what they cost: one direction takes two calls of forward, and the full table
# takes two for every element. You also know what a complex step gains.

# %% tags=["varies"]
x, gamma, beta = drawn(6, 3), drawn(3), drawn(3, seed=1)
for settings in ({}, {"full": True}, {"method": "complex"}):
    error = gradcheck(
        lambda x, gamma, beta: F.batch_norm(x, None, None, gamma, beta, training=True), [x, gamma, beta], **settings
    )
    print(f"largest relative error {error:.0e}   {settings or ''}")

# %% [markdown]
# ## No step at all: the adjoint
#
# For one kind of op we do not need a step at all. If forward is *linear*, $y = A x$, its change along $u$ is exactly $A
# u$ for any size of $u$. Backward must be the transposed map, so
#
# $$\langle A u,\; g_y\rangle = \langle u,\; A^{\mathsf T} g_y\rangle$$
#
# with no step and no truncation. Only rounding remains, and it is relative to the numbers themselves, not to $1/h$. So
# this works in float32, with the same kernels that training uses. Linear layers, convolutions, sums, average pooling
# and the residual addition are all linear.
#
# Here is a linear layer in float32 with a backward that is 0.1 % too large. We try a central difference with a step of
# 1e-6, and the adjoint identity:

# %% tags=["varies"]
rng = np.random.default_rng(0)
x, w, gy, d = (rng.standard_normal(s).astype(np.float32) for s in ((32, 64), (16, 64), (32, 16), (32, 64)))
size = np.linalg.norm(d @ w.T * gy)
for name, gx in (("right", gy @ w), ("× 1.001", np.float32(1.001) * (gy @ w))):
    claim, truth = one_number(lambda x: x @ w.T, lambda gy, x, gx=gx: gx, x, gy, d, np.float32(1e-6))
    there, back = np.vdot(d @ w.T, gy), np.vdot(d, gx)
    print(f"{name:8} differences off by {abs(claim - truth) / size:.0e}", end="   ")
    print(f"adjoint off by {abs(there - back) / size:.0e}")

# %% [markdown]
# The central difference is far off, whether backward is right or not. The adjoint identity tells the two apart. (It
# *is* a central difference with a step of 1: for a straight line every step is right, so take one that costs no
# digits.)
#
# `adjoint_check` does this as a function, and it rejects an op that is not linear:

# %%
print("a mean:")
verdict(lambda x: x.mean(1), Tensor(x, requires_grad=True), check=adjoint_check)
print("\ntanh:")
verdict(lambda x: x.tanh(), Tensor(x, requires_grad=True), check=adjoint_check)
print("\nand gradcheck refuses float32:")
verdict(lambda x: x.mean(1), Tensor(x, requires_grad=True))

# %% [markdown]
# ## What no gradient check can see
#
# A gradient check compares backward with forward. What does it say about a *forward* that is wrong, if backward is
# wrong in the same way?
#
# Batch norm divides by $\sqrt{\mathrm{var} + \varepsilon}$. This one puts $\varepsilon$ outside the root, and its
# backward is the true derivative of that:


# %%
class EpsOutside(Op):
    def forward(self, x):
        centred, std = x - x.mean(0), x.std(0)
        self.saved = centred, std
        return centred / (std + 1e-5)

    def backward(self, gy):
        centred, std = self.saved
        r = 1 / (std + 1e-5)
        g = gy * r - centred * (gy * centred).sum(0) * r**2 / (std * len(gy))
        return g - g.mean(0)


verdict(lambda x: EpsOutside()(x), drawn(6, 3))
x = drawn(6, 1).numpy() * 0.003  # a channel with little variance
print(f"largest output {abs(EpsOutside()(Tensor(x)).numpy()).max():.3f}, should be", end=" ")
print(f"{abs((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)).max():.3f}")

# %% [markdown]
# It passes, although it is wrong on a channel with little variance. **A gradient check does not know what you meant to
# compute.** Values need a check of their own: numbers computed by hand, or another implementation.
#
# The second limit is that a gradient check sees only what happens for *these* inputs. The mean below is divided by the
# length of the wrong axis, and it is checked with a 3 × 3 matrix. And the square below flattens its arrays in the order
# in which they are stored in memory:


# %%
class MeanOfRows(Op):
    def forward(self, x):
        self.saved = (x.shape,)
        return x.mean(1)

    def backward(self, gy):
        (shape,) = self.saved
        return np.repeat(gy[:, None], shape[1], 1) / shape[0]


class Square(Op):
    def forward(self, x):
        self.saved = (x,)
        return x**2

    def backward(self, gy):
        (x,) = self.saved
        return (2 * x.ravel("K") * gy.ravel("K")).reshape(x.shape)


print("mean of rows, 3 × 3: ", end="")
verdict(lambda x: MeanOfRows()(x), drawn(3, 3))
print("\nmean of rows, 3 × 4: ", end="")
verdict(lambda x: MeanOfRows()(x), drawn(3, 4))
print("\nsquare: ", end="")
verdict(lambda x: Square()(x), drawn(3, 4))
print("\nsquare of a transposed view: ", end="")
verdict(lambda x: Square()(x.transpose(0, 1)), drawn(3, 4))

# %% [markdown]
# So check shapes whose sizes all differ, strides of 1 and of 2, with and without bias, and arrays that are not
# contiguous in memory. The library does this: `tinyres gradcheck`, in a terminal, proves each op in several settings.
# (With `--sweep steps.png` it draws the U of four ops.)
#
# (Look at the last answer once more. It says that no op is guilty. To find the guilty op, gradcheck calls each op
# separately, with a new $g_y$ in the usual memory order, and then the op is right. The check found that something is
# wrong, but not where.)
#
# The third limit is that a gradient check sees one call, and not what the rest of a program does between forward and
# backward. Most ops save their inputs without copying them. What happens to the gradient of $x^2$ if a program writes
# into $x$ between forward and backward?

# %%
x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
verdict(lambda x: (x * x).sum(), x)

y = (x * x).sum()
x.data[:] = 100  # an update that comes too early
y.backward()
print("gradient", x.grad, "in place of [2. 4. 6.]\n")

x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
try:
    with detect_anomaly():
        y = (x * x).sum()
        x.data[:] = 100
        y.backward()
except AnomalyError as error:
    print("detect_anomaly:", str(error).splitlines()[0])

# %% [markdown]
# The op is right, but the gradient is not. To notice this, something must watch the saved arrays.
# `tinyres.detect_anomaly` does.
#
# Now you know enough to answer this question:

# %%
answer = None  # "a", "b", "c" or "d"
check.unseen_bug(answer)

# %% [markdown]
# ## A table of traps
#
# Let us put everything together: ten bugs, and five kinds of check. Each bug is a forward, a backward and an input.


# %%
def rounded(gy, x):
    return (2 * x * gy).astype(np.float32).astype(gy.dtype)


def into_gy(gy, x):
    gy *= 2 * x
    return gy


def by_wrong_axis(gy, x):
    return np.repeat(gy[:, None], x.shape[1], 1) / x.shape[0]


def unshifted(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


inputs = np.random.default_rng(1).standard_normal((4, 4))
bugs = {
    "softmax: nothing but zeros": (softmax, zeros, inputs),
    "softmax: the diagonal alone": (softmax, diagonal, inputs),
    "x²: elements in wrong places": (np.square, reversed_rows, inputs),
    "x²: a factor of 1.001": (np.square, lambda gy, x: 2.002 * x * gy, inputs),
    "x²: rounded to float32": (np.square, rounded, inputs),
    "x²: writes into gy": (np.square, into_gy, inputs),
    "mean: wrong axis, input 4 × 4": (lambda x: x.mean(1), by_wrong_axis, inputs),
    "relu: the gate is open at 0": (relu, lambda gy, x: gy * (x >= 0), inputs),
    "softmax: overflows at 1000": (unshifted, right, inputs),
    "x² meant, x³ written, twice": (lambda x: x**3, lambda gy, x: 3 * x**2 * gy, inputs),
}

# %% [markdown]
# The first four checks compare one number: with $g_y$ of ones, with $d$ of ones, with everything in float32 (a step of
# 1e-3 and a tolerance of 1 %, since this step does not suit every function), and with everything random. The fifth is
# gradcheck. Which columns do you expect to be full, and which rows empty?


# %%
class Planted(Op):
    def __init__(self, forward, backward):
        self.f, self.b = forward, backward

    def forward(self, x):
        self.saved = (x,)
        return self.f(x)

    def backward(self, gy):
        return self.b(gy, *self.saved)


def by_numbers(seed=None, direction=None, dtype=float, h=1e-6, tolerance=1e-6):
    """A check with one number: is the bug caught?"""

    def caught(forward, backward, x):
        rng = np.random.default_rng(2)
        gy, d = rng.standard_normal(forward(x).shape), rng.standard_normal(x.shape)
        gy, d = np.ones_like(gy) if seed == "ones" else gy, np.ones_like(d) if direction == "ones" else d
        x, gy, d = (a.astype(dtype) for a in (x, gy, d))
        measured = np.vdot(gy, (forward(x + h * d) - forward(x - h * d)) / (2 * h))
        return abs(np.vdot(backward(gy, x), d) - measured) > tolerance * max(1, abs(measured))

    return caught


def by_gradcheck(forward, backward, x):
    try:
        gradcheck(lambda x: Planted(forward, backward)(x), [Tensor(x, requires_grad=True)])
    except AssertionError:
        return True
    return False


ways = {
    "gy = 1": by_numbers(seed="ones"),
    "d = 1": by_numbers(direction="ones"),
    "float32": by_numbers(dtype=np.float32, h=np.float32(1e-3), tolerance=1e-2),
    "all random": by_numbers(),
    "gradcheck": by_gradcheck,
}
table = np.array([[way(*bug) for way in ways.values()] for bug in bugs.values()])

figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (row, column), caught in np.ndenumerate(table):
    fill, edge = (BLUE, BLUE) if caught else ("none", GREY)
    axes.plot(column, row, "o", markersize=13, color=fill, markeredgecolor=edge)
axes.set(xticks=range(len(ways)), xticklabels=ways, yticks=range(len(bugs)), yticklabels=bugs)
axes.set(xlim=(-0.5, len(ways) - 0.5), ylim=(len(bugs) - 0.5, -0.5), title="Which check sees which bug? (full: caught)")
axes.xaxis.tick_top()
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# Read the table by columns: each of the first three checks misses different bugs. (Why does `zeros` also pass with $d =
# 1$? Because adding the same number to all scores of a row changes no probability.) Two bugs leave the numbers right,
# or nearly right, and gradcheck finds them by other means. In the last four rows no check helps. Add a bug of your own
# to `bugs`, and predict its row.
#
# The library has been tested in the same way. For [docs/mutants.md](../docs/mutants.md) more than two hundred bugs were
# planted in tinyres itself, one after another, and its tests were run on each. These are the bugs in ops' pages that
# the gradient checks did not find:

# %% tags=["varies"]
page = Path("../docs/mutants.md")
if not page.exists():
    print("docs/mutants.md is in the repository, not in the installed package")
else:
    section = page.read_text(encoding="utf-8").split("## Written by hand: ops")[1].split("\n## ")[0]
    header, _, *rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    column = [name.strip() for name in header].index("gradcheck")
    missed = [row[0].strip(" `") for row in rows if not row[column].strip()]
    print(f"{len(missed)} of {len(rows)} bugs pass the gradient checks:\n")
    print("\n".join(missed))

# %% [markdown]
# You have met most of them: overflow at large values, a wrong forward, a wrong dtype, a bug in float32 only, a setting
# that was not tried, and work that is not needed. Each was found by another kind of test: with stored values, against
# torch, or in other dtypes. That is why a library needs several kinds of tests.

# %% [markdown]
# ## Summary
#
# - Backward is a claim about forward, and forward can test it: $\langle g_y, J d\rangle = \langle g_x, d\rangle$, two
#   calls and one number.
# - Draw $g_y$ and $d$ at random. Ones miss errors: with them, a backward of zeros passes for softmax and batch norm.
# - Use float64, central differences and $h$ = 1e-6: truncation grows with $h^2$, roundoff with $10^{-16}/h$. A complex
#   step has no roundoff, so it may be tiny. The adjoint identity of a linear op needs no step at all, and holds in
#   float32.
# - On a kink there is no slope. Leave such outputs out; do not raise the tolerance.
# - A check sees one point, one shape, one memory order, and never whether forward is what you meant.
#
# Next: [04 · linear, ReLU, softmax and cross-entropy](04_linear_relu_softmax.ipynb), where you write a network's
# backward by hand and prove it with this.
