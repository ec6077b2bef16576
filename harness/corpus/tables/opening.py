"""Which reader a file or folder of vectors is for."""

from dataclasses import dataclass, field
from pathlib import Path

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, is_file, is_folder
from lvm_gates.harness.corpus.tables.columns import ColumnNames
from lvm_gates.harness.corpus.tables.json_lines import json_kinds, json_table
from lvm_gates.harness.corpus.tables.matrix import matrix_table
from lvm_gates.harness.corpus.tables.side_files import SideFiles
from lvm_gates.harness.corpus.tables.table import Table
from lvm_gates.harness.files.json_file import read_json

PARQUET_SUFFIXES, ARROW_SUFFIXES = (".parquet", ".pq"), (".arrow", ".feather", ".ipc")
FAISS_SUFFIXES = (".faiss", ".index", ".faissindex")
# What `Dataset.save_to_disk` and `DatasetDict.save_to_disk` of Hugging Face's datasets write last.
_STATE, _DICTIONARY = "state.json", "dataset_dict.json"
_LARGEST_STATE = 16 << 20
MISSING_EXTRA = (
    "{path}: needs pyarrow, which is not installed; install it with pip install -e '.[arrow]' (or pip install pyarrow)."
)


@dataclass(frozen=True)
class TableOptions:
    """What the user said of a table."""

    columns: ColumnNames = field(default_factory=ColumnNames)
    sides: SideFiles = field(default_factory=SideFiles)


def is_table(path: Path) -> bool:
    """Whether `open_table` is the reader of a file or folder; what is in it is not looked at, but for JSON lines."""
    if is_folder(path):
        return bool(not is_file(path / "corpus.json") and (_is_dataset(path) or _parts(path)))
    name = path.name.lower()
    if name.endswith(JSONL_SUFFIXES):
        return is_file(path) and _has_vectors(path)
    return is_file(path) and name.endswith((*PARQUET_SUFFIXES, *ARROW_SUFFIXES, *FAISS_SUFFIXES, ".npy"))


def open_table(path: Path, options: TableOptions) -> Table:
    """The table at ``path``, not yet read.

    Raises:
        UserError: a file that cannot be read, or whose columns cannot be told apart.
    """
    name = path.name.lower()
    if not is_folder(path) and name.endswith(JSONL_SUFFIXES):
        return json_table(path, options.columns)
    if not is_folder(path) and not name.endswith((*PARQUET_SUFFIXES, *ARROW_SUFFIXES)):
        return matrix_table(path, options.sides, options.columns)
    what, files = table_files(path)
    try:
        from lvm_gates.harness.corpus.tables.arrow_table import arrow_table
    except ImportError as error:
        raise UserError(MISSING_EXTRA.format(path=path)) from error
    return arrow_table(path, files, what, options.columns)


def table_files(path: Path) -> tuple[str, list[Path]]:
    """The format, and the files of a Parquet or Arrow table in the order of their rows.

    Raises:
        UserError: a folder of several data sets, or one without files.
    """
    if not is_folder(path):
        return ("Parquet" if path.name.lower().endswith(PARQUET_SUFFIXES) else "Arrow"), [path]
    if is_file(path / _DICTIONARY):
        parts = sorted(one.name for one in path.iterdir() if is_file(one / _STATE))
        raise UserError(
            f"{path}: holds several data sets ({brief(', '.join(parts)) or 'none of them there'}); name one of these "
            f"folders, such as {path / (parts[0] if parts else 'train')}."
        )
    if is_file(path / _STATE):
        return "Hugging Face data set", _listed(path)
    return "Parquet" if _parts(path)[0].suffix.lower() in PARQUET_SUFFIXES else "Arrow", _parts(path)


def _is_dataset(folder: Path) -> bool:
    return is_file(folder / _STATE) or is_file(folder / _DICTIONARY)


def _parts(folder: Path) -> list[Path]:
    """Files of one format right in a folder: the parts of one table, by name."""
    try:
        found = sorted(one for one in folder.iterdir() if not one.name.startswith((".", "_")))
    except OSError:
        return []
    for suffixes in (PARQUET_SUFFIXES, ARROW_SUFFIXES):
        if parts := [one for one in found if one.suffix.lower() in suffixes and is_file(one)]:
            return parts
    return []


def _listed(folder: Path) -> list[Path]:
    try:
        state = read_json(folder / _STATE, _LARGEST_STATE)
        names = [entry["filename"] for entry in state["_data_files"]]
        if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("it lists no files of this folder")
    except Exception as error:  # whatever else the JSON may hold
        raise UserError(
            f"{folder / _STATE}: cannot be read ({brief(error)}); save the data set again with save_to_disk."
        ) from error
    if absent := [name for name in names if not is_file(folder / name)]:
        raise UserError(f"{folder}: {brief(absent[0])} is missing, which {_STATE} lists; copy the data set again.")
    return [folder / name for name in names]


def _has_vectors(path: Path) -> bool:
    """Whether there is a vector in the first line; a line that cannot be read is told by whoever reads it again."""
    try:
        return any(kind in ("vector", "vectors") for kind in json_kinds(path).values())
    except UserError:
        return True
