# %% [markdown]
# # 05 · convolution
#
# At the end you know what a convolution sees, how six loops become one matrix product, and how both of its gradients
# follow from a single line of the forward pass. You have written all of it yourself.
#
# *40 minutes. Before it: [04](04_linear_relu_softmax.ipynb).*

# %%
import inspect
import time

import matplotlib.pyplot as plt
import numpy as np

from tinyres import Tensor, adjoint_check, models
from tinyres.check.gradcheck import GradientError
from tinyres.data.shapes import shapes
from tinyres.look.summary import layers
from tinyres.nn import functional as F
from tinyres.ops.conv2d import Conv2d
from tinyres.study.course import check
from tinyres.study.labs import one_by_one as lab
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy
from tinyres_kernels import reference as loops
from tinyres_kernels.reference.conv2d import places

# %% [markdown]
# ## What a filter sees
#
# Lesson 4 ended badly: a network of linear layers had memorised its pictures, and of others it got only one in five
# right. A shape can be anywhere, so a single pixel means nothing by itself. What matters is how a pixel differs from
# its neighbours.
#
# So let us look at small windows and ask the same question everywhere. The question consists of nine numbers, the
# **kernel**. The answer is the sum of the window's values, each multiplied by its number in the kernel.


# %%
def slide(image, kernel):
    """image (H, W), kernel (K, K) -> one number for each place where the kernel fits"""
    K = len(kernel)
    y = np.zeros((image.shape[0] - K + 1, image.shape[1] - K + 1))
    for p, q in np.ndindex(y.shape):
        y[p, q] = (image[p : p + K, q : q + K] * kernel).sum()
    return y


right_minus_left = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4  # Sobel's filter
print(right_minus_left)

# %% [markdown]
# Before you go on, make a prediction. Where is the answer 0? Where is it large and positive, and where large and
# negative? What will the transposed kernel see?

# %% tags=["picture"]
train, _ = shapes(60, 1)
colours = train.images[18] / 255  # (3, 32, 32)
image = colours.mean(0)  # (32, 32), grey
upright, level = slide(image, right_minus_left), slide(image, right_minus_left.T)

