"""One question to the gate: a request document in, an answer and whether it counts out; embedded or remote."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicemill import files
from voicemill.casimir.adapter import Adapter, export_address
from voicemill.casimir.answer import answer_of, read_request, refusal, write_trace
from voicemill.casimir.evaluator import evaluate
from voicemill.casimir.javascript import Value
from voicemill.casimir.packs import SHIPPED_PACKS, Pack, load_packs
from voicemill.errors import NotAcceptableError, UsageError


@dataclass(frozen=True)
class RemoteAdapter:
    """The options of a remote adapter; without a URL the embedded evaluator answers.

    Attributes:
        explicit_url: the URL was given by the caller, not found in the environment; `ci` insists on that.
        export_url: where the traces are, if not at the adapter's own address.
        ci: demand an explicit URL and a trace export that works.
    """

    url: str | None = None
    explicit_url: bool = False
    export_url: str | None = None
    trace_limit: int = 200
    token: str | None = field(default=None, repr=False)
    tenant: str | None = None
    trace_context: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    ci: bool = False


@dataclass(frozen=True)
class Verdict:
    """An answer, as it came, and why it does not count as a PASS (None when it does)."""

    answer: dict[str, Value]
    refusal: str | None

    def require(self) -> None:
        """Raise unless this is a PASS.

        Raises:
            NotAcceptableError: with the reason.
        """
        if self.refusal is not None:
            raise NotAcceptableError(
                "The Casimir gate does not pass.",
                reason=self.refusal,
                hint="Mend the first failing HARD constraint, or what the reason names, and ask again.",
            )


def ask(data: bytes, repository: Path, remote: RemoteAdapter, trace: Path) -> Verdict:
    """Answer a request document.

    Args:
        data: the document, see `answer.read_request`.
        repository: root of the checkout, for the packs.
        remote: the adapter, if any.
        trace: gets the training trace: one line, or the remote's export.

    Raises:
        UsageError: the request is not usable, or `ci` without an explicit URL.
        NotAcceptableError: the adapter cannot be asked, or its answer cannot be read.
        StorageError: the trace cannot be written.
    """
    if remote.ci and not (remote.url and remote.explicit_url):
        raise UsageError("--ci needs an explicit --url.", hint="Name the adapter that CI is to ask.")
    trace_id, request = read_request(data, tenant=remote.tenant)
    packs = load_packs(repository / SHIPPED_PACKS)
    outcome = evaluate(request, packs)  # also gives the hash that a remote certificate must have
    shipped = packs[str(request["id"])]
    if remote.url is None:
        answer = answer_of(outcome, trace_id)
        write_trace(trace, outcome, answer)
        why = refusal(answer, shipped, trace_id=trace_id, expected_hash=outcome.recomputed)
        if why is None and not outcome.certified:
            why = "casimir_proxy"
        return Verdict(answer, why)
    return _ask_remote(remote, trace_id, {**request, "metrics": outcome.metrics}, shipped, outcome.recomputed, trace)


def _ask_remote(
    remote: RemoteAdapter,
    trace_id: str | None,
    request: Mapping[str, Value],
    pack: Pack,
    expected_hash: str,
    trace: Path,
) -> Verdict:
    adapter = Adapter(remote.url or "", remote.token, remote.tenant, remote.trace_context, remote.timeout)
    sent = trace_id or f"voicemill:{uuid.uuid4()}"
    # Adapters map telemetry slightly differently; of explicit metrics both sides know the hash.
    asked = {name: value for name, value in request.items() if name != "telemetry"}
    answer = adapter.run(sent, asked)
    why = refusal(answer, pack, trace_id=sent, expected_hash=expected_hash)
    if remote.export_url or remote.ci:
        address = remote.export_url or export_address(adapter.url)
        files.write_bytes(trace, adapter.export(address, remote.trace_limit))
    return Verdict(answer, why)


def ledger_block(verdict: Verdict, commit: str, given: Mapping[str, str | Sequence[str]]) -> str:
    """The ledger block of a change, as YAML.

    Args:
        verdict: the gate's verdict.
        commit: HEAD.
        given: `prompt_id`, `files_changed`, `behavior_delta`, `tests_or_checks_run`, as the caller states them.
    """
    import yaml

    answer = verdict.answer
    certificate, first = answer.get("certificate"), answer.get("firstFail")
    shown = certificate if isinstance(certificate, dict) else {}
    block = {
        **{name: list(value) if isinstance(value, (list, tuple)) else value for name, value in given.items()},
        "casimir_verdict": answer.get("verdict"),
        "casimir_firstFail": first.get("id") if isinstance(first, dict) else "none",
        "casimir_certificateHash": shown.get("certificateHash") or "none",
        "casimir_integrityOk": shown.get("integrityOk") is True,
        "casimir_traceId": answer.get("traceId"),
        "casimir_runId": answer.get("runId"),
        "commit_sha": commit,
        "status": "done" if verdict.refusal is None else "blocked",
        "blocker_reason": verdict.refusal or "none",
    }
    return yaml.safe_dump(block, sort_keys=False, allow_unicode=True)
