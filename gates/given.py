"""What the user typed, for the scorecard, where that is no command line of pytest's."""

import pytest

GIVEN = pytest.StashKey[list[str]]()


class GivenArguments:
    """A plugin that tells its session."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[GIVEN] = self._arguments
