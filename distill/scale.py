"""Ray: the same pipeline over the machines of a cluster."""

import os
import re
import socket

from configs.errors import ConfigError

ANSWER_S = 5


def connect() -> None:
    """Connect to the cluster that RAY_ADDRESS names, or start one on this machine that ends with this process.

    ConfigError where Ray is not installed, or no cluster answers there.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("distill.ray: Ray is not installed; pip install 'planql[ray]'") from None
    address = os.environ.get("RAY_ADDRESS", "")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if at := re.fullmatch(r"([\w.-]+):(\d+)", address):  # Ray itself would try for minutes
            socket.create_connection((at[1], int(at[2])), ANSWER_S).close()
        ray.init(
            address or "local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            ignore_reinit_error=True,
        )
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        told = " ".join(str(error).split())
        where = f"RAY_ADDRESS={address}" if address else "this machine"
        raise ConfigError(
            f"distill.ray: no Ray cluster at {where} ({told}); start it, or correct the address"
        ) from None
