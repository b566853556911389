# %% [markdown]
# # 02 · the engine in a hundred lines
#
# At the end you have built an engine that finds the gradient of whatever you compute with it; you have seen
# four obvious versions of it fail; and you can read the library's.
#
# *40 minutes. Before it: [01](01_chain_rule.ipynb).*

# %% [markdown]
# In lesson 01 we knew beforehand what would be computed: neuron after neuron, and back the same way. Real computations
# branch and join. A residual block, y = F(x) + x, uses x twice. And nobody wants to write a new pass back
# for every formula. What we want is this:
#
# ```python
# cost = (w * x + x).sigmoid()      # any formula
# cost.backward()                   # and the gradient of every input is there
# ```
#
# For this the computation must remember how it came about. It takes one idea for each of three questions: **what to
# record, in which order to go back, and what to do where ways meet.**

# %% [markdown]
# ## What to record
#
# Going back through one step takes what lesson 01 called a link. The cost feels the output y; call that **gy**
# = ∂C/∂y. What does it feel of the inputs? For a product y = a·b, the answer is one line. Here a and b are arrays,
# multiplied element by element; that changes nothing.

# %%
from tinyres.study.course import check


def multiply_backward(gy, a, b):
    """y = a·b, element by element. gy, a, b (N, M) -> ga, gb (N, M)"""
    ...  # your code


check.multiply_backward(multiply_backward)

# %% [markdown]
# Whatever your answer: it needed a and b, values from the run forward. So a step of a computation must keep two
# things until the way back: who its inputs were, and the values it will need. Call such a step an **Op**. The array
# that it makes is a **Tensor**, and knows the Op that made it.

# %%
import inspect
from collections import deque

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres.look import viz
from tinyres.study.labs.drawing import BLUE, VERMILION, tidy


class Tensor:
    """An array, and the Op that made it; None if it was given."""

    def __init__(self, data, op=None):
        self.data = np.asarray(data, dtype=float)
        self.op = op
        self.grad = None

    def __add__(self, other):
        return Add()(self, other)

    def __mul__(self, other):
        return Multiply()(self, other)

    def sigmoid(self):
        return Sigmoid()(self)


class Op:
    """One step: its inputs, and in `saved` what backward will need."""

    def __call__(self, *inputs):
        self.inputs = inputs
        return Tensor(self.forward(*(x.data for x in inputs)), op=self)


class Add(Op):
    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return gy, gy


class Multiply(Op):
    def forward(self, a, b):
        self.saved = a, b
        return a * b

    def backward(self, gy):
        a, b = self.saved
        return gy * b, gy * a


class Sigmoid(Op):
    def forward(self, x):
        self.saved = 1 / (1 + np.exp(-x))
        return self.saved

    def backward(self, gy):
        return (gy * self.saved * (1 - self.saved),)


# %% [markdown]
# That records everything, without our doing anything about it: `w * x + b` is computed as ever, and leaves a trail.

# %%
w, x, b = Tensor(0.5), Tensor(1.0), Tensor(0.2)
y = w * x + b


def print_trail(tensor, names, depth=0):
    """The Ops that led to a tensor, each above what it was computed from."""
    made_by = names.get(tensor) or type(tensor.op).__name__
    print("    " * depth + f"{made_by}  {tensor.data:.2f}")
    for below in tensor.op.inputs if tensor.op else ():
        print_trail(below, names, depth + 1)


print_trail(y, {w: "w", x: "x", b: "b"})

# %% [markdown]
# ## First try: tell your inputs
#
# The way back seems to write itself. A tensor that hears its gradient notes it, asks its Op what that means for the
# inputs, and tells them; they do the same. If one is told several times, because it was used several times, it
# adds up: each use is a way by which it moves the cost.


# %%
def backward_by_telling(y, gy=1.0):
    y.grad = gy if y.grad is None else y.grad + gy
    if y.op is not None:
        for x, gx in zip(y.op.inputs, y.op.backward(gy), strict=True):
            backward_by_telling(x, gx)


x, ws = Tensor(1.0), [Tensor(w) for w in (0.5, -0.8, 1.2)]
a = x
for w in ws:
    a = (w * a).sigmoid()
