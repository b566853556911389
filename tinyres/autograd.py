"""Reverse-mode differentiation: the whole engine.

A Tensor is an array with a Node. The Node knows the Op that made the array, and an Op knows the Nodes of its inputs:
that is the graph. `backward` walks it from the loss to the leaves. Each Op receives gy, the gradient of the loss with
respect to its output, and returns the gradient for each of its inputs. Gradients that reach a node along several paths
are added up. Nodes hold no values, so the graph keeps alive only what the ops save. Below the Tensor everything is
plain arrays: `data` and `grad` are NumPy (or CuPy) arrays, and so is everything that an Op sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinyres import device as devices
from tinyres.modes import Removable, mode
from tinyres.operators import Operators
from tinyres_kernels.contract import Array as Array

Hook = Callable[[Array], Array | None]


class Node:
    """A tensor's place in the graph: everything about it but its values."""

    def __init__(self) -> None:
        self.op: Op | None = None  # the Op that made it; None for a leaf
        self.grad: Array | None = None  # dloss/dself; kept for leaves, and where retain_grad() asked for it
        self.hooks: dict[object, Hook] = {}
        self.retains_grad = False

    def receive(self, gy: Array) -> Array:
        """gy is complete: let the hooks see it (and change it), and keep it if this is a leaf."""
        for hook in tuple(self.hooks.values()):
            changed = hook(gy)
            if changed is not None:
                if changed.shape != gy.shape or changed.dtype != gy.dtype:
                    came, expected = f"{changed.dtype} {changed.shape}", f"{gy.dtype} {gy.shape}"
                    raise ValueError(f"a hook returned a gradient of {came}, expected {expected}")
                gy = changed
        if self.op is None or self.retains_grad:
            self.grad = gy.copy() if self.grad is None else self.grad + gy  # a copy: other nodes may share gy
        return gy


class Tensor(Operators):
    """An array, and its place in the graph.

    data: an array, a number or nested lists. Float arrays keep their dtype; Python floats become float32.
    requires_grad: ask `backward` for this tensor's gradient; only floating-point tensors have one.
    """

    __array_ufunc__ = None  # numpy_array * tensor: let Tensor.__rmul__ answer, not NumPy element by element

    def __init__(self, data: Any, requires_grad: bool = False):
        self.data: Array = data.data if isinstance(data, Tensor) else devices.as_array(data)
        self.node = Node()
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask backward for this leaf's gradient, or stop asking."""
        if requires_grad and self.dtype.kind not in "fc":
            raise TypeError(f"only floating-point tensors have gradients, got {self.dtype}; use .to('float32')")
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Array | None = None, retain_graph: bool = False) -> None:
        """Add the gradient of self to the `.grad` of every leaf below that requires one.

        gradient: dloss/dself, an array of self's shape; 1 if left out, for a self with one element.
        retain_graph: keep what the ops saved, so that backward can run again; otherwise free it on the way.
        """
        if not self.requires_grad:
            raise RuntimeError("backward: nothing here requires a gradient (no requires_grad=True below, or no_grad())")
        gradients = {self.node: self._seed(gradient)}
        ours: set[Node] = set()  # nodes whose gradient is a buffer made here: only these may be added to in place
        for node in _outputs_first(self.node):
            gy = node.receive(gradients.pop(node))
            if node.op is None:
                continue
            op = node.op
            if not retain_graph:
                node.op = RELEASED  # before op.backward: what op saved dies with op, as early as possible
            for x, gx in zip(op.inputs, op.sweep(gy), strict=True):
                if gx is None:
                    continue
                if x.node not in gradients:
                    gradients[x.node] = gx  # perhaps shared: Add returns the same gy for both its inputs
                    continue
                if x.node in ours:
                    gradients[x.node] += gx
                else:
                    gradients[x.node] = devices.kernels_for(gx).add(gradients[x.node], gx)
                    ours.add(x.node)
                for observer in mode.observers:
                    observer.added(x.node, gx, gradients[x.node])

    def _seed(self, gradient: Array | None) -> Array:
        if gradient is None:
            if self.data.size != 1:
                raise RuntimeError(f"backward: self has shape {self.shape}; pass gradient=..., an array of that shape")
            return np.ones_like(self.data)
        gradient = gradient.data if isinstance(gradient, Tensor) else gradient
        if np.shape(gradient) != self.shape:
            raise ValueError(f"backward: expected a gradient of shape {self.shape}, got {np.shape(gradient)}")
        return np.asarray(gradient, dtype=self.dtype, like=self.data)

    def register_hook(self, hook: Hook) -> Removable:
        """Call `hook(gradient)` when self's gradient is complete; a returned array takes its place."""
        return Removable(self.node.hooks, hook)

    def retain_grad(self) -> None:
        """Keep `.grad` here too, although self is not a leaf."""
        self.node.retains_grad = True

    def detach(self) -> Tensor:
        """The same array, cut off from the graph."""
        return Tensor(self.data)

    @property
    def grad(self) -> Array | None:
        """dloss/dself, an array of self's shape; None before backward, and for inner tensors (see retain_grad)."""
        return self.node.grad

    @grad.setter
    def grad(self, grad: Array | None) -> None:
        self.node.grad = grad

    @property
    def op(self) -> Op | None:
        """The Op that made self; None for a leaf."""
        return self.node.op

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def device(self) -> str:
        """Where the data lies: "cpu", or "cuda:0" for the first GPU."""
        return devices.device_of(self.data)

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def is_leaf(self) -> bool:
        return self.op is None

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.data.ndim

    def numel(self) -> int:
        return self.data.size

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array; on the CPU the very array, not a copy."""
        return devices.to_device(self.data, "cpu")

    def item(self) -> float:
        """The value of a one-element tensor as a Python number."""
        if self.data.size != 1:
            raise ValueError(f"item: expected a tensor with one element, got shape {self.shape}")
        return self.data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without axes")
        return self.shape[0]

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", precision=4, threshold=20, prefix="Tensor(")
        origin = f", op={self.op.name}" if self.op else ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({values}, {self.dtype}{origin})"


class Input(NamedTuple):
    """What an Op remembers of an input: the node that its gradient goes to, and the gradient's shape and dtype."""

    node: Node
    shape: tuple[int, ...]
    dtype: np.dtype


