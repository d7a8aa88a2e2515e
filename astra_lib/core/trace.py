"""From a served paragraph back to everything it came from: adapter, dataset, sessions, millisecond."""

from __future__ import annotations

from dataclasses import dataclass

from .audit import AuditLog
from .errors import GateError
from .manifest import Manifest, broken_links, lineage
from .records import AuditRecord
from .registry import Promotion, Registry
from .settings import Settings


@dataclass(frozen=True)
class Trace:
    """`record`: which paragraph, which milliseconds of audio; `promotion`: how its adapter came into service;
    `chain`: the manifests from the judge's run down to the sessions (empty for an adapter that no training
    made)."""

    record: AuditRecord
    promotion: Promotion
    chain: list[Manifest]

    def lines(self) -> list[str]:
        """One line a step, for a person."""
        record, promotion = self.record, self.promotion
        spoken = f"session {record.session_id}, {record.start_ms}-{record.end_ms} ms"
        adapter = f"adapter {record.adapter_id} ({record.adapter_sha256[:12]}) on {record.base_model}"
        lines = [
            f"paragraph {record.audit_id}: {spoken}, output {record.output_sha256[:12]}",
            f"{adapter}: generation {record.generation}, promoted {promotion.time} by {promotion.by}",
        ]
        for run in self.chain:
            files = ", ".join(f"{artifact.name} ({artifact.sha256[:12]})" for artifact in run.inputs)
            lines.append(f"{run.job} {run.run_id}: from {files or 'no files'}")
        return lines


def trace(audit_id: str, settings: Settings) -> Trace:
    """Walk from an audit record through its promotion and its judge's run to the first files.

    Raises `MissingError` where a link is gone, and `GateError` where two ends do not fit: another adapter
    than the one promoted, or an input that no run has made.
    """
    record = AuditLog.open(settings).get(audit_id)
    history = {
        promotion.generation: promotion for promotion in Registry.open(settings).history(record.tenant)
    }
    promotion = history.get(record.generation)
    if promotion is None or promotion.adapter.sha256 != record.adapter_sha256:
        raise GateError(
            f"generation {record.generation} was not this adapter",
            where=audit_id,
            remedy="Verify the audit chain: astra audit verify",
        )
    chain = lineage(promotion.verdict_run, settings) if promotion.verdict_run else []
    if broken := broken_links(chain):
        raise GateError(broken[0], where=audit_id)
    made = {artifact.sha256 for manifest in chain for artifact in [*manifest.inputs, *manifest.outputs]}
    if chain and not {promotion.adapter.sha256, promotion.verdict_sha256} <= made:
        raise GateError("its run holds neither this adapter nor its verdict", where=audit_id)
    return Trace(record, promotion, chain)
