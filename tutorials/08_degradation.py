# %% [markdown]
# # 08 · degradation
#
# At the end you can tell a network that over-fits from one that cannot learn at all. You have seen the second kind get
# worse with every layer, and you know which explanations of this survive a measurement.
#
# *35 minutes. Before it: [07](07_batch_norm.ipynb).*

# %% [markdown]
# So far every additional layer was an improvement. In the years before 2015 the best networks of the ImageNet
# competition went from 8 layers (AlexNet) to 19 (VGG) and 22 (GoogLeNet), and they became better each time. So there is
# an obvious question: **can we simply add more and more layers?**
#
# He, Zhang, Ren and Sun tried it with plain stacks of the convolutions that we now know: 3×3, batch norm, ReLU, He's
# initial weights. For CIFAR-10 they used a family of networks that differ only in depth, and we will do the same.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Tensor, manual_seed
from tinyres.data import Loader, channel_statistics
from tinyres.data.shapes import shapes
from tinyres.look.summary import count_parameters
from tinyres.models.plain import PlainBlock, cifar_plain
from tinyres.nn import functional as F
from tinyres.optim import Adam
from tinyres.study.course import check
from tinyres.study.labs import degradation, gradient_flow, identity
from tinyres.study.labs.drawing import BLUE, GREEN, PLAIN, RESIDUAL, VERMILION, tidy
from tinyres.study.labs.fit import fit
from tinyres.study.labs.halved import halved
from tinyres.study.labs.twins import KINDS, twin

print(inspect.getsource(PlainBlock.forward))
print(inspect.getsource(cifar_plain))

# %% [markdown]
# How many layers do these networks have? The error message contains the formula. Find out where each of its parts comes
# from, and compute the depth of the paper's deep network.

# %%
answer = None  # your number
check.cifar_depth(answer)

# %% [markdown]
# ## A task that any network should manage
#
# Learning something *useful* takes thousands of pictures and patience. We ask for much less: **memorise 128 pictures.**
# No new picture has to be recognised. A network only needs enough parameters for 128 answers, and a deep network has
# many:

# %% tags=["sizes"] quick="IMAGES, EPOCHS, DEPTHS = 48, 1, (8, 14)"
IMAGES, EPOCHS, DEPTHS = 128, 20, (8, 20, 32)

# %%
train, test = (halved(part) for part in shapes(IMAGES, 200))  # 16×16 pixels: a quarter of the work
for depth in DEPTHS:
    print(f"plain-{depth:<3} {count_parameters(cifar_plain(depth, 10)):>8,} parameters for {len(train)} pictures")

_, axes = plt.subplots(1, 8, figsize=(9, 1.6))
for panel, image, label in zip(axes, train.images, train.labels, strict=False):
    panel.imshow(image.transpose(1, 2, 0))
    panel.set_title(train.classes[label], fontsize=9)
    panel.axis("off")
plt.show()

# %% [markdown]
# What do you expect? Usually we worry that a network with many parameters memorises *too much*. Here this is the task,
# so the largest network should find it easiest. Write down a guess: the error of each of the three networks on those
# 128 pictures after 20 epochs. (`fit` is the labs' training loop, the same for every network: gradient descent with
# momentum, and a learning rate that rises and falls once. Lesson [10](10_train_resnet20.ipynb) explains it.)


# %%
def learn(model, lr=0.1):
    """Train on the unchanged pictures; return a line of losses and errors for every epoch."""
    return fit(model, train, test, epochs=EPOCHS, batch_size=16, lr=lr, augment=False)


def draw(axes, kind, runs, colour):
    epochs = np.arange(1, EPOCHS + 1)
    for depth, width, style in zip(DEPTHS, (1.2, 2.0, 3.0), (":", "--", "-"), strict=False):
        errors = [100 * line["train_error"] for line in runs[depth]]
        axes.plot(epochs, errors, style, color=colour, linewidth=width, label=f"{depth} layers")
    axes.axhline(90, color="black", linewidth=0.8, alpha=0.5)
    axes.annotate("guessing", (EPOCHS, 91.5), ha="right", fontsize=9)
    axes.set_ylim(-2, 102)
    axes.locator_params(axis="x", integer=True)
    tidy(axes, f"{kind} nets", "times through the pictures", "training error, %")
    axes.legend(loc="lower left", frameon=False)


