"""Training a network: from a run's settings to its weights, its curves and its figures on the test set.

Where to read: tinyres/train.py has the learning itself, trainer.py the loop around it, and run.py what comes before
that loop and after it.
"""

from tinyres.app.training.errors import Diverged, Interrupted, RunError
from tinyres.app.training.run import default_folder, evaluate_run, resume, train
from tinyres.app.training.run_folder import RunFolder
from tinyres.app.training.seeds import resume_seeds, train_seeds
from tinyres.app.training.settings import Settings
from tinyres.app.training.trained import Trained, load_trained
from tinyres.app.training.trainer import Trainer

__all__ = [
    "Diverged",
    "Interrupted",
    "RunError",
    "RunFolder",
    "Settings",
    "Trained",
    "Trainer",
    "default_folder",
    "evaluate_run",
    "load_trained",
    "resume",
    "resume_seeds",
    "train",
    "train_seeds",
]
