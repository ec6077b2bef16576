"""An environment with a wheel and what it declares, and nothing more: a dependency that is not declared is not there.

What is declared is taken from the running environment, by links, so that this needs seconds and no index.
"""

import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def make_environment(folder: Path, wheel: Path) -> Path:
    """Make it in ``folder``.

    Returns:
        The folder of its programs.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(programs / "python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip())
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*install, "--quiet", "--disable-pip-version-check"], check=True)
    (own,) = site.glob("lvm_gates-*.dist-info")
    for one in _closure(Distribution.at(own)):
        _link(one, site)
    return programs


def _closure(root: Distribution) -> list[Distribution]:
    """Every distribution that ``root`` needs here, and those need in turn, without extras that nobody asked for."""
    found: dict[str, Distribution] = {}
    asked = [(root, frozenset[str]())]
    done: set[tuple[str, frozenset[str]]] = set()
    while asked:
        one, extras = asked.pop()
        for text in one.requires or ():
            need = Requirement(text)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                continue
            name, more = canonicalize_name(need.name), frozenset(need.extras)
            if (name, more) not in done:
                done.add((name, more))
                found[name] = distribution(name)
                asked.append((found[name], more))
    return list(found.values())


def _link(one: Distribution, site: Path) -> None:
    for file in one.files or ():
        top = file.parts[0]
        source = Path(str(one.locate_file(top)))
        if top != ".." and source.exists() and not (site / top).exists():
            (site / top).symlink_to(source)
