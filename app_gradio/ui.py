"""The reviewer's page: what was said, what the base would write, what the council's adapter writes, and since when."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, GateError, MissingError, ServiceError
from astra_lib.core.records import Block
from astra_lib.formatter import Context, build_prompt
from astra_lib.minutes import fragment_texts

from .auth import Principal, Tokens
from .service import Service

EXAMPLE = (
    "gracias señor presidente, mire, yo quiero decir que en el barrio la luz lleva tres meses mala, que ya radicamos "
    "la queja dos veces y que la empresa no responde, entonces pido que la citen para el jueves"
)

KINDS = {
    "heading": "título",
    "body": "párrafo",
    "bullet": "viñeta",
    "table": "fila de tabla",
    "list": "lista",
    "signature": "firma",
}
DOUBTFUL = 0.5  # below it the page asks for a second look


def build(service: Service, tokens: Tokens) -> Any:
    """A Gradio `Blocks` to be mounted beside the API; everything in it asks for the same token as the API."""
    import gradio as gr

    def enter(token: str) -> Principal:
        principal = tokens.principal((token or "").strip())
        if principal is None:
            raise gr.Error(
                "El token falta o no es válido. Pídalo a quien administra ASTRA.", title="No se puede entrar"
            )
        return principal

    def fail(error: AstraError) -> gr.Error:
        return gr.Error(plain(error), title="No se pudo")

    def compare(
        token: str, speech: str, start: float | None, end: float | None
    ) -> tuple[str, str, str, str, list[list[Any]]]:
        me = enter(token)
        try:
            if not (speech or "").strip():
                raise gr.Error("Escriba o pegue primero lo que se dijo.", title="Falta la intervención")
            if start is None or end is None or not 0 <= start < end:
                raise gr.Error(
                    "El fin debe ser mayor que el inicio, los dos en segundos de la grabación.",
                    title="Revise los segundos",
                )
            _, keep = service.privacy(me.tenant)
            masked = service.mask(me.tenant, speech, spoken=True)
            service.swapper.served(me.tenant)
            bare = service.batcher.submit(
                build_prompt(masked, Context()), None, service.settings.serve.max_new_tokens
            )
            paragraphs, served = service.process(me.tenant, "revision", [Block(start, end, None, speech)])
            before = keep.unmask("\n\n".join(text for text, _, _ in _texts(bare.result(timeout=600).text)))
        except AstraError as error:
            raise fail(error) from None
        after = "\n\n".join(p.text for p in paragraphs) or "(nada que escribir en el acta)"
        rows = [
            [
                p.text,
                KINDS.get(p.kind, p.kind),
                span(p.start_ms, p.end_ms),
                f"{p.confidence:.0%}".replace("%", " %"),
                f"No se sabe quién es {', '.join(p.unresolved)}" if p.unresolved else "",
                p.audit_id,
            ]
            for p in paragraphs
        ]
        line = f"Adaptador `{served.bundle.id}`, generación {served.generation}"
        if paragraphs and (least := min(p.confidence for p in paragraphs)) < DOUBTFUL:
            line += f" · **El modelo duda** (confianza {least:.0%}): escuche la grabación antes de aceptar.".replace(
                "%", " %"
            )
        return masked, before or "(nada)", after, line, rows

    def state(token: str) -> tuple[str, list[list[Any]]]:
        me = enter(token)
        served = service.swapper.tenants().get(me.tenant)
        line = (
            f"**En servicio:** `{served.bundle.id}` · generación {served.generation} · desde "
            f"{datetime.fromtimestamp(served.since):%Y-%m-%d %H:%M:%S}"
            if served
            else "**Sin adaptador en servicio**"
        )
        swaps = [
            [
                s.generation,
                "sí" if s.ok else "no, sigue el anterior",
                f"{s.load_ms / 1000:.1f} s",
                f"{s.canary_ms / 1000:.1f} s",
                s.error,
            ]
            for s in service.swapper.history
            if s.tenant == me.tenant
        ]
        return line, swaps[-20:]

    def trace(token: str, audit_id: str) -> tuple[str, str]:
        me = enter(token)
        try:
            record = service.audit.get((audit_id or "").strip())
            if record.tenant != me.tenant:
                raise MissingError("no such audit record", where=audit_id)
        except AstraError as error:
            raise fail(error) from None
        summary = (
            f"Sesión **{record.session_id}**, {span(record.start_ms, record.end_ms)} de la grabación · confianza "
            f"{record.confidence:.0%} · adaptador `{record.adapter_id}`, generación {record.generation}"
        ).replace("%", " %")
        return summary, json.dumps(record.__dict__, indent=2, ensure_ascii=False)

    with gr.Blocks(title="ASTRA · revisión", analytics_enabled=False) as page:
        gr.Markdown(
            "# ASTRA · revisión de actas\nLo dicho, lo que escribiría el modelo base y lo que escribe el adaptador del concejo."
        )
        token = gr.Textbox(label="Token", type="password", placeholder="astra_…", elem_id="token")
        with gr.Tab("Antes y después"):
            speech = gr.Textbox(
                label="Intervención (transcripción)", value=EXAMPLE, lines=4, elem_id="speech"
            )
            with gr.Row():
                start = gr.Number(label="Inicio en la grabación (s)", value=0, minimum=0)
                end = gr.Number(label="Fin en la grabación (s)", value=20, minimum=0)
            go = gr.Button("Redactar", variant="primary", elem_id="go")
            with gr.Row():
                before = gr.Textbox(label="Antes: modelo base", lines=7, interactive=False, elem_id="before")
                after = gr.Textbox(
                    label="Después: adaptador del concejo", lines=7, interactive=False, elem_id="after"
                )
            line = gr.Markdown(elem_id="served")
            rows = gr.Dataframe(
                headers=["párrafo", "tipo", "segundos", "confianza", "por revisar", "registro"],
                wrap=True,
                interactive=False,
                label="De dónde sale cada párrafo",
                column_widths=["36%", "10%", "14%", "10%", "14%", "16%"],
                elem_id="rows",
            )
            masked = gr.Textbox(
                label="Lo que ve el modelo (sin datos personales)", lines=3, interactive=False
            )
            go.click(compare, [token, speech, start, end], [masked, before, after, line, rows])
        with gr.Tab("Adaptador en servicio"):
            refresh = gr.Button("Actualizar")
            now = gr.Markdown()
            swaps = gr.Dataframe(
                headers=["generación", "quedó en servicio", "carga", "prueba", "error"],
                interactive=False,
                label="Cambios",
            )
            refresh.click(state, [token], [now, swaps])
        with gr.Tab("Rastro"):
            audit_id = gr.Textbox(label="Registro (última columna de la tabla)")
            ask = gr.Button("Buscar")
            told = gr.Markdown()
            found = gr.Code(language="json", label="De la frase al milisegundo")
            ask.click(trace, [token, audit_id], [told, found])
    return page


def plain(error: AstraError) -> str:
    """What happened and what to do, for a reader who runs no servers."""
    if isinstance(error, MissingError):
        if "roster" in error.what:
            return "Falta la lista de concejales de este concejo: sin ella no se protegen los nombres. Avise a quien administra ASTRA."
        return (
            "Este concejo todavía no tiene un adaptador en servicio. Avise a quien administra ASTRA."
            if "adapter" in error.what
            else "No hay tal registro en este concejo. Copie el número completo de la tabla."
        )
    if isinstance(error, GateError):
        return "Lo que escribió el modelo no tiene forma de acta y no se muestra. Redacte de nuevo, o divida la intervención."
    if isinstance(error, ServiceError):
        return (
            "Una parte del sistema no responde ahora. No se perdió nada: inténtelo de nuevo en unos minutos."
        )
    if "characters" in error.what:
        return "La intervención es demasiado larga. Divídala en partes de un minuto."
    return f"No se puede usar: {error.what}."


def span(start_ms: int, end_ms: int) -> str:
    """`0:14:05,2 – 0:14:52,0`: hours, minutes, seconds with a tenth."""

    def clock(ms: int) -> str:
        s, tenth = divmod(round(ms / 100), 10)
        return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d},{tenth}"

    return f"{clock(start_ms)} – {clock(end_ms)}"


def _texts(xml: str) -> list[tuple[str, str, str]]:
    try:
        return [] if xml == "<nada/>" else fragment_texts(xml)
    except AstraError:
        return [(xml, "body", "")]


def mount(app: Any, service: Service, tokens: Tokens) -> Any:
    """The page under /ui of the API's application."""
    import gradio as gr

    return gr.mount_gradio_app(
        app, build(service, tokens), path="/ui", allowed_paths=[], blocked_paths=[str(Path("/"))]
    )
