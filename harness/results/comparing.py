"""A comparison from what was typed: two places of reports, a policy, and which model is meant in each."""

from collections.abc import Iterable
from pathlib import Path

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.results.baseline import GIT, opened, read_git
from lvm_gates.harness.results.comparison import Comparison, compare_reports
from lvm_gates.harness.results.fit import BrokenError
from lvm_gates.harness.results.policy import DEFAULT, Policy, parse_policy
from lvm_gates.harness.results.reading import choose


def compare_given(
    accepted: str,
    candidate: str,
    policy: str | None = None,
    splits: Iterable[str] = JUDGED,
    models: tuple[str | None, str | None] = (None, None),
) -> Comparison:
    """Compare two reports by a policy.

    Args:
        accepted: a report folder, ``last:FOLDER`` or ``git:REVISION:PATH``.
        candidate: the same.
        policy: a TOML file, ``git:REVISION:PATH``, or None for the default.
        splits: to compare on.
        models: names in the two reports; None where there is one.

    Raises:
        UserError: they cannot be compared, and why.
    """
    rules, origin = read_policy(policy)
    with opened(accepted) as a, opened(candidate) as b:
        first, second = choose(a, models[0], "--model-a"), choose(b, models[1], "--model-b")
        if (a.path.resolve(), first) == (b.path.resolve(), second):
            raise BrokenError(f"{first}: is named on both sides; name another report, or another model with --model-b.")
        return compare_reports((a, a.card(first)), (b, b.card(second)), list(splits), rules, origin)


def read_policy(given: str | None) -> tuple[Policy, str]:
    """A policy and where it is from, in words.

    Raises:
        UserError: it cannot be read, or is none.
    """
    if given is None:
        return parse_policy(DEFAULT.read_bytes(), DEFAULT.name), "built in"
    if given.startswith(GIT):
        return parse_policy(read_git(given), given), given
    try:
        return parse_policy(Path(given).read_bytes(), given), given
    except OSError as error:
        raise UserError(f"{given}: the policy cannot be read ({error.strerror or error}); name a TOML file.") from error