cost = Tensor(0.5) * (a * a)
backward_by_telling(cost)
print([f"{w.grad:+.7f}" for w in ws])

# %% [markdown]
# The very numbers of lesson 01 (where t was 0), from five lines that know nothing of chains. Done?
#
# Try it on residual blocks, one on top of the other: y = w·x + x, then the same with y, and so on. Let us count how
# often anybody is told anything. **What do you expect for 3 blocks, and for 20?**

# %%
told = 0


def backward_and_count(y, gy=1.0):
    global told
    told += 1
    if y.op is not None:
        for x, gx in zip(y.op.inputs, y.op.backward(gy), strict=True):
            backward_and_count(x, gx)


def blocks(x, w, n):
    """n residual blocks with one weight: x ← w·x + x."""
    for _ in range(n):
        x = w * x + x
    return x


telling = {}
for n in (1, 2, 3, 10, 15):
    told = 0
    backward_and_count(blocks(Tensor(1.0), Tensor(0.1), n))
    telling[n] = told
    print(f"{n:3} blocks: {told:8,} calls")

# %% [markdown]
# It doubles with every block. Each block has two ways through, the branch and the skip, so n blocks have 2ⁿ ways from
# the end to the beginning, and our function walks **each of them by itself**, all the way down. The answer is
# right; ResNet-110 with its 54 blocks would get it in about 10¹⁷ calls. At a million calls a second, that is
# two thousand years for one step of training.
#
# (The 2ⁿ ways are real, and will be the subject of [lesson 11](11_why_it_works.ipynb). We only must not walk them one
# by one.)

# %% [markdown]
# ## Second try: everybody once
#
# The cure is that of lesson 01: share the tail. A tensor should first collect all that reaches it and then
# hand on the sum, **once**. So keep a list of tensors to visit, in the order in which they were found, and visit each
# once:


# %%
def backward_as_found(y):
    gradients, found = {y: 1.0}, deque([y])
    while found:
        node = found.popleft()
        node.grad = gradients[node]
        if node.op is not None:
            for x, gx in zip(node.op.inputs, node.op.backward(node.grad), strict=True):
                if x not in gradients:
                    found.append(x)
                gradients[x] = gradients.get(x, 0.0) + gx


# %% [markdown]
# A test on two blocks. In the second version the two summands have changed places, w·h + h became h + w·h. Addition
# does not care; do you expect the gradient to?

# %%
for name, block in (("w·h + h", lambda w, h: w * h + h), ("h + w·h", lambda w, h: h + w * h)):
    x, w = Tensor(1.0), Tensor(0.1)
    backward_as_found(block(w, block(w, x)))
    print(f"{name}:  ∂y/∂x = {x.grad:.4f}   ∂y/∂w = {w.grad:.4f}")

ruler = ((1.1 + 1e-6) ** 2 - (1.1 - 1e-6) ** 2) / 2e-6  # y = (w + 1)²·x
print(f"ruler:    ∂y/∂w = {ruler:.4f}")

# %% [markdown]
# No error, no warning, a plausible number, and it is wrong. What happened? With h first, h was visited before the
# product w·h: it handed on what had come over the skip, and when the other half arrived, its turn was over.
#
# So the order matters: **a tensor's turn may come only when all that were computed from it have had theirs.** An order
# with this property is called topological. Write one that works on graphs given as dictionaries (and do not be
# discouraged by the last of the tests; we come to it next):


# %%
def topological_sweep(inputs, root):
    """inputs {node: [the nodes it was computed from]}, root a node -> a list of every node below root, root first.

    Each node stands after *all* that were computed from it, once. A leaf has an empty list in `inputs`.
    """
    ...  # your code


check.topological_sweep(topological_sweep)

# %% [markdown]
# ## Third try: the right order
#
# There is a short way to find such an order. Write a tensor down only *after* everything below it has been written
# down; then inputs always stand before what was made from them. Read the list backwards.


# %%
def outputs_first_by_recursion(root):
    order, seen = [], set()

    def visit(tensor):
        if tensor in seen:
            return
        seen.add(tensor)
        for x in tensor.op.inputs if tensor.op else ():
            visit(x)
        order.append(tensor)

    visit(root)
    return order[::-1]


