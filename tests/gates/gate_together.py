"""`lvm-gate` in batches of few windows, so that a small corpus has some for every process."""

from lvm_gates.gates.command import main
from lvm_gates.harness.evaluation import observe

if __name__ == "__main__":
    observe.CHUNK = 32
    main(prog_name="lvm-gate")
