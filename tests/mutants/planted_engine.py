"""Mistakes in the engine, the checker, the running statistics and the optimisers."""

from mutants.mutant import Planted

AUTOGRAD = "tinyres.autograd"
OPTIMIZER = "tinyres.optim.optimizer"
SCHEDULES = "tinyres.optim.lr_scheduler"

ENGINE = (
    # ---- the sweep ----
    Planted(
        "engine: of two ways to a node the second counts",
        AUTOGRAD,
        "devices.kernels_for(gx).add(gradients[x.node], gx)",
        "gx",
    ),
    Planted("engine: sums into an array that two branches share", AUTOGRAD, "if x.node in ours:", "if True:"),
    Planted("engine: forgets which sums are its own", AUTOGRAD, "                    ours.add(x.node)\n", ""),
    Planted(
        "engine: a leaf's gradient is replaced, not added to",
        AUTOGRAD,
        "gy.copy() if self.grad is None else self.grad + gy",
        "gy.copy()",
    ),
    Planted(
        "engine: a leaf's first gradient is gy itself",
        AUTOGRAD,
        "gy.copy() if self.grad is None",
        "gy if self.grad is None",
    ),
    Planted(
        "engine: adds into the gradient a leaf had before",
        AUTOGRAD,
        "else self.grad + gy",
        "else np.add(self.grad, gy, out=self.grad)",
    ),
    Planted("engine: inputs before outputs", AUTOGRAD, "return reversed(order)", "return iter(order)"),
    Planted(
        "engine: a node is swept as soon as it is met",
        AUTOGRAD,
        "            stack.append((node, True))\n",
        "            order.insert(0, node)\n",
    ),
    Planted("engine: walks into frozen branches", AUTOGRAD, "strict=True) if need)", "strict=True))"),
    Planted(
        "engine: recursion instead of a loop",
        AUTOGRAD,
        "    order: list[Node] = []\n    seen",
        "    def depth(node):\n"
        "        return 1 + max(depth(x.node) for x in node.op.inputs) if node.op else 0\n"
        "\n"
        "    depth(root)\n"
        "    order: list[Node] = []\n"
        "    seen",
    ),
    Planted(
        "engine: gradients of inner nodes are kept", AUTOGRAD, "if self.op is None or self.retains_grad:", "if True:"
    ),
    Planted(
        "engine: retain_grad() is forgotten",
        AUTOGRAD,
        "if self.op is None or self.retains_grad:",
        "if self.op is None:",
    ),
    Planted(
        "engine: without gradient=… it starts from 0", AUTOGRAD, "np.ones_like(self.data)", "np.zeros_like(self.data)"
    ),
    # ---- release, memory ----
    Planted("engine: nothing is released", AUTOGRAD, "                node.op = RELEASED ", "                pass "),
    Planted("engine: retain_graph the wrong way round", AUTOGRAD, "if not retain_graph:", "if retain_graph:"),
    Planted(
        "engine: released only after the whole sweep",
        AUTOGRAD,
        "            op = node.op\n            if not",
        "            op = node.op\n            ours.add(op)\n            if not",
    ),
    Planted(
        "engine: an op knows its output, a cycle",
        AUTOGRAD,
        "            y.node.op = self\n",
        "            y.node.op = self\n            self.output = y\n",
    ),
    Planted(
        "engine: the graph is recorded though nobody needs it",
        AUTOGRAD,
        "        if any(self.needs):\n            y.requires_grad = True\n",
        "        y.requires_grad = any(self.needs)\n        if True:\n",
    ),
    Planted(
        "engine: recorded only if every input needs a gradient", AUTOGRAD, "if any(self.needs):", "if all(self.needs):"
    ),
    # ---- no_grad, hooks, observers, checks ----
    Planted("engine: no_grad() is ignored", AUTOGRAD, "x.requires_grad and _mode.recording for", "x.requires_grad for"),
    Planted(
        "engine: an inner no_grad() ends the outer one", AUTOGRAD, "_mode.recording = before", "_mode.recording = True"
    ),
    Planted("engine: no_grad() in one thread holds for all", AUTOGRAD, "class _Mode(threading.local):", "class _Mode:"),
    Planted("engine: what a hook returns is dropped", AUTOGRAD, "                gy = changed\n", ""),
    Planted("engine: a removed hook is still called", AUTOGRAD, "self.hooks.pop(self.key, None)", "pass"),
    Planted(
        "engine: dtypes of gradients are not checked",
        AUTOGRAD,
        "(gx.shape != x.shape or gx.dtype != x.dtype)",
        "(gx.shape != x.shape)",
    ),
    Planted(
        "engine: shapes of gradients are not checked",
        AUTOGRAD,
        "(gx.shape != x.shape or gx.dtype != x.dtype)",
        "(gx.dtype != x.dtype)",
    ),
    Planted(
        "engine: observers see gradients that nobody needs",
        AUTOGRAD,
        "observer.swept(self, gy, wanted)",
        "observer.swept(self, gy, grads)",
    ),
    Planted("engine: an op may be applied twice", AUTOGRAD, "        self.applied = True\n", ""),
    Planted(
        "engine: Python floats become float64",
        AUTOGRAD,
        "return array.astype(np.float32) if made_of_python_floats else array",
        "return array",
    ),
    Planted("engine: detach() copies", AUTOGRAD, "return Tensor(self.data)\n", "return Tensor(self.data.copy())\n"),
    # ---- the checker itself ----
    Planted(
        "gradcheck: seeded with ones",
        "tinyres.check.gradcheck",
        "gy = rng.standard_normal(recorded.y.shape)",
        "gy = np.ones(recorded.y.shape)",
    ),
    Planted(
        "gradcheck: NaN passes",
        "tinyres.check.slopes",
        "np.where(np.isnan(error), np.inf, error)",
        "np.nan_to_num(error)",
    ),
    # ---- running statistics ----
    Planted(
        "batch_norm: the running variance is the biased one",
        "tinyres_kernels.array.batch_norm",
        "var * (values / (values - 1))",
        "var",
    ),
    Planted(
        "batch_norm: momentum keeps instead of moving",
        "tinyres_kernels.array.batch_norm",
        "momentum * (mean",
        "(1 - momentum) * (mean",
    ),
)

