"""Where things that can always be made again are kept between runs."""

import os
from pathlib import Path

import platformdirs


def cache_dir() -> Path:
    """The cache folder: ``$LVM_GATES_CACHE`` if set, else the user's cache folder of this program."""
    override = os.environ.get("LVM_GATES_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("lvm-gates"))
