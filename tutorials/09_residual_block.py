# %% [markdown]
# # 09 · the residual block
#
# At the end you can write a residual block and its backward pass by hand. You can say how much of a gradient comes
# through the addition and how much through the layers, and you can account for every parameter of ResNet-20.
#
# *40 minutes. Before it: [08](08_degradation.ipynb).*

# %% [markdown]
# Lesson 08 ended with a trick: do not let two layers produce y, let them produce the *difference* between y and x.
#
# $$y = \mathrm{relu}(F(x) + x)$$
#
# With one addition and no extra parameters, networks of 32 layers began to learn. An addition is the simplest of all
# ops. Why does it help so much?

# %%
import inspect
from itertools import combinations
from math import prod

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Tensor, gradcheck, manual_seed, models
from tinyres.autograd import Op
from tinyres.check.gradcheck import GradientError
from tinyres.data import Loader, channel_statistics
from tinyres.data.shapes import shapes
from tinyres.look import viz
from tinyres.look.summary import count_parameters, layers
from tinyres.models.preact import PreActBlock
from tinyres.models.resnet import BasicBlock, make_shortcut
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.nn import functional as F
from tinyres.ops.add import Add
from tinyres.study.course import check
from tinyres.study.labs import bottleneck, paths, shortcuts
from tinyres.study.labs.drawing import BLUE, GREY, ORANGE, RESIDUAL, VERMILION, tidy
from tinyres.study.labs.fit import fit
from tinyres.study.labs.halved import halved
from tinyres.study.labs.twins import twin

# %% [markdown]
# ## w + 1
#
# Let us return to the chain of lesson [01](01_chain_rule.ipynb), without its sigmoids: ten layers of one neuron, each
# of which multiplies by its small weight. The slope of the end with respect to the beginning is the product of the
# weights. Now every layer also adds its input:
#
# $$a_i = w_i\,a_{i-1} \qquad\text{becomes}\qquad a_i = w_i\,a_{i-1} + a_{i-1}$$
#
# What will the slope be now? Guess its order of magnitude for ten weights around ±0.3.

# %%
rng = np.random.default_rng(0)
ws = rng.uniform(-0.4, 0.6, 10)


def slope(ws, skip):
    """∂a_n/∂a_0, by back-propagation."""
    first = Tensor(np.float64(1.0), requires_grad=True)
    a = first
    for w in ws:
        a = w * a + a if skip else w * a
    a.backward()
    return first.grad


print("weights:         ", np.round(ws, 2))
print(f"plain chain:      {slope(ws, skip=False):+.1e}")
print(f"with additions:   {slope(ws, skip=True):+.4f}")

# %% [markdown]
# The derivative of $w a + a$ with respect to a is $w + 1$. Every w in the product becomes w + 1, and factors near 0
# become factors near 1. Write the product yourself.


# %%
def residual_chain(ws):
    """ws = [w_1, …, w_n] -> ∂a_n/∂a_0 of the chain a_i = w_i·a_{i−1} + a_{i−1}."""
    ...  # your code


check.residual_chain(residual_chain)

# %% [markdown]
# If you multiply out the brackets, you see something that the product hides. For three layers,
#
# $$(1+w_1)(1+w_2)(1+w_3) = 1 + w_1 + w_2 + w_3 + w_1w_2 + w_1w_3 + w_2w_3 + w_1w_2w_3$$
#
# Each term is a *path* from the end to the beginning: through a layer (its w), or around it (a 1). Three layers have
# eight paths, and one of them goes around all layers.

# %%
terms = {}
for k in range(4):
    for chosen in combinations(range(3), k):
        terms[chosen] = prod(ws[i] for i in chosen)
        names = "·".join(f"w{i + 1}" for i in chosen) or "1"
        print(f"{names:<9} {terms[chosen]:+.4f}")
print(f"sum       {sum(terms.values()):+.4f}, and by back-propagation {slope(ws[:3], skip=True):+.4f}")

# %% [markdown]
# Is w + 1 always better? No. It is a good start, not a guarantee:

# %%
for w in (-1.0, -0.1, 0.1, 1.0):
    plain, residual = slope([w] * 10, skip=False), slope([w] * 10, skip=True)
    print(f"ten layers with w = {w:+.1f}:   plain {plain:+.1e}   with additions {residual:+.1e}")

