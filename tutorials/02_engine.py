# %% [markdown]
# # 02 · the engine in a hundred lines
#
# At the end you have built an engine that finds the gradient of anything you compute with it. You have seen four
# obvious versions of it fail, and you can read the engine of the library.
#
# *40 minutes. Before it: [01](01_chain_rule.ipynb).*

# %% [markdown]
# In lesson 01 we knew beforehand what would be computed: neuron after neuron, and back along the same path. Real
# computations branch and join. A residual block, y = F(x) + x, uses x twice. And we do not want to write a new backward
# pass for every formula. What we want is this:
#
# ```python
# cost = (w * x + x).sigmoid()      # any formula
# cost.backward()                   # and the gradient of every input is there
# ```
#
# For this the computation must remember how it was made. There are three questions, and each needs one idea: **what to
# record, in which order to go back, and what to do where paths meet.**

# %% [markdown]
# ## What to record
#
# Going back through one step is what lesson 01 called a link. We know the slope of the cost with respect to the output
# y; call it **gy** = ∂C/∂y. What are its slopes with respect to the inputs? For a product y = a·b, the answer is one
# line. Here a and b are arrays that are multiplied element by element, which changes nothing.

# %%
from tinyres.study.course import check


def multiply_backward(gy, a, b):
    """y = a·b, element by element. gy, a, b (N, M) -> ga, gb (N, M)"""
    ...  # your code


check.multiply_backward(multiply_backward)

# %% [markdown]
# Your answer needed a and b, which are values of the forward pass. So a step of a computation must keep two things
# until the backward pass: its inputs, and the values that it will need. Call such a step an **Op**. The array that it
# makes is a **Tensor**, which knows the Op that made it.

# %%
import inspect
from collections import deque

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres.look import viz
from tinyres.study.labs.drawing import BLUE, VERMILION, tidy


class Tensor:
    """An array, and the Op that made it (None for an input)."""

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
    """One step: it keeps its inputs, and in `saved` what backward will need."""

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
# This records everything by itself: `w * x + b` is computed as usual and leaves a trail.

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
# The backward pass seems easy to write. A tensor that receives a gradient stores it, asks its Op for the gradients of
# the inputs, and tells the inputs, which do the same. A tensor that was used several times is told several times and
# adds up what it receives, because each use is a path along which it changes the cost.


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
# These are the numbers of lesson 01 (where t was 0), from five lines that know nothing about chains. Are we done?
#
# Try it on residual blocks, one on top of the other: y = w·x + x, then the same with y, and so on. Let us count how
# often a tensor is told something. **What do you expect for 3 blocks, and for 20?**

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
# The count doubles with every block. Each block has two paths, the branch and the skip, so n blocks have 2ⁿ paths from
# the end to the beginning, and our function follows **each of them separately**, all the way down. The answer is right,
# but ResNet-110 with its 54 blocks would need about 10¹⁷ calls to get it. At a million calls a second, that is two
# thousand years for one step of training.
#
# (The 2ⁿ paths are real, and they are the subject of [lesson 11](11_why_it_works.ipynb). We just must not follow them
# one by one.)

# %% [markdown]
# ## Second try: each tensor once
#
# The solution is that of lesson 01: share the tail. A tensor should first collect everything that reaches it and then
# pass on the sum, **once**. So keep a list of tensors to visit, in the order in which they were found, and visit each
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
# Here is a test on two blocks. In the second version the two summands have changed places: w·h + h became h + w·h. This
# does not change the sum. Do you expect it to change the gradient?

# %%
for name, block in (("w·h + h", lambda w, h: w * h + h), ("h + w·h", lambda w, h: h + w * h)):
    x, w = Tensor(1.0), Tensor(0.1)
    backward_as_found(block(w, block(w, x)))
    print(f"{name}:  ∂y/∂x = {x.grad:.4f}   ∂y/∂w = {w.grad:.4f}")

ruler = ((1.1 + 1e-6) ** 2 - (1.1 - 1e-6) ** 2) / 2e-6  # y = (w + 1)²·x
print(f"ruler:    ∂y/∂w = {ruler:.4f}")

# %% [markdown]
# There is no error and no warning, only a plausible number that is wrong. What happened? With h first, h was visited
# before the product w·h. It passed on what had come through the skip, and when the other half arrived, its turn was
# over.
#
# So the order matters: **a tensor may be visited only after all tensors that were computed from it.** An order with
# this property is called topological. Write a function that finds one for a graph given as a dictionary (and do not be
# discouraged by the last of the tests; we come to it next):


