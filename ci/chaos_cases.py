"""The cases of `ci.chaos`: what goes wrong where, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FULL_TERMINAL = "full: /dev/full"
FULL, ENOSPC, EROFS = "full: RLIMIT_FSIZE", "full: ENOSPC injected", "read-only: EROFS injected"
NO_FOLDER = "cannot be made: its parent is a file"
RELEASED = "RELEASE control:oracle"
SIGNALS = {"SIGKILL": -9, "SIGTERM": -15, "SIGINT": 2}


@dataclass(frozen=True, eq=False)
class Case:
    """One fault in one command.

    Attributes:
        command: "gate", "gate -n 2", "train", "import" or "embed".
        where: place or stage, in words.
        fault: in words.
        chaos: for `ci.chaos_faults`; ``{tmp}``, ``{out}`` and ``{cache}`` are the folders of the case.
        code: exit code wanted; that of a signal is negative.
        says: regular expression that what is printed must match once spaces are single; "" where nothing can be said.
        left: what may stay behind in TMPDIR and --out, random letters as a star.
        report: what a reader finds in a report folder that held a release before: "withdrawn", "old" or "new".
        again: whether the same command, or `--resume`, must succeed afterwards.
        env: variables of the command; ``{file}`` is a file, below which nothing can be made.
        out: where it is to write, default a folder of the case.
    """

    command: str
    where: str
    fault: str
    chaos: str
    code: int
    says: str = ""
    left: tuple[str, ...] = ()
    report: str = ""
    again: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    out: str = "{out}"

    @property
    def name(self) -> str:
        """As it is asked for."""
        return f"{self.command}: {self.where}: {self.fault}"


def _killed_sessions() -> list[Case]:
    """Every signal at every stage of a session."""
    predicting, report = (
        "lvm_gates.harness.judging.observing:Observing._observe",
        "lvm_gates.harness.report.write.render_html",
    )
    stages = [
        ("while it starts", "lvm_gates.gates.session.open_run", 1, "", ()),
        ("while it predicts", predicting, 5, "nothing is released", ()),
        ("while it writes the report", report, 1, "nothing is released", (".together.*.tmp",)),
    ]
    cases = []
    for where, place, call, says, half in stages:
        for name, code in SIGNALS.items():
            chaos, stopped = f"at({place!r}, sent({name!r}), {call})", code < 0
            left = ("lvm-gates-*", *half) if stopped else ()
            cases.append(Case("gate", where, name, chaos, code, "" if stopped else says, left, "withdrawn"))
    where, chaos = "when the report is there", "at('lvm_gates.harness.base.atomic._flush_names', sent('SIGKILL'))"
    cases.append(Case("gate", where, "SIGKILL", chaos, -9, left=("lvm-gates-*", ".together.*.tmp"), report="new"))
    where, chaos = "a worker, while it predicts", f"in_worker({predicting!r}, sent('SIGKILL'))"
    cases.append(Case("gate -n 2", where, "SIGKILL", chaos, 1, "worker 'gw0' crashed", report="new"))
    return cases


def _full_sessions() -> list[Case]:
    """A disk that is full or read-only wherever a session writes."""
    folder, writing = "report folder", "at('lvm_gates.harness.report.write.write_report', {})"
    observing = "cannot be read or written .File too large.; free space, or set TMPDIR"
    refused = "cannot be made or written .{}.; give another folder"
    read_only, elsewhere = "read_only({out!r})", {"LVM_GATES_CACHE": "{file}/cache"}
    no_room = "cannot be written .{}.; name another"
    tmp = "from_the_start(read_only({tmp!r}))"
    cache = "at('lvm_gates.harness.base.cache.atomic_write', no_space, 0)"
    at_once, later = f"{EROFS} from the start", f"{EROFS} by the time of the report"
    start = f"from_the_start({read_only})"
    return [
        Case("gate", "TMPDIR", FULL, "from_the_start(full(9000))", 1, observing, report="withdrawn"),
        Case("gate", "TMPDIR", EROFS, tmp, 0, RELEASED, report="new"),
        Case("gate", "cache", ENOSPC, cache, 0, RELEASED, report="new"),
        Case("gate", "cache", NO_FOLDER, "", 0, RELEASED, report="new", env=elsewhere),
        Case(
            "gate", folder, FULL, writing.format("full(100_000)"), 3, no_room.format("File too large"), (), "withdrawn"
        ),
        Case("gate", folder, NO_FOLDER, "", 4, refused.format("Not a directory"), out="{file}/out"),
        Case("gate", folder, at_once, start, 4, refused.format("Read-only file system"), report="old"),
        Case(
            "gate",
            folder,
            later,
            writing.format(read_only),
            3,
            no_room.format("Read-only file system"),
            (),
            "withdrawn",
        ),
        # pytest's own printing fails, and pytest says so at length; it is no release all the same.
        Case("gate", "what it prints", FULL_TERMINAL, "", 1, "No space left on device", report="withdrawn"),
    ]


def _others() -> list[Case]:
    cases = []
    for name, code in SIGNALS.items():
        stopped, writing = code < 0, f"at('os.fsync', sent({name!r}), {{}})"
        end, says = (code, "") if stopped else (1, "Aborted!")
        weights, vectors = ((f".{file}.*.tmp",) if stopped else () for file in ("best_model.pt", "vectors.npy"))
        cases += [
            Case("train", "while it writes weights", name, writing.format(6), end, says, weights, again=True),
            Case("import", "while it writes vectors", name, writing.format(1), end, says, vectors, again=True),
        ]
    run, out = "training run folder", "output"
    embed, assembling = "letters_for_a_model({})", "at('lvm_gates.harness.text.build._assemble', sent('SIGKILL'))"
    read_only, second_epoch = (
        "from_the_start(read_only({out!r}))",
        "at('lvm_gates.trainers.run_folder.save_checkpoint', full(3000), 4)",
    )
    resume = "cannot be written .File too large.; make room and add --resume, or give another --out"
    other = "cannot be written .{}.; give another --out"
    sentence = "cannot be written or read .{}.; name another place, or free space"
    full = sentence.format("File too large")
    return [
        *cases,
        Case("train", run, FULL, second_epoch, 1, resume, again=True),
        Case("train", run, EROFS, read_only, 1, other.format("Read-only file system")),
        Case("train", run, NO_FOLDER, "", 1, other.format("Not a directory"), out="{file}/out"),
        Case("import", out, FULL, "from_the_start(full(20_000))", 1, full, again=True),
        Case("import", out, EROFS, read_only, 1, sentence.format("Read-only file system")),
        Case("import", out, NO_FOLDER, "", 1, sentence.format("File exists"), out="{file}/out"),
        Case("embed", "when all is embedded", "SIGKILL", embed.format(assembling), -9, again=True),
        Case("embed", out, FULL, embed.format("from_the_start(full(1000))"), 1, full, again=True),
    ]


CASES = [*_killed_sessions(), *_full_sessions(), *_others()]
