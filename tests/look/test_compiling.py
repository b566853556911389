"""tinyres/look/compiling.py"""

import tinyres_kernels.cpu
from tinyres.look.compiling import must_compile


def test_kernels_must_be_compiled_while_their_cache_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(tinyres_kernels.cpu.cache, "FOLDER", str(tmp_path))
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    assert must_compile()
    (tmp_path / "conv2d").mkdir()
    (tmp_path / "conv2d" / "fill.nbi").touch()
    assert not must_compile()


def test_array_kernels_need_no_compiling(monkeypatch, tmp_path):
    monkeypatch.setattr(tinyres_kernels.cpu.cache, "FOLDER", str(tmp_path))
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    assert not must_compile()
