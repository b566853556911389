# %% [markdown]
# # 13 · making it fast
#
# At the end you know why the same sum can take a second or ten microseconds, what sets the limit, and where the time of
# a training step goes. You have measured every rung of the ladder on your own machine.
#
# *40 minutes. Before it: [05](05_convolution.ipynb), [07](07_batch_norm.ipynb).*

# %%
import inspect
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

import tinyres
from tinyres import Tensor, models, nn, optim
from tinyres.app.bench import machine
from tinyres.look.compiling import must_compile
from tinyres.nn import functional as F
from tinyres.nn.fused import Normed
from tinyres.study.course import check
from tinyres.study.labs.drawing import BLUE, GREY, ORANGE, VERMILION, tidy
from tinyres.threads import using_threads
from tinyres_kernels import array, cpu, reference
from tinyres_kernels.array.conv2d import slide
from tinyres_kernels.cpu import conv2d as compiled_conv2d
from tinyres_kernels.cpu import conv2d_tile, conv2d_winograd, memory
from tinyres_kernels.cpu.conv2d import channels_last
from tinyres_kernels.cpu.conv2d_direct import direct_conv2d
from tinyres_kernels.numba_cuda.conv2d import product as gpu_product

# %% tags=["sizes"] quick="LAYER_BATCH, BATCH, REPEATS, SIDE, LARGE, MODEL = 2, 4, 2, 4, 2**22, 'resnet8'"
LAYER_BATCH = 16  # images for one layer: so few that a call is rarely interrupted by another program
BATCH = 64  # images for a training step
REPEATS = 30  # of each measurement; the fastest counts, because other programs can only slow it down
SIDE = 4  # of the small image for the slowest rung
LARGE = 2**25  # bytes of the arrays for the speed of memory; two of them are larger than most caches
MODEL = "resnet20"


def fastest(call, repeats=None):
    """Seconds of the fastest call. A first call, which compiles and fills the caches, does not count."""
    call()
    taken = []
    for _ in range(repeats or REPEATS):
        started = perf_counter()
        call()
        taken.append(perf_counter() - started)
    return min(taken)


# %% [markdown]
# ## One layer
#
# Nearly all the work of a ResNet is in its 3×3 convolutions. We take one from ResNet-20's second stage, 32 to 32
# channels on 16×16 maps, and make it faster step by step, from the definition to the processor's limit. We count the
# work in multiply-adds. Here is a layer of the first stage for you:

# %%
answer = None  # your number
check.multiply_adds(answer)

# %% [markdown]
# In the second stage the map has half the height and half the width, and there are twice as many channels. How does
# this change the cost?

# %%
answer = None  # your ratio
check.half_size(answer)

# %%
draws = np.random.default_rng(0)
x = draws.standard_normal((LAYER_BATCH, 32, 16, 16), np.float32)
w = draws.standard_normal((32, 32, 3, 3), np.float32) / 17  # 1/√(32·9): y then has x's size


def work(x, w):
    """Multiply-adds of a 3×3 convolution with stride 1 and padding 1: each output is a sum over C·3·3."""
    return len(x) * x.shape[2] * x.shape[3] * w.size


print(f"{work(x[:1], w):,} for one image")

# %% [markdown]
# ## Rung 0: the definition
#
# `reference/` defines what a convolution *is*, with loops. Tests compare every other rung with it.

# %%
print(inspect.getsource(reference.conv2d))

# %% [markdown]
# A processor core runs at about 3 billion cycles per second. How many multiply-adds per second do you expect from these
# loops? We give them a small piece of one image.

# %% tags=["varies"]
small = x[:1, :, :SIDE, :SIDE]
speed = {"loops": work(small, w) / fastest(lambda: reference.conv2d(small, w, (1, 1), (1, 1)), 4)}
step = 3 * 40.6e6 * 128  # ResNet-20: multiply-adds forward; both gradients cost as much again each; 128 images
print(f"{speed['loops'] / 1e6:.1f} million multiply-adds a second")
print(f"one training step of ResNet-20: {step / speed['loops'] / 3600:.1f} hours")
print(f"thirty epochs of CIFAR-10:      {30 * 390 * step / speed['loops'] / 3600 / 24 / 365:.1f} years")

# %% [markdown]
# It takes more than a thousand cycles for one multiplication and one addition. The rest is Python: looking up names,
# making number objects and checking indices, again for every multiply-add.
#
# ## Rung 1: fewer trips through Python
#
# NumPy's loops are compiled, but each *call* costs about a microsecond, however little it does. So each call should do
# a lot. The kernel has nine places, so we add up nine matrix products, each of all pixels at once:


