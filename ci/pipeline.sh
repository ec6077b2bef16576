#!/bin/sh
# The step of a pipeline, for any CI: installs lvm-gates where it is not there, then gates, compares and says so.
#
#   LVM_MODEL=best_model.pt LVM_OPTIONS="--corpus=my_corpus" LVM_ACCEPTED=reports/accepted sh ci/pipeline.sh
#
# LVM_INSTALL is what pip installs, PYTHON the interpreter; all else is an option of lvm-ci (docs/ci.md), as are the
# arguments. Ends as lvm-ci ends.
set -eu
python=${PYTHON:-python}
# -P: what lies in the working directory is of somebody else and is not imported in place of ours.
if ! "$python" -P -c 'import lvm_gates.gates.pipeline' 2>/dev/null; then
    "$python" -P -c 'import torch' 2>/dev/null ||
        "$python" -m pip install --quiet torch --index-url https://download.pytorch.org/whl/cpu
    "$python" -m pip install --quiet "${LVM_INSTALL:-lvm-gates}"
fi
exec "$python" -P -m lvm_gates.gates.pipeline.command "$@"