nets, runs = {}, {"plain": {}, "residual": {}}
for depth in DEPTHS:
    nets["plain", depth] = twin("plain", depth, len(train.classes), seed=0)
    runs["plain"][depth] = learn(nets["plain", depth])

# %% tags=["varies"]
_, axes = plt.subplots(figsize=(7, 3.6))
draw(axes, "plain", runs["plain"], PLAIN)
plt.show()

# %% [markdown]
# The smallest network knows all the pictures. The next one is half-way. The largest, with six times the parameters of
# the first, has learnt almost nothing.
#
# This is **degradation**: the deeper network is worse. (The numbers change with the seed and the machine, but in all
# our trials the order stayed the same. Try it yourself with another depth, another `seed`, and another `lr`, which is
# the first thing to doubt.)
#
# ## Suspect one: over-fitting
#
# "Too many parameters, so it over-fits" is usually the first explanation. Over-fitting has a clear sign: the error is
# *low* on the training pictures and *high* on others. Look for it.

# %% tags=["varies"]
print("               training error   test error")
for depth in DEPTHS:
    last = runs["plain"][depth][-1]
    print(f"plain-{depth:<3}           {100 * last['train_error']:5.0f} %      {100 * last['test_error']:5.0f} %")

# %% [markdown]
# Plain-8 over-fits, as it was meant to: 128 pictures are too few to learn anything general. The deep network has almost
# no gap between the two errors. It is bad on both, and of the three it is the worst *on the pictures it was trained
# on*. The paper makes this point in its first figure: plain-56 has a higher error than plain-20 on the training set
# too.
#
# So this is not over-fitting, and the remedies for over-fitting, more data and more regularisation, do not help here.
#
# ## Suspect two: the deep network cannot express the solution
#
# Could it be that 32 layers in sequence are a worse *kind* of function? The paper answers with a construction (section
# 1): take the trained shallow network, and insert layers that do nothing. Such layers exist. In a plain block,
#
# $$y = \mathrm{relu}(\mathrm{bn}_2(\mathrm{conv}_2(\mathrm{relu}(\mathrm{bn}_1(\mathrm{conv}_1(x))))))$$
#
# let each batch norm use mean 0 and variance 1, which changes nothing. Then we need kernels that change nothing either.
# Which kernels are these?


# %%
def identity_kernels(channels):
    """channels C -> w (C, C, 3, 3), as (output, input, height, width): the weights with which a 3×3 convolution with
    padding 1 returns its input unchanged.
    """
    ...  # your code


check.identity_kernels(identity_kernels)

# %% [markdown]
# With them y = relu(relu(x)), which is x, because x came out of a ReLU. Let us do this with our network: keep the
# trained blocks, and insert such blocks between them.


# %%
def do_nothing(block):
    """Make a plain block the identity (in evaluation mode), for x ≥ 0."""
    for conv, bn in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
        channels = np.arange(conv.weight.shape[0])
        conv.weight.data[:] = 0
        conv.weight.data[channels, channels, 1, 1] = 1
        bn.running_mean.data[:], bn.running_var.data[:] = 0, 1
        bn.weight.data[:], bn.bias.data[:] = np.sqrt(1 + bn.eps), 0


def deepened(shallow, depth):
    """A deeper net that computes exactly what the shallow one does."""
    deep = cifar_plain(depth, 10)
    deep.conv1, deep.bn1, deep.fc = shallow.conv1, shallow.bn1, shallow.fc
    for mine, theirs in zip(deep.stages(), shallow.stages(), strict=True):
        own = list(theirs.children())
        for i, block in enumerate(mine.children()):
            if i < len(own):
                block.load_state_dict(own[i].state_dict())
            else:
                do_nothing(block)
    return deep


shallow = nets["plain", DEPTHS[0]].eval()
deep = deepened(shallow, DEPTHS[-1]).eval()

mean, std = channel_statistics(train)
images, labels = next(Loader(train, len(train), mean=mean, std=std).epoch(0))
scores = deep(Tensor(images)).numpy()
difference = np.abs(scores - shallow(Tensor(images)).numpy()).max()
print(f"plain-{DEPTHS[-1]} built from plain-{DEPTHS[0]}: the same scores to 3 digits: {difference < 1e-3}")

# %% tags=["varies"]
trained = nets["plain", DEPTHS[-1]].eval()
for name, found in (("built", scores), ("trained", trained(Tensor(images)).numpy())):
    print(f"plain-{DEPTHS[-1]}, {name:<8} {100 * (found.argmax(1) != labels).mean():.0f} % of the pictures wrong")

