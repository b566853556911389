"""Pictures of networks and of training."""

from tinyres.viz.graph import Graph, graph
from tinyres.viz.stepper import Recording, record, stepper

__all__ = ["Graph", "Recording", "graph", "record", "stepper"]