# %%
def by_places(x, w):
    """x (N, C, H, W), w (O, C, 3, 3) -> y (N, O, H, W), padding 1"""
    N, C, H, W = x.shape
    padded = np.zeros((N, H + 2, W + 2, C), x.dtype)
    padded[:, 1:-1, 1:-1] = x.transpose(0, 2, 3, 1)  # channels last
    y = np.zeros((N, H, W, len(w)), x.dtype)
    for i in range(3):
        for j in range(3):
            y += padded[:, i : i + H, j : j + W] @ w[:, :, i, j].T  # (N, H, W, C) @ (C, O)
    return y.transpose(0, 3, 1, 2)


expected = reference.conv2d(small, w, (1, 1), (1, 1))
print(np.allclose(by_places(small, w), expected, atol=1e-5))

# %% [markdown]
# ## Rung 2: one large product
#
# A single product is even better. For this, the windows are written below each other, one row for each output pixel:
# **im2col**. How much memory does this cost?

# %%
answer = None  # your number
check.im2col_memory(answer)


# %% [markdown]
# Now write a convolution that is one product.


# %%
def conv_as_product(x, w):
    """x (N, C, H, W), w (O, C, k, k), stride 1, no padding -> y (N, O, P, Q), by one matrix product."""
    ...  # your code


check.conv_as_product(conv_as_product)

# %% [markdown]
# The library's `array` rung does this, a few images at a time, so that the rows stay in the processor's cache:

# %%
print(inspect.getsource(slide))

# %% tags=["varies"]
speed["nine products"] = work(x, w) / fastest(lambda: by_places(x, w))
speed["im2col"] = work(x, w) / fastest(lambda: array.conv2d(x, w, (1, 1), (1, 1)))
for name, rate in speed.items():
    print(f"{name:14} {rate / 1e6:9,.1f} million multiply-adds a second")

# %% [markdown]
# ## Why a matrix product is fast
#
# In a product of two n×n matrices every number is used n times. So a number can be fetched once and used many times.
# But the plain loop does not do this. For each multiply-add it fetches two numbers:
#
#     for i: for j: for k:   Y[i, j] += A[i, k] · B[k, j]
#
# The solution is to use **tiles**. Load T×T blocks of A and B into fast memory, and do all T³ multiply-adds that they
# allow before you load the next ones. How many fetches from slow memory remain?

# %%
answer = None  # your number
check.tile_fetches(answer)

# %% [markdown]
# Here is the procedure with a counter. It is written in the way a GPU works: a *block* of threads computes each tile of
# Y, each thread has its own sum, and the two tiles are in memory that the threads of the block *share*.


# %%
def tiled_product(A, B, T):
    """A @ B, and how many numbers were fetched from slow memory."""
    n, fetched = len(A), 0
    Y = np.empty((n, n))
    for i in range(0, n, T):  # on a GPU, all these blocks run at once,
        for j in range(0, n, T):
            sums = np.zeros((T, T))  # a register in each of T·T threads
            for k in range(0, n, T):
                a = A[i : i + T, k : k + T].copy()  # into shared memory: each thread fetches one number of a,
                b = B[k : k + T, j : j + T].copy()  # and one of b
                fetched += a.size + b.size
                # __syncthreads(): no thread begins before both tiles are there
                for l in range(T):
                    sums += a[:, l : l + 1] * b[l]  # all threads: T multiply-adds each, from shared memory
                # __syncthreads(): no thread overwrites a tile that others still read
            Y[i : i + T, j : j + T] = sums
    return Y, fetched


n = 64
A, B = draws.standard_normal((2, n, n))
for T in (2, 4, 8, 16, 32, 64):
    Y, fetched = tiled_product(A, B, T)
    assert np.allclose(Y, A @ B)
    print(f"T = {T:2}: {fetched / n**3:.3f} numbers fetched for each multiply-add")

# %% [markdown]
# The number is 2/T. With tiles of 16×16, slow memory has to deliver an eighth of a number for each multiply-add,
# instead of two.
#
# Here is the same on a GPU, from the rung `numba_cuda`. You know every line. Only two things are new: each thread has
# its own `row` and `column` (TILE is 16), and A, the windows of an image, is never stored: `a_at` finds its numbers
# when they are needed.

# %%
print(inspect.getsource(gpu_product))