# %%
def topological_sweep(inputs, root):
    """inputs {node: [the nodes it was computed from]}, root a node -> a list of every node below root, root first.

    Each node appears once, after *all* nodes that were computed from it. A leaf has an empty list in `inputs`.
    """
    ...  # your code


check.topological_sweep(topological_sweep)

# %% [markdown]
# ## Third try: the right order
#
# There is a short way to find such an order. Write a tensor down only *after* everything below it has been written
# down. Then inputs always come before what was made from them. Read the list backwards.


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
# We need 110 visits instead of 10¹⁷. Does this work for any depth?

# %%
deep = blocks(Tensor(1.0), Tensor(0.0), 20_000)
try:
    outputs_first_by_recursion(deep)
except RecursionError:
    print("RecursionError")

# %% [markdown]
# `visit` calls itself once for every step of depth, and Python stops this at a depth of one thousand or a few thousand.
# That is less than it sounds: ResNet-1202, which the paper trained, has some 6,000 ops in sequence. Engines written for
# teaching often use this recursion, and crash there.
#
# A recursion keeps its to-do list on Python's stack. If we keep it in a list of our own, nothing can overflow. An entry
# (tensor, True) means that the inputs of the tensor are done and it can be written down.


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
# ## Where paths meet
#
# Once we have the order, the sweep is easy to write. Before we write it for the engine, write it with dictionaries:
# `slopes[node]` has ∂node/∂input for each input of the node.


# %%
def backward_sweep(order, inputs, slopes):
    """order: nodes, outputs first. inputs {node: [nodes]}, slopes {node: [∂node/∂input for each of its inputs]}.

    -> [∂y/∂node for each node of order], y = order[0].
    """
    ...  # your code


check.backward_sweep(backward_sweep)

# %% [markdown]
# Here is the sweep for Tensors. Inner gradients are kept in a dictionary during the sweep and dropped once they have
# been passed on. Only leaves, the tensors that no Op made, keep their gradients.


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
# Both are right. How much work is it? The backward of every Op runs exactly once:

# %% tags=["picture"]
n = np.arange(1, 61)
_, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
axes.semilogy(n, 2.0 ** (n + 2) - 3, color=VERMILION, linewidth=2, label="telling, path by path: 2ⁿ⁺² − 3")
axes.semilogy(n, 2 * n + 2, color=BLUE, linewidth=2, label="in topological order: 2n + 2")
axes.plot(list(telling), list(telling.values()), "o", color=VERMILION, label="counted above")
counted = [len(outputs_first(blocks(Tensor(1.0), Tensor(0.1), k))) for k in telling]
axes.plot(list(telling), counted, "o", color=BLUE)
axes.axvline(54, color="black", linewidth=1, linestyle="--")
axes.annotate("ResNet-110:\n54 blocks", (53.4, 3e9), ha="right")
tidy(axes, "Going back through residual blocks", "blocks", "visits of tensors")
plt.show()

# %% [markdown]
# Here is the chain of lesson 01 whose gradient did not vanish, a ← a + s(w·a), now with a thousand neurons:

# %%
w = Tensor(0.5)
x = a = Tensor(1.0)
for _ in range(1000):
    a = a + (w * a).sigmoid()
backward(a)
print(f"∂a₁₀₀₀/∂x = {x.grad:.4f}    ∂a₁₀₀₀/∂w = {w.grad:.4f}")
print(f"Ops in the graph: {sum(tensor.op is not None for tensor in outputs_first(a)):,}")

# %% [markdown]
# ## A trap: saving an array
#
# `gradients[x] + gx` makes a new array each time. In real networks these arrays are large, so it is tempting to add in
# place: `gradients[x] += gx` gives the same sum without a new array. Here is a formula in which this does not seem to
# matter, because q is used only once, in a sum. What is ∂C/∂q for C = p + q + p·w?


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
# ∂C/∂q is 1, but the second version says 2, although q has nothing to do with p·w.
#
# Look at `Add.backward`: it returns `gy, gy`, the *same array* twice. The gradients of p and q are then one array with
# two names, and what is added for p is added for q too. Every residual block ends in an addition, so every block passes
# its gradient to both branches in this way. The rule is: **never write into an array that something else may use.** The
# library adds in place only into sums that it made itself.

# %% [markdown]
# ## The library's engine
#
# Our engine has the three ideas, in less than sixty lines including its three Ops. Here is the library's sweep. You
# should recognise everything in it (the order, the dictionary, and `ours`, which avoids the trap), except for one thing
# that we have left out:

# %%
print(inspect.getsource(tinyres.Tensor.backward))
print(inspect.getsource(tinyres.autograd._outputs_first))

