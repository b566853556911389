"""Lesson 10: training: SGD with momentum, schedules, the loop."""

import math

from tinyres.optim import SGD, lr_scheduler
from tinyres.study.course.lesson import Lesson

lesson = Lesson(10, "training")


def _draw_step(rng):
    return (*rng.standard_normal((3, 4)), 0.1, 0.8)  # 1 − 0.8 is not 0.1


@lesson.function(
    inputs=_draw_step,
    hints=(
        "First the velocity: what is left of the old one, plus the gradient. Then the step, along the *new* velocity.",
        "v = momentum * v + g; w = w - lr * v; return w, v.",
    ),
    mistakes=(
        (
            lambda w, g, v, lr, m: (w - lr * v, m * v + g),
            "the step goes along the old velocity: compute the new one first, then step.",
        ),
        (
            lambda w, g, v, lr, m: (w - lr * (m * v + (1 - m) * g), m * v + (1 - m) * g),
            "the gradient is weighted by 1 − momentum: torch (and the paper) take the whole of it.",
        ),
        (
            lambda w, g, v, lr, m: (w - lr * g, m * v + g),
            "the velocity is computed but not used: w − lr·v, not w − lr·g.",
        ),
        (
            lambda w, g, v, lr, m: (w - (m * v + lr * g), m * v + lr * g),
            "lr is inside the velocity: here v has no learning rate in it, and w takes lr·v.",
        ),
        (
            lambda w, g, v, lr, m: (w + (m * v - lr * g), m * v - lr * g),
            "lr is inside the velocity (and its sign): here v = momentum·v + g, and w takes −lr·v.",
        ),
        (
            lambda w, g, v, lr, m: (w - lr * (g + m * (m * v + g)), m * v + g),
            "this is Nesterov's momentum; plain momentum steps along v.",
        ),
        (
            lambda w, g, v, lr, m: (w - lr * (m * v + g), v),
            "the old velocity is returned: the next step needs the new one.",
        ),
    ),
    library=(SGD.update,),
)
def sgd_momentum(w, g, v, lr, momentum):
    """w, its gradient g, the velocity v (N), two numbers -> the new w (N) and the new v (N), as torch has them."""
    v = momentum * v + g
    return w - lr * v, v


@lesson.function(
    inputs=lambda rng: (*rng.standard_normal((2, 4)), 0.1, 0.01),
    hints=(
        "Weight decay pulls every weight towards 0, in proportion to itself: it is added to the gradient.",
        "w − lr·(g + weight_decay·w)",
    ),
    mistakes=(
        (lambda w, g, lr, decay: w - lr * (g + decay * w**2), "w², where the slope of ½·decay·w² is decay·w."),
        (
            lambda w, g, lr, decay: w - lr * (g + 2 * decay * w),
            "twice too much: the penalty is ½·decay·w², and its slope decay·w.",
        ),
    ),
    library=(SGD,),
)
def weight_decay_step(w, g, lr, weight_decay):
    """w and its gradient g (N), two numbers -> the new w (N) after a step of SGD with weight decay, no momentum."""
    return w - lr * (g + weight_decay * w)


def _paper(t, *, gamma=0.1, late=False):
    return 0.1 * gamma ** sum(t > milestone if late else t >= milestone for milestone in (32_000, 48_000))