figure, panels = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
panels[0].imshow(image, cmap="gray")
shown = panels[1].imshow(upright, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
panels[2].imshow(level, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
panels[3].imshow(np.hypot(upright, level), cmap="magma")
titles = "the picture, in grey", "a: right minus left", "b: lower minus upper", "both: √(a² + b²)"
for axes, title in zip(panels, titles, strict=True):
    axes.set_title(title, fontsize=11)
    axes.set(xticks=[], yticks=[])
figure.colorbar(shown, ax=panels, shrink=0.8, label="answers a and b")
plt.show()

# %% [markdown]
# Where the picture is even, plus and minus cancel. Red in the second picture means that it gets lighter from left to
# right, blue means darker. Each filter sees its own kind of edge and hardly the other. It works without knowing where
# the frame is.
#
# What if the picture moves? Shift it three pixels to the right and slide again.

# %%
moved = np.roll(image, 3, axis=1)
before, after = slide(image, right_minus_left), slide(moved, right_minus_left)
print("the answers move along, to the last bit:", np.array_equal(before[:, :-3], after[:, 3:]))

outputs, inputs = before.size, image.size
print(f"weights of a linear layer from {inputs} pixels to {outputs} outputs: {outputs * inputs:,}")
print("weights of the kernel:", right_minus_left.size)

# %% [markdown]
# These are the two ideas of convolution: **look nearby**, and **use the same weights everywhere**. A linear layer would
# have to learn the edge again for each place.
#
# But a convolution is still a linear layer: each output is a weighted sum of inputs. We can make its matrix visible.
# Column k is the output if pixel k is 1 and all others are 0.


# %%
def matrix_of(kernel, size):
    """The matrix A (outputs, inputs) of `slide` on pictures of size×size"""
    pixels = np.eye(size * size).reshape(-1, size, size)
    return np.stack([slide(pixel, kernel).ravel() for pixel in pixels], axis=1)


nine = np.arange(1.0, 10).reshape(3, 3)  # nine different numbers
A = matrix_of(nine, 6)

figure, axes = plt.subplots(figsize=(8, 4))
shown = axes.imshow(np.where(A == 0, np.nan, A), cmap="viridis")
axes.set_facecolor("#eeeeee")
axes.set(xticks=range(0, 36, 6), yticks=range(0, 16, 4), title="A: 6×6 pixels in, 4×4 out")
axes.set(xlabel="input pixel, row by row", ylabel="output pixel")
figure.colorbar(shown, label="which of the nine weights", ticks=range(1, 10), shrink=0.7)
plt.show()

smooth = np.random.default_rng(0).standard_normal((6, 6))
print("A @ x is the convolution:", np.allclose(A @ smooth.ravel(), slide(smooth, nine).ravel()))

# %% [markdown]
# The matrix is mostly zeros (grey). Each row has the same nine weights, further and further to the right. Keep this
# picture in mind. You already know the backward pass of a matrix from lesson 4: it is the transpose.

# %% [markdown]
# ## How many places: stride and padding
#
# 6×6 became 4×4. After fifteen such layers a 32×32 picture would be 2×2, only because windows must not extend past the
# edge. **Padding** puts zeros around the picture. **Stride** makes the map smaller: with a stride of 2, only every
# second place is used.


# %%
def draw_windows(axes, length, kernel, stride, padding):
    for place in range(-padding, length + padding):
        inside = 0 <= place < length
        colour = BLUE if inside else "white"
        axes.add_patch(plt.Rectangle((place, 0), 1, 0.8, facecolor=colour, edgecolor=GREY))
    count = 0
    for start in range(-padding, length + padding - kernel + 1, stride):
        height = -0.5 - 0.45 * count
        axes.plot([start + 0.1, start + kernel - 0.1], [height, height], color=VERMILION, linewidth=4)
        count += 1
    axes.set(xlim=(-1.2, length + 1.2), ylim=(-3.7, 1), xticks=[], yticks=[])
    axes.set_title(f"stride {stride}, padding {padding}: {count}", fontsize=10)
    axes.spines[:].set_visible(False)


figure, panels = plt.subplots(2, 4, figsize=(9, 3.8), layout="constrained")
for row, length in zip(panels, (7, 6), strict=True):
    for axes, (stride, padding) in zip(row, ((1, 0), (1, 1), (2, 0), (2, 1)), strict=True):
        draw_windows(axes, length, 3, stride, padding)
    row[0].set_ylabel(f"length {length}", fontsize=11)
figure.suptitle("Where a kernel of 3 fits (blue: values, white: padding)")
plt.show()

# %% [markdown]
# Look at length 6 with stride 2 and no padding: no window sees its last value. A window that does not fit completely is
# left out. Now find the formula.


# %%
def output_size(length, kernel, stride, padding):
    """How many windows of `kernel` values fit into `length` values with `padding` on both sides, `stride` apart."""
    ...  # your code


check.output_size(output_size)

# %% [markdown]
# ## Six loops
#
# Pictures have three colours, and we want many filters. So a kernel has a slice for each input channel, the answers of
# all slices are added up, and each **output channel** has its own kernel:
#
#     x (N, C, H, W)    w (O, C, KH, KW)    y (N, O, P, Q)
#
#     y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j]
#
# with stride s, and x = 0 outside. Mathematicians turn the kernel around, w[−i,−j], and call what we do a
# cross-correlation. Every framework calls it convolution. (The turned kernel will soon come back by itself.)


# %%
def conv2d_loops(x, w, stride, padding):
    """x (N, C, H, W), w (O, C, KH, KW), two numbers -> y (N, O, P, Q), zeros around x; loops are welcome."""
    ...  # your code


check.conv2d_loops(conv2d_loops)

# %% [markdown]
# The library has these loops too: its slow kernels are the definition that all fast kernels are compared with. For each
# picture n there are six loops: o; then p, q, i and j, which `places` goes through; then c.

# %%
print(inspect.getsource(loops.conv2d))
print(inspect.getsource(places))

# %% [markdown]
# How long would it take to train a network with these? The paper's ResNet-20 needs 40.6 million multiply-adds for one
# small picture.

# %% tags=["varies"]
rng = np.random.default_rng(0)
x = colours[None].astype("float32")  # (1, 3, 32, 32)
w = rng.standard_normal((8, 3, 3, 3)).astype("float32")

began = time.perf_counter()
y_loops = loops.conv2d(x, w, (1, 1), (1, 1))
seconds = time.perf_counter() - began
multiply_adds = y_loops.size * w[0].size
resnet20 = 40.6e6 * 3  # forward, and about twice that for the two gradients
days = 50_000 * resnet20 * seconds / multiply_adds / 86_400
print(f"{multiply_adds:,} multiply-adds took {seconds:.2f} s")
print(f"one pass of ResNet-20 over the 50,000 pictures of CIFAR-10 would take {days:.0f} days")

# %% [markdown]
# ## im2col: the windows, written out
#
# Processors are very good at one thing: matrix products. So write every window as a row, one below the other, and the
# kernel as a column. Then a single product computes all outputs. The trick is called **im2col**.
#
# Here is a picture of 4×4 pixels with two channels (blue: 1 to 16, orange: 17 to 32), and a 3×3 kernel: four windows.

# %%
small = np.arange(1.0, 33).reshape(1, 2, 4, 4)
windows = np.lib.stride_tricks.sliding_window_view(small, (3, 3), axis=(2, 3))  # (N, C, P, Q, 3, 3)
rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(4, 18)  # (N·P·Q, C·3·3)


def draw_numbers(axes, values, highlight=()):
    """A cell for each number, blue for channel 0 and orange for channel 1."""
    for (r, c), value in np.ndenumerate(values):
        colour = BLUE if value <= 16 else ORANGE
        alpha = 0.85 if value in highlight else 0.25
        axes.add_patch(plt.Rectangle((c, r), 1, 1, facecolor=colour, alpha=alpha, edgecolor="white"))
        axes.text(c + 0.5, r + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.1, values.shape[1] + 0.1), ylim=(values.shape[0] + 0.1, -0.1), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)


figure, panels = plt.subplots(1, 3, figsize=(9, 1.9), width_ratios=(4, 4, 18), layout="constrained")
draw_numbers(panels[0], small[0, 0], {6})
draw_numbers(panels[1], small[0, 1], {22})
draw_numbers(panels[2], rows, {6, 22})
for axes in panels[:2]:
    axes.add_patch(plt.Rectangle((1, 0), 3, 3, fill=False, edgecolor=VERMILION, linewidth=2.5))
panels[2].add_patch(plt.Rectangle((0, 1), 18, 1, fill=False, edgecolor=VERMILION, linewidth=2.5))
panels[0].set_title("channel 0", fontsize=10)
panels[1].set_title("channel 1", fontsize=10)
panels[2].set_title("im2col: a row for each output pixel", fontsize=10)
panels[2].set(yticks=np.arange(4) + 0.5, yticklabels=["y[0,0]", "y[0,1]", "y[1,0]", "y[1,1]"])
panels[2].tick_params(length=0)
plt.show()

# %% [markdown]
# The frames show the window of y[0,1] and its row. The dark cells show one pixel of each channel, which appears in all
# four rows, each time at another place of the kernel. This is the price of im2col: inside a large picture each value is
# written nine times.


# %%
def im2col(x, k):
    """x (N, C, H, W), k the kernel's size; stride 1, no padding -> rows (N·P·Q, C·k·k), one for each output pixel.

    The rows in the order (n, p, q), the columns in the order (c, i, j).
    """
    ...  # your code


check.im2col(im2col)

# %% [markdown]
# Here is im2col with stride and padding, in a few lines that the rest of the lesson uses.


# %%
def rows_of(x, k, stride, padding):
    """x (N, C, H, W) -> (N, P, Q, C·k·k): the window that each output pixel sees"""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, P, Q, k, k)
    N, C, P, Q = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(N, P, Q, C * k * k)


