"""Backwards as learners write them, wrong: (exercise, answer, words that the answer must get)."""

import numpy as np

AXES = (0, 2, 3)


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def onehot(labels, K=3):
    return np.eye(K)[labels]


def windows(x, w, stride, padding):
    """Each output pixel's (p, q) and window of the padded x; the padded x itself."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return padded, w.shape[2], w.shape[3]


def gx(gy, x, w, stride, padding, *, crop=True, assign=False):
    padded, KH, KW = windows(x, w, stride, padding)
    g = np.zeros(padded.shape)
    for n, o, p, q in np.ndindex(gy.shape):
        place = np.s_[n, :, p * stride : p * stride + KH, q * stride : q * stride + KW]
        g[place] = gy[n, o, p, q] * w[o] + (0 if assign else g[place])
    return g[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] if crop else g


def gw(gy, x, w, stride, padding, *, step=None):
    padded, KH, KW = windows(x, w, stride, padding)
    step = stride if step is None else step
    g = np.zeros(w.shape)
    for n, o, p, q in np.ndindex(gy.shape):
        g[o] += gy[n, o, p, q] * padded[n, :, p * step : p * step + KH, q * step : q * step + KW]
    return g


def max_pool(gy, x, k, stride, *, every=False, assign=False):
    g = np.zeros(x.shape)
    for n, c, p, q in np.ndindex(gy.shape):
        place = np.s_[n, c, p * stride : p * stride + k, q * stride : q * stride + k]
        chosen = np.ones((k, k)) if every else x[place] == x[place].max()
        g[place] = np.where(chosen, gy[n, c, p, q] + (0 if assign else g[place]), g[place])
    return g


def norm(gy, x, gamma, beta, *, mean=1, var=1, axes=AXES, with_gamma=True, root=True):
    std = np.sqrt(x.var(AXES, keepdims=True) + 1e-5)
    xhat = (x - x.mean(AXES, keepdims=True)) / std
    g = gy - mean * gy.mean(axes, keepdims=True) - var * xhat * (gy * xhat).mean(axes, keepdims=True)
    g = g / std if root else g
    return (g * gamma[:, None, None] if with_gamma else g), (gy * xhat).sum(AXES), gy.sum(AXES)


def norm_with(position, gradient):
    """Batch norm's backward with another gradient at one position: gradient(gy, x)."""

    def backward(gy, x, gamma, beta):
        grads = list(norm(gy, x, gamma, beta))
        grads[position] = gradient(gy, x)
        return tuple(grads)

    return backward


def in_place(gy, x):
    gy[x < 0] = 0
    return gy


def network(gy, x, w1, b1, w2, b2, labels, *, gate=None, g=None, gw2=None):
    """The two-layer network's backward, with one step exchanged."""
    z = x @ w1.T + b1
    h = np.maximum(z, 0)
    p = softmax(h @ w2.T + b2)
    g = g(gy, p) if g else gy * (p - onehot(labels, 5)) / len(x)
    gz = g @ w2 * (gate(z) if gate else z > 0)
    return gz.T @ x, gz.sum(0), gw2(g, z) if gw2 else g.T @ h, g.sum(0)


