"""Pictures of networks and of training."""

from tinyres.look.viz.graph import Graph, graph
from tinyres.look.viz.stepper import Recording, record, stepper

__all__ = ["Graph", "Recording", "graph", "record", "stepper"]
