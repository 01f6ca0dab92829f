"""Pipelines of every schedule and many sizes."""

from hypothesis import strategies as st

from qmpi.policy.pipeline.actions import Chain, Table
from qmpi.policy.pipeline.schedules import Schedule, table_of

SCHEDULES: tuple[Schedule, ...] = ("gpipe", "1f1b", "interleaved", "zero_bubble")


@st.composite
def tables(draw: st.DrawFn, schedules: tuple[Schedule, ...] = SCHEDULES) -> Table:
    schedule = draw(st.sampled_from(schedules))
    stages = draw(st.integers(1, 6))
    if schedule == "interleaved":
        chunks, microbatches = draw(st.integers(1, 4)), stages * draw(st.integers(1, 3))
    else:
        chunks, microbatches = 1, draw(st.integers(1, 14))
    return table_of(schedule, Chain(stages, chunks, microbatches))
