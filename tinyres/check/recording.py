"""A call of a function with all its ops recorded, so that they can be run again, one by one or in sequence."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from tinyres import random
from tinyres.autograd import Array, Node, Op, Tensor
from tinyres.check.slopes import Claim
from tinyres.look.anomaly.saved_arrays import SavedArrays
from tinyres.modes import Observer, observe


class Call:
    """One op as it was applied, and what it was applied to."""

    y: Tensor  # once forward has run

    def __init__(self, op: Op, inputs: tuple[Tensor, ...]):
        self.op = op
        # As it is before forward: an op may have a random generator of its own, which every forward moves on.
        self.settings = copy.deepcopy({name: value for name, value in vars(op).items() if name != "inputs"})
        self.given = tuple(x.data for x in inputs)
        self.inputs = tuple(a.copy() for a in self.given)  # as they were: a careless op may write into them
        self.position = random.position()  # dropout must draw the same when it runs again
        self.gy: Array = None  # what backward was handed last, and a copy of it as it was then
        self.gy_before: Array = None
        self.grads: tuple[Array | None, ...] = ()  # what backward answered last

    @property
    def name(self) -> str:
        """The op's."""
        return self.op.name

    def input_name(self, k: int) -> str:
        """What forward calls its k-th input: x, w, gamma, …"""
        names = [p.name for p in inspect.signature(self.op.forward).parameters.values() if p.kind != p.VAR_POSITIONAL]
        return names[k] if k < len(names) else f"input {k}"

    def forward(self, *arrays: Array) -> Array:
        """The op's forward on other arrays, by a copy of the op."""
        return self.again(arrays)[1]

    def replay(self, *arrays: Array) -> Array:
        """forward on complex arrays; TypeError if it cannot, or drops their imaginary parts."""
        refusal = f"gradcheck: {self.name}.forward cannot do complex numbers ({{}}); use method='central'"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)  # an imaginary part was thrown away
                y = self.forward(*arrays)
        except Exception as error:
            raise TypeError(refusal.format(error)) from error
        if y.dtype.kind != "c":
            raise TypeError(refusal.format("it returns real ones"))
        return y

    def again(self, arrays: Sequence[Array]) -> tuple[Op, Array]:
        """A copy of the op that has run forward on these arrays, and what came out."""
        before = random.position()
        random.rewind(self.position)
        op = copy.copy(self.op)
        vars(op).update(copy.deepcopy(self.settings))
        try:
            return op, op.forward(*arrays)
        finally:
            random.rewind(before)

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        """What the op's backward says for each input, whatever that is."""
        op, _ = self.again(self.inputs)
        returned = op.backward(gy)
        return returned if isinstance(returned, tuple) else (returned,)

    def claim(self) -> Claim:
        """That this op's backward is right, by itself."""
        return Claim(self.forward, self.backward, self.inputs, self.y.numpy(), self.replay)


class Watch(Observer):
    """Writes down every op that is applied; and who writes where it must not."""

    def __init__(self) -> None:
        self.calls: dict[Op, Call] = {}
        self.running: Call | None = None  # whose backward runs, or did not return
        self.writes: list[tuple[Call, str]] = []

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self.calls[op] = Call(op, inputs)

    def applied(self, op: Op, y: Tensor) -> None:
        call = self.calls[op]
        call.y = y
        self._look_at_inputs(call, "forward")

    def sweeping(self, op: Op, gy: Array) -> None:
        self.running = call = self.calls[op]
        call.gy, call.gy_before = gy, gy.copy()

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        call = self.calls[op]
        self.running = None
        call.grads = tuple(None if gx is None else gx.copy() for gx in grads)
        self._look_at_inputs(call, "backward")
        if not same(gy, call.gy_before):
            self.writes.append((call, f"{call.name}.backward writes into gy, which may belong to another branch too"))

    def _look_at_inputs(self, call: Call, where: str) -> None:
        for k, (now, before) in enumerate(zip(call.given, call.inputs, strict=True)):
            if not same(now, before):
                self.writes.append((call, f"{call.name}.{where} writes into its input {call.input_name(k)}"))


class Recorded:
    """fn, called once on copies of the inputs. Its forward and backward, from here on functions of plain arrays."""

    def __init__(self, fn: Callable[..., Tensor], inputs: Sequence[Tensor]):
        self.fn = fn
        self.position = random.position()  # so that dropout draws the same in every call
        self.inputs = tuple(x.numpy().copy() for x in inputs)
        self.leaves = [
            Tensor(a.copy(), requires_grad=x.requires_grad) for a, x in zip(self.inputs, inputs, strict=True)
        ]
        self.watch, self.saved_arrays = Watch(), SavedArrays()
        with self.watched():
            self.y = fn(*self.leaves)
        random.rewind(self.position)
        if not isinstance(self.y, Tensor):
            raise TypeError(f"gradcheck: expected fn to return a Tensor, got {type(self.y).__name__}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, every op is written down, and what it saves is guarded."""
        with observe(self.watch), observe(self.saved_arrays):
            yield

    @property
    def calls(self) -> list[Call]:
        """In the order in which they were applied."""
        return list(self.watch.calls.values())

    def forward(self, *arrays: Array) -> Array:
        """fn anew, on other values. What it draws (dropout) stays the same."""
        random.rewind(self.position)
        return self.fn(*(Tensor(a) for a in arrays)).numpy()

    def backward(self, gy: Array) -> tuple[Array, ...]:
        """The gradient of ⟨gy, y⟩ for each input; zeros where nothing arrives. No one's `.grad` changes."""
        nodes = {x.node for call in self.calls for x in call.op.inputs if x.node.op is None}
        nodes.update(x.node for x in self.leaves)
        before = {node: node.grad for node in nodes}
        for node in nodes:
            node.grad = None
        try:
            if self.y.requires_grad:
                with self.watched():
                    self.y.backward(gy, retain_graph=True)
            return tuple(np.zeros(x.shape) if x.grad is None else x.grad for x in self.leaves)
        finally:
            for node, grad in before.items():
                node.grad = grad

    def claim(self) -> Claim:
        """That fn's gradient is right."""
        return Claim(self.forward, self.backward, self.inputs, self.y.numpy(), self.replay)

    def replay(self, *arrays: Array) -> Array:
        """The recorded ops again, on other values, all made complex: no op's `forward` asks of what type they are.

        As far as backward can see: what fn did between the ops, or under no_grad, stays what it was.
        """
        values: dict[Node, Array] = {leaf.node: as_complex(a) for leaf, a in zip(self.leaves, arrays, strict=True)}
        for call in self.calls:
            if not any(call.op.needs):
                continue
            pairs = zip(call.op.inputs, call.inputs, strict=True)
            values[call.y.node] = call.replay(*(values.get(x.node, as_complex(constant)) for x, constant in pairs))
        return values.get(self.y.node, as_complex(self.y.numpy()))


def as_complex(a: Array) -> Array:
    """Floats made complex; integers stay."""
    return a.astype(np.complex128) if a.dtype.kind == "f" else a


def same(a: Array | None, b: Array | None) -> bool:
    """Equal to the last bit."""
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
