"""Why a network cannot be written for others."""


class ExportError(Exception):
    """The message is for the reader: what stands in the way, and what to do."""
