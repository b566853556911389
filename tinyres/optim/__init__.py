"""Optimisers and, in `lr_scheduler`, learning-rate schedules, under torch's names."""

from tinyres.optim import lr_scheduler
from tinyres.optim.adam import Adam, AdamW
from tinyres.optim.optimizer import Optimizer
from tinyres.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
