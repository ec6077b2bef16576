"""How long a model of the user's takes: `pytest benchmarks/ --model=best_model.pt`. No assertion here depends on time.

`lvm-report bench` reads the file that ``--benchmark-json`` names, and judges; it measures without pytest, too.
"""

import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.latency.files import KEY
from lvm_gates.harness.latency.measure import BATCHES
from lvm_gates.harness.report.latency import render_alone


@pytest.mark.parametrize("batch", BATCHES, ids="B={}".format)
def test_latency(batch, bench, benchmark):
    """The model's calls, each after a product and in turns with the accepted model, if there is one."""
    if not benchmark.enabled:
        pytest.fail("benchmarks are off here; run them alone: leave out -n and --benchmark-disable", pytrace=False)

    def take(turns, call, count):
        benchmark.pedantic(call, setup=turns.before, rounds=count, iterations=1)
        turns.seconds[-1] = list(benchmark.stats.stats.data)

    try:
        found = bench.measure_by(batch, take)
    except UserError as error:
        sentence = str(error)
    else:
        benchmark.extra_info[KEY] = jsonable(found)
        print(render_alone([found]))  # noqa: T201 - seen with -s
        return
    pytest.fail(sentence, pytrace=False)
