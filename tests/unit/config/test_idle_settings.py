"""Settings that would do nothing are refused: whoever sets them believes that they do."""

import pytest

from qmpi.config.load import parse_job
from qmpi.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[guard]\naction = "roll_back"', "no step is ever a spike"),
        ("[model]\nshared_experts = 2", "model.shared_experts = 2 stands beside experts"),
        (
            "[batch]\nhalve_microbatches = true\n[train]\nsequences = 1",
            "train.sequences = 1 cannot be halved",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_job(text)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        '[guard]\naction = "roll_back"\nnorm_spike = 6.0',
        '[model]\nshared_experts = 2\nexperts = 4\nrouter = "sigmoid"',
        "[batch]\nhalve_microbatches = true\n[train]\nsequences = 2",
    ],
)
def test_what_does_something_is_not(text: str) -> None:
    parse_job(text)
