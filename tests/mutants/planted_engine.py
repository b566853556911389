"""Mistakes in the engine, the checker, the running statistics and the optimisers."""

from mutants.mutant import Planted

ENGINE = (
    # ---- the sweep ----
    Planted(
        "engine: of two paths to a node only the second counts",
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
        "engine: a node is swept as soon as it is reached",
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
    Planted(
        "engine: a third path replaces the sum of the first two",
        "Tensor.backward",
        "gradients[x.node] += gx",
        "gradients[x.node] = gx",
    ),
    Planted(
        "engine: the starting gradient keeps its own dtype",
        "Tensor._seed",
        "np.asarray(gradient, dtype=self.dtype, like=self.data)",
        "np.asarray(gradient, like=self.data)",
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
    Planted("engine: no_grad() in one thread holds in all threads", "modes.Mode", "threading.local", "object"),
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
    Planted(
        "batch_norm: the running mean is moved towards the variance",
        "array.batch_norm_track",
        "mean - running_mean",
        "var - running_mean",
    ),
    Planted(
        "F.batch_norm: the running statistics are never moved",
        "normalise",
        "kernels.batch_norm_track(*running, op.batch_mean, op.batch_var, norm.momentum, M)",
        "pass",
    ),
    Planted(
        "F.batch_norm: images counted instead of values per channel",
        "normalise",
        "kernels.batch_norm_values(input.data)",
        "len(input.data)",
    ),
    Planted(
        "F.batch_norm: in evaluation the batch's own statistics", "normalise", "running and not norm.training", "False"
    ),
    Planted(
        "F.batch_norm: in training the running statistics", "normalise", "running and not norm.training", "running"
    ),
    Planted(
        "BatchNorm2d: in evaluation batches are counted too",
        "_BatchNorm.next_batch",
        "self.training and self.num_batches_tracked is not None",
        "self.num_batches_tracked is not None",
    ),
    Planted(
        "batch_norm_relu: the running mean is not passed on",
        "batch_norm_relu",
        "normalise(BatchNormReLU, BatchNormReLUEval, norm, input)",
        "normalise(BatchNormReLU, BatchNormReLUEval, norm._replace(running_mean=None), input)",
    ),
)

OPTIM = (
    Planted("SGD: the old velocity is not multiplied by the momentum", "SGD.update", 'v *= group["momentum"]', "pass"),
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
    Planted(
        "SGD: nesterov looks ahead unasked",
        "SGD.update",
        'g + group["momentum"] * v if group["nesterov"] else v',
        'g + group["momentum"] * v',
    ),
    Planted(
        "SGD: the decay is of the gradient, not the weight",
        "SGD.update",
        'g + group["weight_decay"] * w',
        'g + group["weight_decay"] * g',
    ),
    Planted("SGD: the first gradient is damped too", "SGD.update", "g.copy()", '(1 - group["momentum"]) * g'),
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
        "Optimizer: zero_grad() reaches the first group only",
        "Optimizer.zero_grad",
        'for parameter in group["params"]:\n    parameter.grad = None',
        'for parameter in group["params"]:\n    parameter.grad = None\nbreak',
    ),
    Planted("MultiStepLR: a step too late", "MultiStepLR.lr", "t >= milestone", "t > milestone"),
    Planted(
        "MultiStepLR: all milestones count as one",
        "MultiStepLR.lr",
        "sum(t >= milestone for milestone in self.milestones)",
        "any(t >= milestone for milestone in self.milestones)",
    ),
    Planted(
        "LRScheduler: every group gets the first one's rate",
        "LRScheduler.goto",
        "self.lr(base, t)",
        "self.lr(self.base_lrs[0], t)",
    ),
    Planted(
        "LRScheduler: the rate shrinks from the present one",
        "LRScheduler.goto",
        "self.lr(base, t)",
        'self.lr(group["lr"], t)',
    ),
    Planted(
        "WarmUp: the other schedule begins when it ends",
        "WarmUp.lr",
        "self.schedule.lr(base, t)",
        "self.schedule.lr(base, t - self.steps)",
    ),
    Planted("StepLR: counts from 1", "StepLR.lr", "t // self.step_size", "(t + 1) // self.step_size"),
    Planted(
        "CosineAnnealingLR: goes up again", "CosineAnnealingLR.lr", "min(t, self.T_max) / self.T_max", "t / self.T_max"
    ),
    Planted("WarmUp: a step too long", "WarmUp.lr", "t < self.steps", "t <= self.steps"),
)
