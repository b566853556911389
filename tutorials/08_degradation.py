# %% [markdown]
# # 08 · degradation
#
# At the end you can tell a net that has learnt too much by heart from one that cannot learn at all, you have seen the
# second get worse with every layer, and you know which explanations of that survive a measurement.
#
# *35 minutes. Before it: [07](07_batch_norm.ipynb).*

# %% [markdown]
# Up to here every layer was a gain. In the years before 2015 the best nets of the ImageNet competition went from 8
# layers (AlexNet) to 19 (VGG) and 22 (GoogLeNet), and they became better with it. So the question suggests itself:
# **can we simply go on stacking?**
#
# He, Zhang, Ren and Sun tried it, on plain stacks of convolutions as we now have them: 3×3, batch norm, ReLU, He's
# initial weights. For CIFAR-10 they used a family of nets that differ in nothing but depth, and so shall we.

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
# How many layers have these nets? The error message gives the formula away; say where each of its parts comes from,
# and do the paper's deep one.

# %%
answer = None  # your number
check.cifar_depth(answer)

# %% [markdown]
# ## A task that any net should manage
#
# To learn something *useful* takes thousands of pictures and patience. We ask for far less: **learn 128 pictures by
# heart.** No new picture has to be recognised. A net only has to have room for 128 answers, and room is what a deep
# net has:

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
# What do you expect? The usual fear is that many parameters learn *too much* by heart. Here that is the task, so the
# largest net should have the least trouble. Write down a guess: the error on those 128 pictures, after 20 times
# through, of each of the three nets. (`fit` is the labs' training loop, the same for every net: gradient descent with
# momentum, and a learning rate that rises and falls once. Lesson [10](10_train_resnet20.ipynb) takes it apart.)


# %%
def learn(model, lr=0.1):
    """Trained on the pictures as they are; one line of losses and errors for every epoch."""
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
# The smallest net knows all the pictures. The next one is half-way. The largest, with six times the parameters of
# the first, has learnt next to nothing.
#
# This is **degradation**: deeper, and worse. (The numbers wobble with the seed and the machine; the order did not, in
# what we tried. Try your own: another depth, another `seed`, and since it is the first thing to doubt, another `lr`.)
#
# ## Suspect one: over-fitting
#
# "Too many parameters, so it over-fits" is what one hears first. Over-fitting has a signature: *low* error on what was
# learnt, *high* error on what was not. Look for it.

# %% tags=["varies"]
print("               training error   test error")
for depth in DEPTHS:
    last = runs["plain"][depth][-1]
    print(f"plain-{depth:<3}           {100 * last['train_error']:5.0f} %      {100 * last['test_error']:5.0f} %")

# %% [markdown]
# Plain-8 is the one that over-fits, as was asked of it: 128 pictures are too few to learn anything general. The deep
# net has hardly a gap. It is bad on both sides, and of the three it is the worst *on the pictures it was trained on*.
# The paper makes this point in its first figure: plain-56 is above plain-20 on the training set, too.
#
# So this is no over-fitting, and its cures, more data and more regularisation, are not what is wanted here.
#
# ## Suspect two: the deep net cannot express it
#
# Could it be that 32 layers in a row are a worse *kind* of function? The paper answers by a construction (section 1):
# take the trained shallow net, and put layers in between that do nothing. Such layers exist. In a plain block,
#
# $$y = \mathrm{relu}(\mathrm{bn}_2(\mathrm{conv}_2(\mathrm{relu}(\mathrm{bn}_1(\mathrm{conv}_1(x))))))$$
#
# let each batch norm use mean 0 and variance 1, which leaves everything as it is. Then it takes kernels that leave
# everything as it is, too. Which are they?


# %%
def identity_kernels(channels):
    """channels C -> w (C, C, 3, 3), as (output, input, height, width): the weights with which a 3×3 convolution with
    padding 1 returns its input unchanged.
    """
    ...  # your code


check.identity_kernels(identity_kernels)

# %% [markdown]
# With them y = relu(relu(x)), and that is x, for x came out of a ReLU. Let us do it to ours: keep the trained blocks,
# put such blocks in between.


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
# There it is: a plain net of 32 layers that knows every picture the 8-layer one knows. The deep family contains all
# that the shallow one can do. The solution *exists*, and training did not find it, nor one as good.
#
# ## Suspect three: vanishing gradients
#
# Lesson [01](01_chain_rule.ipynb) has shown how a product of many small factors dies on its way back. The deeper the
# net, the longer the product. It fits so well that it is what most texts will tell you.
#
# It can be measured. The function below collects, in one backward pass, the size of the gradient that arrives at the
# output of every convolution.

# %%
print(inspect.getsource(gradient_flow.norms))