# %% [markdown]
# You need no GPU for this lesson, but we have measured one, an H100. It has 132 multiprocessors, and each block runs on
# one of them. The other rung for GPUs, `gpu/` in CUDA C++, began with the same loop over tiles. It took 3.2 ms for the
# convolutions of a training step of ResNet-20 (128 images, factors of 16 bits). Three changes made it 0.8 ms:
#
# - **Enough blocks to fill the card.** The third stage has as much work as the first, but its small maps made only 64
#   blocks. More than half of the multiprocessors had nothing to do, and a layer took 50 µs instead of 28.
# - **Short sums.** The gradient of w took 80 µs in nearly every layer, with 40 blocks as with 256, because each block
#   added up 1,024 pixels and waited for the loads of each step. Shared among more threads it takes 13 to 24 µs.
# - **Each number is read once.** Windows overlap, so the loop fetched each pixel nine times, once for each place of the
#   kernel. Now a block puts its piece of the image into shared memory, and all nine places read it there.
#
# In `gpu/` each thread also has up to 16 sums in registers and not one. This applies tiles once more, one level further
# down: from shared memory to registers. It also works on a processor. The fastest memory of a processor is its
# registers: with AVX-512 it has 32 of them, with 16 numbers each. A load is an instruction, so there we count loads per
# multiply-add *instruction*. The documentation of the compiled rung explains it:

# %%
print(inspect.getdoc(conv2d_tile).split("**How it is written.**")[0])

# %% [markdown]
# ## Rung 3: compiled
#
# `cpu/` is Python that numba compiles for your processor. This happens at the first call and takes some 20 seconds for
# all kernels of a training step. The results are kept on disk, so it happens only once. (If you have trained in lesson
# 10, most of it is done.)

# %% tags=["varies"]
print("The first call compiles." if must_compile() else "Kernels have been compiled here before.")
started = perf_counter()
compiled_conv2d(x[:2], w, (1, 1), (1, 1))
first, second = perf_counter() - started, fastest(lambda: compiled_conv2d(x[:2], w, (1, 1), (1, 1)))
print(f"the first call took {first:.2f} s, later ones {1e6 * second:.0f} µs")


# %% [markdown]
# Look at the tile again: a vector holds 16 neighbouring output channels. So channels must be adjacent in memory, in the
# order NHWC, while the shapes that we see stay NCHW. The kernels return such arrays, and ops keep the order.

# %%
y = compiled_conv2d(x[:2], w, (1, 1), (1, 1))
print("shape", y.shape, "  bytes to the next (image, channel, row, column):", y.strides)

# %% [markdown]
# ## Rung 4: fewer multiplications
#
# Can we be faster than doing all multiply-adds at the processor's full speed? Yes, by doing fewer of them.
#
# Take a row with six neighbouring numbers x, three weights w and four outputs y. This needs 12 multiplications. But we
# can read x and w as coefficients of polynomials. A product of polynomials is determined by its values at enough
# points, six of them here, and each value takes *one* multiplication. This is Winograd's algorithm F(4, 3):
#
# $$y = \text{OUTPUT} \left( (\text{KERNEL}\, w) \odot (\text{INPUT}\, x) \right)$$
#
# The three matrices are in `cpu/conv2d_winograd.py`. (PAIRS, a detail, turns even and odd parts into values at ±α
# and ±β.)

# %%
MATRICES = "PAIRS", "INPUT", "KERNEL", "OUTPUT"
PAIRS, INPUT, KERNEL, OUTPUT = (np.array(getattr(conv2d_winograd, name)) for name in MATRICES)
row, weights = draws.standard_normal(6), draws.standard_normal(3)
products = (PAIRS @ KERNEL @ weights) * (PAIRS @ INPUT @ row)  # 6 multiplications
print("Winograd, 6 products: ", np.round(OUTPUT @ PAIRS @ products, 6))
print("directly, 12 products:", np.round([row[k : k + 3] @ weights for k in range(4)], 6))

# %% [markdown]
# In two dimensions it is applied to rows and to columns. This takes 6·6 = 36 multiplications for 4×4 outputs instead of
# 16·9 = 144, a quarter. The transforms are not free, but they are shared: INPUT's by all output channels, and KERNEL's
# by all images.
#
# What is the price? Compute the gradient of a single output pixel. By the definition, 9 values of x in each channel get
# a gradient, and all others get exactly 0.

