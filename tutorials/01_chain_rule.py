# %% [markdown]
# # 01 · the chain rule by hand
#
# At the end you can compute the slope of the cost for every weight of a chain, by hand, in one backward pass. You know
# why nothing in that pass is computed twice, and why slopes vanish or explode on the way.
#
# *35 minutes. Before it: [00](00_setup_and_tour.ipynb).*

# %% [markdown]
# A network is many small computations, one after the other. Training asks the same question of each of its weights:
# **if I turn this one up a little, what happens to the cost, far away at the other end?**
#
# The smallest network with this problem is a chain of single neurons. Each multiplies what it gets by its weight and
# sends the product through the sigmoid s:
#
# $$z_1 = w_1 x,\quad a_1 = s(z_1),\quad z_2 = w_2 a_1,\quad a_2 = s(z_2),\;\dots\qquad C = \tfrac12 (a_n - t)^2$$
#
# t is the target: the output that we want. We begin with three neurons.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

from tinyres.study.course import check
from tinyres.study.labs import chain as lab
from tinyres.study.labs.drawing import BLUE, GREEN, ORANGE, VERMILION, tidy


def s(z):
    return 1 / (1 + np.exp(-z))


def forward(x, ws):
    """The values of a chain: a = [x, a_1, …, a_n] and z = [z_1, …, z_n]."""
    a, z = [x], []
    for w in ws:
        z.append(w * a[-1])
        a.append(s(z[-1]))
    return a, z


def cost(x, ws, t):
    a, _ = forward(x, ws)
    return 0.5 * (a[-1] - t) ** 2


x, t = 1.0, 0.0
ws = [0.5, -0.8, 1.2]
a, z = forward(x, ws)
for i, w in enumerate(ws):
    print(f"neuron {i + 1}:  in {a[i]:.4f}   w {w:+.1f}   z {z[i]:+.4f}   out {a[i + 1]:.4f}")
print(f"cost: {cost(x, ws, t):.6f}")

# %% [markdown]
# ## Turn the knob and see
#
# The most direct way to find out what w₁ does is to change it. We take a step of 0.1, then smaller ones. What do you
# expect the ratio "change of the cost : change of w₁" to do?

# %%
for step in (0.1, 0.01, 0.001, 0.0001):
    turned = [ws[0] + step, *ws[1:]]
    ratio = (cost(x, turned, t) - cost(x, ws, t)) / step
    print(f"w₁ turned up by {step:<7g} ΔC / Δw₁ = {ratio:+.7f}")

# %% [markdown]
# The ratio approaches a number: the slope ∂C/∂w₁. It gets there sooner if we go half a step up and half a step down.
# That is the *central difference*, and it will be our ruler for everything that follows.


# %%
def ruler(x, ws, t, step=1e-5):
    """∂C/∂w_i for every i, measured by changing each weight in both directions."""
    slopes = []
    for i in range(len(ws)):
        up, down = list(ws), list(ws)
        up[i] += step
        down[i] -= step
        slopes.append((cost(x, up, t) - cost(x, down, t)) / (2 * step))
    return slopes


print([f"{slope:+.7f}" for slope in ruler(x, ws, t)])

# %% [markdown]
# So why not train networks like this? Count the runs: two for every weight. ResNet-20, the smallest network of the
# ResNet paper, has 269,722 weights. At a millisecond a run, **one step of training would take nine minutes**, and the
# paper's recipe takes 64,000 steps. We want all the slopes for about the cost of one more run.

# %% [markdown]
# ## One link at a time
#
# The chain rule lets us look at each link by itself and multiply. There are two kinds of link:
#
# - z = w·a. If a grows by a little, z grows by w times as much: ∂z/∂a = w. And ∂z/∂w = a.
# - a = s(z). The slope of the sigmoid has a pleasant form:
#   $s'(z) = \frac{e^{-z}}{(1 + e^{-z})^2} = \frac{1}{1 + e^{-z}} \cdot \frac{e^{-z}}{1 + e^{-z}} = s(z)\,(1 - s(z))$.
#
# The second slope needs only the output, which we already have. Write it as a function:


# %%
def sigmoid_slope(z):
    """z (N) -> s'(z) (N), the slope of the sigmoid s(z) = 1/(1 + e⁻ᶻ)."""
    ...  # your code


check.sigmoid_slope(sigmoid_slope)

