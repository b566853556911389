"""Mistakes in what feeds a network (batches, their order, crops, flips, pixel values) and in the training loop."""

from mutants.mutant import Planted

DATA = (
    Planted(
        "Loader: the last, smaller batch is lost",
        "Loader.__len__",
        "-(-images // self.batch_size)",
        "images // self.batch_size",
    ),
    Planted(
        "Loader: every epoch has the first one's order",
        "Loader.order",
        'generator(self.seed, "order", epoch)',
        'generator(self.seed, "order", 0)',
    ),
    Planted(
        "Loader: the order is drawn with replacement",
        "Loader.order",
        'generator(self.seed, "order", epoch).permutation(len(self.dataset))',
        'generator(self.seed, "order", epoch).integers(len(self.dataset), size=len(self.dataset))',
    ),
    Planted(
        "Loader: labels in the data set's order beside shuffled images",
        "Loader._batch",
        "self.dataset.labels[indices[kept]]",
        "self.dataset.labels[step * self.batch_size :][: len(indices)]",
    ),
    Planted(
        "Loader: every batch of an epoch is augmented alike",
        "Loader.draws",
        "generator(self.seed, purpose, epoch, step)",
        "generator(self.seed, purpose, epoch, 0)",
    ),
    Planted(
        "Loader: a late start begins with the epoch's first batch",
        "Loader.epoch",
        "range(start, len(self))",
        "range(0, len(self) - start)",
    ),
    Planted(
        "Loader: what was prepared ahead is lost at the end",
        "prepared_ahead",
        "while waiting:\n    yield waiting.popleft().result()",
        "pass",
    ),
    Planted(
        "crop: the first image's place for all",
        "crop",
        "windows[np.arange(n), :, top, left]",
        "windows[:, :, top[0], left[0]]",
    ),
    Planted(
        "crop: the border repeats the image's edge",
        "crop",
        "np.zeros((n, c, h + 2 * padding, w + 2 * padding), images.dtype)",
        'np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)], mode="edge")',
    ),
    Planted("draw_crops: the last row and column are never drawn", "draw_crops", "2 * padding + 1", "2 * padding"),
    Planted("flip: upside down", "flip", "images[chosen, :, :, ::-1]", "images[chosen, :, ::-1]"),
    Planted("flip: writes into the images", "flip", "images.copy()", "images"),
    Planted(
        "normalise: the mean is not divided by std",
        "data.normalise",
        "-np.asarray(mean, np.float64) / std",
        "-np.asarray(mean, np.float64)",
    ),
    Planted("normalise: one channel's std for all", "data.normalise", "scale[:, None, None]", "scale[0]"),
)

TRAIN = (
    Planted("train_step: the gradients of earlier batches stay", "train_step", "optimizer.zero_grad()", "pass"),
    Planted(
        "train_step: label smoothing is not passed on",
        "train_step",
        "F.cross_entropy(scores, labels, label_smoothing=label_smoothing)",
        "F.cross_entropy(scores, labels)",
    ),
    Planted(
        "train_step: learns from a batch that is not finite", "train_step", "not is_finite(model, loss.item())", "False"
    ),
    Planted(
        "is_finite: the gradients are not looked at",
        "is_finite",
        "math.isfinite(loss) and all(np.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)",
        "math.isfinite(loss)",
    ),
    Planted("train_epoch: stays in evaluation mode", "train_epoch", "model.train()", "pass"),
    Planted(
        "train_epoch: dropout drops the same values in every step",
        "train_epoch",
        "set_step(epoch, step)",
        "set_step(epoch, 0)",
    ),
    Planted(
        "train_epoch: the schedule starts again in every epoch",
        "train_epoch",
        "schedule.goto(epoch * len(batches) + step)",
        "schedule.goto(step)",
    ),
    Planted(
        "train_epoch: steps are counted from where it goes on",
        "train_epoch",
        "enumerate(batches.epoch(epoch, start), start)",
        "enumerate(batches.epoch(epoch, start))",
    ),
    Planted("evaluate: dropout stays on", "evaluate", "model.eval()", "pass"),
    Planted("Score: small batches count as much as large ones", "Score.of", "loss * len(labels)", "loss"),
)