# %% [markdown]
# We have a plain network of 32 layers that knows every picture that the 8-layer network knows. The deep networks can do
# everything that the shallow ones can do. The solution *exists*, but training found neither it nor one that is equally
# good.
#
# ## Suspect three: vanishing gradients
#
# Lesson [01](01_chain_rule.ipynb) showed how a product of many small factors vanishes in the backward pass. The deeper
# the network, the longer the product. This explanation fits so well that most texts give it.
#
# We can measure it. In one backward pass, the function below collects the size of the gradient at the output of every
# convolution.

# %%
print(inspect.getsource(gradient_flow.norms))

# %% [markdown]
# First we measure without batch norm, for three kinds of initial weights: weights that are simply small ("bad"),
# Xavier's, and He's. Then we measure the same with batch norm, as in the networks that failed above. If gradients
# vanish there, the curve must fall from right to left.

# %%
images64, labels64 = next(Loader(train, 32, mean=mean, std=std, dtype="float64").epoch(0))
flow = {
    (norm, weights): gradient_flow.norms(
        gradient_flow.network("plain", DEPTHS[-1], with_norm, weights, 10, seed=0).double(), images64, labels64
    )
    for norm, with_norm in gradient_flow.NORMS.items()
    for weights in gradient_flow.WEIGHTS
}

_, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for (norm, weights), sizes in flow.items():
    axes = panels[0] if norm == "without batch norm" else panels[1]
    style = {"bad": (VERMILION, ":"), "Xavier": (GREEN, "--"), "He": (BLUE, "-")}[weights]
    axes.semilogy(np.arange(1, len(sizes) + 1), sizes, color=style[0], linestyle=style[1], linewidth=2, label=weights)
for axes, norm in zip(panels, gradient_flow.NORMS, strict=True):
    tidy(axes, f"plain, {norm}", "layer, from the input", "|∂C/∂y|" if axes is panels[0] else "")
plt.show()

# %%
print("a gradient's size is multiplied, from a layer to the one before it, by")
for (norm, weights), sizes in flow.items():
    print(f"  {norm:<20} {weights:<7} {(sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1)):.2f}")

# %% [markdown]
# Without batch norm the suspicion is right for badly chosen weights: the factor is about a tenth per layer, and after
# 31 layers nothing is left. He's weights alone solve this.
#
# With batch norm **nothing vanishes, for any of the three.** On the contrary, the gradient *grows* in the backward
# pass, by a factor near 1.2 per layer at the start. (This is known: Yang et al. 2019, "A mean field theory of batch
# normalization", find that batch norm itself makes it grow, and that the spread shrinks with the first steps of
# training.)
#
# But this is the start of training, and something may have gone wrong during the 20 epochs. Here are the gradients of
# the networks after training, where the deep one is stuck:

# %% tags=["varies"]
for depth in DEPTHS:
    sizes = np.array(gradient_flow.norms(nets["plain", depth].train(), images[:32], labels[:32]))
    loss = runs["plain"][depth][-1]["train_loss"]
    print(
        f"plain-{depth:<3} loss {loss:.2f}   gradient at the first layer {sizes[0]:.0e}, in the middle "
        f"{sizes[len(sizes) // 2]:.0e}, at the last {sizes[-1]:.0e}"
    )

# %% [markdown]
# They differ by a factor of about ten, which is nothing compared with the network with bad weights. And the gradients
# of the networks that are stuck are no smaller than those of the one that has finished. They arrive, but they do not
# help.
#
# We do one more test. With He's weights and *without* batch norm, the gradient had nearly the same size in all layers.
# If this is what is missing, such a network should learn at any depth. Does it?

# %% tags=["varies"]
for depth in (DEPTHS[0], DEPTHS[-1]):
    errors = [line["train_error"] for line in learn(gradient_flow.network("plain", depth, False, "He", 10, 0), lr=0.01)]
    print(f"plain-{depth:<3} without batch norm: training error {100 * errors[-1]:.0f} %")

