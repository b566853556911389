"""What can be wrong with weights from outside, said to the one who brought them."""


class WeightsError(ValueError):
    """A file of weights cannot be read, or does not fit. The message is for the reader: what is wrong, what to do."""
