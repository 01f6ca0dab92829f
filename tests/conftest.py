"""What holds for every test."""

import pytest
from hypothesis import settings

# A time limit for each example fails on a machine that others use too; pytest-timeout guards tests.
settings.register_profile("every test", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=40)


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer examples where slow tests are left out; a test that names a number keeps it."""
    settings.load_profile("quick" if config.option.markexpr else "every test")