# %% tags=["varies"]
gy = np.zeros((1, 32, 16, 16), np.float32)
gy[0, :, 5, 5] = draws.standard_normal(32)
for name, rung in (("array", array), ("cpu", cpu)):
    g = np.abs(rung.conv2d_grad_x(gy, w, (1, 32, 16, 16), (1, 1), (1, 1))[0]).max(0)  # (H, W)
    pixels = np.count_nonzero(g)
    g[4:7, 4:7] = 0
    print(f"{name:6} {pixels:2} pixels get a gradient; the largest outside of the window is {g.max():.0e}")

# %% [markdown]
# Winograd's sums cancel where they should, but in float32 only to seven digits: where the result should be 0, it is
# about a ten-millionth. For training this does not matter. But if you need exact zeros, for example to draw what an
# output sees, use `array`.
#
# ## The ladder
#
# Now we run all rungs on the same layer. The roof is a loop of multiply-adds that never leaves the registers: no
# program on this machine can do more of them per second. Make a prediction: how close does each rung come to the roof?


# %%
def by_tile(x, w):
    """The compiled rung with all multiplications, as it computes kernels that Winograd does not cover."""
    y = memory.empty((len(x), x.shape[2], x.shape[3], len(w)), x.dtype)
    direct_conv2d(channels_last(x), w, y, x.shape[2:], (1, 1), (1, 1))
    return y.transpose(0, 3, 1, 2)


nhwc = channels_last(x).transpose(0, 3, 1, 2)  # as the previous layer returns it
assert np.allclose(by_tile(nhwc, w), array.conv2d(x, w, (1, 1), (1, 1)), atol=1e-4)
assert np.allclose(compiled_conv2d(nhwc, w, (1, 1), (1, 1)), array.conv2d(x, w, (1, 1), (1, 1)), atol=1e-4)

# %% tags=["picture", "varies"]
threads = tinyres.get_num_threads()
peak = machine.peak(threads, 200_000, 5) / 2 * 1e9  # two operations in a multiply-add
speed["tiles in registers"] = work(x, w) / fastest(lambda: by_tile(nhwc, w))
speed["Winograd"] = work(x, w) / fastest(lambda: compiled_conv2d(nhwc, w, (1, 1), (1, 1)))
_, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
colours = (GREY, ORANGE, ORANGE, BLUE, BLUE)
axes.barh(list(speed), [rate / 1e9 for rate in speed.values()], color=colours)
axes.axvline(peak / 1e9, color=VERMILION, linestyle="--")
axes.text(1.3 * peak / 1e9, 0, f"the roof: {peak / 1e9:.0f}", color=VERMILION, va="center")
white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
for k, rate in enumerate(speed.values()):
    text = f"{rate / 1e9:.3g}" + (f",   × {rate / speed['loops']:,.0f}" if k else "")
    axes.text(1.15 * rate / 1e9, k, text, va="center", bbox=white)
axes.set_xscale("log")
axes.set_xlim(1e-4, 3e4)
axes.invert_yaxis()
title = f"one 3×3 convolution, 32 → 32 channels at 16×16, threads: {threads}"
tidy(axes, title, "billion multiply-adds of the definition, a second")
plt.show()

# %% [markdown]
# The same sum differs by five orders of magnitude in speed. Winograd may be above the roof, because we count the
# multiply-adds of the definition.
#
# Which of these steps had to do with Python? Only the first, from loops to array code. After that, the limit is memory,
# and in the end arithmetic.
#
# ## The roofline
#
# How do you know what limits a computation? Count its operations and the bytes that it moves. Their ratio is the
# **arithmetic intensity**, in operations per byte. Then there are two roofs (Williams, Waterman and Patterson 2009):
#
# $$\text{speed} \le \min(\text{peak},\ \text{intensity} \cdot \text{bandwidth})$$
#
# For our layer there are 2 operations per multiply-add, and the bytes are those of x, w and y, once each. What is it
# for ReLU?

# %%
answer = None  # your letter
check.relu_bound(answer)


# %%
def intensity_of_conv(x, w):
    return 2 * work(x, w) / (x.nbytes + w.nbytes + x.nbytes)  # y is as large as x here


bytes_of = {"ReLU": 2, "addition": 3}  # arrays that are read or written, of 4 bytes a value; one operation a value
intensity = {name: 1 / (4 * arrays) for name, arrays in bytes_of.items()}
intensity["convolution"] = intensity_of_conv(x, w)
print({name: round(value, 2) for name, value in intensity.items()})

# %% [markdown]
# The convolution has hundreds of times as many operations per byte. Now we measure both roofs and all three ops. For
# ReLU and addition we use arrays that are larger than the caches.

