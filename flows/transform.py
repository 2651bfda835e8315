"""The subflow that builds the dbt models on the published tables."""

from pathlib import Path

from prefect import flow

from tasks.config import load_config
from tasks.transform import Built, build


@flow(name="transform", persist_result=False)
def transform(config: str, full_refresh: bool = False) -> Built:
    """Runs `dbt build`; fails when any model or test does.

    Args:
        config: Path of the configuration file.
        full_refresh: Rebuild incremental models from nothing.
    """
    return build(load_config(Path(config)), full_refresh)
