"""The error of an export."""


class ExportError(Exception):
    """A network cannot be exported. The message says why, and what to do."""
