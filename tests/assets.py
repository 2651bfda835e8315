"""Assets as a Prefect server knows them: by the events that tell of them."""

import time
from typing import Any

import httpx

SUCCEEDED = "prefect.asset.materialization.succeeded"
FAILED = "prefect.asset.materialization.failed"


def told(api: str, key: str, event: str = SUCCEEDED, least: int = 1) -> list[dict[str, Any]]:
    """The events about an asset, once there are as many: the server stores them when it can."""
    asked = {"filter": {"event": {"name": [event]}, "resource": {"id": [key]}}, "limit": 50}
    for _ in range(100):
        answer = httpx.post(f"{api}/events/filter", json=asked).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["events"]
        if len(found) >= least:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{len(found)} events {event} about {key}, expected {least}")


def related(event: dict[str, Any], role: str) -> set[str]:
    """The ids of what an event is related to in a role, such as asset."""
    return {
        each["prefect.resource.id"]
        for each in event["related"]
        if each["prefect.resource.role"] == role
    }
