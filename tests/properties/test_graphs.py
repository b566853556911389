"""The engine, over random graphs: inputs used many times over, results that are never used, parts cut off.

Each rule by itself, on a graph made for it: tests/test_autograd.py.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from properties import duals
from properties.graphs import graphs

import tinyres
from tinyres import Op, Tensor

small_and_large = pytest.mark.parametrize("depth", [2, 6, 20])


def leaves_of(graph, wanted=None):
    wanted = [True] * graph.leaves if wanted is None else wanted
    return [Tensor(value, want) for value, want in zip(graph.values(), wanted, strict=True)]


def gradients(graph, gy, of=-1, at=lambda k, made: made):
    """What each leaf gets from matrix `of`; zeros where nothing arrives."""
    leaves = leaves_of(graph)
    y = graph.run(tinyres, leaves, at)[of]
    if y.requires_grad:
        y.backward(gy)
    return [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves]


def assert_close(actual, wanted):
    """Equal but for the order of summation; gradients grow with the number of ways through the graph."""
    for a, b in zip(actual, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(1, np.abs(b).max()))


@small_and_large
@given(st.data())
def test_backward_equals_forward_mode(depth, data):
    """⟨gy, slope of y⟩ = ⟨gx, direction of x⟩ for each leaf x; one that wants no gradient counts as a constant."""
    graph = data.draw(graphs(depth))
    wanted = data.draw(st.lists(st.booleans(), min_size=graph.leaves, max_size=graph.leaves))
    leaves, (*directions, gy) = leaves_of(graph, wanted), graph.directions()
    y = graph.run(tinyres, leaves)[-1]
    if y.requires_grad:
        y.backward(gy)
    for k, leaf in enumerate(leaves):
        start = [duals.Dual(v, directions[k] if i == k else 0) for i, v in enumerate(graph.values())]
        end = graph.run(duals, start)[-1]
        np.testing.assert_allclose(y.data, end.value, rtol=1e-11, atol=1e-11)
        if not wanted[k]:
            assert leaf.grad is None
            continue
        slope, arrived = np.vdot(gy, end.slope), 0 if leaf.grad is None else np.vdot(leaf.grad, directions[k])
        size = 1 if leaf.grad is None else max(1, np.abs(leaf.grad).max())
        assert abs(slope - arrived) <= 1e-11 * size * graph.n**2


@small_and_large
@given(st.data())
def test_no_grad_computes_the_same(depth, data):
    graph = data.draw(graphs(depth))
    recorded = graph.run(tinyres, leaves_of(graph))
    with tinyres.no_grad():
        unrecorded = graph.run(tinyres, leaves_of(graph))
    for a, b in zip(recorded, unrecorded, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert b.op is None
    assert not any(y.requires_grad for y in unrecorded[graph.leaves :])


@small_and_large
@given(st.data())
def test_bit_equal_again(depth, data):
    graph = data.draw(graphs(depth))
    gy = graph.directions()[-1]
    np.testing.assert_array_equal(gradients(graph, gy), gradients(graph, gy))


@small_and_large
@given(st.data())
def test_two_backwards_add_up(depth, data):
    """From two matrices of one graph, which share parts of it; and all at once, from their sum."""
    graph = data.draw(graphs(depth))
    last = graph.leaves + depth - 1
    p, q = data.draw(st.integers(graph.leaves, last)), data.draw(st.integers(graph.leaves, last))
    first, second = graph.directions()[-1], graph.directions()[0]
    leaves = leaves_of(graph)
    made = graph.run(tinyres, leaves)
    assume(made[p].requires_grad and made[q].requires_grad)
    made[p].backward(first, retain_graph=True)
    made[q].backward(second, retain_graph=True)
    alone = zip(gradients(graph, first, p), gradients(graph, second, q), strict=True)
    both = [a + b for a, b in alone]
    np.testing.assert_array_equal(
        [0 * b if x.grad is None else x.grad for x, b in zip(leaves, both, strict=True)], both
    )
    for x in leaves:
        x.grad = None
    (made[p] * Tensor(first) + made[q] * Tensor(second)).sum().backward()
    assert_close([0 * b if x.grad is None else x.grad for x, b in zip(leaves, both, strict=True)], both)


@small_and_large
@given(st.data())
def test_a_second_backward_is_refused(depth, data):
    graph = data.draw(graphs(depth))
    y = graph.run(tinyres, leaves_of(graph))[-1]
    assume(y.requires_grad)
    y.backward(graph.directions()[-1])
    with pytest.raises(RuntimeError, match="backward ran through here before"):
        y.backward(graph.directions()[-1])


@small_and_large
@given(st.data())
def test_a_hook_sees_what_a_leaf_in_its_place_would_get(depth, data):
    """Once, and complete; retain_grad() keeps the same."""
    graph = data.draw(graphs(depth))
    where = data.draw(st.integers(graph.leaves, graph.leaves + depth - 1))
    gy, seen, kept, cut = graph.directions()[-1], [], [], []

    def hook(k, made):
        if k == where and made.requires_grad:
            made.register_hook(lambda g: seen.append(g.copy()))
            made.retain_grad()
            kept.append(made)
        return made

    def leaf(k, made):
        if k == where and made.requires_grad:
            cut.append(Tensor(made.data, requires_grad=True))
            return cut[0]
        return made

    gradients(graph, gy, at=hook)
    gradients(graph, gy, at=leaf)
    if not cut or cut[0].grad is None:
        assert not seen
    else:
        assert len(seen) == 1
        np.testing.assert_array_equal(kept[0].grad, seen[0])
        assert_close(seen, [cut[0].grad])


@small_and_large
@given(st.data())
def test_a_hook_that_answers_zero_detaches(depth, data):
    graph = data.draw(graphs(depth))
    where = data.draw(st.integers(graph.leaves, graph.leaves + depth - 1))
    gy = graph.directions()[-1]

    def silence(k, made):
        if k == where and made.requires_grad:
            made.register_hook(lambda g: g * 0)
        return made

    silenced = gradients(graph, gy, at=silence)
    assert_close(silenced, gradients(graph, gy, at=lambda k, made: made.detach() if k == where else made))


@small_and_large
@given(st.data())
def test_a_gy_of_zeros_gives_zeros(depth, data):
    graph = data.draw(graphs(depth))
    assert not np.any(gradients(graph, np.zeros((graph.n, graph.n))))


@small_and_large
@given(st.data())
def test_nobody_writes_into_gy(depth, data):
    """Every gy is read-only while, and after, its op sees it; the same array may be on its way to another op."""
    graph = data.draw(graphs(depth))
    gy, handed, sweep = graph.directions()[-1], [], Op.sweep

    def guarded(op, gy):
        gy.flags.writeable = False
        handed.append((op.name, gy, gy.copy()))
        return sweep(op, gy)

    wanted = gradients(graph, gy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Op, "sweep", guarded)
        np.testing.assert_array_equal(gradients(graph, gy), wanted)
    for name, now, before in handed:
        np.testing.assert_array_equal(now, before, err_msg=f"gy of {name}")
