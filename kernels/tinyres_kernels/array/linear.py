"""A fully connected layer in array code: BLAS does the products."""

from tinyres_kernels.contract import Array


def linear(x: Array, w: Array, b: Array | None) -> Array:
    y = x @ w.T  # (N,I) @ (I,O) -> (N,O)
    return y if b is None else y + b


def linear_grad_x(gy: Array, w: Array) -> Array:
    return gy @ w  # (N,O) @ (O,I) -> (N,I)


def linear_grad_w(gy: Array, x: Array) -> Array:
    return gy.T @ x  # (O,N) @ (N,I) -> (O,I)


def linear_grad_b(gy: Array) -> Array:
    return gy.sum(0)  # (O)
