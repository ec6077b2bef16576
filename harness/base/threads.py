"""How many threads this process may use."""

from threadpoolctl import threadpool_info


def threads() -> int:
    """As many as its matrix products: pytest's workers have been given a share of the cores each."""
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