order = outputs_first_by_recursion(blocks(Tensor(1.0), Tensor(0.1), 54))
print(len(order), "tensors in 54 blocks, each visited once")

# %% [markdown]
# 110 visits instead of 10¹⁷. Is it good for any depth?

# %%
deep = blocks(Tensor(1.0), Tensor(0.0), 20_000)
try:
    outputs_first_by_recursion(deep)
except RecursionError:
    print("RecursionError")

# %% [markdown]
# `visit` calls itself once for every step of depth, and Python ends that at a depth of a thousand or a few. That is not
# as far away as it sounds: ResNet-1202, which the paper trained, has some 6,000 ops one behind the other. Engines for
# learning are often written like this, and crash there.
#
# A recursion keeps its to-do list on Python's stack. Keep it in a list of your own, and nothing can overflow. An entry
# (tensor, True) means: its inputs are done, write it down.


# %%
def outputs_first(root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        if inputs_done:
            order.append(tensor)
        elif tensor not in seen:
            seen.add(tensor)
            stack.append((tensor, True))
            stack.extend((x, False) for x in (tensor.op.inputs if tensor.op else ()))
    return order[::-1]


print(f"{len(outputs_first(deep)):,} tensors in order")

# %% [markdown]
# ## Where ways meet
#
# With the order in hand the sweep is easy to say. Before the engine's, write it with dictionaries: `slopes[node]` has
# ∂node/∂input for each of its inputs.


# %%
def backward_sweep(order, inputs, slopes):
    """order: nodes, outputs first. inputs {node: [nodes]}, slopes {node: [∂node/∂input for each of its inputs]}.

    -> [∂y/∂node for each node of order], y = order[0].
    """
    ...  # your code


check.backward_sweep(backward_sweep)

# %% [markdown]
# And here it is for Tensors. Inner gradients live in a dictionary during the sweep and are dropped once they have been
# handed on; only leaves, those that no Op made, keep theirs.


# %%
def backward(root):
    gradients = {root: np.ones_like(root.data)}
    for tensor in outputs_first(root):
        gy = gradients.pop(tensor)
        if tensor.op is None:
            tensor.grad = gy if tensor.grad is None else tensor.grad + gy
            continue
        for x, gx in zip(tensor.op.inputs, tensor.op.backward(gy), strict=True):
            gradients[x] = gradients[x] + gx if x in gradients else gx


for name, block in (("w·h + h", lambda w, h: w * h + h), ("h + w·h", lambda w, h: h + w * h)):
    x, w = Tensor(1.0), Tensor(0.1)
    backward(block(w, block(w, x)))
    print(f"{name}:  ∂y/∂x = {x.grad:.4f}   ∂y/∂w = {w.grad:.4f}")

# %% [markdown]
# Both right. How much work is it? Every Op's backward runs once, and that is all:

# %% tags=["picture"]
n = np.arange(1, 61)
_, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
axes.semilogy(n, 2.0 ** (n + 2) - 3, color=VERMILION, linewidth=2, label="telling, way by way: 2ⁿ⁺² − 3")
axes.semilogy(n, 2 * n + 2, color=BLUE, linewidth=2, label="in topological order: 2n + 2")
axes.plot(list(telling), list(telling.values()), "o", color=VERMILION, label="counted above")
counted = [len(outputs_first(blocks(Tensor(1.0), Tensor(0.1), k))) for k in telling]
axes.plot(list(telling), counted, "o", color=BLUE)
axes.axvline(54, color="black", linewidth=1, linestyle="--")
axes.annotate("ResNet-110:\n54 blocks", (53.4, 3e9), ha="right")
tidy(axes, "Going back through residual blocks", "blocks", "visits of tensors")
plt.show()

# %% [markdown]
# The chain of lesson 01 whose gradient did not vanish, a ← a + s(w·a), now with a thousand neurons:

# %%
w = Tensor(0.5)
x = a = Tensor(1.0)
for _ in range(1000):
    a = a + (w * a).sigmoid()
backward(a)
print(f"∂a₁₀₀₀/∂x = {x.grad:.4f}    ∂a₁₀₀₀/∂w = {w.grad:.4f}")
print(f"Ops on the way: {sum(tensor.op is not None for tensor in outputs_first(a)):,}")

# %% [markdown]
# ## A trap: saving an array
#
# `gradients[x] + gx` makes a new array each time. In real networks these are large, and it is tempting to add in place:
# `gradients[x] += gx`. Same sum, no new array. Here is a formula in which that could not matter less: q is used once,
# and added. What is ∂C/∂q for C = p + q + p·w?


# %%
def backward_in_place(root):
    gradients = {root: np.ones_like(root.data)}
    for tensor in outputs_first(root):
        gy = gradients.pop(tensor)
        if tensor.op is None:
            tensor.grad = gy
            continue
        for x, gx in zip(tensor.op.inputs, tensor.op.backward(gy), strict=True):
            if x in gradients:
                gradients[x] += gx
            else:
                gradients[x] = gx


for sweep in (backward, backward_in_place):
    p, q, w = (Tensor([1.0, 1.0]) for _ in range(3))
    sweep(p + q + p * w)
    print(f"{sweep.__name__:>18}:  ∂C/∂p = {p.grad}   ∂C/∂q = {q.grad}")

# %% [markdown]
# ∂C/∂q is 1, and the second version says 2, for a tensor that p·w has nothing to do with.
#
# Look at `Add.backward`: it returns `gy, gy`, the *same array* twice. p's gradient and q's are then one array under two
# names, and what is added for p is added for q, too. Every residual block ends in an addition, so every one hands its
# gradient to both branches in this way. The rule: **never write into an array that may be another's.** The library adds
# in place only into sums that it made itself.

# %% [markdown]
# ## The library's engine
#
# Our engine has the three ideas, in less than sixty lines with its three Ops. Here is the library's sweep. You should
# find everything in it, the order, the dictionary, the `ours` for the trap, and one thing that we have left out:

# %%
print(inspect.getsource(tinyres.Tensor.backward))
print(inspect.getsource(tinyres.autograd._outputs_first))

# %% [markdown]
# What is new is `node.op = RELEASED`. The values that Ops have saved are most of what a network needs in memory, and
# after an Op's backward nobody wants them any more. Forty sigmoids on an array of 2 MB; what is left after the way
# back?

# %% tags=["varies"]
import tracemalloc


def megabytes_after_backward(retain_graph):
    x = tinyres.Tensor(np.zeros((250, 1000)), requires_grad=True)
    tracemalloc.start()
    y = x
    for _ in range(40):
        y = y.sigmoid()
    y = y.sum()
    before, _ = tracemalloc.get_traced_memory()
    y.backward(retain_graph=retain_graph)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return before / 1e6, after / 1e6


for retain in (True, False):
    before, after = megabytes_after_backward(retain)
    print(f"retain_graph={retain!s:5}  before backward {before:3.0f} MB, after {after:3.0f} MB")

# %% [markdown]
# The price: a graph serves once.

# %%
x = tinyres.Tensor([3.0], requires_grad=True)
y = (x * x).sum()
y.backward()
print("x.grad after one backward:", x.grad)
try:
    y.backward()
except RuntimeError as error:
    print("\nRuntimeError:", error)

# %% [markdown]
# Run forward again, then, and back again. What do you expect in `x.grad`? The slope of x² at 3 is still 6.

# %%
(x * x).sum().backward()
print("x.grad after two:", x.grad)

# %% [markdown]
# Leaves add up, too, over sweeps: on purpose, so that a batch too large for the memory can be taken in parts. It
# also makes a common mistake possible: whoever forgets `optimizer.zero_grad()` in a training loop walks along the sum
# of all gradients so far.
#
# And where no gradient is wanted, as in a test run, nothing need be recorded at all:

# %%
with tinyres.no_grad():
    y = x * x
print("made under no_grad:   ", y.op)
y = x * x
print("made as usual:        ", y.op.name)
y = tinyres.Tensor([3.0]) * tinyres.Tensor([3.0])
print("nobody asks for a grad:", y.op)

# %% [markdown]
# The last line: the library's tensors have a gradient only if somebody asked, with `requires_grad=True`. Pictures and
# labels do not need one, weights do; and what depends on no weight is not recorded.
#
# Two more differences you meet when reading. A Tensor there has a *Node*, its place in the graph without its values, so
# the graph keeps alive only what Ops have saved. And what an Op's backward returns is checked against the input's shape
# and dtype, so that a mistake is heard of where it was made:

# %%
print(inspect.getsource(tinyres.Op.sweep))

# %% [markdown]
# ## See it
#
# A residual block as a graph, drawn before its way back: a diamond, with x at the top.

# %% tags=["varies"]
x = tinyres.Tensor(np.array([1.0, -2.0]), requires_grad=True)
w = tinyres.Tensor(np.array([0.5, 0.5]), requires_grad=True)


def block():
    return ((w * x).sigmoid() + x).sum()


viz.graph(block(), {"x": x, "w": w})

# %% [markdown]
# And step by step. Watch the way back: first Sum and Add, which hands the same gradient to both sides; then Sigmoid and
# Multiply, and x gets its second part. Where ways meet, the page shows the sum. (It appears where the notebook runs;
# elsewhere, `tinyres step block` makes the page of a larger block.)

# %% tags=["varies"]
viz.stepper(block, "A diamond", {"x": x, "w": w})

# %% [markdown]
# ## A hidden fork
#
# One more place where ways meet, though no name appears twice. A bias b is added to every row of x: y = x + b, with
# x (N, M) and b (M). NumPy *broadcasts* b, it behaves as if there were N copies. What is the gradient of b, and which
# shape must it have?


# %%
def add_bias_backward(gy, x, b):
    """y = x + b, b added to every row. gy, x (N, M), b (M) -> gx (N, M), gb (M)"""
    ...  # your code


check.add_bias_backward(add_bias_backward)

# %% [markdown]
# What forward repeated, backward sums. Our little engine would have returned gy as it is, in the wrong shape. In the
# library every elementwise Op calls this:

# %%
from tinyres.ops.broadcast import sum_to

print(inspect.getsource(sum_to))

# %% [markdown]
# ## An Op of your own
#
# The engine never asks what an Op computes. So you can add one: forward, backward, done. Here is *swish*,
# y = x·s(x) (Ramachandran, Zoph & Le 2017), which later networks use where ours have ReLU. By the product rule
# its slope is s + x·s·(1 − s).


# %%
class Swish(tinyres.Op):
    """y = x·s(x)        gx = gy · (s + x·s·(1 − s))"""

    def forward(self, x):
        s = 1 / (1 + np.exp(-x))
        self.saved = x, s
        return x * s

    def backward(self, gy):
        x, s = self.saved
        return gy * (s + x * s * (1 - s))


x = tinyres.Tensor(np.linspace(-3, 3, 7), requires_grad=True)
error = tinyres.gradcheck(lambda x: Swish()(x), [x])
print("as good as the ruler can tell:", error < 1e-8)

# %% [markdown]
# `gradcheck` is the ruler of lesson 01 as a tool. Break the backward and see whether it notices; say, by forgetting
# that x stands in the formula twice:


# %% tags=["varies"]
class Forgetful(Swish):
    def backward(self, gy):
        _, s = self.saved
        return gy * s


try:
    tinyres.gradcheck(lambda x: Forgetful()(x), [x])
except AssertionError as error:
    print(error)

# %% [markdown]
# How it can tell, and how one can fool it, is the subject of the next lesson.
#
# Something to try before: an Op `Square` with y = x². Then one `Clip`, y = min(max(x, −1), 1). What is its slope at
# x = 1? Does `gradcheck` let you get away with your answer?

# %% [markdown]
# ## What to take along
#
# - The graph is recorded on the way forward: a Tensor knows its Op, an Op its inputs and what it has saved.
# - Back in topological order: a tensor's turn comes when all that were made from it have had theirs. Then each Op's
#   backward runs once, however many ways there are. By a loop, not a recursion.
# - Where ways meet, gradients add up: at a fork, over a broadcast axis, in a leaf over several sweeps.
# - A backward never writes into gy: after an addition it belongs to both branches.
#
# Next: [03 · gradient checking](03_gradient_checking.ipynb).