@lesson.function(
    inputs=lambda rng: ([0, 31_999, 32_000, 40_000, 48_000, int(rng.integers(48_001, 64_000)), 64_000],),
    hints=(
        "Count the milestones that have been reached: t ≥ 32,000, t ≥ 48,000.",
        "0.1 times 0.1 to the power of that count: 0.1, 0.01, 0.001.",
    ),
    mistakes=(
        (lambda ts: [_paper(t, late=True) for t in ts], "one step too late: *at* 32,000 the rate is divided (>=)."),
        (
            lambda ts: [0.1 if t < 32_000 else 0.01 if t < 48_000 else 0.0001 for t in ts],
            "divided by 100 at the second milestone: by 10 each time.",
        ),
        (lambda ts: [_paper(t, gamma=0.5) for t in ts], "halved: the paper divides by 10."),
        (lambda ts: [0.1 * 0.1 ** (t // 32_000) for t in ts], "48,000 is a milestone too: not every 32,000 steps."),
    ),
    library=(lr_scheduler.MultiStepLR.lr,),
)
def paper_schedule(steps):
    """A list of step numbers -> a list of learning rates: 0.1, divided by 10 at 32,000 and again at 48,000 (paper)."""
    return [0.1 * 0.1 ** ((t >= 32_000) + (t >= 48_000)) for t in steps]


paper_epochs = lesson.predict(
    "paper_epochs",
    question="The paper trains for 64,000 iterations on batches of 128 images, from 45,000. How many epochs are that?",
    value=64_000 * 128 / 45_000,
    mistakes=(
        (64_000 / 45_000, "an iteration is a batch of 128 images, not one image."),
        (64_000 / 128, "how many iterations has one epoch? 45,000/128 of them."),
        (45_000 / 128, "that is the number of iterations in one epoch."),
        (64_000 * 128 / 50_000, "of the 50,000 images 5,000 are set aside for validation."),
        (64_000, "an epoch is one round through all 45,000 images, not one batch."),
    ),
    hints=("How many images does it see altogether? And how many are there?", "64,000·128/45,000"),
    because="64,000·128/45,000: each image is seen about 182 times, and never twice the same, being augmented.",
)


@lesson.function(
    inputs=lambda rng: (float(rng.uniform(0.1, 1)), int(rng.integers(1, 50)), 100),
    hints=(
        "Half a cosine: from base at t = 0 to 0 at t = T.",
        "base · (1 + cos(π·t/T)) / 2",
    ),
    mistakes=(
        (
            lambda base, t, T: base * math.cos(math.pi * t / T),
            "this goes from base to −base: shift it up by 1 and halve it, (1 + cos)/2.",
        ),
        (
            lambda base, t, T: base * math.cos(math.pi * t / T / 2),
            "a quarter of a cosine: it ends steeply. Half a cosine, (1 + cos(π·t/T))/2.",
        ),
        (lambda base, t, T: base * (1 + math.cos(2 * math.pi * t / T)) / 2, "a whole cosine: it comes up again."),
        (lambda base, t, T: base * (1 - t / T), "this is a straight line."),
    ),
    library=(lr_scheduler.CosineAnnealingLR, lr_scheduler._half_cosine),
)
def cosine_schedule(base, t, T):
    """base, t, T numbers -> the learning rate at step t: along half a cosine from base (t = 0) to 0 (t = T)."""
    return base * (1 + math.cos(math.pi * t / T)) / 2


@lesson.bug(
    question="A training loop that gets worse and worse after a good start. One line is wrong: which? (Every line "
    "that is there is needed.)",
    bug="optimizer.zero_grad()",
    mended="    optimizer.zero_grad()    inside the loop: each backward *adds* to .grad",
    innocent={
        "def ": "this is all it needs.",
        "for ": "one round for each batch.",
        "loss = ": "forward, and the loss.",
        "loss.backward": "this adds the gradients to .grad.",
        "optimizer.step": "this changes the weights, after backward.",
    },
    hints=("What is in .grad when the second batch's backward begins?", "backward *adds*."),
)
def loop_bug(model, optimizer, batches, cross_entropy):
    optimizer.zero_grad()
    for images, labels in batches:
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()


two_errors = lesson.choose(
    "two_errors",
    question="After 30 epochs a network has 1 % training error and 31 % validation error. What is likeliest to lower "
    "the second?",
    options={
        "a": (
            "A larger network.",
            "it can already tell its training images apart, all but 1 %; size is not what it lacks.",
        ),
        "b": (
            "More epochs.",
            "there is next to nothing left to learn from these images: the loss on them is nearly 0.",
        ),
        "c": (
            "More images, or augmentation.",
            "it has learnt its images by heart: over-fitting. What varies cannot be learnt by heart.",
        ),
        "d": (
            "Choosing the epoch with the lowest test error.",
            "that makes the reported number smaller, not the network better; and it spoils the test set.",
        ),
    },
    right="c",
    hints=("Which of the two errors is the problem? Can it fit what it is given?", "The gap is over-fitting."),
)

stuck = lesson.choose(
    "stuck",
    question="Ten classes. The loss falls from 2.9 to 2.30 and stays there; the error is 90 %. One batch of 32 images "
    "is learnt by heart without trouble. Where do you look first?",
    options={
        "a": (
            "At the optimiser: it may hold another net's parameters.",
            "then nothing would move, the loss would stay at 2.9, and no batch would be learnt by heart.",
        ),
        "b": (
            "At the data: the labels may belong to other images.",
            "the loop can learn, as the single batch shows; over all images there is nothing to be learnt.",
        ),
        "c": (
            "At the learning rate: it is far too high.",
            "then the loss would lie above 2.30, and jump about; and the single batch would hardly be learnt.",
        ),
        "d": (
            "At the size of the net: it is too small.",
            "a net that learns 32 images by heart can learn *something* of all, and its loss would go below ln 10.",
        ),
    },
    right="b",
    hints=("What does the single batch prove of the loop?", "The loop is sound. What is left?"),
)
