"""Whole steps with products in float8: equal bits however lanes are dealt, and what is refused."""

import pytest
import torch
from msgspec.structs import replace
from unit.training.on_cuda import CUDA, needs_cuda
from unit.training.small_job import alone, job, run
from unit.training.test_gang import gang

from qmpi.config.checks import contradictions
from qmpi.config.compiling import is_worth_compiling
from qmpi.config.identity import identity
from qmpi.config.model import ModelSettings
from qmpi.errors import UserError
from qmpi.training import precision as precision_module
from qmpi.training.precision import choose_precision

CPU, STEPS = torch.device("cpu"), 3


def digests(device="cpu", order=range(4), **train):
    settings = job(precision="float8", device=device)
    settings = replace(settings, train=replace(settings.train, **train))
    engine = alone(settings)
    return [run(engine, settings, step, list(order)).weight_digest for step in range(STEPS)]


def test_bits_do_not_depend_on_the_order_of_lanes():
    wanted = digests()
    assert digests(order=[2, 0, 3, 1]) == wanted
    assert digests(precision="bfloat16") != wanted


@pytest.mark.parametrize("members", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_bits_do_not_depend_on_the_number_of_members(members):
    settings = job(precision="float8")
    engine = alone(settings)
    wanted = [run(engine, settings, step).weight_digest for step in range(5)][-1]
    found = gang(members, precision="float8")
    assert {told[2] for told in found.values()} == {wanted}


@pytest.mark.parametrize("mode", ["full", "selective"])
def test_checkpoints_give_the_same_bits(mode):
    assert digests(checkpointing=mode) == digests()


def test_losses_are_near_those_of_bfloat16():
    ends = []
    for precision in ("float8", "bfloat16"):
        settings = job(precision=precision)
        engine = alone(settings)
        ends.append([run(engine, settings, step).lane_losses for step in range(STEPS)])
    for mine, theirs in zip(*ends, strict=True):
        assert mine == pytest.approx(theirs, rel=5e-3)
        assert mine != theirs


def test_the_identity_names_it():
    assert "float8 in bfloat16" in alone(job(precision="float8")).identity()
    assert identity(job(precision="float8")) != identity(job(precision="bfloat16"))


def test_an_older_gpu_is_refused_with_the_names_of_those_that_have_it(monkeypatch):
    train = job(precision="float8").train
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A100")
    with pytest.raises(UserError, match=r"A100 does not multiply float8.*Hopper"):
        choose_precision(train, torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert choose_precision(train, torch.device("cuda")) == torch.bfloat16
    assert precision_module.FLOAT8_CAPABILITY == (8, 9)


def test_a_cpu_says_that_it_stands_in(caplog):
    assert choose_precision(job(precision="float8").train, CPU) == torch.bfloat16
    assert "a CPU multiplies float8 as float32" in caplog.text


def test_sides_and_compilers_that_do_not_go_with_it_are_told():
    settings = job(precision="float8")
    assert not contradictions(settings)
    assert not is_worth_compiling(settings.train, 1e12, "cuda")
    odd = replace(
        settings,
        model=ModelSettings(vocab_size=256, width=40, heads=5, kv_heads=1, ffn_width=100),
        train=replace(settings.train, sequence_tokens=24, compile="on"),
    )
    told = " ".join(contradictions(odd))
    for name in ("model.width", "model.ffn_width", "heads x", "kv_heads x", "sequence_tokens"):
        assert f"{name} " in told or name in told
    assert 'train.compile = "on" with train.precision = "float8"' in told
    mixed = replace(settings, model=replace(settings.model, experts=4))
    assert any('train.precision = "float8" is not there' in line for line in contradictions(mixed))


@needs_cuda
def test_cuda_gives_the_same_bits_again():
    if torch.cuda.get_device_capability(CUDA) < precision_module.FLOAT8_CAPABILITY:
        pytest.skip("needs a GPU that multiplies float8")
    assert digests("cuda") == digests("cuda", order=[2, 0, 3, 1])
