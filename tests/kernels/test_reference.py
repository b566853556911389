"""kernels/tinyres_kernels/reference: the definition, held against examples worked out by hand."""

import numpy as np
import pytest

import tinyres_kernels.array as array
import tinyres_kernels.reference as reference

X = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9


def test_conv2d():
    w = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    y = reference.conv2d(X, w, (1, 1), (0, 0))
    assert y.tolist() == [[[[5421, 6532], [8754, 9865]]]]


def test_conv2d_with_stride_and_padding():
    """With a border of zeros the first window sees only x[0,0] = 1, at its last place; the second sees 2 and 3."""
    w = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    y = reference.conv2d(X, w, (2, 2), (1, 1))
    assert y.tolist() == [[[[1000, 3200], [7040, 9865]]]]


def test_conv2d_sums_over_input_channels_and_keeps_output_channels_apart():
    x = np.array([[[[2.0]], [[3.0]]]])
    w = np.array([[[[1.0]], [[10.0]]], [[[100.0]], [[1000.0]]]])
    assert reference.conv2d(x, w, (1, 1), (0, 0)).tolist() == [[[[32]], [[3200]]]]


def test_conv2d_gradients():
    """gy = 1 at y[1,0] alone: gx is the kernel, laid where that window was; gw is that window of x."""
    w = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    gy = np.array([[[[0.0, 0.0], [1.0, 0.0]]]])
    gx = reference.conv2d_grad_x(gy, w, X.shape, (1, 1), (0, 0))
    gw = reference.conv2d_grad_w(gy, X, w.shape, (1, 1), (0, 0))
    assert gx.tolist() == [[[[0, 0, 0], [1, 10, 0], [100, 1000, 0]]]]
    assert gw.tolist() == [[[[4, 5], [7, 8]]]]


def test_max_pool2d():
    y, argmax = reference.max_pool2d(X, (2, 2), (1, 1), (0, 0), False)
    assert y.tolist() == [[[[5, 6], [8, 9]]]]
    assert argmax.tolist() == [[[[3, 3], [3, 3]]]]
    gx = reference.max_pool2d_grad_x(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), argmax, X.shape, (2, 2), (1, 1), (0, 0))
    assert gx.tolist() == [[[[0, 0, 0], [0, 1, 2], [0, 3, 4]]]]


def test_max_pool2d_one_winner_of_two_windows_gets_both_gradients():
    x = np.array([[[[1.0, 5.0, 2.0]]]])
    _, argmax = reference.max_pool2d(x, (1, 2), (1, 1), (0, 0), False)
    assert argmax.tolist() == [[[[1, 0]]]]
    gx = reference.max_pool2d_grad_x(np.array([[[[10.0, 1.0]]]]), argmax, x.shape, (1, 2), (1, 1), (0, 0))
    assert gx.tolist() == [[[[0, 11, 0]]]]


def test_max_pool2d_first_of_equals():
    _, argmax = reference.max_pool2d(np.ones((1, 1, 2, 2)), (2, 2), (2, 2), (0, 0), False)
    assert argmax.item() == 0


def test_add():
    y = reference.add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0]))
    assert y.tolist() == [[11, 21, 31], [12, 22, 32]]


def test_relu():
    y = reference.relu(np.array([[-1.0, 0.0], [2.0, 3.0]]))
    assert y.tolist() == [[0, 0], [2, 3]]
    assert reference.relu_grad_x(np.array([[5.0, 6.0], [-7.0, 8.0]]), y).tolist() == [[0, 0], [-7, 8]]


def test_avg_pool2d():
    y = reference.avg_pool2d(X, (2, 2), (1, 1), (0, 0), False, True)
    assert y.tolist() == [[[[3, 4], [6, 7]]]]
    gx = reference.avg_pool2d_grad_x(np.array([[[[4.0, 0.0], [0.0, 8.0]]]]), X.shape, (2, 2), (1, 1), (0, 0), True)
    assert gx.tolist() == [[[[1, 1, 0], [1, 3, 2], [0, 2, 2]]]]


def test_avg_pool2d_at_the_border():
    """The corner window of 2×2 holds one value of x, 1, beside three zeros of padding; the ceil_mode window 6 and 9."""
    counted = reference.avg_pool2d(X, (2, 2), (2, 2), (1, 1), False, True)
    inside = reference.avg_pool2d(X, (2, 2), (2, 2), (1, 1), False, False)
    assert (counted[0, 0, 0, 0], inside[0, 0, 0, 0]) == (0.25, 1)
    ceiling = reference.avg_pool2d(X, (2, 2), (2, 2), (0, 0), True, True)
    assert ceiling.tolist() == [[[[3, 4.5], [7.5, 9]]]]


def test_linear():
    x, w = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [0.0, 7.0]])
    assert reference.linear(x, w, np.array([100.0, 200.0, 300.0])).tolist() == [[111, 217, 314], [104, 206, 307]]
    assert reference.linear(x, w, None).tolist() == [[11, 17, 14], [4, 6, 7]]


def test_linear_gradients():
    gy, w, x = np.array([[1.0, 10.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([[7.0, 8.0]])
    assert reference.linear_grad_x(gy, w).tolist() == [[53, 64]]
    assert reference.linear_grad_w(gy, x).tolist() == [[7, 8], [70, 80]]
    assert reference.linear_grad_b(np.array([[1.0, 10.0], [2.0, 20.0]])).tolist() == [3, 30]


def test_cross_entropy():
    """Of scores 0 and ln 3 the probabilities are 1/4 and 3/4; a fifth of the target, smoothed, is shared by two."""
    x, label = np.array([[0.0, np.log(3)]]), np.array([1])
    losses, p = reference.cross_entropy(x, label, 0.0)
    np.testing.assert_allclose(p, [[0.25, 0.75]])
    np.testing.assert_allclose(losses, [np.log(4 / 3)])
    np.testing.assert_allclose(reference.cross_entropy(x, label, 0.2)[0], [0.1 * np.log(4) + 0.9 * np.log(4 / 3)])
    np.testing.assert_allclose(reference.cross_entropy_grad_x(np.array([2.0]), p, label, 0.0), [[0.5, -0.5]])
    np.testing.assert_allclose(reference.cross_entropy_grad_x(np.array([2.0]), p, label, 0.2), [[0.3, -0.3]])


def test_spread():
    y = reference.spread(np.array([[1.0, 2.0]]), (2, 5), (1, 0), (1, 3), 7.0)
    assert y.tolist() == [[7, 7, 7, 7, 7], [1, 7, 7, 2, 7]]


@pytest.mark.parametrize(("shape", "values"), [((4, 3), 4), ((4, 3, 5, 2), 40), ((0, 3, 2), 0), ((4, 0, 2), 0)])
def test_batch_norm_values(shape, values):
    assert reference.batch_norm_values(np.zeros(shape)) == array.batch_norm_values(np.zeros(shape)) == values


def test_batch_norm_track():
    mean, var = np.array([1.0]), np.array([2.0])
    reference.batch_norm_track(mean, var, np.array([11.0]), np.array([6.0]), 0.1, 4)
    np.testing.assert_allclose([*mean, *var], [2.0, 0.9 * 2 + 0.1 * 8])
