"""What can go wrong with a run. The messages are for the person who started it."""


class RunError(Exception):
    """A run cannot go on. The message says what is wrong, and what to do."""


class Damaged(RunError):
    """The content of a checkpoint is not what was written."""


class Diverged(RunError):
    """The loss or a gradient is NaN or infinite."""


class NotPrepared(RunError):
    """The next batch could not be prepared. What was learnt before is sound."""


class Interrupted(Exception):
    """The run was asked to stop. Everything needed to go on has been saved."""
