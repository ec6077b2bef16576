"""How many threads this process may use."""

from threadpoolctl import threadpool_info


def threads() -> int:
    """As many as its matrix products: pytest's workers have been given a share of the cores each.

    Pools of OpenMP (faiss brings one) are not asked: in a thread that is not the main one they say what they would use
    and not what they were told.
    """
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max((pool["num_threads"] for pool in blas if pool.get("threading_layer") != "openmp"), default=1)
