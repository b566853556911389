"""Training a network: from a run's settings to its weights, its curves and its figures on the test set.

Where to read: trainer.py has the loop; run.py has what comes before it and after.
"""

from tinyres.training.errors import Diverged, Interrupted, RunError
from tinyres.training.run import default_folder, evaluate_run, resume, train
from tinyres.training.run_folder import RunFolder
from tinyres.training.seeds import resume_seeds, train_seeds
from tinyres.training.settings import Settings
from tinyres.training.trained import Trained, load_trained
from tinyres.training.trainer import Trainer

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
