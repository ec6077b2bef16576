"""Every command that a page shows is run: here on small data, by a test of its own, or by .ci/run; none by nobody."""

import glob
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from shown import ROOT, shown_commands
from small_world import make_files, make_world
from torch.distributed.run import get_args_parser

from lvm_gates.gates.command import main as lvm_gate
from lvm_gates.gates.options import OPTION_NAMES, OPTIONS, SESSION_OPTIONS, as_arguments
from lvm_gates.gates.session import open_run
from lvm_gates.harness.cli.data import main as lvm_data
from lvm_gates.harness.cli.report import main as lvm_report
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.text import embedding
from lvm_gates.trainers.cli import main as lvm_train

sys.path.append(str(ROOT / "tests" / "harness" / "cli"))
from first_letters import FirstLetters

README = (ROOT / "README.md").read_text()
PROGRAMS = {"lvm-data": lvm_data, "lvm-report": lvm_report, "lvm-train": lvm_train}
COMMANDS = list(dict.fromkeys(one.command for one in shown_commands()))
# Set-up, and what takes minutes by nature: .ci/run runs these, by the name of the target.
BY_CI = {"make demo", "make test", "make lint types", "make lint", "make types", "make benchmark"}
# Hours on large corpora, or downloads: run small by the test beside each; here its options are parsed.
BY_TEST = {
    "python -m ci.calibrate_skill": "tests/ci/test_calibrate_skill.py",
    "python -m ci.coverage": "tests/ci/test_coverage.py",
    "python ci/leak_table.py planted": "tests/ci/test_leak_table.py",
    "python -m ci.power": "tests/ci/test_power.py",
    "python -m ci.sequential_error": "tests/ci/test_sequential_error.py",
    "python -m ci.reproduce": "tests/ci/test_reproduce.py",
    "make reproduced": "tests/ci/test_reproduce.py",
    "python -m ci.fuzz": "tests/ci/test_fuzz.py",
    "python -m ci.chaos": "tests/ci/test_chaos.py",
    "python -m ci.mutate": "tests/ci/test_mutation.py",
    "make mutation": "tests/ci/test_mutation.py",
    "python -m ci.speed": "tests/ci/test_speed.py",
    "make bench": "tests/ci/test_speed.py",
    "python -m ci.growth": "tests/ci/test_growth.py",
    "python -m ci.champion_plot": "tests/ci/test_champion_plot.py",
    # The text of docs/champion.md, which is not ours to ship.
    "lvm-data import brown.npz": "tests/harness/cli/test_data_import.py",
    "lvm-data split dev/": "tests/harness/cli/test_data_split.py",
    "lvm-train champion --corpus dev/": "tests/trainers/test_champion.py",
    "pytest gates/ --model=runs/champion/final_model.pt": "tests/gates/test_champion_gated.py",
    # The same text.
    "lvm-train base-lcm --width 384": "tests/trainers/test_designs.py",
    "lvm-train sentence-lm --width 1024": "tests/trainers/test_designs.py",
    "lvm-train cpc --width 512": "tests/trainers/test_designs.py",
    "lvm-train energy --width 384": "tests/trainers/test_designs.py",
    "lvm-train p1 --width 384": "tests/trainers/test_recipes.py",
    "pytest gates/ --profile=skill --corpus=dev/": "tests/gates/test_champion_gated.py",
    "lvm-data import afaq.npz": "tests/harness/cli/test_data_import.py",
    "lvm-data import perl.npz": "tests/harness/cli/test_data_import.py",
    "lvm-data split train/": "tests/harness/cli/test_data_split.py",
    "lvm-train champion --corpus train/": "tests/trainers/test_champion.py",
    "pytest gates/ --model=runs/champion-0/final_model.pt": "tests/gates/test_champion_gated.py",
    "lvm-data embed python-docs": "tests/harness/text/test_sources.py",
    "python -m ci.schema": "tests/harness/results/test_scorecard_schema.py",
    "python -m ci.training_memory": "tests/ci/test_training_memory.py",
    "python -m ci.cost": "tests/ci/test_cost.py",
    "python -m ci.processes": "tests/gates/test_over_processes.py",
    "torchrun --nproc-per-node 4 -m lvm_gates.gates.command": "tests/gates/test_over_processes.py",
    "torchrun --nproc-per-node 4 -m lvm_gates.harness.cli.data embed": "tests/harness/text/test_shared_embedding.py",
    "lvm-report bench": "tests/harness/cli/test_report_bench.py",
    "pytest benchmarks/": "tests/ci/test_model_benchmarks.py",
    "torchrun": "tests/trainers/test_several_processes.py",
    "python -m ci.noninferiority": "tests/ci/test_decided_by_intervals.py",
    "python -m ci.refusals": "tests/ci/test_refused_models.py",
    "lvm-report margins": "tests/harness/cli/test_report_forms.py",
    "lvm-ci": "tests/gates/test_pipeline.py",
    "lvm-gate compare": "tests/harness/cli/test_report_compare.py",
    "lvm-gate": "tests/gates/test_foreign_repository.py",
    "pip install .": "tests/gates/test_foreign_repository.py",
    "lvm-serve": "tests/serving/test_real_server.py",
    "make serve": "tests/serving/test_real_server.py",
    "python -m ci.serve_chaos": "tests/serving/test_real_server.py",
    "python -m ci.serve_fuzz": "tests/serving/test_answers.py",
    "python -m ci.serve_latency": "tests/serving/test_real_server.py",
    "lvm-train python:examples.custom_recipe:p8": "tests/trainers/test_recipe_from_outside.py",
}
# A name of a command in a sentence, with words in place of what is to be given; it must exist.
PLACEHOLDER = re.compile(r"…|\b(?:RECIPE|COMMAND|NAME|MODEL)\b")
ACTIVATION = ". .venv/bin/activate"
QUICK = {
    "lvm-train": "--width 16 --layers 1 --heads 2 --epochs 1 --overwrite",
    "lvm-train champion": "--width 16 --epochs 1 --overwrite",
    "lvm-train grid": "--epochs 1 --width 16 --layers 1 --heads 2 --corpus my_corpus",
    "lvm-data synth": "--articles 20 --dim 16",
    "lvm-data embed": "--unit paragraph --overwrite",
    "lvm-data import": "--overwrite",
}
GATES_QUICK = ["--max-samples=60", "--horizon=2", "-p", "no:cacheprovider"]
# Reports that commands of another block name.
REPORTS = {"pytest gates/ --model=control:oracle": ["--report=candidate"]}