# %% [markdown]
# At w = −1 the layer exactly cancels what goes around it. At w = +1 the gradient explodes, although the plain chain was
# perfect. Additions make *small* weights safe. Training begins with small weights, and batch norm and weight decay keep
# them from becoming large.
#
# ## The same for vectors
#
# In a block, x and y are arrays, and F is a function with a Jacobian. The 1 becomes the unit matrix:
#
# $$\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\left(1 + \frac{\partial F}{\partial x}\right)
# = \underbrace{\frac{\partial L}{\partial y}}_{\text{around}} +
# \underbrace{\frac{\partial L}{\partial y}\frac{\partial F}{\partial x}}_{\text{through}}$$
#
# However small ∂F/∂x is, ∂L/∂y itself arrives. (We leave out the ReLU after the addition for now.)


# %% tags=["picture"]
def arrow(axes, start, end, colour="black", bend=0.0, width=2.0):
    style = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "color": colour, "linewidth": width}
    axes.annotate("", end, start, arrowprops={**style, "shrinkA": 15, "shrinkB": 15, "mutation_scale": 16})


nodes = {"x": 0, "F": 1.6, "+": 3.2, "y": 4.6}
_, panels = plt.subplots(1, 2, figsize=(9, 2.4))
for axes, back in zip(panels, (False, True), strict=True):
    for name, place in nodes.items():
        axes.text(place, 0, name, ha="center", va="center", fontsize=15, bbox={"boxstyle": "circle", "fc": "white"})
    for a, b, bend, colour in (
        ("x", "F", 0, VERMILION),
        ("F", "+", 0, VERMILION),
        ("x", "+", -0.45, BLUE),
        ("+", "y", 0, "black"),
    ):
        start, end = ((nodes[n], 0) for n in ((b, a) if back else (a, b)))
        arrow(axes, start, end, colour, -bend if back else bend)
    axes.set(xlim=(-0.5, 5.1), ylim=(-0.6, 0.85), title="back: gx = gy + gy·∂F/∂x" if back else "forward: y = F(x) + x")
    axes.axis("off")
    around, through, out = ("gy", "gy·∂F/∂x", "gy") if back else ("x", "F(x)", "F(x) + x")
    axes.text(1.6, 0.55, around, ha="center", color=BLUE, fontsize=12)
    axes.text(0.8 if back else 2.4, -0.5, through, ha="center", color=VERMILION, fontsize=12)
    axes.text(3.9, -0.5, out, ha="center", fontsize=12)
plt.show()

# %% [markdown]
# Let us measure the Jacobian of a block with three features, element by element, by differences.

# %%
rng = np.random.default_rng(6)
x = np.array([2.0, 1.0, 0.5])
W1, W2 = 0.5 * rng.standard_normal((2, 3, 3))


def branch(x):
    return W2 @ np.maximum(W1 @ x, 0)


def measured_jacobian(f, x, step=1e-5):
    """∂f/∂x (outputs, inputs), by central differences."""
    return np.array([(f(x + d) - f(x - d)) / (2 * step) for d in step * np.eye(len(x))]).T


print("∂F/∂x\n", measured_jacobian(branch, x).round(3))
print("∂(F + x)/∂x\n", measured_jacobian(lambda x: branch(x) + x, x).round(3))

# %% [markdown]
# ## The addition's backward pass
#
# Which code does this? Almost none. First decide what an addition f + x must pass back to f, and what to x, if its own
# output receives gy.


# %%
def residual_add_backward(gy, f, x):
    """y = f + x, the end of a residual block. gy, f, x (N, M) -> gf, gx (N, M): what each of the two is handed."""
    ...  # your code


check.residual_add_backward(residual_add_backward)

# %% [markdown]
# Here is the whole op of the library. `sum_to` handles broadcasting; for equal shapes it returns its input.

# %%
print(inspect.getsource(Add))

gy = np.ones((2, 3))
add = Add()
add(Tensor(np.zeros((2, 3)), requires_grad=True), Tensor(np.zeros((2, 3)), requires_grad=True))
gf, gx = add.backward(gy)
print("the same array for both sides:", gf is gy and gx is gy)

# %% [markdown]
# These are not two equal arrays, but *one* array that is passed to both. This needs no copy, no time and no memory. But
# it requires a rule. What happens if an op further down writes into the gradient that it receives? Here is a ReLU that
# saves a little memory in this way. For x = [−1, 2] and gy = [1, 1] the gradient of x + relu(x) must be [1 + 0, 1 + 1].