# %% [markdown]
# The shallow network is learning (with batch norm it is faster), the deep one is not. A gradient of constant size alone
# is not enough.
#
# The paper comes to the same conclusion in another way: degradation is "unlikely to be caused by vanishing gradients",
# because its plain networks use batch norm and their gradients were verified to have healthy norms (section 4.1). The
# authors could not name the cause; they "conjecture that the deep plain nets may have exponentially low convergence
# rates".
#
# Two remarks show the limits of this result.
#
# - **"Healthy" depends on the threshold.** Our [longer measurement](../docs/labs.md#gradient-flow) set a threshold in
#   advance: the gradient of the first layer must be within a factor of 100 of that of the last layer. The deep plain
#   network with batch norm *missed* it, because its gradient grew. So the gradient has not vanished, but its size is
#   not constant either.
# - **Others see it differently.** DenseNet's authors (Huang et al. 2017, section 1) argue that gradients and inputs can
#   "wash out" over many layers, and that ResNets, Highway networks and stochastic depth share a short path from early
#   layers to the loss. The size of a gradient does not say whether its direction is still useful; lesson
#   [11](11_why_it_works.ipynb) measures that.
#
# Now you have the evidence to decide.

# %%
answer = None  # your letter
check.degradation_cause(answer)

# %% [markdown]
# ## What is so hard about doing nothing?
#
# If 24 layers that do nothing would be good enough, then an optimiser that cannot find them has trouble with *doing
# nothing*. Let us watch a layer that tries.
#
# At the start, weights are small and random, and so is the output of a layer. Say the input is [2, 1], the best output
# would be the input itself, and the actual output is [0.6, 0.6]. Is the output closer to this aim, or to zero?

# %%
answer = None  # your number
check.identity_distance(answer)

# %% [markdown]
# One example proves nothing, so we also try a random two-layer stack on random inputs. `size` scales its initial
# weights; 1 means He's.

# %%
rng = np.random.default_rng(0)
x = np.abs(rng.standard_normal((1000, 16)))  # non-negative, as after a ReLU
w1, w2 = rng.standard_normal((2, 16, 16)) * np.sqrt(2 / 16)
print("size   distance to 0   distance to x")
for size in (0.25, 0.5, 0.75, 1.0):
    y = np.maximum(np.maximum(x @ (size * w1), 0) @ (size * w2), 0)
    to_zero, to_x = (np.linalg.norm(y - aim, axis=1).mean() for aim in (0, x))
    print(f"{size:4}   {to_zero:13.2f}   {to_x:13.2f}")

# %% [markdown]
# The output is closer to zero every time, and the smaller the weights, the closer. Shrinking all weights by the same
# factor *brings* it to zero, and weight decay does exactly this. Nothing similar leads to the identity.
#
# This suggests a trick. **Do not let the layers produce x. Let them produce the difference to x, and add x to it**:
#
# $$\text{plain:}\quad y = \mathrm{relu}(F(x)) \qquad\qquad \text{residual:}\quad y = \mathrm{relu}(F(x) + x)$$
#
# To do nothing, the plain stack must learn F(x) = x, and the residual stack must learn F(x) = 0. Here both try it with
# the same optimiser. How many steps do you think each of them needs?


# %% tags=["varies"]
def learn_identity(skip, steps=400):
    """The error at every step, as a fraction of the variance of x, and how many outputs are 0 for every input."""
    manual_seed(0)
    stack = identity.TwoLayers(skip, size=1.0)
    optimizer = Adam(stack.parameters(), lr=0.01)
    draws = np.random.default_rng(0)
    errors = []
    for _ in range(steps):
        x = np.abs(draws.standard_normal((64, identity.FEATURES))).astype(np.float32)
        y = stack(Tensor(x))
        loss = F.mse_loss(y, Tensor(x))
        errors.append(loss.item() / x.var())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return errors, int((y.numpy().max(0) == 0).sum())


_, axes = plt.subplots(figsize=(7, 3.4))
for skip, name, colour, style in ((False, "plain", PLAIN, "--"), (True, "residual", RESIDUAL, "-")):
    errors, dead = learn_identity(skip)
    axes.loglog(np.arange(1, len(errors) + 1), errors, style, color=colour, linewidth=2, label=name)
    print(f"{name}: {dead} of {identity.FEATURES} outputs are 0 for every input")
axes.set_ylim(1e-5, 5)
tidy(axes, "Learning to do nothing", "step of Adam", "error, as a fraction of the variance of x")
plt.show()

