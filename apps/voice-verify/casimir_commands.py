"""voice-verify casimir and certify: the Casimir gate from the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from voicemill.casimir.javascript import Value

PATH = click.Path(path_type=Path)
REPORT_OPTIONS = ("prompt_id", "files_changed", "behavior_delta", "tests_or_checks_run")


@click.command()
@click.option("--request", "source", required=True, metavar="FILE", type=PATH, help="Request document; - for stdin.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one line of JSON.")
@click.option("--trace-out", type=PATH, metavar="FILE", help="Default: artifacts/training-trace.jsonl.")
@click.option("--url", help="Ask this remote adapter.  [default: CASIMIR_PUBLIC_BASE_URL, CASIMIR_VERIFY_URL]")
@click.option("--export-url", help="Where the remote traces are.  [default: the adapter's own]")
@click.option("--trace-limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Remote traces.")
@click.option("--token", help="Bearer token for the adapter.")
@click.option("--tenant", help="Tenant that asks.")
@click.option("--traceparent", help="W3C trace context for the adapter.")
@click.option("--tracestate", help="W3C trace context for the adapter.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, help="Seconds a read.")
@click.option("--ci", is_flag=True, help="Insist on --url and on a trace export.")
@click.option("--report", is_flag=True, help="Print the ledger block as YAML.")
@click.option("--prompt-id", default="", help="Id of the prompt, for --report.")
@click.option("--files-changed", multiple=True, help="Changed file, for --report; repeatable.")
@click.option("--behavior-delta", default="", help="Change of behaviour, for --report.")
@click.option("--tests-or-checks-run", multiple=True, help="Test or check that was run, for --report; repeatable.")
def casimir(source: Path, as_json: bool, report: bool, **options: Any) -> None:
    """Judge measured facts by a constraint pack: exit 0 on PASS, 3 on FAIL, 1 on a bad request."""
    from voicemill.casimir.gate import RemoteAdapter, ask, ledger_block
    from voicemill.casimir.javascript import stringify
    from voicemill.settings import Settings

    settings = Settings.from_environment(os.environ)
    remote = RemoteAdapter(
        url=options["url"] or settings.casimir_url,
        explicit_url=bool(options["url"]),
        export_url=options["export_url"],
        trace_limit=options["trace_limit"],
        token=options["token"],
        tenant=options["tenant"],
        trace_context={name: options[name] for name in ("traceparent", "tracestate") if options[name]},
        timeout=options["timeout"],
        ci=options["ci"],
    )
    data = _read(source)
    trace = options["trace_out"] or settings.workspace.artifacts / "training-trace.jsonl"
    verdict = ask(data, settings.repository, remote, trace)
    if as_json:
        click.echo(stringify(verdict.answer))
    elif report:
        given = {name: options[name] for name in REPORT_OPTIONS}
        click.echo(ledger_block(verdict, settings.commit, given), nl=False)
    else:
        click.echo(_text(verdict.answer))
    verdict.require()


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one line of JSON.")
@click.option("--out", type=PATH, metavar="FILE", help="Certificate.  [default: certificate.json beside DIR]")
def certify(folder: Path, as_json: bool, out: Path | None) -> None:
    """Measure a promoted bundle and certify it with the pack voice-promotion; exit 3 when it does not pass."""
    from voicemill.casimir.javascript import stringify
    from voicemill.casimir.packs import SHIPPED_PACKS
    from voicemill.settings import REPOSITORY
    from voicemill.verify import certificate
    from voicemill.verify.checklist import verify_bundle
    from voicemill.weights.allowlist import SHIPPED

    verification = verify_bundle(folder, REPOSITORY / SHIPPED)
    target = out or certificate.certificate_path(folder)
    outcome, answer = certificate.certify(verification.check, verification.demands, REPOSITORY / SHIPPED_PACKS, target)
    click.echo(stringify(answer) if as_json else _text(answer))
    certificate.require(outcome, answer, f"The bundle {folder}")
    if not as_json:
        click.echo(f"certificate: {target}")


def _read(path: Path) -> bytes:
    from voicemill.casimir.answer import MAX_REQUEST_BYTES
    from voicemill.errors import UsageError

    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
        with path.open("rb") as handle:
            return handle.read(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"Cannot read the request {path}: {error.strerror}.", reason=f"casimir_request_missing:{path}"
        ) from error


def _text(answer: Mapping[str, Value]) -> str:
    certificate, first = answer.get("certificate"), answer.get("firstFail")
    shown = certificate if isinstance(certificate, dict) else {}
    failed = f"{first.get('id')} ({first.get('severity')})" if isinstance(first, dict) else "none"
    return (
        f"casimir: {answer.get('verdict')} first_fail={failed}\n"
        f"certificate: {shown.get('status')} {shown.get('certificateHash')} integrityOk={shown.get('integrityOk')}\n"
        f"trace: {answer.get('traceId')}"
    )
