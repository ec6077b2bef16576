"""What a user names as ``python:package.module:name``, or an installed package offers by entry point, imported."""

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import UserError, brief

PYTHON = "python:"


def import_named(spec: str, root: Path) -> Any:
    """The object behind ``python:package.module:name``; it runs that module's code, in this process.

    Args:
        spec: as the user gave it.
        root: folder whose modules are found first, as ``python -c`` would in it.

    Raises:
        UserError: there is none, or its module cannot be imported.
    """
    module, _, name = spec.removeprefix(PYTHON).partition(":")
    if not spec.startswith(PYTHON) or not module or not name:
        raise UserError(f"{spec}: write python:package.module:name.")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{spec}: cannot be imported ({brief(error)}); check the module and the name.") from error
    except (Exception, SystemExit) as error:
        raise UserError(f"{spec}: importing {module} raised {type(error).__name__} ({brief(error)}).") from error


def offered(group: str) -> list[EntryPoint]:
    """The entry points of a group, by name, whichever order packages were installed in."""
    return sorted(entry_points(group=group), key=lambda point: point.name)


def load_offered(point: EntryPoint) -> Any:
    """The object behind an entry point.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        source = point.dist.name if point.dist else point.value
        raise UserError(
            f"{point.group} entry point {point.name} of {source}: raised {type(error).__name__} ({brief(error)}); "
            "mend or uninstall that package."
        ) from error