# %%
class HastyReLU(Op):
    def forward(self, x):
        self.saved = (x > 0,)
        return np.maximum(x, 0)

    def backward(self, gy):
        (mask,) = self.saved
        gy *= mask  # in place
        return (gy,)


def gradient(f):
    x = Tensor(np.array([-1.0, 2.0]), requires_grad=True)
    f(x).backward(np.array([1.0, 1.0]))
    return x.grad


print("alone       ", gradient(lambda x: HastyReLU()(x)), " should be [0. 1.]")
print("in a block  ", gradient(lambda x: x + HastyReLU()(x)), " should be [1. 2.]")

# %% [markdown]
# By itself it is right. In a plain network it is right. Inside a residual block it changes the gradient that goes
# *around* it, and the purpose of the block is lost. Nothing crashes, and a network may even learn something. So the
# rule in this library is: **a backward never writes into its gy**. The checker of lesson
# [03](03_gradient_checking.ipynb) tests this for an op inside a block or by itself:

# %%
try:
    gradcheck(lambda x: HastyReLU()(x), [Tensor(np.array([-1.0, 2.0]), requires_grad=True)])
except GradientError as error:
    print(error)

# %% [markdown]
# ## A block by hand
#
# Now a whole block, with two linear layers for F:
#
# $$h = \mathrm{relu}(x W_1^T),\qquad y = \mathrm{relu}(h W_2^T + x)$$
#
# In the backward pass the last ReLU comes first. Then the gradient splits at the addition: one part goes through W₂,
# the ReLU and W₁, the other goes directly to x. At x the two paths meet again, and their gradients are added.


# %%
def block_forward(x, W1, W2):
    """x (N, M) -> y (N, M), and what backward will need"""
    h = np.maximum(x @ W1.T, 0)
    y = np.maximum(h @ W2.T + x, 0)
    return y, (x, W1, W2, h, y)


def block_backward(gy, saved):
    """-> gx, gW1, gW2, and gx's two parts"""
    x, W1, W2, h, y = saved
    g = gy * (y > 0)  # the gradient before the last ReLU; it goes to both sides
    gh = (g @ W2) * (h > 0)
    through, around = gh @ W1, g
    return through + around, gh.T @ x, g.T @ h, (around, through)


rng = np.random.default_rng(9)
x = np.abs(rng.standard_normal((4, 3)))  # the output of the previous block is never negative
W1, W2 = 0.6 * rng.standard_normal((2, 3, 3))
gy = rng.standard_normal((4, 3))

y, saved = block_forward(x, W1, W2)
gx, gW1, gW2, (around, through) = block_backward(gy, saved)

for name, array, g in (("x", x, gx), ("W1", W1, gW1), ("W2", W2, gW2)):
    d = rng.standard_normal(array.shape)
    values = {"x": x, "W1": W1, "W2": W2}
    up, down = (block_forward(**{**values, name: array + s * 1e-6 * d})[0] for s in (1, -1))
    measured, claimed = (gy * (up - down)).sum() / 2e-6, (g * d).sum()
    print(f"g{name:<2} along a random direction: claimed {claimed:+.5f}, measured {measured:+.5f}")

# %% [markdown]
# Here are the two parts of gx for the first row of the batch:

# %%
print("gy              ", gy[0].round(3))
print("around  (the 1) ", around[0].round(3) + 0.0)
print("through (∂F/∂x) ", through[0].round(3))
print("gx              ", gx[0].round(3))

# %% [markdown]
# "Around" is gy unchanged, except for a 0 where y is 0: the last ReLU blocks both paths. (We come back to this.) Now
# write the backward of a block with a single layer, with its ReLU *inside* F.


# %%
def residual_block_backward(gy, x, w):
    """y = x + relu(x @ w.T). gy, x (N, M), w (M, M) -> gx (N, M), gw (M, M)"""
    ...  # your code


check.residual_block_backward(residual_block_backward)

# %% [markdown]
# ## The real block, step by step
#
# The paper's basic block has two 3×3 convolutions, each with batch norm:

# %%
print(inspect.getsource(BasicBlock))

# %% [markdown]
# Below it runs forward and backward on 2 channels of 4×4 pixels, op by op. Go to the backward pass and watch the
# addition: the page says which part of the gradient belongs to the identity and which to the branch, and shows their
# sum at x. (The page appears only where the notebook runs. Elsewhere, `tinyres step block` writes such a page.)