def conv2d(x, w, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, k, k) -> y (N, O, P, Q): one matrix product"""
    y = rows_of(x, w.shape[2], stride, padding) @ w.reshape(len(w), -1).T  # (N, P, Q, O)
    return y.transpose(0, 3, 1, 2)


print("same as the loops:", np.allclose(conv2d(x, w, 1, 1), y_loops, atol=1e-5))

# %% tags=["varies"]
batch = (train.images[:50] / 255).astype("float32")
ways = {
    "one matrix product": lambda: conv2d(batch, w, 1, 1),
    "the library": lambda: F.conv2d(Tensor(batch), Tensor(w), padding=1),
}
for name, run in ways.items():
    run()  # the library compiles its kernel when it is first called
    began = time.perf_counter()
    run()
    per_picture = (time.perf_counter() - began) / len(batch)
    print(f"{name:18} {seconds / per_picture:8,.0f} times as fast as the loops")

# %% [markdown]
# `kernels/tinyres_kernels/array/conv2d.py` is the library's im2col, for processors and graphics cards alike. The
# compiled kernels go further and never write the rows; see lesson 13.
#
# ## Two gradients, one line
#
# Only one line of a convolution computes anything:
#
#     y[n,o,p,q] += x[n,c,row,column] * w[o,c,i,j]
#
# It is a product that is added to something. You know both rules: if x changes by dx, then y changes by w·dx, and the
# loss by gy·w·dx. If w changes by dw, the loss changes by gy·x·dw. And a value that is used in several places adds up
# its gradients. So:
#
# > **wherever forward multiplies x[…] by w[…] for y[…], backward adds gy[…]·w[…] to gx[…] and gy[…]·x[…] to gw[…].**
#
# The loops stay the same; only the line inside changes. Try it.


# %%
def conv2d_grad_x(gy, x, w, stride, padding):
    """y = conv2d(x, w), as in conv2d_loops. gy (N, O, P, Q), x (N, C, H, W), w (O, C, KH, KW) -> gx (N, C, H, W)"""
    ...  # your code


check.conv2d_grad_x(conv2d_grad_x)


# %%
def conv2d_grad_w(gy, x, w, stride, padding):
    """y = conv2d(x, w), as in conv2d_loops. gy (N, O, P, Q), x (N, C, H, W), w (O, C, KH, KW) -> gw (O, C, KH, KW)"""
    ...  # your code


check.conv2d_grad_w(conv2d_grad_w)

# %% [markdown]
# Here is the library's definition of all three. They go through the same places.

# %%
for function in (loops.conv2d, loops.conv2d_grad_x, loops.conv2d_grad_w):
    print(inspect.getsource(function))

# %% [markdown]
# (A bias adds one number to a whole output channel, so its gradient is the sum: gb[o] = Σ gy[n,o,p,q].)
#
# Here is a gradient of w in which one line is wrong:

# %%
answer = None  # the number of the wrong line
check.conv_bug(answer)

# %% [markdown]
# ## The gradient of x is a convolution, too
#
# Loops work, but we want matrix products. Take a kernel of three on a line of five, by hand:
#
#     y0 = x0·w0 + x1·w1 + x2·w2
#     y1 =         x1·w0 + x2·w1 + x3·w2
#     y2 =                 x2·w0 + x3·w1 + x4·w2
#
# Read it by columns to see which outputs used which input. All of them used x2:
#
#     gx0 = gy0·w0
#     gx1 = gy0·w1 + gy1·w0
#     gx2 = gy0·w2 + gy1·w1 + gy2·w0
#     gx3 =          gy1·w2 + gy2·w1
#     gx4 =                   gy2·w2
#
# The gy are in order, and the weights are in reverse order: w2, w1, w0. So **turn the kernel around and slide it over
# gy**, with two zeros on either side of gy, so that the kernel can extend past its ends (a "full" convolution).

# %%
x1, w1, gy1 = np.array([3.0, 1, 4, 1, 5]), np.array([1.0, 2, 3]), np.array([1.0, 10, 100])

by_hand = np.zeros(5)
for p in range(3):
    for i in range(3):
        by_hand[p + i] += gy1[p] * w1[i]

padded = np.pad(gy1, 2)  # 0 0 1 10 100 0 0
turned = w1[::-1]  # 3 2 1
slid = np.array([padded[r : r + 3] @ turned for r in range(5)])
print("gx by the one line:                 ", by_hand)
print("gx by sliding the turned kernel:    ", slid)
print("gw, x slid over with gy as a kernel:", [float(x1[i : i + 3] @ gy1) for i in range(3)])

# %% [markdown]
# And gw0 = gy0·x0 + gy1·x1 + gy2·x2: there gy is the kernel, slid over x. All three are convolutions.
#
# With channels there is one more change: forward, w maps C channels to O; backward it must map O to C, so its first two
# axes change places. The zeros of the padding also get a gradient, which is not needed: cut it off at the end.
#
# What if the stride is 2? Then every second output is left out, and the last of the three is called y1:
#
#     y0 = x0·w0 + x1·w1 + x2·w2
#     y1 =                 x2·w0 + x3·w1 + x4·w2
#
# For x it is as if there were an output between the two whose gy is 0. So insert it: **spread gy out, with zeros
# between**, and continue as before.


# %%
def grad_x(gy, w, x_shape, stride=1, padding=0):
    """gy (N, O, P, Q), w (O, C, k, k) -> gx (N, C, H, W), by a convolution of stride 1"""
    N, O, P, Q = gy.shape
    k = w.shape[2]
    sizes = [length + 2 * padding - k + 1 for length in x_shape[2:]]  # the outputs that stride 1 would have
    spread = np.zeros((N, O, *sizes))
    spread[:, :, : P * stride : stride, : Q * stride : stride] = gy
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, k, k)
    gx = conv2d(spread, turned, 1, k - 1)
    return gx[:, :, padding : padding + x_shape[2], padding : padding + x_shape[3]]


def grad_w(gy, x, w_shape, stride=1, padding=0):
    """gy (N, O, P, Q), x (N, C, H, W) -> gw (O, C, k, k): as in a linear layer, gyᵀ times the rows"""
    O, C, k, _ = w_shape
    rows = rows_of(x, k, stride, padding).reshape(-1, C * k * k)
    gy_rows = gy.transpose(0, 2, 3, 1).reshape(-1, O)
    return (gy_rows.T @ rows).reshape(w_shape)


rng = np.random.default_rng(1)
for stride, padding in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 1)):
    a, b = rng.standard_normal((2, 3, 8, 7)), rng.standard_normal((4, 3, 3, 3))
    gy = rng.standard_normal(conv2d(a, b, stride, padding).shape)
    sizes = (stride, stride), (padding, padding)
    gx, gx_loops = grad_x(gy, b, a.shape, stride, padding), loops.conv2d_grad_x(gy, b, a.shape, *sizes)
    gw, gw_loops = grad_w(gy, a, b.shape, stride, padding), loops.conv2d_grad_w(gy, a, b.shape, *sizes)
    same = np.allclose(gx, gx_loops) and np.allclose(gw, gw_loops)
    print(f"stride {stride}, padding {padding}: same as the loops: {same}")

# %% [markdown]
# Here is an example with a map of 7×7, a kernel of 3×3 and stride 2. The frames show the position of the turned kernel
# for the gradient of one pixel, and that pixel.

# %%
gy9, kernel = np.arange(1.0, 10).reshape(1, 1, 3, 3), np.ones((1, 1, 3, 3))
spread = np.zeros((9, 9))
spread[2:7:2, 2:7:2] = gy9[0, 0]
gx49 = grad_x(gy9, kernel, (1, 1, 7, 7), stride=2)[0, 0]

figure, panels = plt.subplots(1, 3, figsize=(9, 3.4), width_ratios=(3, 9, 7), layout="constrained")
titles = "gy", "spread out, zeros around", "gx, for a kernel of ones"
for axes, values, title in zip(panels, (gy9[0, 0], spread, gx49), titles, strict=True):
    axes.imshow(values, cmap="Blues", vmin=0, vmax=40)
    for (r, c), value in np.ndenumerate(values):
        ink = GREY if value == 0 else "black"
        axes.text(c, r, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=10)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=11)
panels[1].add_patch(plt.Rectangle((1.5, 3.5), 3, 3, fill=False, edgecolor=VERMILION, linewidth=2.5))
panels[2].add_patch(plt.Rectangle((1.5, 3.5), 1, 1, fill=False, edgecolor=VERMILION, linewidth=2.5))
plt.show()

# %% [markdown]
# ## How often each pixel is seen
#
# Let every weight be 1 and every gy be 1. Then gx counts in how many windows each pixel was. What do you expect for
# stride 1, and for stride 2?

# %%
figure, panels = plt.subplots(1, 4, figsize=(9, 3), layout="constrained")
cases = (3, 1, 0), (3, 1, 1), (3, 2, 1), (1, 2, 0)
for axes, (k, stride, padding) in zip(panels, cases, strict=True):
    ones = np.ones((1, 1, k, k))
    gy = np.ones_like(conv2d(np.zeros((1, 1, 8, 8)), ones, stride, padding))
    counts = grad_x(gy, ones, (1, 1, 8, 8), stride, padding)[0, 0]
    axes.imshow(counts, cmap="viridis", vmin=0, vmax=9)
    for (r, c), count in np.ndenumerate(counts):
        ink = "white" if count < 6 else "black"
        axes.text(c, r, f"{count:.0f}", ha="center", va="center", color=ink, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{k}×{k}, stride {stride},\npadding {padding}", fontsize=10)
figure.suptitle("How many windows saw each pixel")
plt.show()

# %% [markdown]
# With stride 1, nine windows see each pixel, and fewer at the border, which padding partly corrects. Stride 2 brings a
# surprise: a **chequerboard**. Some pixels are seen four times and their neighbours once or twice, so the gradient of a
# strided convolution is always uneven (Odena, Dumoulin & Olah 2016). And a 1×1 kernel with stride 2 never sees three
# pixels in four: their gradient is 0. (Some ResNets have such a layer in their shortcuts: option B, lesson 9.)
#
# ## A proof without a step size
#
# Convolution is linear, so we can use the proof without steps from lesson 3. Remember the matrix A: y = A x, and gx =
# Aᵀ gy. For any x and gy,
#
#     ⟨A x, gy⟩ = ⟨x, Aᵀ gy⟩
#
# Run forward and multiply by gy; run backward and multiply by x. The two numbers must be equal. This is the **adjoint
# identity**. The same holds for w, because y is also linear in w.

# %%
g16 = rng.standard_normal(16)
back = grad_x(g16.reshape(1, 1, 4, 4), nine[None, None], (1, 1, 6, 6)).ravel()
print("Aᵀ gy is our gx:", np.allclose(A.T @ g16, back))

y = conv2d(a, b)
gy = rng.standard_normal(y.shape)
gx, gw = grad_x(gy, b, a.shape), grad_w(gy, a, b.shape)
print(f"⟨y, gy⟩ = {(y * gy).sum():.8f}")
print(f"⟨x, gx⟩ = {(a * gx).sum():.8f}")
print(f"⟨w, gw⟩ = {(b * gw).sum():.8f}")

# %% [markdown]
# These are three numbers from three different programs, and they are equal to the last digit shown. There is no step to
# choose, so this works in float32 too, with the same kernels that training uses. `adjoint_check` does it for any linear
# function.
#
# Does it notice a kernel that was not turned around? Here is the library's op with this mistake.


# %%
class NotTurned(Conv2d):
    def backward(self, gy):
        _, gw = super().backward(gy)
        x, w = self.saved
        wrong = w[:, :, ::-1, ::-1]  # grad_x turns it around again, so now it is not
        return grad_x(gy, wrong, x.shape, self.stride[0], self.padding[0]).astype(gy.dtype), gw


def float32(shape):
    return Tensor(rng.standard_normal(shape).astype("float32"), requires_grad=True)


images, kernels = float32((2, 3, 8, 7)), float32((4, 3, 3, 3))
error = adjoint_check(lambda x, w: F.conv2d(x, w, stride=2, padding=1), [images, kernels])
print("the library, float32: error below 1e-5:", error < 1e-5)
try:
    adjoint_check(lambda x, w: NotTurned((1, 1), (1, 1))(x, w), [images, kernels])
except GradientError as found:
    print(f"not turned: ⟨A x, gy⟩ = {found.numeric:.1f}, but ⟨x, gx⟩ = {found.analytic:.1f}")

# %% [markdown]
# ## The gradient at work: find the filter
#
# Suppose that we have some pictures and the result of filtering them, but not the kernel. Can we find the kernel? We
# begin with zeros and follow the gradient gw.

# %%
secret = right_minus_left[None, None]
pictures = train.images[:20].mean(1, keepdims=True) / 255  # (20, 1, 32, 32)
pictures = pictures - pictures.mean()
wanted = conv2d(pictures, secret)

w, kept, losses = np.zeros((1, 1, 3, 3)), {}, []
for step in range(401):
    gap = conv2d(pictures, w) - wanted
    losses.append((gap**2).mean())
    if step in (1, 10, 60, 400):
        kept[step] = w[0, 0].copy()
    w -= 5.0 * grad_w(2 * gap / gap.size, pictures, w.shape)

figure, panels = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained")
shown = [*kept.items(), ("secret", right_minus_left)]
for axes, (step, kernel) in zip(panels, shown, strict=True):
    axes.imshow(kernel, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    for (r, c), value in np.ndenumerate(kernel):
        ink = "white" if abs(value) > 0.4 else "black"
        axes.text(c, r, f"{value.round(2) + 0.0:.2f}", ha="center", va="center", color=ink, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.set_title("the secret" if step == "secret" else f"step {step}", fontsize=10)
plt.show()
print(f"mean squared error: {losses[0]:.4f} at first, below 1e-9 at the end: {losses[-1] < 1e-9}")

# %% [markdown]
# The program was not told what an edge is. The first layer of a network finds such filters in the same way. The only
# difference is that its wanted outputs are not given: their gradient comes back from the labels.
#
# ## 1×1: a convolution that looks at one pixel
#
# What does a 1×1 convolution do? On a picture of 6×6×1 it multiplies each pixel by one number, which seems pointless.
# But on 6×6×32, the 32 channels of a pixel are a vector, and sixteen 1×1 kernels are a 16×32 matrix. So it is a
# **linear layer, applied at each of the 36 positions** with the same weights (Lin, Chen & Yan 2014, section 3.1). Here
# is the slow version, position by position:

# %%
print(inspect.getsource(lab.as_linear_layers))

# %%
rng = np.random.default_rng(2)
one = rng.standard_normal((1, 1, 6, 6))
doubled = F.conv2d(Tensor(one), Tensor(np.full((1, 1, 1, 1), 2.0))).numpy()
print("6×6×1:  multiplied by a number:", np.array_equal(doubled, 2 * one))

x32, w32 = rng.standard_normal((1, 32, 6, 6)), rng.standard_normal((16, 32))
gy32 = rng.standard_normal((1, 16, 6, 6))
once, often = lab.as_convolution(x32, w32, gy32), lab.as_linear_layers(x32, w32, gy32)
for name, convolution, linear in zip(("y", "gx", "gw"), once, often, strict=True):
    print(f"6×6×32: {name:2} same as of 36 linear layers:", np.allclose(convolution, linear))

differences = {name: np.abs(c - l).max() for name, c, l in zip(("y", "gx", "gw"), once, often, strict=True)}
example = {"x": x32[0], "w": w32, "y": once[0][0]}
lab.draw({"differences": differences, "example": example}, plt.figure(figsize=(9, 3.6), layout="constrained"))
plt.show()

# %% [markdown]
# (`tinyres lab one-by-one` shows the same.) Without loops it is one line, with `np.einsum` or with a transpose and `@`.


# %%
def one_by_one(x, w):
    """A 1×1 convolution: x (N, C, H, W), w (O, C) -> y (N, O, H, W), the same linear layer at each pixel."""
    ...  # your code


check.one_by_one(one_by_one)

# %% [markdown]
# Residual networks use it where only the number of channels must change: in bottleneck blocks and in shortcuts (lesson
# 9).
#
# ## What it costs
#
# There are two kinds of cost, and they are not the same. The first is **parameters**: one kernel for each pair of an
# input and an output channel.

# %%
answer = None  # your number
check.conv_parameters(answer)

# %% [markdown]
# The second is **multiply-adds**: each parameter is used once for each output pixel, so there are parameters times P·Q
# of them. Now think of a network that halves the map's height and width and doubles the channels. What happens to a
# layer's parameters, and to its multiply-adds? Decide, then look at the nineteen convolutions of ResNet-20, which does
# this twice.

# %%
every = layers(models.build("resnet20"), (3, 32, 32))
found = [layer for layer in every if layer.kind == "Conv2d"]
place = np.arange(1, len(found) + 1)
widths = np.array([layer.output[0] for layer in found])
parameters = np.array([layer.parameters for layer in found]) / 1e3
multiply_adds = np.array([layer.multiply_adds for layer in found]) / 1e6

figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
stages = (16, "output 16×32×32", BLUE), (32, "32×16×16", GREEN), (64, "64×8×8", ORANGE)
for width, label, colour in stages:
    chosen = widths == width
    panels[0].bar(place[chosen], parameters[chosen], color=colour, label=label)
    panels[1].bar(place[chosen], multiply_adds[chosen], color=colour)
tidy(panels[0], "parameters", "convolution, from the input", "thousands")
tidy(panels[1], "multiply-adds for one picture", "convolution, from the input", "millions")
for axes in panels:
    axes.set_xticks([1, 5, 10, 15, 19])
plt.show()

# %% [markdown]
# Twice the channels in and out give four times the parameters. With a quarter of the pixels, the multiply-adds stay the
# same. This is the ResNet paper's design rule (section 3.3): **half the size, twice the width, equal cost per layer**.
# The layer in which the size changes costs half as much, because its input still has the smaller number of channels.
# The first layer sees only three colours.

# %% [markdown]
# ## Summary
#
# - A convolution asks the same question of every window. It has few weights, and if something moves in the picture, the
#   answer moves with it.
# - It is a linear layer with a special matrix. im2col turns it into one matrix product.
# - Wherever forward multiplies x by w, backward adds gy·w to gx and gy·x to gw. So gx is a convolution of gy with the
#   kernel turned around, and stride spreads gy out with zeros between.
# - The adjoint identity ⟨A x, gy⟩ = ⟨x, Aᵀ gy⟩ proves all of this without a step size.
# - 1×1 is a linear layer at each pixel. Parameters: O·C·k². Multiply-adds: that times P·Q.
#
# Next: [06 · pooling](06_pooling.ipynb)
