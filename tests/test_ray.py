"""The pipeline on Ray: a cluster of two workers on this machine."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from distill.ledger import ANSWERS
from tests.teacher import KEY, lines, right, rows_of, serving, start_stage, wait_until, write_run

pytest.importorskip("ray", reason="Ray is not installed")

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def cluster(monkeypatch) -> Iterator[str]:
    """The address of a cluster of two nodes, one CPU each, in a process of its own."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with subprocess.Popen([sys.executable, "-c", CLUSTER], stdin=-1, stdout=-1, stderr=-3, text=True) as process:
        address = process.stdout.readline().strip()
        monkeypatch.setenv("RAY_ADDRESS", address)
        yield address


@pytest.mark.slow
def test_the_same_pipeline_runs_on_two_workers_is_stopped_and_goes_on(cluster, tmp_path):
    with serving(lambda number: (200, right(number), "stop"), delay_s=0.5) as (url, asked):
        config = write_run(tmp_path, url, questions=20, traces=20, ray=True, replicas=2, batch_size=2)
        folder = tmp_path / "runs" / "asked" / "distill"
        stage = start_stage(config)
        wait_until(lambda: lines(folder / ANSWERS) >= 2)
        stage.send_signal(signal.SIGINT)
        _, said = stage.communicate(timeout=100)
        assert stage.returncode == 130 and "stopped; the same command goes on" in said
        stopped_at = len(asked)
        assert stopped_at < 20
        _, said = (stage := start_stage(config)).communicate(timeout=200)
    assert stage.returncode == 0, said
    assert sorted(asked) == list(range(20)) or len(asked) <= 20 + 4  # what was on its way
    assert len(rows_of(folder / "traces.jsonl")) == 20
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_cluster_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with serving(lambda number: (200, right(number), "stop")) as (url, asked):
        stage = start_stage(write_run(tmp_path, url, questions=2, traces=2, ray=True))
        _, said = stage.communicate(timeout=120)
    assert stage.returncode == 2 and not asked
    assert "distill.ray: no Ray cluster at RAY_ADDRESS=127.0.0.1:1" in said.splitlines()[-1]
