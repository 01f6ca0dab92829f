"""Whether layers are compiled, what is done without a compiler, and that the bits stay the same.

What compiles runs in processes of its own, with a cache of its own.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from unit.model.families import FAMILIES
from unit.training.on_cuda import CUDA, needs_cuda
from unit.training.small_job import job

from qmpi.config.model import ModelSettings
from qmpi.model.shape import layer_kinds
from qmpi.training.compiler import wants_compiling

CPU = torch.device("cpu")
MEMBER = Path(__file__).with_name("compiling_member.py")


def with_train(**changes):
    settings = job()
    return replace(settings, train=replace(settings.train, **changes))


def test_auto_looks_at_the_size_of_a_step_not_at_the_number_of_steps():
    large = ModelSettings(vocab_size=8192, width=512, layers=8, heads=8, kv_heads=2)
    for steps in (1, 10**9):
        small = with_train(steps=steps)
        assert not wants_compiling(small, CPU)
        busy = replace(with_train(steps=steps, sequences=64, sequence_tokens=512), model=large)
        assert wants_compiling(busy, CPU)
        assert not wants_compiling(busy, CUDA)


def test_on_and_off_are_obeyed():
    assert wants_compiling(with_train(compile="on"), CPU)
    assert not wants_compiling(with_train(compile="off", lanes=4096, sequences=65_536), CPU)


def member(cache, compile_, device="cpu", shape="dense", **environment):
    """Run a job in a process of its own; return what it tells, or what it says on failing."""
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    known |= {"TORCHINDUCTOR_CACHE_DIR": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, str(MEMBER), compile_, device, shape],
        capture_output=True, text=True, env=known, timeout=1200, check=False,
    )  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


@pytest.mark.timeout(900)
def test_without_a_compiler_auto_computes_eagerly_and_says_so(tmp_path):
    told = member(tmp_path, "auto", CXX="/bin/false")
    plain = member(tmp_path, "off")
    assert told["digests"] == plain["digests"]
    assert told["identity"] == plain["identity"]
    assert [line for line in told["log"] if "not compiled" in line] == told["log"]
    assert len(told["log"]) == 1
    assert plain["log"] == []
    assert not plain["dynamo"]


@pytest.mark.timeout(900)
def test_without_a_compiler_on_is_refused(tmp_path):
    told = member(tmp_path, "on", CXX="/bin/false")
    assert "UserError" in told
    assert "install a C++ compiler" in told


@pytest.mark.timeout(900)
def test_a_compiler_that_fails_is_quoted(tmp_path):
    if not (real := shutil.which("g++")):
        pytest.skip("no g++")
    failing = tmp_path / "g++"
    failing.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do case "$word" in\n'
        f'  -v | --version | -dump*) exec {shlex.quote(real)} "$@" ;;\n'
        "esac; done\n"
        "echo 'step.cpp:1:10: fatal error: Python.h: No such file' >&2\n"
        "exit 1\n"
    )
    failing.chmod(0o755)
    told = member(tmp_path, "on", CXX=str(failing))
    assert "UserError" in told
    assert "fatal error: Python.h: No such file" in told


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_compiled_bits_do_not_depend_on_when_or_where(tmp_path):
    first = member(tmp_path, "on")
    assert "compiled by" in first["identity"]
    # Nothing was compiled after the warm-up, and a lane gives what it gave before.
    assert first["graphs"] == first["graphs_warm"] == 1
    assert first["again"] == first["digests"][0]
    assert first["other_deal"] == first["digests"]
    assert first["has_loops"]
    assert first["without_loops"] == first["digests"]
    # From the cache, and from an empty one.
    for cache in (tmp_path, tmp_path / "empty"):
        other = member(cache, "on")
        assert other["digests"] == first["digests"]
        assert other["identity"] == first["identity"]
    plain = member(tmp_path, "off")
    assert plain["identity"] != first["identity"]
    assert plain["losses"] == pytest.approx(first["losses"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shape", ["masked windows", "long"])
def test_windows_and_documents_compile_once_for_each_kind_of_layer(tmp_path, shape):
    first = member(tmp_path, "on", shape=shape)
    assert first["graphs"] == first["graphs_warm"] == 2
    assert first["again"] == first["digests"][0]
    assert first["other_deal"] == first["digests"]
    assert "documents end with 7" in first["identity"]
    plain, dense = (member(tmp_path, "off", shape=name) for name in (shape, "dense"))
    assert plain["losses"] == pytest.approx(first["losses"], rel=1e-5)
    assert plain["losses"] != pytest.approx(dense["losses"], rel=1e-5)
    assert not plain["dynamo"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_compiles_once_for_each_kind_of_layer(tmp_path, family):
    told = member(tmp_path, "on", shape=family)
    assert "compiled by" in told["identity"]
    assert told["graphs"] == told["graphs_warm"] == len(set(layer_kinds(FAMILIES[family].model)))
    plain = member(tmp_path, "off", shape=family)
    assert plain["losses"] == pytest.approx(told["losses"], rel=1e-5)
    assert told["again"] == told["digests"][0]
    assert told["other_deal"] == told["digests"]
    plain = member(tmp_path, "off", shape=family)
    assert plain["losses"] == pytest.approx(told["losses"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_layers_with_experts_attention_is_compiled(tmp_path):
    told = member(tmp_path, "on", shape="experts")
    assert "compiled by" in told["identity"]
    assert told["graphs"] == told["graphs_warm"] == 1
    assert told["again"] == told["digests"][0]
    assert told["other_deal"] == told["digests"]
    plain = member(tmp_path, "off", shape="experts")
    assert plain["losses"] == pytest.approx(told["losses"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ahead_modules_share_the_graph_of_the_layers(tmp_path):
    told = member(tmp_path, "on", shape="ahead")
    assert "compiled by" in told["identity"]
    assert told["graphs"] == told["graphs_warm"] == 1
    assert told["again"] == told["digests"][0]
    assert told["other_deal"] == told["without_loops"] == told["digests"]
    plain, dense = (member(tmp_path, "off", shape=name) for name in ("ahead", "dense"))
    assert plain["losses"] == pytest.approx(told["losses"], rel=1e-5)
    assert plain["losses"] != pytest.approx(dense["losses"], rel=1e-5)


@needs_cuda
@pytest.mark.timeout(900)
def test_cuda_layers_compile_to_nearly_the_eager_losses(tmp_path):
    compiled, plain = (member(tmp_path, how, "cuda") for how in ("on", "off"))
    assert "compiled by triton" in compiled["identity"]
    assert compiled["graphs"] == compiled["graphs_warm"] == 1
    assert compiled["again"] == compiled["digests"][0]
    assert compiled["other_deal"] == compiled["digests"]
    assert plain["losses"] == pytest.approx(compiled["losses"], rel=1e-4)
