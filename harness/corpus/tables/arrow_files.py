"""Parquet and Arrow files and Hugging Face dataset folders, read a batch at a time.

Only this module and `arrow_values` need pyarrow. Batches are checked in full before anything is made of them, since
offsets in a file may point anywhere; a Parquet file is read page by page, however large its row groups are.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.corpus.tables.arrow_packing import refuse_bomb
from lvm_gates.harness.corpus.tables.arrow_values import BadRowError, kind_of
from lvm_gates.harness.corpus.tables.columns import Kind
from lvm_gates.harness.files.npz_file import BOMB_RATIO, BOMB_SIZE

_PARQUET = (".parquet", ".pq")
# Bytes that are read ahead of a column of a Parquet file.
_BUFFER = 1 << 20


class ArrowFiles:
    """One table in one or several files of one schema.

    Args:
        path: what the user named.
        files: in the order of their rows.

    Raises:
        UserError: a file that cannot be read, or files of several schemas.
    """

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self.path, self._files = path, files
        schemas = [self._schema(file) for file in files]
        for file, schema in zip(files, schemas, strict=True):
            if schema != schemas[0]:
                raise UserError(f"{file}: has other columns than {files[0].name}; put the two in folders of their own.")
        self._kinds = schemas[0]

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each column can be."""
        return self._kinds

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[Any]:
        """Record batches of the named columns, at most so many rows each."""
        for file in self._files:
            with told(file):
                for batch in _parquet(file, columns, rows) if _is_parquet(file) else _arrow(file, columns, rows):
                    batch.validate(full=True)
                    yield batch

    def _schema(self, file: Path) -> dict[str, Kind]:
        with told(file):
            if _is_parquet(file):
                with _opened(file) as parquet:
                    _refuse_bomb(parquet.metadata, file.stat().st_size)
                    schema = parquet.schema_arrow
            else:
                with pa.memory_map(str(file)) as stream:
                    reader = _reader(stream)
                    schema = reader.schema
                    # Behind its magic number a file is a stream, with a list of the batches at its end.
                    stream.seek(8 if isinstance(reader, pa.RecordBatchFileReader) else 0)
                    refuse_bomb(stream)
            names = schema.names
            if twice := [name for name in names if names.count(name) > 1]:
                raise UserError(f"{file}: column {brief(repr(twice[0]))} stands twice; rename one.")
            return {field.name: kind_of(field.type) for field in schema}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file, in one sentence."""
    try:
        yield
    except UserError:
        raise
    except BadRowError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(
            f"{path}: cannot be read ({brief(error)}); it may be truncated or damaged, copy it again."
        ) from error


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() in _PARQUET


def _opened(file: Path) -> Any:
    return pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True)


def _refuse_bomb(metadata: Any, size: int) -> None:
    """Embeddings do not pack a hundredfold, but a kilobyte of Parquet can hold a vector of a billion equal numbers."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    values = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
    if 4 * values > max(BOMB_SIZE, BOMB_RATIO * size):
        raise ValueError(f"{size >> 10} KB unpack to {values:,} numbers")


def _parquet(file: Path, columns: Sequence[str], rows: int) -> Iterator[Any]:
    with _opened(file) as parquet:
        yield from parquet.iter_batches(batch_size=rows, columns=list(columns), use_threads=False)


def _arrow(file: Path, columns: Sequence[str], rows: int) -> Iterator[Any]:
    with pa.memory_map(str(file)) as stream:
        reader = _reader(stream)
        whole = (
            (reader.get_batch(i) for i in range(reader.num_record_batches))
            if isinstance(reader, pa.RecordBatchFileReader)
            else iter(reader)
        )
        for batch in whole:
            # Before it is sliced: a slice of hostile offsets reads beyond them.
            batch.validate(full=True)
            chosen = batch.select(list(columns))
            for begin in range(0, batch.num_rows, rows):
                yield chosen.slice(begin, rows)


def _reader(stream: Any) -> Any:
    magic = stream.read(6)
    stream.seek(0)
    # A file and a stream are two formats; Hugging Face writes streams.
    return pa.ipc.open_file(stream) if magic == b"ARROW1" else pa.ipc.open_stream(stream)
