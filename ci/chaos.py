"""Kill the commands, fill their disks, and see what is left: each case a real process, with one fault at one place.

    python -m ci.chaos [--only TEXT] [--markdown FILE]

Exit 1 if a case ends otherwise than `ci.chaos_cases` says, or with a traceback.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from ci.chaos_cases import CASES, FULL_TERMINAL, Case
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results.reading import read_report
from lvm_gates.harness.worlds.world import synthesise

ROOT = Path(__file__).resolve().parents[1]
_PROGRAMS = {
    "train": "lvm_gates.trainers.cli",
    "import": "lvm_gates.harness.cli.data",
    "embed": "lvm_gates.harness.cli.data",
}
_RANDOM = re.compile(r"^(lvm-gates-|\.together\.|\.[a-z_.]+?\.)\w+(?=$|\.tmp$)")
_SIZES = ["--width=16", "--layers=1", "--heads=2", "--epochs=2", "--sentinel=off"]


@dataclass(frozen=True)
class Ended:
    """How a case ended.

    Attributes:
        code: exit code.
        said: everything printed, spaces single.
        left: entries of TMPDIR and --out that were not there and are no result.
        report: see `Case`.
        again: exit code of the same command without the fault, None where not asked.
    """

    code: int
    said: str
    left: tuple[str, ...]
    report: str
    again: int | None

    def faults(self, case: Case) -> list[str]:
        """In what it differs from what is wanted."""
        found = []
        if self.code != case.code:
            found.append(f"exit code {self.code}, not {case.code}")
        if not re.search(case.says, self.said):
            found.append(f"does not say {case.says!r}")
        if "Traceback" in self.said and case.fault != FULL_TERMINAL:
            found.append("a traceback")
        if self.left != tuple(sorted(case.left)):
            found.append(f"left {self.left}, not {case.left}")
        if self.report != case.report:
            found.append(f"the report is {self.report!r}, not {case.report!r}")
        if case.again and self.again != 0:
            found.append(f"the next one ends with {self.again}")
        return found


class Stage:
    """What all cases start from: a small corpus in two forms, a text, and a report that says `release`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corpus = synthesise("arrow", folder / "arrow", articles=60, dim=16, seed=1)
        self.file = folder / "file"
        self.file.touch()
        chunks = np.concatenate([np.arange(length) for length in self.corpus.lengths])
        articles = np.repeat(self.corpus.article_ids, self.corpus.lengths)
        vectors = self.corpus.vectors(np.arange(self.corpus.size))
        np.savez(folder / "articles.npz", embeddings=vectors, article_indices=articles, chunk_indices=chunks)
        (folder / "text").mkdir()
        for a in range(12):
            (folder / "text" / f"{a}.txt").write_text(f"Article {a}.\n\nThe second paragraph of {a}.\n")

    def line(self, case: Case, out: Path) -> list[str]:
        """The command."""
        corpus = str(self.corpus.path)
        if case.command.startswith("gate"):
            line = [sys.executable, "-m", "pytest", "-p", "ci.chaos_faults", "gates/", "-q", "-p", "no:cacheprovider"]
            line += ["--model=control:oracle", f"--corpus={corpus}", "--max-samples=120", "--horizon=2"]
            return [*line, f"--report={out}", *case.command.split()[1:]]
        program = f"import ci.chaos_faults; from {_PROGRAMS[case.command]} import main; main()"
        given = {
            "train": ["p1", "--corpus", corpus, *_SIZES],
            "import": ["import", str(self.folder / "articles.npz")],
            "embed": ["embed", str(self.folder / "text"), "--unit", "paragraph"],
        }[case.command]
        return [sys.executable, "-c", program, *given, "--out", str(out)]

    def run(self, case: Case) -> Ended:
        """One case, in folders of its own."""
        home = Path(tempfile.mkdtemp(dir=self.folder))
        places = {name: str(home / name) for name in ("tmp", "out", "cache")} | {"file": str(self.file)}
        out, tmp = Path(case.out.format(**places)), Path(places["tmp"])
        tmp.mkdir()
        if case.report:
            shutil.copytree(self._release(), out)
        env = os.environ | {"TMPDIR": places["tmp"], "LVM_GATES_CACHE": places["cache"], "OMP_NUM_THREADS": "1"}
        env |= {name: value.format(**places) for name, value in case.env.items()}
        line = self.line(case, out)
        with Path("/dev/full").open("w") as nowhere:
            done = subprocess.run(
                line,
                cwd=ROOT,
                env=env | ({"CHAOS": case.chaos.format(**places)} if case.chaos else {}),
                stdout=nowhere if case.fault == FULL_TERMINAL else subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=300,
            )
        left = self._left(tmp, out)
        report = self._report(out) if case.report else ""
        again = None
        if case.again:
            calm = {"CHAOS": "letters_for_a_model(None)"} if case.command == "embed" else {}
            resumes = case.command == "train" and (out / "final_model.pt").exists()
            more = {"train": ["--resume" if resumes else "--overwrite"], "import": ["--overwrite"], "embed": []}
            line += more[case.command]
            again = subprocess.run(line, cwd=ROOT, env=env | calm, capture_output=True).returncode
        said = " ".join(f"{done.stdout or ''} {done.stderr}".split())
        said = said.replace(str(home), "…").replace(str(self.file), "file")
        return Ended(done.returncode, said, left, report, again)

    def _release(self) -> Path:
        """A report that releases its model, made by the first case that needs it."""
        made = self.folder / "release"
        if not made.exists():
            line = self.line(Case("gate", "", "", "", 0), made)
            done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                raise click.ClickException(f"nothing is released to begin with: {done.stdout}")
            (made / "made-by").write_text("before")
        return made

    def _report(self, out: Path) -> str:
        try:
            found = read_report(out).scorecard
        except UserError as error:
            return "withdrawn" if "was withdrawn" in str(error) else str(error)
        before = json.loads((self._release() / "scorecard.json").read_text())
        return "old" if found["report_id"] == before["report_id"] else "new"

    def _left(self, tmp: Path, out: Path) -> tuple[str, ...]:
        entries = [*tmp.iterdir(), *(out.rglob("*") if out.is_dir() else [])]
        names = {_RANDOM.sub(r"\1*", entry.name) for entry in entries if entry.parent in (tmp, out)}
        return tuple(sorted(name for name in names if name.endswith(".tmp") or name.startswith("lvm-gates-")))


