"""What holds for every test."""

from hypothesis import settings

# A time limit for each example fails on a machine that others use too; pytest-timeout guards tests.
settings.register_profile("qmpi", deadline=None)
settings.load_profile("qmpi")
