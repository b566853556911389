"""The error of reading or converting weights."""


class WeightsError(ValueError):
    """A file of weights cannot be read, or does not fit. The message says what is wrong and what to do."""
