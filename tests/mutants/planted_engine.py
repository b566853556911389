"""Mistakes in the engine, the checker, the running statistics and the optimisers."""

from mutants.mutant import Planted

ENGINE = (
    # ---- the sweep ----
    Planted(
        "engine: of two ways to a node the second counts",
        "Tensor.backward",
        "devices.kernels_for(gx).add(gradients[x.node], gx)",
        "gx",
    ),
    Planted("engine: sums into an array that two branches share", "Tensor.backward", "x.node in ours", "True"),
    Planted("engine: forgets which sums are its own", "Tensor.backward", "ours.add(x.node)", "pass"),
    Planted(
        "engine: a leaf's gradient is replaced, not added to",
        "Node.receive",
        "gy.copy() if self.grad is None else self.grad + gy",
        "gy.copy()",
    ),
    Planted("engine: a leaf's first gradient is gy itself", "Node.receive", "gy.copy()", "gy"),
    Planted(
        "engine: adds into the gradient a leaf had before",
        "Node.receive",
        "self.grad + gy",
        "np.add(self.grad, gy, out=self.grad)",
    ),
    Planted("engine: inputs before outputs", "_outputs_first", "return reversed(order)", "return iter(order)"),
    Planted(
        "engine: a node is swept as soon as it is met",
        "_outputs_first",
        "stack.append((node, True))",
        "order.insert(0, node)",
    ),
    Planted(
        "engine: walks into frozen branches",
        "_outputs_first",
        "((x.node, False) for x, need in zip(node.op.inputs, node.op.needs, strict=True) if need)",
        "((x.node, False) for x, need in zip(node.op.inputs, node.op.needs, strict=True))",
    ),
    Planted(
        "engine: recursion instead of a loop",
        "_outputs_first",
        "order: list[Node] = []",
        "def depth(node):\n"
        "    return 1 + max(depth(x.node) for x in node.op.inputs) if node.op else 0\n"
        "\n"
        "depth(root)\n"
        "order: list[Node] = []",
    ),
    Planted(
        "engine: gradients of inner nodes are kept", "Node.receive", "self.op is None or self.retains_grad", "True"
    ),
    Planted(
        "engine: retain_grad() is forgotten", "Node.receive", "self.op is None or self.retains_grad", "self.op is None"
    ),
    Planted(
        "engine: without gradient=… it starts from 0",
        "Tensor._seed",
        "np.ones_like(self.data)",
        "np.zeros_like(self.data)",
    ),
    # ---- release, memory ----
    Planted("engine: nothing is released", "Tensor.backward", "node.op = RELEASED", "pass"),
    Planted("engine: retain_graph the wrong way round", "Tensor.backward", "not retain_graph", "retain_graph"),
    Planted(
        "engine: released only after the whole sweep", "Tensor.backward", "op = node.op", "op = node.op; ours.add(op)"
    ),
    Planted(
        "engine: an op knows its output, a cycle",
        "Op.__call__",
        "y.node.op = self",
        "y.node.op = self; self.output = y",
    ),
    Planted(
        "engine: the graph is recorded though nobody needs it",
        "Op.__call__",
        "y = Tensor(self.forward(*(x.data for x in inputs)))",
        "y = Tensor(self.forward(*(x.data for x in inputs)))\ny.node.op = self",
    ),
    Planted(
        "engine: recorded only if every input needs a gradient", "Op.__call__", "any(self.needs)", "all(self.needs)"
    ),
    # ---- no_grad, hooks, observers, checks ----
    Planted("engine: no_grad() is ignored", "Op.__call__", "x.requires_grad and mode.recording", "x.requires_grad"),
    Planted(
        "engine: an inner no_grad() ends the outer one", "no_grad", "mode.recording = before", "mode.recording = True"
    ),
    Planted("engine: no_grad() in one thread holds for all", "Mode", "threading.local", "object"),
    Planted("engine: what a hook returns is dropped", "Node.receive", "gy = changed", "pass"),
    Planted("engine: a removed hook is still called", "Removable.remove", "self.hooks.pop(self.key, None)", "pass"),
    Planted(
        "engine: dtypes of gradients are not checked",
        "Op.sweep",
        "gx is None or gx.shape != x.shape or gx.dtype != x.dtype",
        "gx is None or gx.shape != x.shape",
    ),
    Planted(
        "engine: shapes of gradients are not checked",
        "Op.sweep",
        "gx is None or gx.shape != x.shape or gx.dtype != x.dtype",
        "gx is None or gx.dtype != x.dtype",
    ),
    Planted(
        "engine: observers see gradients that nobody needs",
        "Op.sweep",
        "observer.swept(self, gy, wanted)",
        "observer.swept(self, gy, grads)",
    ),
    Planted("engine: an op may be applied twice", "Op.__call__", "self.applied = True", "pass"),
    Planted(
        "engine: Python floats become float64",
        "as_array",
        "array.astype(np.float32) if made_of_python_floats else array",
        "array",
    ),
    Planted("engine: detach() copies", "Tensor.detach", "return Tensor(self.data)", "return Tensor(self.data.copy())"),
    # ---- the checker itself ----
    Planted(
        "gradcheck: seeded with ones",
        "_check",
        "gy = rng.standard_normal(recorded.y.shape)",
        "gy = np.ones(recorded.y.shape)",
    ),
    Planted(
        "gradcheck: NaN passes", "relative_error", "np.where(np.isnan(error), np.inf, error)", "np.nan_to_num(error)"
    ),
    # ---- running statistics ----
    Planted(
        "batch_norm: the running variance is the biased one",
        "array.batch_norm_track",
        "var * (values / (values - 1))",
        "var",
    ),
    Planted(
        "batch_norm: momentum keeps instead of moving",
        "array.batch_norm_track",
        "momentum * (mean - running_mean)",
        "(1 - momentum) * (mean - running_mean)",
    ),
)