# %% [markdown]
# The residual stack is finished before the plain one has made any progress. And the plain stack does not simply need
# more time. A single output that is 0 for every input costs 0.17 on this scale (a sixteenth of the mean square of x,
# divided by its variance), and it stays 0, because its ReLU is closed and passes no gradient back. In the residual
# stack, x itself keeps the ReLU open. (For several depths, learning rates and seeds see
# [docs/labs.md](../docs/labs.md#identity).)
#
# ## The twins
#
# Now we return to the pictures. The twin of a plain network has the same layers and the same initial weights, and sees
# the same pictures in the same order. Around every two layers there is an addition, which needs no parameters.
#
# Before you run the cell, decide what you expect for 32 layers.

# %%
for depth in DEPTHS:
    nets["residual", depth] = twin("residual", depth, len(train.classes), seed=0)
    runs["residual"][depth] = learn(nets["residual", depth])

# %% tags=["picture", "varies"]
_, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for axes, kind, colour in zip(panels, ("plain", "residual"), (PLAIN, RESIDUAL), strict=True):
    draw(axes, kind, runs[kind], colour)
panels[1].set_ylabel("")
plt.show()

# %% [markdown]
# The 32 layers that learnt almost nothing before now know nearly all the pictures.
#
# What about their gradients? We measure them as before, with the same initial weights, without and with additions:

# %%
for kind in KINDS:
    for norm, weights in (("without batch norm", "bad"), ("with batch norm", "He")):
        net = gradient_flow.network(kind, DEPTHS[-1], gradient_flow.NORMS[norm], weights, 10, seed=0).double()
        sizes = gradient_flow.norms(net, images64, labels64)
        print(f"{kind:<9} {norm:<19} {weights:<4} times {(sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1)):.2f} a layer")

# %% [markdown]
# The additions bring the factor closer to 1, from both sides. So DenseNet's authors have a point. But as we saw, a
# gradient of constant size does not explain everything.
#
# Look at the thin lines, too. With 8 layers both twins end with the same error: if there was no problem, the addition
# makes little difference. The paper found the same: on ImageNet with 18 layers both kinds are equally accurate, and the
# residual one only gets there faster. The *gain* from depth appears at 34 layers:
#
# | top-1 error on ImageNet, % | plain | residual |
# | --- | --- | --- |
# | 18 layers | 27.94 | 27.88 |
# | 34 layers | 28.54 | 25.03 |
#
# (He et al. 2016a, Table 2, for ten crops.) For CIFAR-10 the paper has a table for residual networks (Table 6), and
# only curves for plain ones:

# %%
for depth, error in degradation.PAPER["residual"].items():
    print(f"ResNet-{depth:<4} {error:.2f} % test error")

# %% [markdown]
# ## How much does our experiment show?
#
# It shows less than the picture suggests.
#
# - With 128 pictures, 160 steps and one seed, it shows that the deep plain network learns *more slowly*. It cannot show
#   whether the network would also end worse with unlimited time. The paper gave it more time: 600,000 steps on
#   ImageNet, and three times as many did not help, as a footnote to section 4.1 says.
# - With more pictures and three seeds, on CIFAR-10, the claim is [reproduced](../docs/labs.md#degradation), on the
#   training error as well as on the test error. It took 3,130 steps to see all of it: after a quarter of them the
#   deepest *residual* network was also worse than the shallowest one, by one percentage point.
# - `tinyres lab degradation --data cifar10 --full` goes to 110 layers and five seeds, if you have a day or two.
#
# Here is a last question. ResNet-1202 ends with 7.93 % test error, which is worse than ResNet-110's 6.43 %. Is this
# degradation again? Which number do you need to decide?
#
# You need the training error. It is below 0.1 %, similar to ResNet-110's (section 4.2). So this time it *is*
# over-fitting, as the paper also argues, and a network of a thousand layers can be optimised without difficulty.
#
# ## Summary
#
# - Degradation means that a deeper plain network has a higher **training** error. It is not over-fitting, and more data
#   does not help.
# - The deep network could copy the shallow one. The solution exists, but the optimiser does not find it.
# - With batch norm and He's weights, the gradients of a plain network do not vanish. But their norms do not prove that
#   everything is fine, and not everybody agrees with the paper on this.
# - Weights near zero give F near 0, which is far from the identity. So let the layers learn the difference to x, and
#   add x.
# - Compare *training* errors before you call something over-fitting.
#
# Lesson [09](09_residual_block.ipynb) explains how this addition works, forward and backward.