# %%
at = np.linspace(-7, 7, 300)
_, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(at, s(at), color=BLUE, linewidth=2)
tidy(left, "the sigmoid s(z)", "z", "s")
right.plot(at, s(at) * (1 - s(at)), color=VERMILION, linewidth=2)
right.axhline(0.25, color="black", linewidth=1, linestyle="--")
right.annotate("1/4, at z = 0", (2.4, 0.23))
tidy(right, "its slope s'(z)", "z", "s'")
plt.show()

# %% [markdown]
# Keep the right-hand picture in mind: the slope is never above 1/4, and it is almost 0 beyond |z| = 5. This will matter
# below.
#
# Now walk from w₁ to the cost and collect a factor at each link:
#
# $$\frac{\partial C}{\partial w_1} = \underbrace{x}_{w_1\to z_1}\cdot \underbrace{s'(z_1)}_{z_1\to a_1}\cdot
# \underbrace{w_2}_{a_1\to z_2}\cdot s'(z_2)\cdot w_3\cdot s'(z_3)\cdot \underbrace{(a_3 - t)}_{a_3\to C}$$

# %%
slopes = [s(one) * (1 - s(one)) for one in z]
factors = {
    "x": x,
    "s'(z₁)": slopes[0],
    "w₂": ws[1],
    "s'(z₂)": slopes[1],
    "w₃": ws[2],
    "s'(z₃)": slopes[2],
    "a₃ − t": a[3] - t,
}
product = 1.0
for name, factor in factors.items():
    product *= factor
    print(f"{name:>7} = {factor:+.4f}    product so far {product:+.7f}")
print(f"\nby the ruler:                      {ruler(x, ws, t)[0]:+.7f}")

# %% [markdown]
# We get the same number without changing any weight. Note what is *not* among the factors: w₁. We asked what happens
# when w₁ changes, and its own value plays no part in that (except through the z's). Now do it for a chain of any
# length. Here the end is a_n, without the cost:


# %%
def chain_gradient(x, ws):
    """x a number, ws = [w_1, …, w_n] -> ∂a_n/∂w_1 of the chain z_i = w_i·a_{i−1}, a_i = s(z_i), a_0 = x.

    s is the sigmoid. Multiply the factors out, from w_1 to a_n.
    """
    ...  # your code


check.chain_gradient(chain_gradient)

# %% [markdown]
# ## The same factors again and again
#
# That was one weight. Here are all three, with the factors written below each other:
#
# ```text
# ∂C/∂w₁ = x · s'(z₁) · w₂ · s'(z₂) · w₃ · s'(z₃) · (a₃ − t)
# ∂C/∂w₂ =              a₁ · s'(z₂) · w₃ · s'(z₃) · (a₃ − t)
# ∂C/∂w₃ =                            a₂ · s'(z₃) · (a₃ − t)
# ```
#
# Read the table column by column: the lines end in the same factors. If you multiply out each line separately, as the
# next cell does, you compute the right-hand side of the table three times; with a hundred layers, a hundred times.


# %%
def by_product(ws, a, slopes, t):
    """Every ∂C/∂w_i as a separate product."""
    gradients = []
    for i in range(len(ws)):
        product = a[i] * slopes[i]
        for j in range(i + 1, len(ws)):
            product = product * ws[j] * slopes[j]
        gradients.append(product * (a[-1] - t))
    return gradients


print([f"{g:+.7f}" for g in by_product(ws, a, slopes, t)])

# %% [markdown]
# So keep this common tail. Call it g: **g_i = ∂C/∂z_i**, the slope of the cost with respect to neuron i's z. The last
# one is g₃ = (a₃ − t)·s'(z₃). For each neuron further to the left, the tail gets two more factors. The slope of each
# weight is its tail times one number, the neuron's input h_i (h₁ = x, h₂ = a₁, …):
#
# $$g_i = g_{i+1}\cdot w_{i+1}\cdot s'(z_i), \qquad \frac{\partial C}{\partial w_i} = g_i\cdot h_i$$
#
# This is all of back-propagation (Rumelhart, Hinton & Williams 1986). The rest of this course is about what to do when
# z is a picture and w is a stack of filters. The two formulas stay the same.


# %%
def by_recursion(ws, a, slopes, t):
    """The same from back to front, keeping g."""
    gradients = [0.0] * len(ws)
    g = (a[-1] - t) * slopes[-1]
    for i in reversed(range(len(ws))):
        gradients[i] = g * a[i]
        if i > 0:
            g = g * ws[i] * slopes[i - 1]
    return gradients


print([f"{g:+.7f}" for g in by_recursion(ws, a, slopes, t)])

# %% [markdown]
# It takes two multiplications to move one neuron to the left, and one more for the slope of the weight. Be careful with
# the indices: the tail is multiplied by the weight *after* neuron i, then by the slope *of* neuron i. Now write it for
# any f:


# %%
def g_recursion(h, ws, slopes, g_last):
    """Lists of n numbers: inputs h_i of each layer, weights w_i, slopes f'(z_i); g_last = g_n = ∂C/∂z_n.

    -> [∂C/∂w_1, …, ∂C/∂w_n], where z_i = w_i·h_i, h_{i+1} = f(z_i), and g_i = ∂C/∂z_i. Compute each g_i once.
    """
    ...  # your code


check.g_recursion(g_recursion)

# %% [markdown]
# ## How much does it save?
#
# Let Python count. `Counted` is a number that counts the multiplications it takes part in. Both functions above accept
# it, because it behaves like any other number. Before you run the cell: how many multiplications does each function
# need for a chain of 100 neurons?


# %%
class Counted(float):
    multiplications = 0

    def __mul__(self, other):
        Counted.multiplications += 1
        return Counted(float(self) * float(other))

    __rmul__ = __mul__


def multiplications(function, n):
    rng = np.random.default_rng(0)
    ws = [Counted(w) for w in rng.uniform(0.5, 2, n)]
    a, z = forward(1.0, [float(w) for w in ws])
    slopes = [Counted(s(one) * (1 - s(one))) for one in z]
    Counted.multiplications = 0
    function(ws, [Counted(one) for one in a], slopes, 0.0)
    return Counted.multiplications


print(" neurons   each by itself   from back to front")
for n in (3, 10, 100, 1000):
    print(f"{n:8} {multiplications(by_product, n):16,} {multiplications(by_recursion, n):20,}")

# %% [markdown]
# The counts are n² + n and 3n − 1. For three neurons the difference hardly matters. For a thousand neurons it is a
# million against three thousand. So **all slopes together cost about as much as one forward pass, however many weights
# there are.** That is why networks can be trained at all.
#
# Why do we start at the back? We could also start at w₁ and carry ∂a_i/∂w₁ forward. But that pass gives the slope of w₁
# only, and w₂ would need another pass. Going backward, all weights share the tail, because all paths end in the same C.
#
# The library has an experiment on this chain, `tinyres lab chain`. It compares both methods, the ruler, and a fourth
# method that contains no calculus at all:

# %%
print(inspect.getsource(lab.by_autograd))

five = np.random.default_rng(0).uniform(-1, 1, 5).tolist()
print(" " * 8 + "".join(f"{way:>14}" for way in lab.WAYS))
by_way = [way(1.0, 0.0, five, "sigmoid", 0.0) for way in lab.WAYS.values()]
for i, row in enumerate(zip(*by_way, strict=True)):
    print(f"∂C/∂w_{i + 1}" + "".join(f"{gradient:14.4e}" for gradient in row))

# %% [markdown]
# All four agree. The fourth only calls `backward()` on the cost. How that works is the subject of the next lesson: it
# is the same recursion, carried out by a program.
#
# ## Step through it
#
# In the next cell the library runs our first chain, forward and backward, and shows the steps on a page. Go through
# them with the buttons: first up to the cost, then back. In the backward pass, gy at each `Multiply` step is one of our
# g_i: the product of the factors in the table, from the right-hand end up to that point.
#
# (If you only read the notebook and do not run it, the page is missing. `tinyres step chain` writes a similar one.)

# %% tags=["varies"]
from tinyres import Tensor
from tinyres.look import viz

x_leaf = Tensor(np.float64(x))
leaves = [Tensor(np.float64(w), requires_grad=True) for w in ws]


def step():
    out = x_leaf
    for w in leaves:
        out = (w * out).sigmoid()
    return 0.5 * (out - t) ** 2


names = {"x": x_leaf, "w₁": leaves[0], "w₂": leaves[1], "w₃": leaves[2]}
viz.stepper(step, "The chain of three neurons", names)

# %% [markdown]
# ## A surprise: the first layers do not learn
#
# The method works for any depth. Does *training* work for any depth too? Take ten neurons whose weights are all 1 at
# the start, and let gradient descent bring the output to t = 0.3. **Which weights do you expect to move most?**

# %%
deep = [1.0] * 10
for _ in range(2000):
    a, z = forward(1.0, deep)
    slopes = [s(one) * (1 - s(one)) for one in z]
    gradients = by_recursion(deep, a, slopes, 0.3)
    deep = [w - 1.0 * g for w, g in zip(deep, gradients, strict=True)]

