"""One thread a process, for BLAS and for torch, compiled modules kept, and Hypothesis without its 200 ms deadline.

Threads of small matrix products spend their time waiting for one another: on two busy cores a Cholesky solve of 320
unknowns took .54 s on two threads and .002 s on one (measured). A first torch or faiss call exceeds the deadline.
"""

import os

# Before anything loads scipy's BLAS; numpy's may have been loaded by a plugin, which is harmless.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Sessions that tests start keep what they compile, as a user's do: a second of each else, in containers that forbid it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import sampled_shapes

if not os.environ.get("EVERY_SHAPE"):
    sampled_shapes.install()  # before the engine is imported

import pytest
import torch
from hypothesis import settings

settings.register_profile("dev", max_examples=25, deadline=None)
if os.environ.get("CI"):
    # The built-in profile loads itself where a CI variable is set: derandomised, no database. Extended, not replaced.
    settings.register_profile("ci", parent=settings.get_profile("ci"), deadline=None)
    settings.load_profile("ci")
else:
    settings.load_profile("dev")


def pytest_runtest_setup() -> None:
    sampled_shapes.begin()


@pytest.fixture(scope="session", autouse=True)
def every_scorecard_is_of_the_schema():
    """Whatever a test writes as a report is checked against the schema that is shipped."""
    from ci.schema import check
    from lvm_gates.harness.results import folder

    write = folder.write_json

    def checked(path, value):
        check(value)
        write(path, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "write_json", checked)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks as small as those of the tests only wait for one another on several threads, for seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