def by_test(command):
    return next((start for start in BY_TEST if command == start or command.startswith(f"{start} ")), None)


def is_name(command):
    """`lvm-data score` without any argument, in a sentence, names the command."""
    return PLACEHOLDER.search(command) or "--help" in command or (len(command.split()) == 2 and "lvm-" in command)


DEMO = [re.sub(r"^\S*/bin/", "", line) for line in subprocess.run(
    ["make", "-n", "-C", str(ROOT), "--no-print-directory", "demo"], capture_output=True, text=True, check=True
).stdout.splitlines()]  # fmt: skip
ELSEWHERE = [c for c in COMMANDS if c in BY_CI or c in DEMO or c == ACTIVATION or by_test(c) or is_name(c)]
HERE = [c for c in COMMANDS if c not in ELSEWHERE]
GATED = [c for c in HERE if c.startswith(("pytest gates/ ", "lvm-gate "))]
# Whole sessions where a command is of another kind than the others; the rest begins with another model or another
# option, and is run until the model has answered: from there on it would be the same session again, for seconds.
# All of `lvm-gate` as a program is run by tests/gates/test_foreign_repository.py.
SESSIONS = [c for c in GATED if c.startswith("pytest") and re.search(r" -n 2| --report=out/|=control:oracle", c)]
OURS = [c for c in HERE if c.split()[0] in PROGRAMS]


def test_no_command_is_run_by_nobody():
    assert len(COMMANDS) > 30
    assert sorted({*HERE}) == sorted({*GATED, *OURS}), "a command that no test and no part of CI runs"