moved = [abs(w - 1) for w in deep]
print(f"output {forward(1.0, deep)[0][-1]:.3f}, wanted 0.300")
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.bar(range(1, 11), moved, color=BLUE)
axes.set_yscale("log")
axes.set_xticks(range(1, 11))
tidy(axes, "How far each weight has moved in 2000 steps", "neuron, from the input to the output", "|w − 1| (log scale)")
plt.show()

# %% [markdown]
# The output is right. But the last neuron has done nearly all of the work. Each neuron nearer to the input moved a
# quarter as far as its neighbour, or less, and the first has not moved by a millionth. It learnt nothing.
#
# The recursion explains why. Each step to the left multiplies g by w·s'(z), and s' is at most 1/4. With ten neurons and
# every weight 1, how large can |∂a₁₀/∂x| be at most?

# %%
answer = None  # your number
check.vanishing(answer)

# %% [markdown]
# This is the **vanishing gradient** (Hochreiter 1991). Can we simply make the weights larger? With w = 4 the factor
# w·s'(z) can be as large as 1. What do you expect for chains of twenty neurons that all have this weight?

# %%
print("    w    factor w·s'(z), on average    ∂a₂₀/∂x")
for w in (1, 2, 4, 8, 16):
    a, z = forward(1.0, [w] * 20)
    product = np.prod([w * s(one) * (1 - s(one)) for one in z])
    print(f"{w:5} {product ** (1 / 20):20.2g} {product:22.0e}")

# %% [markdown]
# From 2 to 4 the gradient gets *worse*, by eleven orders of magnitude. The factor 4 is there, but w is also part of z =
# w·a, and it pushes z to where the sigmoid is flat. Look at the picture of s' again: its peak is at z = 0. But the
# outputs of a sigmoid are around a half and never negative, so a large positive weight never leads there. Larger
# weights alone do not solve the problem.

# %% [markdown]
# ## The opposite problem
#
# Replace the sigmoid by ReLU, f(z) = max(z, 0): its slope is 1 wherever z > 0. Now the factor is w itself. Let it be
# 1.5. By what factor does a gradient grow in the backward pass through three such layers?

# %%
answer = None  # your number
check.exploding(answer)

# %% [markdown]
# That looks harmless. But networks are trained in float32, whose largest number is about 3.4·10³⁸. After how many
# layers will that be too small?

# %%
with np.errstate(over="ignore"):
    g, layers = np.float32(1), 0
    while np.isfinite(g):
        g, layers = g * np.float32(1.5), layers + 1
        if layers in (3, 10, 50, 100, 200):
            print(f"{layers:4} layers: g = {g:.3g}")
    print(f"{layers:4} layers: g = {g}")

# %% [markdown]
# It does not end with infinity. Gradient descent subtracts it from a weight, and the next forward pass multiplies by
# that weight:

# %%
with np.errstate(invalid="ignore"):
    w = np.float32(1.5) - np.float32(0.1) * g
    first = np.maximum(w * np.float32(1), 0)  # the first neuron
    second = first * w  # the z of the second neuron
print(f"the weight after one step: {w}")
print(f"first neuron's output:     {first}")
print(f"second neuron's z:         {second}    (0 · ∞ is not a number)")

# %% [markdown]
# From here on everything becomes NaN: every sum and product with it, and every weight after the next step. If your
# training prints `loss nan`, this is usually what has happened before. (`tinyres.detect_anomaly()` finds where it
# began.) The lab shows the same with the engine and with all the layers:

# %%
print(inspect.getsource(lab.explosion))
print(lab.explosion())

# %% [markdown]
# ## A narrow range
#
# What reaches the first layer is a product with one factor for each layer. Such a product nearly always vanishes or
# explodes:

# %%
depths = np.arange(1, 61)
_, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for factor, colour in ((1.5, VERMILION), (1.1, ORANGE), (1.0, GREEN), (0.9, BLUE), (0.25, "black")):
    axes.semilogy(depths, factor**depths, color=colour, linewidth=2, label=f"{factor:g}")