OPTIM = (
    Planted("SGD: momentum is not applied to what there was", "SGD.update", 'v *= group["momentum"]', "pass"),
    Planted("SGD: the velocity is the gradient's own array", "SGD.update", "g.copy()", "g"),
    Planted(
        "SGD: weight decay is written into the gradient",
        "SGD.update",
        'g = g + group["weight_decay"] * w',
        'g += group["weight_decay"] * w',
    ),
    Planted(
        "SGD: nesterov without the gradient itself", "SGD.update", 'g + group["momentum"] * v', 'group["momentum"] * v'
    ),
    Planted("SGD: uphill", "SGD.update", 'w -= group["lr"] * g', 'w += group["lr"] * g'),
    Planted(
        "SGD: the weights get a new array", "SGD.update", 'w -= group["lr"] * g', 'parameter.data = w - group["lr"] * g'
    ),
    Planted("Adam: β₁ corrects the second moment too", "Adam.adam_step", "v / (1 - beta2**t)", "v / (1 - beta1**t)"),
    Planted("Adam: no correction for the start", "Adam.adam_step", "m / (1 - beta1**t), v / (1 - beta2**t)", "m, v"),
    Planted(
        "Adam: eps inside the root",
        "Adam.adam_step",
        '(np.sqrt(v_hat) + group["eps"])',
        'np.sqrt(v_hat + group["eps"])',
    ),
    Planted("Adam: steps are not counted", "Adam.adam_step", 'state["step"] += 1', 'state["step"][()] = 1'),
    Planted(
        "AdamW: decay without the learning rate",
        "AdamW.update",
        '1 - group["lr"] * group["weight_decay"]',
        '1 - group["weight_decay"]',
    ),
    Planted(
        "AdamW: decay reaches the moments",
        "AdamW.update",
        "self.adam_step(parameter, g, state, group)",
        'self.adam_step(parameter, g + group["weight_decay"] * parameter.data, state, group)',
    ),
    Planted(
        "Optimizer: a loaded state shares its arrays with the saved one",
        "Optimizer.load_state_dict",
        "np.array(array)",
        "np.asarray(array)",
    ),
    Planted(
        "Optimizer: zero_grad() forgets the first group alone",
        "Optimizer.zero_grad",
        'for parameter in group["params"]:\n    parameter.grad = None',
        'for parameter in group["params"]:\n    parameter.grad = None\nbreak',
    ),
    Planted("MultiStepLR: a step too late", "MultiStepLR.lr", "t >= milestone", "t > milestone"),
    Planted("StepLR: counts from 1", "StepLR.lr", "t // self.step_size", "(t + 1) // self.step_size"),
    Planted(
        "CosineAnnealingLR: goes up again", "CosineAnnealingLR.lr", "min(t, self.T_max) / self.T_max", "t / self.T_max"
    ),
    Planted("WarmUp: a step too long", "WarmUp.lr", "t < self.steps", "t <= self.steps"),
)