class Op:
    """One call of an operation, and a node of the graph. A subclass has forward and backward side by side.

    forward(*arrays) returns one array, and keeps in `self.saved` what backward will need. backward(gy) returns the
    gradient for each input: an array, or a tuple of arrays, with None where `self.needs` is False. backward must not
    write into gy: after an addition both branches share it. Settings go into __init__.
    """

    saved: tuple[Any, ...] = ()
    needs: tuple[bool, ...] = ()
    inputs: tuple[Input, ...] = ()
    applied = False

    if TYPE_CHECKING:  # each with its own parameters

        def forward(self, *arrays: Any) -> Array: ...
        def backward(self, gy: Any) -> Any: ...

    @property
    def name(self) -> str:
        return type(self).__name__

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Compute the output, and record self as its origin if any input needs a gradient."""
        if self.applied:
            raise RuntimeError(f"{self.name}: this instance was applied before; make a new one for each call")
        for x in inputs:
            if not isinstance(x, Tensor):
                raise TypeError(f"{self.name}: expected Tensors, got {type(x).__name__}; wrap it: Tensor(...)")
        self.applied = True
        self.needs = tuple(x.requires_grad and mode.recording for x in inputs)
        self.inputs = tuple(Input(x.node, x.shape, x.dtype) for x in inputs)
        for observer in mode.observers:
            observer.applying(self, inputs)
        y = Tensor(self.forward(*(x.data for x in inputs)))
        if any(self.needs):
            y.requires_grad = True
            y.node.op = self
        for observer in mode.observers:
            observer.applied(self, y)
        return y

    def sweep(self, gy: Array) -> tuple[Array | None, ...]:
        """backward(gy), checked: for each input that needs one a gradient of its shape and dtype, for others None."""
        for observer in mode.observers:
            observer.sweeping(self, gy)
        returned = self.backward(gy)
        grads = returned if isinstance(returned, tuple) else (returned,)
        if len(grads) != len(self.inputs):
            raise ValueError(f"{self.name}.backward returned {len(grads)} gradients for {len(self.inputs)} inputs")
        wanted = tuple(gx if needed else None for gx, needed in zip(grads, self.needs, strict=True))
        for i, (x, gx) in enumerate(zip(self.inputs, wanted, strict=True)):
            if self.needs[i] and (gx is None or gx.shape != x.shape or gx.dtype != x.dtype):
                came = None if gx is None else f"{gx.dtype} {gx.shape}"
                raise ValueError(f"{self.name}.backward returned {came} for input {i}, which is {x.dtype} {x.shape}")
        for observer in mode.observers:
            observer.swept(self, gy, wanted)
        return wanted


class Released(Op):
    """Takes the place of an op whose backward has run."""

    def sweep(self, gy: Array) -> tuple[Array | None, ...]:
        raise RuntimeError(
            "backward ran through here before and freed what the ops had saved; "
            "run forward again, or pass retain_graph=True the first time"
        )


RELEASED = Released()


def _outputs_first(root: Node) -> Iterator[Node]:
    """Every node below root that wants a gradient, each after all that were computed from it.

    A loop, not a recursion, which Python ends at a depth of about 1000: ResNet-1202 has 6,000 ops.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False)]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if node.op is not None:
                stack.extend((x.node, False) for x, need in zip(node.op.inputs, node.op.needs, strict=True) if need)
    return reversed(order)