def test_ci_runs_what_is_left_to_it():
    ci = (ROOT / ".ci" / "run").read_text()
    targets = {target for command in {*COMMANDS} & BY_CI for target in command.split()[1:]}
    assert {"demo", "test"} <= targets
    ran = {word for line in re.findall(r"^make (.*)$", ci, flags=re.MULTILINE) for word in line.split()}
    assert targets - {"benchmark"} <= ran
    assert "benchmark-run" in ran, "what `make benchmark` measures; its alarm is for an idle machine"


@pytest.mark.parametrize("command", [c for c in COMMANDS if by_test(c)])
def test_what_another_test_runs_takes_the_options_shown(command):
    assert (ROOT / BY_TEST[by_test(command)]).is_file()
    program, *words = command.split()
    if program == "torchrun":
        own, (module, *words) = words[: words.index("-m")], words[words.index("-m") + 1 :]
        assert {word for word in own if word.startswith("--")} <= set(get_args_parser()._option_string_actions)
        words = ["-m", module, *words]
    if program in ("python", "torchrun"):
        module, words = (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])
        main = importlib.import_module(module.removesuffix(".py").replace("/", ".")).main
        while isinstance(main, click.Group):
            main, words = main.commands[words[0]], words[1:]
        known = {option for parameter in main.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("command", [c for c in COMMANDS if is_name(c) and c.split()[0] in PROGRAMS])
def test_a_command_that_is_named_exists(command):
    program, name, *_ = command.split()
    if not PLACEHOLDER.search(name) and not name.startswith("-"):
        assert PROGRAMS[program].get_command(click.Context(PROGRAMS[program]), name)


def typed(command, folder, patch):
    """A command of ours in this process, smaller."""
    program, *words = [word for part in shlex.split(command) for word in _expanded(part, folder)]
    quick = QUICK.get(f"{program} {words[0]}", QUICK.get(program, "")).split()
    if program == "lvm-train" and words[0] != "grid" and "--corpus" not in words:
        quick += ["--corpus", "my_corpus"]
    patch.chdir(folder)
    return CliRunner().invoke(PROGRAMS[program], [*words, *quick])


def _expanded(word, folder):
    found = sorted(glob.glob(word, root_dir=folder)) if "*" in word else []  # noqa: PTH207 - as a shell does
    return found or [word]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Where the commands are typed, with a checkpoint and one of another recipe."""
    folder = tmp_path_factory.mktemp("shown") / "here"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", str(folder.parent / "cache"))
        make_world(folder)
        for command in ("lvm-train p1 --out runs/first", "lvm-train p6 --out runs/p6"):
            made = typed(command, folder, patch)
            assert made.exit_code == 0, made.output
        shutil.copy(folder / "runs" / "first" / "best_model.pt", folder)
        yield folder


@pytest.fixture(scope="module")
def gated(world):
    """command -> (exit status, output) of every `pytest gates/` command."""
    lines = {}
    for i, command in enumerate(SESSIONS):
        _, _, *words = shlex.split(command)
        corpus = [] if re.search("--corpus|--articles-npz", command) else ["--corpus=my_corpus/"]
        lines[str(i)] = [str(ROOT / "gates"), *words, *corpus, *GATES_QUICK, *REPORTS.get(command, [])]
    output = world.parent / "output"
    output.mkdir()
    driver = [sys.executable, str(Path(__file__).with_name("gate_driver.py")), str(output)]
    done = subprocess.run(
        driver, input=json.dumps(lines), cwd=world, env=os.environ, capture_output=True, text=True, check=True
    )
    statuses = json.loads(done.stdout)
    return {c: (statuses[str(i)], (output / f"{i}.txt").read_text()) for i, c in enumerate(SESSIONS)}


@pytest.mark.parametrize("command", SESSIONS)
def test_a_shown_gating_command_gives_a_verdict(gated, command):
    status, said = gated[command]
    assert status in (0, 1), said
    model = re.search(r"--model=(\S+)", command)[1]
    assert re.search(rf"^(RELEASE|HOLD|BLOCKED) +{re.escape(model)}$", said, flags=re.MULTILINE), said
    assert "the model broke" not in said


@pytest.mark.parametrize("command", [c for c in GATED if c not in SESSIONS])
def test_a_shown_gating_command_is_answered_by_its_model(world, tmp_path, request, command):
    program, *words = shlex.split(command)
    if program == "lvm-gate":
        typed_in = lvm_gate.make_context(program, words).params
        words = [w for one in (*OPTIONS, *SESSION_OPTIONS) for w in as_arguments(one, typed_in[one.dest])]
    given, unknown = request.config._parser.parse_known_and_unknown_args(words[program == "pytest" :])
    assert not unknown
    options = {name: getattr(given, name) for name in OPTION_NAMES} | {"max_samples": 60, "horizon": 2}
    if "python:" in command:  # a checkpoint records what it was trained on
        options["corpus"] = "my_corpus"
    run = open_run(options, tmp_path, world)
    try:
        assert run.inputs.corpus.path == world / (options["corpus"] or "my_corpus")
        (model,) = run.settings.models
        observed = observe(run.loaded[model], run.inputs.evaluation["VAL"], batch_size=run.settings.batch_size)
        assert observed.finite.all()
    finally:
        run.close()


@pytest.mark.parametrize("command", [c for c in OURS if c.startswith("lvm-train")])
def test_a_shown_training_command_trains(world, monkeypatch, command):
    done = typed(command, world, monkeypatch)
    assert done.exit_code == 0, done.output
    wanted = r"^rate\.schedule = " if "--show-settings" in command else r"^(epoch 1/1: loss|\S+: best epoch 1 of 1)"
    assert re.search(wanted, done.output, flags=re.MULTILINE)


def test_shown_data_commands_work_in_the_order_shown(world, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "SentenceEncoder", FirstLetters)
    make_files(tmp_path, open_corpus(world / "my_corpus"))
    commands = [c for c in OURS if c.startswith("lvm-data")]
    assert len(commands) >= 8
    for command in commands:
        done = typed(command, tmp_path, monkeypatch)
        assert done.exit_code == 0, f"{command}\n{done.output}"
        assert done.output.strip(), command


def test_shown_report_commands_work(world, gated, monkeypatch):
    for name, report in {"accepted": "out", "runs/a/report": "out", "runs/b/report": "candidate"}.items():
        shutil.copytree(world / report, world / name, dirs_exist_ok=True)
    commands = [c for c in OURS if c.startswith("lvm-report")]
    assert len(commands) >= 3
    for command in commands:
        done = typed(command, world, monkeypatch)
        # These models are not released, and ten articles decide little; what breaks ends with 3 or 4.
        allowed = {"show": (0, 1), "compare": (0, 1, 6)}.get(command.split()[1], (0,))
        assert done.exit_code in allowed, f"{command}\n{done.output}"
        assert done.output.strip(), command


NUMBER = re.compile(r"[-+−]?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?")


def masked(line):
    return NUMBER.sub("#", line)


def test_training_prints_what_the_readme_shows(world, monkeypatch):
    (shown,) = {masked(line) for line in README.splitlines() if re.match(r"epoch \d+/\d+: ", line)}
    done = typed("lvm-train p1 --out runs/form", world, monkeypatch)
    assert masked(done.output.splitlines()[0]) == shown


def table(lines, heading):
    """First column of a table, from its heading to the first line that is none of its rows."""
    begin = next(i for i, line in enumerate(lines) if line.startswith(heading))
    width = re.match(rf"{heading} +", lines[begin]).end()
    rows = []
    for line in lines[begin + 2 :]:
        if re.match(r"  - |novel: |  \? ", line):
            break
        rows.append(line[:width].strip().removeprefix("? "))
    return lines[begin].split(), rows


@pytest.mark.parametrize("heading", [re.search(r"^gate / \w+", README, flags=re.MULTILINE)[0], "on VAL"])
def test_gating_prints_the_tables_that_the_readme_shows(gated, heading):
    shown = README[README.index("RELEASE  runs/demo/best_model.pt") :].splitlines()
    said = next(s for c, (_, s) in gated.items() if "--model=best_model.pt --corpus=my_corpus/" in c).splitlines()
    ours, theirs = table(said, heading), table(shown, heading)
    assert ours[0] == theirs[0], "columns"
    assert [re.sub("^…?(.*)best_model.pt$", "MODEL", row) for row in ours[1]] == [
        re.sub("^…?(.*)best_model.pt$", "MODEL", row) for row in theirs[1]
    ]