# %% [markdown]
# First without batch norm, for three ways to begin: weights that are simply small ("bad"), Xavier's, He's. Then the
# same with batch norm, as in the nets that failed above. If gradients vanish in those, we must see it fall from right
# to left.

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
# Without batch norm the suspicion holds for badly chosen weights: a factor of about a tenth per layer, and after 31 of
# them nothing is left. He's weights alone mend that.
#
# With batch norm **nothing vanishes, for any of the three.** If anything it errs to the other side: the gradient
# *grows* on its way back, by a factor near 1.2 a layer at the start. (That is known: Yang et al. 2019, "A mean field
# theory of batch normalization", find that batch norm itself makes it grow, and that the spread shrinks with the
# first steps of training.)
#
# But that is the start. The deep net had 20 epochs to get into trouble. Here is what it has now, where it is stuck:

# %% tags=["varies"]
for depth in DEPTHS:
    sizes = np.array(gradient_flow.norms(nets["plain", depth].train(), images[:32], labels[:32]))
    loss = runs["plain"][depth][-1]["train_loss"]
    print(
        f"plain-{depth:<3} loss {loss:.2f}   gradient at the first layer {sizes[0]:.0e}, in the middle "
        f"{sizes[len(sizes) // 2]:.0e}, at the last {sizes[-1]:.0e}"
    )

# %% [markdown]
# A factor of ten apart, or so; nothing like what killed the net with bad weights. And the gradients of the nets that
# are stuck are no smaller than those of the one that has finished. They arrive, and yet they do not help.
#
# One test more. He's weights *without* batch norm had the most level gradient of all. If that were what is missing,
# such a net should learn, be it shallow or deep. Should it?

# %% tags=["varies"]
for depth in (DEPTHS[0], DEPTHS[-1]):
    errors = [line["train_error"] for line in learn(gradient_flow.network("plain", depth, False, "He", 10, 0), lr=0.01)]
    print(f"plain-{depth:<3} without batch norm: training error {100 * errors[-1]:.0f} %")

# %% [markdown]
# The shallow one is on its way (batch norm is the faster one), the deep one is not. A level gradient alone is not
# enough.
#
# The paper comes to the same end by another way: degradation is "unlikely to be caused by vanishing gradients", since
# its plain nets use batch norm and their gradients were verified to have healthy norms (section 4.1). The authors could
# not name the cause; they "conjecture that the deep plain nets may have exponentially low convergence rates".
#
# Two remarks, so that you do not take this for more than it is.
#
# - **"Healthy" depends on the threshold.** Our [longer measurement](../docs/labs.md#gradient-flow) had set one in
#   advance, the first layer's gradient within a factor of 100 of the last one's, and the deep plain net with batch
#   norm *missed* it, by growing. So: not vanished, but not level either.
# - **Others see it differently.** DenseNet's authors (Huang et al. 2017, section 1) hold that gradients and inputs can
#   "wash out" over many layers, and that what ResNets, Highway nets and stochastic depth have in common is the short
#   path from early layers to the loss. A size says nothing about whether the direction is still of use: lesson
#   [11](11_why_it_works.ipynb) measures that.
#
# You have the evidence for a verdict now.

# %%
answer = None  # your letter
check.degradation_cause(answer)

# %% [markdown]
# ## What is so hard about doing nothing?
#
# If 24 layers that do nothing would be good enough, then a solver that cannot find them has trouble with *doing
# nothing*. Let us watch a layer trying.
#
# Weights begin small and random. So does a layer's output. Say the input was [2, 1], the best the layer could do is to
# hand it on, and what comes out is [0.6, 0.6]. Is the layer nearer to its aim, or to plain zero?

# %%
answer = None  # your number
check.identity_distance(answer)

# %% [markdown]
# One example proves nothing; a random two-layer stack on random inputs is as easily asked. `size` scales its initial
# weights, 1 being He's.

# %%
rng = np.random.default_rng(0)
x = np.abs(rng.standard_normal((1000, 16)))  # non-negative, as behind a ReLU
w1, w2 = rng.standard_normal((2, 16, 16)) * np.sqrt(2 / 16)
print("size   distance to 0   distance to x")
for size in (0.25, 0.5, 0.75, 1.0):
    y = np.maximum(np.maximum(x @ (size * w1), 0) @ (size * w2), 0)
    to_zero, to_x = (np.linalg.norm(y - aim, axis=1).mean() for aim in (0, x))
    print(f"{size:4}   {to_zero:13.2f}   {to_x:13.2f}")

