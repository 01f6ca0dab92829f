import pytest
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.checks import contradictions
from qmpi.config.compression_checks import compression_faults, kept_bytes, sends_less
from qmpi.config.exact_sum import LEAST_NARROW_BITS, narrow_bits
from qmpi.config.identity import identity
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings

KINDS = [{"reduction_bits": 16}, {"compression": "topk"}, {"compression": "powersgd"}]


def job(**train):
    return Settings(train=TrainSettings(**train))


def faults(settings):
    return list(compression_faults(settings))


@pytest.mark.parametrize("kind", KINDS)
def test_by_itself_a_job_may_have_each(kind):
    assert contradictions(job(**kind)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_keeps_a_number_for_each_parameter(kind):
    assert kept_bytes(job(**kind).train, 1000) == 4000
    assert kept_bytes(TrainSettings(), 1000) == 0


def test_without_it_nothing_is_said_and_nothing_changes():
    assert not sends_less(TrainSettings())
    assert contradictions(job()) == []
    assert not {"reduction_bits", "compression"} & identity(job())["train"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_part_of_a_run(kind):
    assert identity(job(**kind)) != identity(job())


@pytest.mark.parametrize("kind", KINDS)
def test_not_as_floats(kind):
    (told,) = faults(job(reduction="fast", **kind))
    assert 'train.reduction = "fast"' in told


@pytest.mark.parametrize("kind", ["topk", "powersgd"])
def test_not_twice(kind):
    (told,) = faults(job(reduction_bits=16, compression=kind))
    assert "leave out train.reduction_bits" in told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lanes", [2048, 2049])
def test_a_lane_has_four_bits_at_least_of_sixteen(kind, lanes):
    told = faults(job(lanes=lanes, **kind))
    few = narrow_bits(lanes) < LEAST_NARROW_BITS and "reduction_bits" in kind
    assert bool(told) is few
    assert few is (lanes == 2049 and "reduction_bits" in kind)


@pytest.mark.parametrize("kind", KINDS)
def test_lanes_do_not_come_later(kind):
    (told,) = faults(replace(job(**kind), batch=BatchSettings(first_lanes=2)))
    assert told.startswith("batch.first_lanes = 2")


@pytest.mark.parametrize("axes", [{"context": 2}, {"expert": 2}, {"tensor": 2}, {"pipeline": 2}])
@pytest.mark.parametrize("kind", KINDS)
def test_bases_are_of_whole_gradients(kind, axes):
    told = faults(replace(job(**kind), parallel=ParallelSettings(**axes)))
    refused = kind == {"compression": "powersgd"} and axes.keys() & {"context", "expert"}
    assert len(told) == bool(refused)


@pytest.mark.parametrize(
    ("field", "value"),
    [("compression_share", 0.1), ("compression_warmup", 9), ("compression_rank", 8)],
)
def test_what_says_nothing_is_refused(field, value):
    (told,) = contradictions(job(**{field: value}))
    assert told.startswith(f"train.{field} = {value}")


@pytest.mark.parametrize("lanes", [1, 2, 3, 8, 9, 2048])
def test_all_lanes_fit_sixteen_bits(lanes):
    most = (1 << narrow_bits(lanes)) - 1
    assert lanes * most < 1 << 15
    assert lanes == 1 or lanes * (2 * most + 1) >= 1 << 14