# %% tags=["varies"]
long, longer = (draws.standard_normal((LARGE // 4 // 2**14, 16, 32, 32), np.float32) for _ in range(2))
ops = {"ReLU": lambda: cpu.relu(long), "addition": lambda: cpu.add(long, longer)}
measured, bandwidth = {"convolution": 2 * speed["tiles in registers"], "ReLU": 0.0, "addition": 0.0}, 0.0
for _ in range(REPEATS):  # in turns, so that all have the same chance of a quiet moment
    bandwidth = max(bandwidth, machine.copy_bandwidth(threads, LARGE, 2) * 1e9)
    for name, op in ops.items():
        measured[name] = max(measured[name], long.size / fastest(op, 2))
_, axes = plt.subplots(figsize=(8, 4), layout="constrained")
ridge = 2 * peak / bandwidth
axes.loglog([0.02, ridge, 1000], [0.02 * bandwidth / 1e9, 2 * peak / 1e9, 2 * peak / 1e9], "k", label="the two roofs")
marks = (("ReLU", VERMILION, "s"), ("addition", ORANGE, "^"), ("convolution", BLUE, "o"))
for name, colour, marker in marks:
    label = f"{name}: {measured[name] / min(2 * peak, intensity[name] * bandwidth):.0%} of its roof"
    axes.plot(intensity[name], measured[name] / 1e9, marker, color=colour, markersize=9, label=label)
axes.plot(intensity["convolution"], 2 * speed["im2col"] / 1e9, "o", color=BLUE, fillstyle="none", label="… by im2col")
axes.axvline(ridge, color=GREY, linestyle=":")
axes.text(ridge * 0.85, 0.15, "waits for memory", ha="right")
axes.text(ridge * 1.15, 0.15, "computes")
axes.set_ylim(0.1, None)
axes.xaxis.set_major_formatter("{x:g}")
axes.yaxis.set_major_formatter("{x:g}")
title = f"memory {bandwidth / 1e9:.1f} GB/s, multiply-adds {2 * peak / 1e9:.0f} GFLOP/s"
tidy(axes, title, "operations for each byte", "billion operations a second")
plt.show()
print(f"The roofs meet at {ridge:.0f} operations for each byte. Tiles must be {4 * ridge:.0f} wide to get there.")

# %% [markdown]
# Tiles appear here again: 2/T numbers of 4 bytes per multiply-add are T/4 operations per byte. This is the purpose of
# tiles: they move a computation to the right, as far as its numbers can be used again. In a convolution they can. In a
# ReLU they cannot.
#
# On the left, only moving fewer bytes helps: no ReLU can be faster than its bytes can be moved. On the right, every
# instruction counts. (The memory roof is measured by copying, so an op may come out a little above it.)
#
# ## Fusing: one trip instead of three
#
# A residual block ends in relu(batch_norm(x) + r). With three ops, batch norm reads x for its statistics, reads it
# again and writes its output; the addition reads two arrays and writes one; ReLU reads one and writes one. So eight
# arrays are moved. How many must be moved, at least, if everything is done while a value is in a register?
#
# Four must be moved: x for the statistics, x again, r, and y. `tinyres.unfused()` keeps the ops separate. How much
# faster do you expect the fused op to be?

# %% tags=["varies"]
# (N, C, H, W), with the channels next to each other in memory, as a convolution leaves them
maps, other = (Tensor(draws.standard_normal((BATCH, 32, 32, 16), np.float32).transpose(0, 3, 1, 2)) for _ in range(2))
norm = nn.BatchNorm2d(16)


def ending():
    return (Normed(norm, maps) + other).relu()  # relu(norm(maps) + other)


def ending_apart():
    with tinyres.unfused():
        return ending()


apart = fused = np.inf
for _ in range(max(1, REPEATS // 3)):
    apart, fused = min(apart, fastest(ending_apart, 3)), min(fused, fastest(ending, 3))
print(f"apart {1e3 * apart:.2f} ms, fused {1e3 * fused:.2f} ms: {apart / fused:.1f} times as fast")
print("same result:", np.allclose(ending_apart().data, ending().data, atol=1e-6))

# %% [markdown]
# A fused op is an op of its own, with its own hand-written backward. Tests compare it with the three separate ops.
#
# ## Reusing memory
#
# There is a cost that no formula shows. The system provides new memory page by page, at the first access, filled with
# zeros. Let us write the same array into new memory and into used memory:

# %% tags=["varies"]
used = np.empty_like(long)
fresh_ms = 1e3 * fastest(lambda: np.copyto(np.empty_like(long), longer))
used_ms = 1e3 * fastest(lambda: np.copyto(used, longer))
print(f"{long.nbytes / 2**20:.0f} MiB, into fresh memory {fresh_ms:.1f} ms, into used memory {used_ms:.1f} ms")

# %% [markdown]
# A training step needs arrays of the same sizes every time. So the compiled rung lends its buffers: when the last array
# that uses a buffer is gone, the buffer is returned and can be lent again.

# %%
print(inspect.getsource(memory.Loan))

# %%
first = memory.empty((256, 1024), np.float32)
address = first.ctypes.data
del first
second = memory.empty((1024, 256), np.float32)  # another shape with the same number of bytes
print("the same memory again:", second.ctypes.data == address)

# %% [markdown]
# ## Threads
#
# Images do not depend on each other, so each thread takes some of them. Which gains more from a second core, the
# convolution or the addition?

# %% tags=["varies"]
many = channels_last(np.concatenate([x] * 4)).transpose(0, 3, 1, 2)
taken = {count: [np.inf, np.inf] for count in sorted({1, machine.available_cores()})}
for _ in range(max(1, REPEATS // 3)):
    for count, best in taken.items():
        with using_threads(count):
            best[0] = min(best[0], fastest(lambda: compiled_conv2d(many, w, (1, 1), (1, 1)), 3))
            best[1] = min(best[1], fastest(lambda: cpu.add(long, longer), 3))
for count, (conv, add) in taken.items():
    print(f"threads: {count:2}   convolution {1e3 * conv:6.2f} ms   addition {1e3 * add:6.2f} ms")

# %% [markdown]
# Each core has its own registers, but all cores share the memory. On a quiet machine the convolution becomes nearly
# twice as fast. The addition gains nothing as soon as one core saturates the memory. If other programs use the second
# core, a second thread gains nothing or even costs time, because the first must wait for it.
#
# ## Where the time goes
#
# Now we look at a whole training step. `tinyres.profile` measures the time of every op, forward and backward. Make a
# prediction first: what fraction of the time do the convolutions take?

# %% tags=["varies"]
tinyres.manual_seed(0)
model = models.build(MODEL)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
images, labels = draws.standard_normal((BATCH, 3, 32, 32), np.float32), draws.integers(0, 10, BATCH)


def train_step():
    loss = F.cross_entropy(model(Tensor(images)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


train_step()  # compiles what has not been used yet
profiles = []
for _ in range(max(2, REPEATS // 4)):
    with tinyres.profile() as profile:
        train_step()
    profiles.append(profile)
profile = min(profiles, key=lambda profile: profile.seconds)  # the one with the least disturbance
print(profile)

# %% tags=["varies"]
shown = profile.rows()[:6]
_, axes = plt.subplots(figsize=(8, 3), layout="constrained")
names = [row.op for row in shown]
axes.barh(names, [row.forward_ms for row in shown], color=BLUE, label="forward")
start = [row.forward_ms for row in shown]
axes.barh(names, [row.backward_ms for row in shown], left=start, color=ORANGE, label="backward")
axes.invert_yaxis()
tidy(axes, f"a training step of {MODEL}, {BATCH} images", "milliseconds")
axes.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# This shows two things. Backward takes about twice as long as forward, because each convolution has two gradients. And
# the faster the convolutions become, the more the rest matters: with the loops of rung 0, batch norm would not be
# visible in this picture at all. (This is Amdahl's law: the part that you do not speed up sets the limit.) That is why
# fusing is worthwhile.
#
# `tinyres bench` measures all of it with more patience; `python -m bench torch`, in a checkout, compares with torch.
#
# ## Summary
#
# - The slow path is the definition, and every faster path is tested against it. Measure, then change, then measure
#   again.
# - First get out of Python's loops. Then use each number many times while it is close: tiles in registers, in caches,
#   in a GPU's shared memory. T×T tiles fetch 2/T numbers per multiply-add.
# - Winograd does a quarter of the multiplications. Its price is rounding errors that are two to three times as large.
# - The operations per byte decide what limits an op: a convolution computes, while ReLU and batch norm wait for memory.
#   So fuse them, and reuse memory.
#
# This was the last lesson. Continue with the [experiments](../docs/labs.md), with `tinyres course`, which lists the
# unsolved exercises, or with [the list of lessons](README.md).
