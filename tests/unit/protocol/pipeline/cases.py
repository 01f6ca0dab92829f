"""Pipelines of every schedule and many sizes."""

from hypothesis import strategies as st

from qmpi.config.parallel import PipelineSchedule
from qmpi.protocol.pipeline.actions import Table
from qmpi.protocol.pipeline.schedules import table_of

Size = tuple[int, int, int]
"""Stages, chunks of each, microbatches."""

SCHEDULES: tuple[PipelineSchedule, ...] = ("gpipe", "1f1b", "interleaved", "zero_bubble")


@st.composite
def tables(draw: st.DrawFn, schedules: tuple[PipelineSchedule, ...] = SCHEDULES) -> Table:
    schedule = draw(st.sampled_from(schedules))
    stages = draw(st.integers(1, 6))
    if schedule == "interleaved":
        chunks, microbatches = draw(st.integers(1, 4)), stages * draw(st.integers(1, 3))
    else:
        chunks = draw(st.integers(1, 2)) if schedule == "zero_bubble" else 1
        microbatches = draw(st.integers(1, 14))
    return table_of(schedule, stages, chunks, microbatches)