# %% tags=["varies"]
manual_seed(0)
images = Tensor(np.abs(rng.standard_normal((2, 2, 4, 4))), requires_grad=True)
block = BasicBlock(2, 2, 1, "A").double()
viz.stepper(lambda: (block(images) ** 2).mean(), "A residual block", {"x": images})

# %% [markdown]
# ## What a block does if F = 0
#
# It seems to do nothing: y = relu(0 + x). But is relu(x) the same as x? Batch norm's scale γ makes this easy to test:
# with γ = 0 in the last norm, F is 0.

# %%
block.bn2.weight.data[:] = 0
mixed = rng.standard_normal((2, 2, 4, 4))
for name, values in (("x ≥ 0", np.abs(mixed)), ("any x", mixed)):
    print(
        f"{name}:  y equals relu(x): {np.array_equal(block(Tensor(values)).numpy(), np.maximum(values, 0))!s:<5}",
        end="  ",
    )
    print(f"y equals x: {np.array_equal(block(Tensor(values)).numpy(), values)}")

# %% [markdown]
# For x ≥ 0 it is x, and the input of a block has just left a ReLU, so x ≥ 0 is true. To *do nothing*, the block has to
# set one number per channel to 0. Can it still learn with γ = 0?

# %%
images = Tensor(np.abs(mixed), requires_grad=True)
block.zero_grad()
block(images).backward(gy := rng.standard_normal((2, 2, 4, 4)))
print("gx equals gy where x > 0:", np.array_equal(images.grad, gy * (images.numpy() > 0)))
for name, parameter in block.named_parameters():
    print(f"{name:<12} |gradient| {np.linalg.norm(parameter.grad):.3f}")

# %% [markdown]
# gy passes unchanged. The inner weights of F get no gradient, because their output is multiplied by 0. But γ gets a
# gradient and changes in the first step, and then the other weights get gradients too. Goyal et al. (2017) begin every
# block like this, so that a network starts as if it had no blocks at all.
#
# ## How much goes around in a real network?
#
# We can measure this in a whole ResNet-20. The lab `paths` feeds each block from two tensors with the same values, one
# for F and one for the shortcut, and autograd computes two separate gradients:

# %%
print(inspect.getsource(paths.SplitBlock))

# %% [markdown]
# We split the gradient of a new network (after one pass through the data, which batch norm needs for its statistics),
# and of the same network after some training. Which part do you expect to be larger, and does training change it?

# %% tags=["sizes"] quick="IMAGES, EPOCHS = 64, 1"
IMAGES, EPOCHS = 256, 10

# %%
train, test = (halved(part) for part in shapes(IMAGES, 64))  # 16×16 pixels
mean, std = channel_statistics(train)
batch, labels = next(Loader(train, 16, mean=mean, std=std, dtype="float64").epoch(0))

net = twin("residual", 20, 10, seed=0)
log = fit(net, train, test, epochs=1, lr=0.0, batch_size=16, augment=False)  # lr 0: only batch norm's statistics change
parts = {"before training": paths.split(net.double(), batch, labels)}
log = fit(net.float(), train, test, epochs=EPOCHS, batch_size=16, augment=False)
parts["after training"] = paths.split(net.double(), batch, labels)

# %% tags=["varies"]
_, panels = plt.subplots(1, 2, figsize=(9, 3.6))
for axes, (when, result) in zip(panels, parts.items(), strict=True):
    identity, through = np.array(result["identity_and_branch"]).T
    place = np.arange(1, len(identity) + 1)
    axes.bar(place - 0.2, identity, 0.4, color=BLUE, label="around: the identity")
    axes.bar(place + 0.2, through, 0.4, color=VERMILION, hatch="//", label="through the branch")
    axes.set_xticks(place)
    tidy(axes, f"ResNet-20 {when}", "block, from the input", "norm of the part of gx")
    axes.set_ylim(0, 1.3 * max(*identity, *through))  # room for the legend
plt.tight_layout()
plt.show()
worst = max(result["largest_error"] for result in parts.values())
print(f"the two parts add up to autograd's gradient, to 10 digits: {worst < 1e-10}")
print(f"training error {100 * log[-1]['train_error']:.0f} %")

# %% [markdown]
# Both parts have the same order of magnitude, before and after training. Which part is larger differs from block to
# block. In the plain twin there would be only the hatched bars. So the identity carries a large part of the gradient,
# but so does the branch: "1 + something small" would be a wrong picture of a trained network. (Blocks 4 and 7 change
# the shape; there the shortcut passes only a quarter of the pixels, which is our next subject. Lesson
# [11](11_why_it_works.ipynb) follows the gradient along *all* paths through the network.)
#
# ## When the shape changes
#
# F(x) + x needs equal shapes. Twice in ResNet-20 they are not equal: the map is halved, and the channels are doubled.
# The paper has three solutions (sections 3.3 and 4.1).