def markdown(ended: dict[Case, Ended]) -> str:
    """The table."""
    lines = ["| command | where | fault | exit | what it says | left behind | report | next time |"]
    lines.append("|" + "---|" * 8)
    words = {"withdrawn": "withdrawn", "old": "**the old one**", "new": "its own", "": "–"}
    for case, end in ended.items():
        match = re.search(case.says, end.said)
        said = (match[0] if match else "") or "–"
        cells = [case.command, case.where, case.fault, str(end.code), said.replace("|", "\\|")]
        cells += [", ".join(f"`{name}`" for name in end.left) or "–", words.get(end.report, end.report)]
        cells.append("–" if end.again is None else "succeeds" if end.again == 0 else f"exit {end.again}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--only", default="", help="Cases whose name holds this.")
@click.option("--markdown", "file", type=click.Path(path_type=Path), help="Where the table goes, too.")
@click.option("--show", is_flag=True, help="What each case printed.")
def main(only: str, file: Path | None, show: bool) -> None:
    """Run the cases."""
    ended, wrong = {}, 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        stage = Stage(Path(folder))
        for case in (case for case in CASES if only in case.name):
            ended[case] = stage.run(case)
            faults = ended[case].faults(case)
            wrong += bool(faults)
            click.echo(f"{'WRONG' if faults else 'ok':6}{case.name} {'; '.join(faults)}")
            if show:
                click.echo(f"      {ended[case].said[-1500:]}\n")
    click.echo(f"\n{markdown(ended)}")
    if file:
        file.write_text(markdown(ended))
    if wrong:
        raise click.ClickException(f"{wrong} of {len(ended)} cases ended otherwise than they must.")


if __name__ == "__main__":
    main()
