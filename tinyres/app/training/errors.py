"""What can go wrong with a run, said to the one who started it."""


class RunError(Exception):
    """A run cannot go on. The message is for the reader: what is wrong, and what to do."""


class Damaged(RunError):
    """A checkpoint is not what was written."""


class Diverged(RunError):
    """The loss or a gradient is no longer a number."""


class Interrupted(Exception):
    """The run was asked to stop, and everything needed to go on has been saved."""
