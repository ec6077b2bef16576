"""Whether the files of a served model have changed."""

from dataclasses import dataclass, field
from pathlib import Path

from lvm_gates.harness.results.folder import SCORECARD
from lvm_gates.serving.released import reports_near
from lvm_gates.serving.settings import Settings

_State = tuple[tuple[str, int, int], ...]


@dataclass
class Watched:
    """A model file and the scorecards that may release it.

    Attributes:
        settings: of the server.
    """

    settings: Settings
    _seen: _State = ()
    _loaded: _State = field(default=())

    @classmethod
    def of(cls, settings: Settings) -> "Watched":
        """As the files are now."""
        made = cls(settings)
        made._seen = made._loaded = made._state()
        return made

    def changed(self) -> bool:
        """Whether something has changed since it was last said to, and has been at rest for one look."""
        before, self._seen = self._seen, self._state()
        # A file that is being written changes from look to look.
        if self._seen != before or self._seen == self._loaded:
            return False
        self._loaded = self._seen
        return True

    def _state(self) -> _State:
        reports = self.settings.reports or reports_near(self.settings.model, Path.cwd())
        found = []
        for file in (Path(self.settings.model), *(folder / SCORECARD for folder in reports)):
            try:
                stat = file.stat()
            except OSError:
                continue
            found.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(found)
