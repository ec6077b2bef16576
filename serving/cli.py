"""``lvm-serve``: serve a released model over HTTP."""

import os
from pathlib import Path
from typing import Any

import click

from lvm_gates.harness.cli.group import SentenceCommand
from lvm_gates.serving.settings import BANK_KINDS, Limits, Settings

MISSING_EXTRA = "{what} is not installed, and `lvm-serve` needs it; install it with pip install -e '.[serve]'."
# The name of a token in the environment: a token on the command line can be read by everybody on the machine.
TOKEN = "LVM_SERVE_TOKEN"  # noqa: S105 - a name


@click.command(cls=SentenceCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Whose chunks answer [default: the embedded synthetic dataset]."
)
@click.option(
    "--report",
    "reports",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Report folder that releases the model; may be repeated [default: those beside the model].",
)
@click.option("--allow-blocked", is_flag=True, help="Serve what no report releases; every answer says so.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9007, show_default=True, help="0 takes a free one.")
@click.option("--bank", type=click.Choice(BANK_KINDS), default="flat", show_default=True, help="flat is exact.")
@click.option("--encoder", help="Of /chat: folder or name [default: the one that the corpus records].")
@click.option("--decoder", default="nearest", show_default=True, help="Tells vectors in words; by entry point.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--watch", type=click.FloatRange(min=0), default=5, show_default=True, help="Seconds between looks.")
@click.option("--concurrent", type=click.IntRange(min=1), default=Limits.concurrent, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=Limits.batch, show_default=True)
@click.option("--max-body", type=click.IntRange(min=1024), default=Limits.body_bytes, show_default=True, help="Bytes.")
@click.option("--deadline", type=click.FloatRange(min=0.05), default=Limits.deadline_s, show_default=True, help="s.")
@click.option("--drain", type=click.IntRange(min=0), default=30, show_default=True, help="Seconds to end in.")
@click.option("--log-text", is_flag=True, help="Let texts stand in the log.")
def main(
    model: str,
    corpus: Path | None,
    reports: tuple[Path, ...],
    allow_blocked: bool,
    host: str,
    port: int,
    bank: Any,
    encoder: str | None,
    decoder: str,
    device: str,
    watch: float,
    concurrent: int,
    batch_size: int,
    max_body: int,
    deadline: float,
    drain: int,
    log_text: bool,
) -> None:
    """Serve MODEL over HTTP: text or contexts in, predicted continuations out (docs/serving.md).

    MODEL must be released by a scorecard of the very same file. A token is asked of clients where the environment
    variable LVM_SERVE_TOKEN holds one.
    """
    from lvm_gates.harness.base.errors import UserError

    try:
        import uvicorn

        from lvm_gates.serving.app import create_app
    except ImportError as error:
        raise UserError(MISSING_EXTRA.format(what=error.name or "fastapi")) from error
    from lvm_gates.serving.start import start

    limits = Limits(concurrent=concurrent, batch=batch_size, body_bytes=max_body, deadline_s=deadline)
    settings = Settings(
        model=model,
        corpus=corpus,
        reports=reports,
        allow_blocked=allow_blocked,
        encoder=encoder,
        bank=bank,
        decoder=decoder,
        device=device,
        watch_s=watch,
        token=os.environ.get(TOKEN) or None,
        log_text=log_text,
        limits=limits,
    )
    server = start(settings)
    served = server.serving.model.served
    texts = "text and vectors" if not isinstance(server.reader, str) else "vectors only"
    library = server.library
    click.echo(
        f"{served.name}: {served.verdict}; {library.corpus.path}: {library.corpus.size:,} chunks, {texts}, "
        f"bank {bank} of recall {library.bank.recall:.3f}"
    )
    if isinstance(server.reader, str):
        click.echo(f"/chat answers no text: {server.reader}")
    if served.warning:
        click.echo(f"warning: {served.warning}")
    config = uvicorn.Config(
        create_app(server),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=drain,
        server_header=False,
    )
    click.echo(f"http://{host}:{port}")
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(prog_name="lvm-serve")
