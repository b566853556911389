"""The contract: what every rung of the ladder offers, with each function's signature and meaning.

A rung is a module (`tinyres_kernels.reference`, `array`, `cpu`, `numba_cuda`, `gpu`) that has all functions of
`Kernels`. An op calls `kernels_for(x).conv2d(...)`; "go to definition" on that name leads here, and the last line of
each docstring says where to read on: reference/ defines the function with loops, array/ writes it in NumPy, and the
others are faster. A rung that is not named uses array/'s function. gpu/conv2d.py launches gpu/conv2d.cu, and so on.

This is a Protocol because a module has no type of its own that an annotation could name; a Protocol says which
functions a module must have. tests/kernels/test_contract.py holds every rung to it.
"""

from __future__ import annotations

from typing import Any, Protocol

Array = Any  # NumPy's or CuPy's: the two share no type
Pair = tuple[int, int]  # (rows, columns)


class Kernels(Protocol):
    """N images or rows, C channels in, O channels out, (H, W) in, (P, Q) out, (KH, KW) kernel, (i, j) a place in it.

    gy, gx, gw … are the gradients of the loss with respect to y, x, w … In formulas, s and pad are the stride and the
    padding of that direction.
    """

    __name__: str

    # ---- convolution and pooling -------------------------------------------------------------------------------------

    def conv2d(self, x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
        """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,P,Q)

        y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j]        (x = 0 outside)
        In conv2d.py of reference/, array/, cpu/, numba_cuda/, gpu/
        """

    def conv2d_grad_x(self, gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
        """gy (N,O,P,Q), w (O,C,KH,KW) -> gx (N,C,H,W)

        Wherever conv2d adds x[…]·w[…] to y[…], this adds gy[…]·w[…] to gx[…].
        In conv2d.py of reference/, array/, cpu/, numba_cuda/, gpu/
        """

    def conv2d_grad_w(self, gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
        """gy (N,O,P,Q), x (N,C,H,W) -> gw (O,C,KH,KW)

        gw[o,c,i,j] = Σ_{n,p,q} gy[n,o,p,q] · x[n,c, p·s+i−pad, q·s+j−pad]
        In conv2d.py of reference/, array/, cpu/, numba_cuda/, gpu/
        """

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
        """x (N,C,H,W) -> y, argmax (N,C,P,Q)

        y[n,c,p,q] = max_{i,j} x[n,c, p·s+i−pad, q·s+j−pad]        (x = −∞ outside)
        argmax[n,c,p,q] = i·KW + j of the first place with that maximum
        In max_pool2d.py of reference/, array/, cpu/, gpu/
        """

    def max_pool2d_grad_x(
        self, gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
    ) -> Array:
        """gy, argmax (N,C,P,Q) -> gx (N,C,H,W)

        Each gy[n,c,p,q] is added to gx where the maximum of its window was.
        In max_pool2d.py of reference/, array/, cpu/, gpu/
        """

    def avg_pool2d(
        self, x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        """x (N,C,H,W) -> y (N,C,P,Q)

        y[n,c,p,q] = Σ_{i,j} x[n,c, p·s+i−pad, q·s+j−pad] / M[p,q]        (x = 0 outside)
        M[p,q] counts the window's places inside the input, or with count_include_pad inside the padded input.
        In avg_pool2d.py of reference/, array/, cpu/, gpu/
        """

    def avg_pool2d_grad_x(
        self, gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
    ) -> Array:
        """gy (N,C,P,Q) -> gx (N,C,H,W)

        Each gy[n,c,p,q] / M[p,q] is added to gx at every place of its window.
        In avg_pool2d.py of reference/, array/, cpu/, gpu/
        """

    # ---- batch norm: M values in each of C channels; mean, var, r, gamma, beta, gbeta, ggamma (C) --------------------

    def batch_norm_values(self, x: Array) -> int:
        """x (N,C,…) -> M, the number of values in each channel. In batch_norm.py of reference/, array/"""

    def batch_norm_statistics(self, x: Array, eps: float) -> tuple[Array, Array, Array]:
        """x (N,C,…) -> mean, var, r (C)

        mean = Σ x / M        var = Σ (x − mean)² / M        r = 1/√(var + eps)
        In batch_norm.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_track(
        self, running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, values: int
    ) -> None:
        """All (C). Moves the running statistics, in place, towards those of a batch with M = values.

        running = (1 − momentum)·running + momentum·batch, where the batch's variance is var · M/(M − 1)
        In batch_norm.py of reference/, array/, gpu/
        """

    def batch_norm(self, x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x (N,C,…) -> y (N,C,…)

        y = gamma·x̂ + beta        x̂ = (x − mean)·r
        In batch_norm.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_grad_sums(self, gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
        """gy, x (N,C,…) -> gbeta, ggamma (C)

        gbeta = Σ gy        ggamma = Σ gy·x̂
        In batch_norm.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_grad_x(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array
    ) -> Array:
        """gy, x (N,C,…) -> gx (N,C,…)

        gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M), derived in tinyres/ops/batch_norm.py
        In batch_norm.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_relu(self, x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x (N,C,…) -> y = max(batch_norm(x), 0) (N,C,…). In batch_norm_relu.py of reference/, array/, cpu/, gpu/"""

    def batch_norm_relu_grad_sums(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
    ) -> tuple[Array, Array]:
        """gy, x (N,C,…) -> gbeta, ggamma (C)

        As batch_norm_grad_sums, with gy·(y > 0) for gy; y is computed again from x.
        In batch_norm_relu.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_relu_grad_x(
        self, gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
    ) -> Array:
        """gy, x (N,C,…) -> gx (N,C,…)

        As batch_norm_grad_x, with gy·(y > 0) for gy; y is computed again from x.
        In batch_norm_relu.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_add_relu(self, x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
        """x, residual (N,C,…) -> y = max(batch_norm(x) + residual, 0) (N,C,…)

        In batch_norm_add_relu.py of reference/, array/, cpu/, gpu/
        """

    def batch_norm_add_relu_grad_sums(
        self, gy: Array, y: Array, x: Array, mean: Array, r: Array
    ) -> tuple[Array, Array, Array]:
        """gy, y, x (N,C,…) -> g (N,C,…), gbeta, ggamma (C)

        g = gy·(y > 0) is the gradient of the residual and of batch norm's output; gx = batch_norm_grad_x(g, …).
        In batch_norm_add_relu.py of reference/, array/, cpu/, gpu/
        """

    # ---- the end of a network: N rows, I features in, O out; K classes -----------------------------------------------

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        """x (N,I), w (O,I), b (O) or None -> y = x·wᵀ + b (N,O). In linear.py of reference/, array/, gpu/"""

    def linear_grad_x(self, gy: Array, w: Array) -> Array:
        """gy (N,O), w (O,I) -> gx = gy·w (N,I). In linear.py of reference/, array/, gpu/"""

    def linear_grad_w(self, gy: Array, x: Array) -> Array:
        """gy (N,O), x (N,I) -> gw = gyᵀ·x (O,I). In linear.py of reference/, array/, gpu/"""

    def linear_grad_b(self, gy: Array) -> Array:
        """gy (N,O) -> gb[o] = Σ_n gy[n,o] (O). In linear.py of reference/, array/, gpu/"""

    def cross_entropy(self, x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
        """x (N,K), labels (N) -> losses (N), p = softmax(x) (N,K)

        loss = −Σ_k t[k]·ln p[k]        t[k] = (1 − smoothing)·[k = label] + smoothing/K
        In cross_entropy.py of reference/, array/, gpu/
        """

    def cross_entropy_grad_x(self, gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
        """gy (N), p (N,K), labels (N) -> gx[n,k] = gy[n]·(p[n,k] − t[k]) (N,K)

        In cross_entropy.py of reference/, array/, gpu/
        """

    # ---- arrays of any shape; the result keeps the input's memory order ----------------------------------------------

    def spread(
        self, x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float
    ) -> Array:
        """x -> y of that shape: y[first + step·i] = x[i] along every axis, and value everywhere else

        In spread.py of reference/, array/, gpu/
        """

    def add(self, a: Array, b: Array) -> Array:
        """a, b -> y = a + b, of the shape and the dtype to which both broadcast

        In add.py of reference/, array/, cpu/, gpu/
        """

    def relu(self, x: Array) -> Array:
        """x -> y = max(x, 0). In relu.py of reference/, array/, cpu/, gpu/"""

    def relu_grad_x(self, gy: Array, y: Array) -> Array:
        """gy, y, both of one shape -> gx = gy where y > 0, else 0. In relu.py of reference/, array/, cpu/, gpu/"""
