"""The result of a `tinyres bench`, with figures that are easy to check by hand."""

import pytest


def direction(ms, gflops, share):
    return {"ms": ms, "gflops": gflops, "rung": "cpu", "share": share}


@pytest.fixture
def result():
    first = {
        "x": [128, 3, 32, 32],
        "w": [16, 3, 3, 3],
        "y": [128, 16, 32, 32],
        "stride": [1, 1],
        "padding": [1, 1],
        "count": 1,
        "flop": 113_246_208,
        "flop_per_byte": 11.4,
        "directions": {"forward": direction(2.0, 57.0, 0.1425), "grad_w": direction(4.0, 28.0, 0.07)},
    }
    second = {
        **first,
        "x": [128, 16, 32, 32],
        "w": [32, 16, 3, 3],
        "y": [128, 32, 16, 16],
        "stride": [2, 2],
        "flop_per_byte": 24.0,
        "directions": {name: direction(1.0, 300.0, 0.75) for name in ("forward", "grad_x", "grad_w")},
    }
    return {
        "settings": {"model": "resnet20", "batch_size": 128, "repeats": 10, "threads": 2},
        "machine": {
            "cpu": "A Processor",
            "cores": 4,
            "threads": 2,
            "vector_bits": 512,
            "versions": {"python": "3.11", "numba": None},
            "peak_gflops": 400.0,
            "sgemm_gflops": 250.0,
            "copy_gb_per_s": 20.0,
        },
        "layers": [first, second],
        "by_op": [
            {"op": "Conv2d", "forward_ms": 30.0, "backward_ms": 45.0, "update_ms": 0.0},
            {"op": "SGD", "forward_ms": 0.0, "backward_ms": 0.0, "update_ms": 25.0},
        ],
        "loop": {
            "step_ms": 104.0,
            "optimizer": {"ms": 1.3, "share": 0.0125},
            "waiting": {"ms": 0.13, "share": 0.00125},
            "metrics": {"ms": 0.052, "share": 0.0005},
            "preparing": {"ms": 2.6, "share": 0.025},
            "together": {"ms": 4.082, "share": 0.03925},
        },
        "tinyres": {
            "step": {"ms": 100.0, "images_per_second": 1280.0},
            "forward": {"ms": 40.0, "images_per_second": 3200.0},
            "memory": 300 * 2**20,
        },
    }