# %% [markdown]
# The new part is `node.op = RELEASED`. The values that Ops have saved take most of the memory of a network, and after
# the backward of an Op they are no longer needed. Take forty sigmoids on an array of 2 MB. How much memory is still in
# use after the backward pass?

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
# The price is that a graph can be used only once.

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
# So we run forward and backward again. What do you expect in `x.grad`? The slope of x² at 3 is still 6.

# %%
(x * x).sum().backward()
print("x.grad after two:", x.grad)

# %% [markdown]
# Leaves also add up gradients over several sweeps. This is intended: a batch that is too large for the memory can be
# processed in parts. It also makes a common mistake possible: if you forget `optimizer.zero_grad()` in a training loop,
# every step follows the sum of all gradients so far.
#
# If no gradient is needed, as when you test a network, nothing has to be recorded at all:

# %%
with tinyres.no_grad():
    y = x * x
print("made under no_grad:   ", y.op)
y = x * x
print("made as usual:        ", y.op.name)
y = tinyres.Tensor([3.0]) * tinyres.Tensor([3.0])
print("no gradient requested:", y.op)

# %% [markdown]
# The last line shows that the library's tensors get a gradient only on request, with `requires_grad=True`. Weights need
# one, pictures and labels do not. What depends on no weight is not recorded.
#
# You will see two more differences when you read the library. A Tensor has a *Node*, its place in the graph without its
# values, so the graph keeps alive only what Ops have saved. And the gradients that an Op's backward returns are checked
# against the inputs' shapes and dtypes, so that a mistake is reported where it was made:

# %%
print(inspect.getsource(tinyres.Op.sweep))

# %% [markdown]
# ## See it
#
# Here is a residual block as a graph, drawn before the backward pass. It is a diamond with x at the top.

# %% tags=["varies"]
x = tinyres.Tensor(np.array([1.0, -2.0]), requires_grad=True)
w = tinyres.Tensor(np.array([0.5, 0.5]), requires_grad=True)


def block():
    return ((w * x).sigmoid() + x).sum()


viz.graph(block(), {"x": x, "w": w})

# %% [markdown]
# Now step by step. Watch the backward pass: first Sum, then Add, which passes the same gradient to both sides; then
# Sigmoid and Multiply, where x gets the second part of its gradient. Where paths meet, the page shows the sum. (The
# page appears only where the notebook runs. Elsewhere, `tinyres step block` makes such a page of a larger block.)

# %% tags=["varies"]
viz.stepper(block, "A diamond", {"x": x, "w": w})

# %% [markdown]
# ## A hidden fork
#
# There is one more place where paths meet, although no name appears twice. A bias b is added to every row of x: y = x +
# b, with x (N, M) and b (M). NumPy *broadcasts* b: it behaves as if there were N copies. What is the gradient of b, and
# which shape must it have?


# %%
def add_bias_backward(gy, x, b):
    """y = x + b, b added to every row. gy, x (N, M), b (M) -> gx (N, M), gb (M)"""
    ...  # your code


check.add_bias_backward(add_bias_backward)

# %% [markdown]
# What the forward pass repeats, the backward pass sums. Our small engine would have returned gy unchanged, in the wrong
# shape. In the library every elementwise Op calls this function:

# %%
from tinyres.ops.broadcast import sum_to

print(inspect.getsource(sum_to))

# %% [markdown]
# ## An Op of your own
#
# The engine does not need to know what an Op computes. So you can add one by writing its forward and its backward. Here
# is *swish*, y = x·s(x) (Ramachandran, Zoph & Le 2017), which later networks use where ours have ReLU. By the product
# rule its slope is s + x·s·(1 − s).


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
# `gradcheck` is the ruler of lesson 01 as a tool. Does it notice if the backward is wrong? Here is one that forgets
# that x appears in the formula twice:


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
# The next lesson explains how `gradcheck` can tell, and how it can be fooled.
#
# Before you go on, try to write an Op `Square` with y = x², and then an Op `Clip` with y = min(max(x, −1), 1). What is
# the slope of `Clip` at x = 1? Does `gradcheck` accept your answer?

# %% [markdown]
# ## Summary
#
# - The graph is recorded in the forward pass: a Tensor knows its Op, and an Op knows its inputs and what it has saved.
# - The backward pass goes through the graph in topological order: a tensor comes after everything that was made from
#   it. Then each Op's backward runs once, however many paths there are. Use a loop, not a recursion.
# - Where paths meet, gradients add up: at a fork, over a broadcast axis, in a leaf over several sweeps.
# - A backward never writes into gy, because after an addition gy belongs to both branches.
#
# Next: [03 · gradient checking](03_gradient_checking.ipynb).