# %% [markdown]
# It is nearer to zero every time, and the smaller the weights, the more so. Shrinking all weights alike *brings* it to
# zero, which weight decay does unasked; no such lever leads to the identity.
#
# That suggests a trick. **Do not ask the layers for x. Ask them for the difference to x, and add x yourself**:
#
# $$\text{plain:}\quad y = \mathrm{relu}(F(x)) \qquad\qquad \text{residual:}\quad y = \mathrm{relu}(F(x) + x)$$
#
# To do nothing, the plain stack must learn F(x) = x, the residual one F(x) = 0. Here both learn it, with the same
# optimiser. Which do you think needs how many steps?


# %% tags=["varies"]
def learn_identity(skip, steps=400):
    """The error at every step, as a share of the variance of x; and the outputs that are 0 for every input."""
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
    print(f"{name}: {dead} of {identity.FEATURES} outputs are 0 whatever comes in")
axes.set_ylim(1e-5, 5)
tidy(axes, "Learning to do nothing", "step of Adam", "error, as a share of the variance of x")
plt.show()

# %% [markdown]
# The residual stack is there before the plain one has got anywhere. And the plain one does not just need longer. A
# single output that is 0 for every input costs 0.17 on this scale (a sixteenth of the mean square of x, over its
# variance), and for good: its ReLU is shut and hands back no gradient. In the residual stack x itself holds the ReLU
# open. (Over several depths, learning rates and seeds: [docs/labs.md](../docs/labs.md#identity).)
#
# ## The twins
#
# Back to the pictures. The twin of a plain net has the same layers and the same initial weights, and sees the same
# pictures in the same order; around every two layers goes an addition, and it costs not one parameter.
#
# Say what you expect for 32 layers before you run it.

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
# The 32 layers that learnt next to nothing are all still there, and now they know nearly all the pictures.
#
# And their gradients? The same ruler as before, the same initial weights, without and with additions:

# %%
for kind in KINDS:
    for norm, weights in (("without batch norm", "bad"), ("with batch norm", "He")):
        net = gradient_flow.network(kind, DEPTHS[-1], gradient_flow.NORMS[norm], weights, 10, seed=0).double()
        sizes = gradient_flow.norms(net, images64, labels64)
        print(f"{kind:<9} {norm:<19} {weights:<4} times {(sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1)):.2f} a layer")

# %% [markdown]
# The additions level the gradient, whichever way it leaned. So DenseNet's authors have a point; only that a level
# gradient, as we saw, is not the whole story.
#
# Look at the thin lines, too. With 8 layers the twins end alike; the addition makes little difference where there was
# no trouble. The paper has the same: on ImageNet with 18 layers both kinds are equally accurate, the residual one only
# gets there faster. What depth *gains* shows at 34:
#
# | top-1 error on ImageNet, % | plain | residual |
# | --- | --- | --- |
# | 18 layers | 27.94 | 27.88 |
# | 34 layers | 28.54 | 25.03 |
#
# (He et al. 2016a, Table 2, for ten crops.) And on CIFAR-10, where the paper prints a table for residual nets only
# (Table 6), and for plain ones curves:

# %%
for depth, error in degradation.PAPER["residual"].items():
    print(f"ResNet-{depth:<4} {error:.2f} % test error")

# %% [markdown]
# ## How far does our experiment carry?
#
# Not as far as the picture suggests, and one should say so.
#
# - 128 pictures, 160 steps, one seed: it shows that the deep plain net learns *more slowly*. Whether it would end worse
#   if it were given all the time in the world, it cannot show. The paper did give it time: 600,000 steps on ImageNet,
#   and three times as many did not help, as a footnote to section 4.1 says.
# - With more pictures and three seeds, on CIFAR-10, the claim is [reproduced](../docs/labs.md#degradation), on the
#   training error as well as on the test error. It took 3,130 steps to see all of it: after a quarter of them the
#   deepest *residual* net was behind the shallowest one too, by a point.
# - `tinyres lab degradation --data cifar10 --full` goes to 110 layers and five seeds, if you have a day or two.
#
# A last question to sharpen the eye. ResNet-1202 ends at 7.93 % test error, worse than ResNet-110's 6.43 %. Is this
# degradation again? Which number would you ask for?
#
# The training error. It is below 0.1 %, and similar to ResNet-110's (section 4.2). So this time it *is* over-fitting,
# as the paper argues too; and a net of a thousand layers can be optimised without trouble.
#
# ## Summary
#
# - Degradation: a deeper plain net has a higher **training** error. It is not over-fitting, and more data is no cure.
# - The deep net could copy the shallow one. The solution exists; the solver does not find it.
# - With batch norm and He's weights the gradients of a plain net do not vanish. Their norms are no proof that all is
#   well either, and not everybody agrees with the paper on this.
# - Near-zero weights are near F = 0, and far from the identity. So let the layers learn the difference to x, and add x.
# - Compare *training* errors before you call anything over-fitting.
#
# How that addition works, forward and back, is lesson [09](09_residual_block.ipynb).
