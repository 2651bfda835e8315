"""Base job templates of the work pools: each type's own, with what a night needs as defaults."""

import json
from pathlib import Path
from typing import Any

from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessWorker
from prefect_docker.worker import DockerWorker
from prefect_kubernetes.worker import KubernetesWorker

from flows.sync import TABLES_AT_ONCE

POOLS = Path(__file__).parents[1] / "deployments" / "pools"
#: What one table's transfer stays under, whatever its size; tests/integration/test_memory.py.
TRANSFER_MB = 500
#: Python, Prefect and dbt, which never runs while tables are copied.
REST_MB = 500
REQUEST_MB = TABLES_AT_ONCE * TRANSFER_MB + REST_MB
#: A night that needs more has a fault, and is better ended than swapped.
LIMIT_MB = 2 * REQUEST_MB
#: A table reads in several streams, and its chunks are encoded while they arrive.
CPUS = 2
IMAGE = "daybreak-worker:latest"
HEARTBEAT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
WORKERS: dict[str, type[BaseWorker[Any, Any, Any]]] = {
    "process": ProcessWorker,
    "docker": DockerWorker,
    "kubernetes": KubernetesWorker,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "process": {"env": HEARTBEAT},
    "docker": {
        "env": HEARTBEAT,
        "image": IMAGE,
        "image_pull_policy": "IfNotPresent",
        "auto_remove": True,
        "mem_limit": f"{LIMIT_MB}m",
        "container_create_kwargs": {"mem_reservation": f"{REQUEST_MB}m", "nano_cpus": CPUS * 10**9},
    },
    "kubernetes": {
        "env": HEARTBEAT,
        "image": IMAGE,
        "image_pull_policy": "IfNotPresent",
        "finished_job_ttl": 3600,
        "cpu_request": str(CPUS),
        "memory_request": f"{REQUEST_MB}Mi",
        "memory_limit": f"{LIMIT_MB}Mi",
    },
}


def template(kind: str) -> str:
    """The base job template of a pool of this type, as `prefect work-pool create` takes it."""
    made = WORKERS[kind].get_default_base_job_template()
    for name, value in DEFAULTS[kind].items():
        made["variables"]["properties"][name]["default"] = value
    return json.dumps(made, indent=2) + "\n"