# %%
print(inspect.getsource(make_shortcut))

# %% [markdown]
# Option A has no parameters, and the CIFAR networks use it. Write it: every second pixel, and zeros for the new
# channels.


# %%
def shortcut_a(x, channels):
    """Shortcut option A: x (N, C, H, W) -> (N, channels, H/2, W/2): every second pixel, zeros for the new channels."""
    ...  # your code


check.shortcut_a(shortcut_a)

# %% [markdown]
# What do the options cost where 16 channels of 32×32 become 32 of 16×16, where nothing changes, and in the whole
# network?

# %%
x = Tensor(np.zeros((1, 16, 32, 32), np.float32))
print("option   16→32, halved: shape, parameters     16→16: parameters     ResNet-20: parameters")
for option in "ABC":
    halving, same = make_shortcut(option, 16, 32, 2), make_shortcut(option, 16, 16, 1)
    shape = "×".join(map(str, halving(x).shape[1:]))
    whole = count_parameters(models.resnet20(shortcut=option))
    print(f"{option:<8} {shape:>21} {count_parameters(halving):>13} {count_parameters(same):>21} {whole:>25,}")

# %% [markdown]
# Are projections worth it? The paper tried all three in ResNet-34 on ImageNet (Table 3; without shortcuts: Table 2):

# %%
for option, error in shortcuts.PAPER.items():
    print(f"{option:<10} {error} % top-1 error" if error[0].isdigit() else f"{option:<10} {error}")

# %% [markdown]
# All three are far from "none" and close to each other: **it is the addition that matters, not the projection.** The
# paper explains the small remaining differences in this way: with A the padded channels get no residual learning, and C
# has more parameters. It uses B for its deeper ImageNet networks, and A for CIFAR-10. Our own [short
# runs](../docs/labs.md#shortcuts) agree with the first half only: A, B and C are much better than none, but they differ
# from each other more than in the paper.
#
# ## Why two layers?
#
# The last line of that list is a block with a single layer. The paper says that it shows no advantage (section 3.2).
# You can see why on paper:

# %%
answer = None  # your letter
check.one_layer_block(answer)

# %% [markdown]
# A plain layer with other weights can compute everything that such a block can compute. The only difference is where
# training *starts*. This has some effect: in our [runs](../docs/labs.md#shortcuts), unlike in the paper, one-layer
# blocks ended a little better than networks without shortcuts, and much worse than blocks of two layers.
#
# ## Bottlenecks
#
# From 50 layers on, the paper uses another F with three layers: 1×1 to fewer channels, 3×3 on these, and 1×1 back to
# many channels.

# %%
print(inspect.getsource(Bottleneck.forward))

# %% [markdown]
# The 3×3 convolution, which is nine times as expensive as a 1×1 per pair of channels, works where there are few
# channels. How much does this save?

# %%
answer = None  # your number
check.bottleneck(answer)

# %% [markdown]
# Its ends have many channels, and the shortcut connects the *ends*. A projection in the shortcut of a basic block with
# 16 channels adds a 1×1 convolution from 16 to 16. The bottleneck of equal cost has 64 channels at its ends. How much
# does a projection add there? Guess before you look at the next figure.

# %%
costs = bottleneck.block_costs()
_, axes = plt.subplots(figsize=(7, 3.2))
colours = [RESIDUAL, GREY, RESIDUAL, ORANGE]
bars = axes.barh(
    [name.replace(", ", ", shortcut: ") for name in costs], [c / 1e6 for c in costs.values()], color=colours
)
axes.bar_label(bars, fmt="%.2f", padding=3)
axes.invert_yaxis()
axes.set_axisbelow(True)
axes.set_xlim(0, 10)
tidy(axes, "What a block costs on 32×32 pixels", "million multiply-adds")
plt.show()

# %% [markdown]
# The basic block becomes six per cent more expensive, and the bottleneck nearly **twice** as expensive: 64·64 for the
# projection, compared with 64·16 + 9·16·16 + 16·64 for all of F. That is why identity shortcuts matter most here, as
# the paper says in section 4.1.
#
# ## Every parameter of ResNet-20
#
# The whole network follows from two rules (section 3.3). If the map keeps its size, the width stays the same. If the
# map is halved, the width doubles. Look at what the second rule does to the cost of a layer:

# %%
net = models.resnet20()
rows = {row.name: row for row in layers(net, (3, 32, 32))}
for name in ("layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv2"):
    row = rows[name]
    print(f"{name}  output {'×'.join(map(str, row.output)):>8}  {row.parameters:>7,} parameters", end="")
    print(f"  {row.multiply_adds:,} multiply-adds")

# %% [markdown]
# A quarter of the pixels and four times the weights give equal cost for every layer. Most parameters are at the end,
# but the work is spread evenly.
#
# Now count them all, for any depth. A 3×3 convolution from C to O channels has 9·C·O weights. The additions have none.


# %%
def resnet_parameters(n):
    """n -> the number of parameters of the paper's ResNet with 6n + 2 layers for CIFAR-10: a 3×3 convolution from 3 to
    16 channels; three stages of n blocks of two 3×3 convolutions, at 16, 32 and 64 channels; a linear layer from 64 to
    10, with biases. Batch norm behind each convolution, which has no bias. Shortcuts: option A.
    """
    ...  # your code


check.resnet_parameters(resnet_parameters)

# %% [markdown]
# Part by part, for n = 3:

# %%
total, channels = 9 * 3 * 16 + 2 * 16, 16
print(f"first convolution and norm  {total:>8,}")
for width in (16, 32, 64):
    stage = 0
    for _ in range(3):
        stage += 9 * channels * width + 2 * width  # first layer of the block
        stage += 9 * width * width + 2 * width  # second
        channels = width
    print(f"three blocks of width {width}    {stage:>8,}")
    total += stage
linear = (64 + 1) * 10
total += linear
print(f"linear layer                {linear:>8,}")
print(f"together                    {total:>8,}     the library's net: {count_parameters(net):,}")

# %% [markdown]
# The paper's Table 6 says 0.27 M. If you see another number for "ResNet-20 on CIFAR-10", look at the shortcuts first
# (option B adds 2,752), then at the widths: there are networks with similar names that have 64 to 512 channels and
# eleven million parameters.
#
# ## Outlook: move the ReLU off the shortcut
#
# One thing in y = relu(F(x) + x) is not ideal. The last ReLU is *on* the shortcut, so the 1 in the derivative is a 1
# only where y is positive. A year later the authors moved batch norm and ReLU in front of the convolutions (He et al.
# 2016b, "Identity mappings"):

# %%
print(inspect.getsource(PreActBlock.forward))

# %% [markdown]
# Nothing follows the addition. So every later x is an earlier one plus everything that was added in between, however
# many blocks apart (their equation 4), and the gradient has its 1 across all of these blocks (equation 5):
#
# $$x_L = x_l + \sum_{i=l}^{L-1} F(x_i)$$
#
# Let us see whether this holds over five blocks, for the new kind and for the old one.

# %%
manual_seed(0)
x0 = np.abs(np.random.default_rng(4).standard_normal((8, 4, 8, 8)))


def branch_of(block, x):
    """F(x), without the addition and what comes after it."""
    if isinstance(block, PreActBlock):
        return block.conv2(F.relu(block.bn2(block.conv1(F.relu(block.bn1(x))))))
    return block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))


for make in (PreActBlock, BasicBlock):
    x, total = Tensor(x0), x0
    for _ in range(5):
        block = make(4, 4, 1, "A").double()
        total = total + branch_of(block, x).numpy()
        x = block(x)
    print(f"{make.__name__:<12} x_5 equals x_0 + every F in between: {np.allclose(x.numpy(), total)}")

# %% [markdown]
# With 110 layers this reduced the error on CIFAR-10 from 6.61 % to 6.37 %, and with 164 layers from 5.93 % to 5.46 %
# (their Table 2). You can try it with `models.preactresnet20()` and its deeper relatives.
#
# ## Summary
#
# - y = F(x) + x gives gx = gy·∂F/∂x + gy. In a chain every w becomes w + 1, and factors near 0 become factors near 1.
# - The addition passes the same gy to both sides. So no backward may write into its gy.
# - With F = 0 a block returns relu(x), which is x, because x ≥ 0. Doing nothing is easy.
# - The addition matters, the projection hardly does. A block needs at least two layers, and a bottleneck needs the
#   identity.
# - ResNet-20 has 269,722 parameters, and none of them is in an addition.
#
# In lesson [10](10_train_resnet20.ipynb) we train it.