WRONG = (
    ("square_backward", lambda gy, x: 2 * x, "ignores gy"),
    ("square_backward", lambda gy, x: gy * x, "1/2 exponent_2 missing"),
    ("square_backward", lambda gy, x: gy * x**2, "must_be_2·x uses_x²"),
    ("square_backward", lambda gy, x: gy, "passed_on_unchanged 2·x"),
    ("multiply_backward", lambda gy, a, b: (gy * a, gy * b), "come_as_gb,_ga"),
    ("multiply_backward", lambda gy, a, b: (b, a), "ignores gy"),
    ("multiply_backward", lambda gy, a, b: (gy * b, gy), "a"),
    ("multiply_backward", lambda gy, a, b: gy * b, "1_gradients expected_2"),
    ("multiply_backward", lambda gy, a, b: (gy * b + a, gy * a), "linear|added|gy"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy), "summed axis_0"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy.sum(1)), "axis"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy.mean(0)), "averaged 5"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy.sum(0, keepdims=True)), "keepdims"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy[0]), "row lost|first|only"),
    ("add_bias_backward", lambda gy, x, b: (gy, gy.sum()), "summed|shape"),
    ("relu_backward", lambda gy, x: gy, "mask"),
    ("relu_backward", lambda gy, x: gy * (x < 0), "mask inverted"),
    ("relu_backward", lambda gy, x: (x > 0) * 1.0, "ignores gy"),
    ("relu_backward", lambda gy, x: gy * np.maximum(x, 0), "x|y"),
    ("relu_backward", lambda gy, x: np.maximum(gy, 0), "gy"),
    ("relu_backward", lambda gy, x: gy * (gy > 0), "gy"),
    ("relu_backward", lambda gy, x: np.where(x > 0, 1, 0), "ignores gy"),
    ("relu_backward", lambda gy, x: gy if x > 0 else 0, "raises mask np.where"),
    ("relu_backward", in_place, "writes into gy"),
    ("relu_backward", lambda gy, x: (gy * (x > 0)).astype(np.float32), "float32"),
    ("relu_backward", lambda x, gy: gy * (x > 0), "order"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, x.T @ gy, gy.sum(0)), "gw transposed"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w.T, gy.T @ x, gy.sum(0)), "do_not_fit transpose"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, gy.T @ x, gy), "gb summed axis_0"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, gy.T @ x, gy.sum(1)), "gb axis"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, gy.T @ x / 4, gy.sum(0)), "gw 4"),
    ("linear_backward", lambda gy, x, w, b: (gy.T @ x, gy @ w, gy.sum(0)), "come_as_gw,_gx,_gb"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, gy.T @ x), "2_gradients expected_3"),
    ("linear_backward", lambda gy, x, w, b: (gy @ w, gy.T @ x, None), "gb None missing"),
    ("softmax_backward", lambda gy, x: gy * softmax(x), "term .sum((1,),_keepdims=True)`_is_missing"),
    ("softmax_backward", lambda gy, x: gy * softmax(x) * (1 - softmax(x)), "`.sum(…)`_is_missing (gy_*_y).sum"),
    ("softmax_backward", lambda gy, x: softmax(x) * (gy - (gy * softmax(x)).sum(0)), "axis"),
    ("softmax_backward", lambda gy, x: softmax(x) * (gy - (gy * softmax(x)).sum()), "sum axis|axes|row|all|batch"),
    ("softmax_backward", lambda gy, x: gy - softmax(x) * gy.sum(1, keepdims=True), "softmax|factor|y"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * softmax(x) / 4, "onehot missing"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (softmax(x) - onehot(labels)), "not divided 4"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (onehot(labels) - softmax(x)) / 4, "sign"),
    ("cross_entropy_backward", lambda gy, x, labels: (softmax(x) - onehot(labels)) / 4, "ignores gy"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (x - onehot(labels)) / 4, "softmax missing"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (softmax(x) - onehot(labels)) / 3, "3 4"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (softmax(x, 0) - onehot(labels)) / 4, "batch|axis|softmax"),
    ("cross_entropy_backward", lambda gy, x, labels: gy * (softmax(x) - labels[:, None]) / 4, "one-hot|onehot|label"),
    ("network_backward", lambda *a: network(*a, gate=np.ones_like), "factor `z_>_0`_is_missing"),
    ("network_backward", lambda *a: network(*a, gate=lambda z: z < 0), "gw1"),
    ("network_backward", lambda gy, *a: network(1, *a), "ignores_gy"),
    ("network_backward", lambda gy, *a: network(4 * gy, *a), "not_divided 4_is_the_batch_size"),
    ("network_backward", lambda *a: network(*a, g=lambda gy, p: gy * p / 4), "gw1"),
    ("network_backward", lambda *a: network(*a, gw2=lambda g, z: g.T @ z), "gw2"),
    ("network_backward", lambda *a: network(*a, gw2=lambda g, z: np.maximum(z, 0).T @ g), "gw2 shape|transposed"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy, x, w[:, :, ::-1, ::-1], s, p), "flipped"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy, x, w, s, p, crop=False), "padding cropped"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy, x, w, s, p, assign=True), "overwritten"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy[:, :1], x, w[:1], s, p), "channel"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy, x, w, 1, p), "stride_is_ignored"),
    ("conv2d_grad_x", lambda gy, x, w, s, p: gx(gy, x, w.transpose(0, 1, 3, 2), s, p), "transposed"),
    ("conv2d_grad_w", lambda gy, x, w, s, p: gw(gy, x, w, s, p) / len(x), "averaged|2|batch"),
    ("conv2d_grad_w", lambda gy, x, w, s, p: gw(gy[:1], x[:1], w, s, p), "sample|batch"),
    ("conv2d_grad_w", lambda gy, x, w, s, p: gw(gy, x, w, s, p)[:, :, ::-1, ::-1], "flipped"),
    ("conv2d_grad_w", lambda gy, x, w, s, p: gw(gy, x, w, s, p, step=1), "stride ignored"),
    ("max_pool_backward", lambda gy, x, k, s: max_pool(gy, x, k, s, every=True), "maximum every|only"),
    ("max_pool_backward", lambda gy, x, k, s: max_pool(gy, x, k, s, assign=True), "overwritten"),
    ("max_pool_backward", lambda gy, x, k, s: max_pool(gy, x, k, s, every=True) / k**2, "average|mean|9"),
    ("max_pool_backward", lambda gy, x, k, s: max_pool(gy, x, k, s) * x, "x"),
    ("avg_pool_backward", lambda gy, x, k: gy.repeat(k, 2).repeat(k, 3), "not divided 4"),
    ("avg_pool_backward", lambda gy, x, k: gy / k**2, "expanded"),
    ("avg_pool_backward", lambda gy, x, k: gy.repeat(k, 2).repeat(k, 3) / k, "2"),
    ("avg_pool_backward", lambda gy, x, k: np.tile(gy, (k, k)) / k**2, "place"),
    ("global_avg_pool_backward", lambda gy, x: gy[:, :, None, None] * np.ones_like(x), "not divided 20"),
    ("global_avg_pool_backward", lambda gy, x: gy / 20, "expanded"),
    ("global_avg_pool_backward", lambda gy, x: gy[:, :, None, None] / 20, "expanded"),
    ("global_avg_pool_backward", lambda gy, x: np.ones_like(x) / 20, "ignores gy"),
    ("batch_norm_backward", lambda *a: norm(*a, mean=0), "missing mean"),
    ("batch_norm_backward", lambda *a: norm(*a, var=0), "missing variance"),
    (
        "batch_norm_backward",
        lambda *a: norm(*a, mean=0, var=0),
        "mean_is_treated_as_a_constant variance_is_treated_as_a_constant missing",
    ),
    ("batch_norm_backward", lambda *a: norm(*a, with_gamma=False), "gamma forgotten"),
    ("batch_norm_backward", lambda *a: norm(*a, root=False), "but_std_is_forgotten"),
    ("batch_norm_backward", lambda *a: norm(*a, axes=0), "axes (0,)"),
    ("batch_norm_backward", norm_with(1, lambda gy, x: (gy * x).sum(AXES)), "ggamma mean"),
    ("batch_norm_backward", norm_with(2, lambda gy, x: gy.mean(AXES)), "gbeta averaged 18"),
    ("batch_norm_backward", norm_with(2, lambda gy, x: gy.sum(0)), "gbeta sum"),
    ("residual_add_backward", lambda gy, f, x: (gy, np.zeros_like(gy)), "0_everywhere"),
    ("residual_add_backward", lambda gy, f, x: (gy / 2, gy / 2), "1/2"),
    ("residual_add_backward", lambda gy, f, x: (gy * x, gy * f), "x"),
    ("residual_add_backward", lambda gy, f, x: gy, "1_gradients expected_2"),
    (
        "residual_block_backward",
        lambda gy, x, w: ((gy * (x @ w.T > 0)) @ w, (gy * (x @ w.T > 0)).T @ x),
        "skip",
    ),
    ("residual_block_backward", lambda gy, x, w: (gy, (gy * (x @ w.T > 0)).T @ x), "skip|only_the_path"),
    ("residual_block_backward", lambda gy, x, w: (gy + gy @ w, gy.T @ x), "mask"),
    (
        "residual_block_backward",
        lambda gy, x, w: (gy + (gy * (x @ w.T > 0)) @ w.T, (gy * (x @ w.T > 0)).T @ x),
        "a_.T_too_many,_of_`w` gx",
    ),
    (
        "residual_block_backward",
        lambda gy, x, w: (gy + (gy * (x @ w.T > 0)) @ w, x.T @ (gy * (x @ w.T > 0))),
        "gw transposed",
    ),
    ("highway_backward", lambda gy, H, T, x: (gy * T, gy * H, gy * (1 - T)), "gT"),
    ("highway_backward", lambda gy, H, T, x: (gy * (1 - T), gy * (H - x), gy * T), "come_as_gx,_gT,_gH"),
    ("highway_backward", lambda gy, H, T, x: (gy * T, gy * (H - x) * T * (1 - T), gy * (1 - T)), "T·(1_−_T)"),
    ("highway_backward", lambda gy, H, T, x: (gy * T, gy * (H + x), gy * (1 - T)), "gT"),
    ("highway_backward", lambda gy, H, T, x: (gy * T, gy * (x - H), gy * (1 - T)), "gT sign"),
    ("highway_backward", lambda gy, H, T, x: (gy * T, gy * (H - x), gy), "gx"),
    ("concat_backward", lambda gy, a, b: (gy, gy), "handed_to_both"),
    ("concat_backward", lambda gy, a, b: (gy[:, 5:], gy[:, :5]), "wrong_ends a_comes_first"),
    ("concat_backward", lambda gy, a, b: (gy[:, :2], gy[:, 1:6]), "gb shifted|place"),
    ("concat_backward", lambda gy, a, b: (gy[:, :2] / 2, gy[:, 2:] / 2), "1/2"),
)


def depth_first(inputs, root):
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for x in inputs[node]:
                visit(x)

    visit(root)
    return order


def breadth_first(inputs, root):
    order = [root]
    for node in order:
        order.extend(x for x in inputs[node] if x not in order)
    return order


def every_way(inputs, root):
    return [root, *(node for x in inputs[root] for node in every_way(inputs, x))]


def recursive(inputs, root):
    order = []

    def visit(node):
        if node not in order:
            for x in inputs[node]:
                visit(x)
            order.append(node)

    visit(root)
    return order[::-1]


ORDERS = (
    (depth_first, "before computed_from"),
    (breadth_first, "before computed_from"),
    (every_way, "twice seen"),
    (lambda inputs, root: recursive(inputs, root)[::-1], "inputs_first reversed"),
    (recursive, "RecursionError loop"),
    (lambda inputs, root: list(inputs), "order|before|below"),
    (lambda inputs, root: [root], "missing"),
    (lambda inputs, root: 3, "expected_a_list"),
)
