"""One thread for all networks here."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small networks only wait for one another on several threads, for seconds on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
