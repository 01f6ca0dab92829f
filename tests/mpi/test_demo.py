"""`qmpi demo --json` end to end: the contract that scripts rely on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO_SECONDS = 240.0
SMALL = (
    *("--set", "roles.memory=1", "--set", "roles.trainer=2"),
    *("--set", "model.layers=1", "--set", "model.width=64"),
    *("--set", "train.sequence_tokens=64", "--set", "train.sequences=2"),
)


def demo(*arguments: str) -> tuple[int, str, str]:
    """Run `qmpi demo`; stop it in order if it takes too long, so that no rank is left."""
    command = [sys.executable, "-m", "qmpi.cli.main", "demo", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        out, err = process.communicate(timeout=DEMO_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        pytest.fail(f"the demo took more than {DEMO_SECONDS:.0f} s: {out} {err}")
    return process.returncode, out, err


@pytest.mark.timeout(300)
def test_demo_survives_its_kill_and_proves_it(tmp_path: Path) -> None:
    code, out, err = demo("--json", "--steps", "12", "--run-dir", str(tmp_path / "demo"), *SMALL)
    result = json.loads(out)  # one object and nothing else
    assert code == 0, (result, err)
    assert result["kills"] == 1
    assert result["digest"] == result["undisturbed_digest"]
    assert len(result["digest"]) == 64
    assert result["audit"] == "ok"
    assert result["steps"] == 12
    assert 0 < result["seconds"] < DEMO_SECONDS
    assert 0 < result["recovery_seconds"] < 60
    html = Path(result["report"]).read_text(encoding="utf-8")
    assert "Bit-identical" in html
    assert result["digest"] in html
    assert 'class="death"' in html
    assert "Held-out text and problems" in html
    assert "source python" in html


def test_demo_refuses_a_directory_that_holds_one(tmp_path: Path) -> None:
    (tmp_path / "disturbed").mkdir()
    code, out, _ = demo("--json", "--run-dir", str(tmp_path))
    assert code == 2
    assert "earlier demo" in json.loads(out)["error"]


def test_demo_tells_a_wrong_setting_before_it_starts(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    code, out, _ = demo("--json", "--run-dir", str(root), "--set", "train.stepz=3")
    assert code == 2
    assert "train.steps" in json.loads(out)["error"]
    assert not root.exists()
