"""Drawn mutants that no check can kill, each with the reason why it changes no result."""

EQUIVALENT: dict[str, str] = {}