axes.set_ylim(1e-20, 1e14)
tidy(axes, "What a gradient of 1 has become", "layers passed in the backward pass", "size of the gradient")
axes.legend(title="factor per layer", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# A usable gradient arrives only if the factors are close to 1. Everything that made deep networks possible is a way of
# keeping these factors near 1:
#
# | remedy | what it does to the factor | lesson |
# |---|---|---|
# | ReLU | f' is 1 where z > 0, instead of 1/4 at most | [04](04_linear_relu_softmax.ipynb) |
# | He's initialisation | draws weights that keep the size of signals, on average | [04](04_linear_relu_softmax.ipynb) |
# | batch norm | brings z back to where f has a slope, in every layer and at every step | [07](07_batch_norm.ipynb) |
# | the residual connection | adds 1 to the factor | [09](09_residual_block.ipynb) |

# %% [markdown]
# ## The w + 1
#
# The last one is the subject of this course, and it fits in one line. Let neuron 2 multiply its input by the weight and
# also *add the input itself*:
#
# $$z_2 = w_2 a_1 + a_1 \qquad\Longrightarrow\qquad \frac{\partial z_2}{\partial a_1} = w_2 + 1$$
#
# If every neuron does this, each w in the product becomes w + 1. At the start of training, weights are small: a factor
# of 0.01 becomes one of 1.01.
#
# Make a prediction: take chains of thirty sigmoid neurons with weights drawn between 0 and 1. By how much will the + 1
# enlarge the gradient of w₁, and will it be enough?

# %%
depths = list(range(1, 31))
plain = lab.medians_by_depth("sigmoid", 0.0, depths, 200, seed=0)
inside = lab.medians_by_depth("sigmoid", 1.0, depths, 200, seed=0)
print(f"w:     {plain[-1]:.0e}\nw + 1: {inside[-1]:.0e}    {inside[-1] / plain[-1]:.0e} times as much")

# %% [markdown]
# One addition gains thirteen orders of magnitude. But 10⁻¹⁸ is still almost 0, because each w + 1 is multiplied by the
# sigmoid's slope, which is at most 1/4.
#
# So move the addition *around the whole neuron*, including the sigmoid: a_i = a_{i−1} + s(w_i·a_{i−1}). In general, for
# a block y = x + F(x) with any F,
#
# $$\frac{\partial C}{\partial x} = \frac{\partial C}{\partial y}\cdot\Bigl(1 + \frac{\partial F}{\partial x}\Bigr)$$
#
# Here ∂F/∂x = w·s'(z) can be very small without harm.


# %% tags=["picture"]
def around_by_depth(depths, chains=200):
    """The median of |∂a_n/∂w_1| where the addition goes around the sigmoid."""
    ws = np.random.default_rng(0).uniform(0, 1, (max(depths), chains))
    a, factors = np.ones(chains), []
    for i, w in enumerate(ws):
        slope = s(w * a) * (1 - s(w * a))
        factors.append(1 + w * slope if i else a * slope)  # the first is ∂a_1/∂w_1
        a = a + s(w * a)
    return [np.median(np.prod(factors[:depth], axis=0)) for depth in depths]


around = around_by_depth(depths)
_, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
axes.semilogy(depths, around, color=BLUE, linewidth=2, label="a + s(w·a): factor 1 + w·s'")
axes.semilogy(depths, inside, color=ORANGE, linewidth=2, label="s(w·a + a): factor (w + 1)·s'")
axes.semilogy(depths, plain, color=VERMILION, linewidth=2, label="s(w·a): factor w·s'")
axes.set_ylim(1e-33, 1e4)
tidy(axes, "What reaches the first weight of a sigmoid chain", "neurons", "|∂aₙ/∂w₁|, median of 200 chains")
axes.legend(frameon=False, loc="lower left")
plt.show()
print(f"after 30 neurons: {around[-1]:.2f}")

# %% [markdown]
# The blue line does not fall at all. This takes no ReLU and no careful initialisation, only an addition. (But a chain
# of single numbers is not a network. Here the sums only grow, and all later sigmoids end up flat. What arrives at the
# first layer is what the additions carried past them.)
#
# Is that why residual networks work? You will read this explanation in many places. But the paper that introduced
# residual networks says that vanishing gradients are unlikely to be the problem of its *plain* networks: they have
# batch norm, and their gradients are healthy (He et al. 2016a, section 4.1). They are hard to train all the same. So
# what is the reason? That is the question of [lesson 08](08_degradation.ipynb) and of the lessons after it. First we
# need an engine that does the bookkeeping for more than a chain.

# %% [markdown]
# ## Summary
#
# - The slope for a weight is the product of the local slopes along the path from the weight to the cost.
# - g_i = g_{i+1}·w_{i+1}·f'(z_i) and ∂C/∂w_i = g_i·h_i: from back to front, computing each tail once. All slopes
#   together cost about as much as one forward pass.
# - A product of many factors below 1 vanishes, and one of many factors above 1 explodes; an explosion ends in NaN. For
#   the sigmoid, s' ≤ 1/4.
# - Adding the input turns the factor w into w + 1. Adding it around a whole block turns f' into 1 + f'.
#
# Next: [02 · the engine in a hundred lines](02_engine.ipynb).
