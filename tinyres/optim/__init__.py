"""Optimisers and, in `lr_scheduler`, learning-rate schedules, under torch's names."""

from tinyres.optim import lr_scheduler
from tinyres.optim.optimizer import SGD, Adam, AdamW, Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
