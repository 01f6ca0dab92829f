"""Whether a trace keeps to Chrome's format as strictly as Perfetto's importer reads it.

    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

Perfetto's own trace processor is asked besides, see `trace_engine`.
"""

import gzip
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

KNOWN = {"X", "M", "s", "t", "f", "i", "I", "C", "B", "E"}
NAMING = {
    "process_name", "process_labels", "process_sort_index", "thread_name", "thread_sort_index",
}  # fmt: skip
SLACK = 0.002
"""Microseconds by which slices of one thread may overlap: times are written with three digits."""


def faults_of(trace: Any) -> list[str]:
    """Return what breaks the format, in words; nothing for a sound trace."""
    if not isinstance(trace, dict) or not isinstance(trace.get("traceEvents"), list):
        return ["the trace is no object with a list of events"]
    events: list[Any] = trace["traceEvents"]
    faults = [f"event {n}: {why}" for n, event in enumerate(events) for why in _event(event)]
    return faults or [*_flows(events), *_nesting(events)]


def read(path: Path) -> Any:
    """Return a trace; numbers that JSON does not know are an error."""
    raw = path.read_bytes()
    plain = gzip.decompress(raw) if path.suffix == ".gz" else raw

    def refuse(name: str) -> float:
        raise ValueError(f"{path} holds {name}")

    return json.loads(plain.decode("utf-8"), parse_constant=refuse)


def _event(event: Any) -> list[str]:
    if not isinstance(event, dict):
        return [f"{event!r} is no object"]
    kind = event.get("ph")
    if kind not in KNOWN:
        return [f"unknown phase {kind!r}"]
    faults = [f"no {key}" for key in ("pid", "tid") if not isinstance(event.get(key), int | str)]
    if not isinstance(event.get("name"), str) or not event["name"]:
        faults.append("no name")
    if kind != "M" or "ts" in event:
        faults += _time(event, "ts")
    if kind == "X":
        faults += _time(event, "dur")
    if kind in "stf" and not isinstance(event.get("id"), int | str):
        faults.append("a flow without an id")
    if kind == "M" and event.get("name") not in NAMING:
        faults.append(f"names {event.get('name')!r}")
    if "args" in event and not isinstance(event["args"], dict):
        faults.append("arguments that are no object")
    return faults


def _time(event: Any, key: str) -> list[str]:
    value = event.get(key)
    sound = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    return [] if sound else [f"{key} is {value!r}"]


def _flows(events: list[Any]) -> list[str]:
    begun = {(e.get("cat"), e["id"]) for e in events if e["ph"] == "s"}
    ended = {(e.get("cat"), e["id"]) for e in events if e["ph"] == "f"}
    return [f"the flow {flow} ends without a beginning" for flow in sorted(ended - begun, key=str)]


def _nesting(events: list[Any]) -> list[str]:
    threads: dict[tuple[object, object], list[tuple[float, float, str]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            begin = event["ts"]
            threads[(event["pid"], event["tid"])].append(
                (begin, begin + event["dur"], event["name"])
            )
    faults: list[str] = []
    for slices in threads.values():
        open_until: list[tuple[float, str]] = []
        for begin, end, name in sorted(slices, key=lambda s: (s[0], -s[1])):
            while open_until and open_until[-1][0] <= begin + SLACK:
                open_until.pop()
            if open_until and end > open_until[-1][0] + SLACK:
                faults.append(f"{name} at {begin} outlasts {open_until[-1][1]} around it")
            open_until.append((end, name))
    return faults