OPTIM = (
    Planted(
        "SGD: momentum is not applied to what there was", OPTIMIZER, '                v *= group["momentum"]\n', ""
    ),
    Planted(
        "SGD: the velocity is the gradient's own array",
        OPTIMIZER,
        'state["momentum"] = g.copy()',
        'state["momentum"] = g',
    ),
    Planted(
        "SGD: weight decay is written into the gradient",
        OPTIMIZER,
        'g = g + group["weight_decay"] * w',
        'g += group["weight_decay"] * w',
    ),
    Planted(
        "SGD: nesterov without the gradient itself",
        OPTIMIZER,
        'g = g + group["momentum"] * v if',
        'g = group["momentum"] * v if',
    ),
    Planted("SGD: uphill", OPTIMIZER, 'w -= group["lr"] * g', 'w += group["lr"] * g'),
    Planted(
        "SGD: the weights get a new array", OPTIMIZER, 'w -= group["lr"] * g', 'parameter.data = w - group["lr"] * g'
    ),
    Planted("Adam: β₁ corrects the second moment too", OPTIMIZER, "v / (1 - beta2**t)", "v / (1 - beta1**t)"),
    Planted("Adam: no correction for the start", OPTIMIZER, "m / (1 - beta1**t), v / (1 - beta2**t)", "m, v"),
    Planted("Adam: eps inside the root", OPTIMIZER, '(np.sqrt(v_hat) + group["eps"])', 'np.sqrt(v_hat + group["eps"])'),
    Planted("Adam: steps are not counted", OPTIMIZER, 'state["step"] += 1', 'state["step"][()] = 1'),
    Planted(
        "AdamW: decay without the learning rate",
        OPTIMIZER,
        '1 - group["lr"] * group["weight_decay"]',
        '1 - group["weight_decay"]',
    ),
    Planted(
        "AdamW: decay reaches the moments",
        OPTIMIZER,
        "        self.adam_step(parameter, g, state, group)\n",
        '        self.adam_step(parameter, g + group["weight_decay"] * parameter.data, state, group)\n',
    ),
    Planted(
        "Optimizer: a loaded state shares its arrays with the saved one",
        OPTIMIZER,
        "np.array(array)",
        "np.asarray(array)",
    ),
    Planted(
        "Optimizer: zero_grad() forgets the first group alone",
        OPTIMIZER,
        "                parameter.grad = None\n",
        "                parameter.grad = None\n            break\n",
    ),
    Planted("MultiStepLR: a step too late", SCHEDULES, "t >= milestone", "t > milestone"),
    Planted("StepLR: counts from 1", SCHEDULES, "t // self.step_size", "(t + 1) // self.step_size"),
    Planted("CosineAnnealingLR: goes up again", SCHEDULES, "min(t, self.T_max) / self.T_max", "t / self.T_max"),
    Planted("WarmUp: a step too long", SCHEDULES, "if t < self.steps", "if t <= self.steps"),
)
