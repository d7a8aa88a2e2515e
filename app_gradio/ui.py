"""The reviewer's page: what was said, what the base would write, what the council's adapter writes, and since when."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, InputError
from astra_lib.core.records import Block
from astra_lib.formatter import Context, build_prompt
from astra_lib.minutes import fragment_texts

from .auth import Principal, Tokens
from .service import Service

EXAMPLE = ("gracias señor presidente, mire, yo quiero decir que en el barrio la luz lleva tres meses mala, que ya radicamos "
           "la queja dos veces y que la empresa no responde, entonces pido que la citen para el jueves")


def build(service: Service, tokens: Tokens) -> Any:
    """A Gradio `Blocks` to be mounted beside the API; everything in it asks for the same token as the API."""
    import gradio as gr

    def enter(token: str) -> Principal:
        principal = tokens.principal((token or "").strip())
        if principal is None:
            raise gr.Error("Se necesita un token válido: astra token --tenant … --role reviewer")
        return principal

    def compare(token: str, speech: str) -> tuple[str, str, str, list[list[Any]]]:
        me = enter(token)
        try:
            words = max(1, len(speech.split()))
            block = Block(0.0, min(60.0, words / 2.5), None, speech)
            _, keep = service.privacy(me.tenant)
            masked = service.mask(me.tenant, speech, spoken=True)
            bare = service.batcher.submit(build_prompt(masked, Context()), None, service.settings.serve.max_new_tokens)
            paragraphs, served = service.process(me.tenant, "revision", [block])
            before = keep.unmask("\n\n".join(text for text, _, _ in _texts(bare.result(timeout=600).text)))
        except AstraError as error:
            raise gr.Error(str(error)) from None
        after = "\n\n".join(p.text for p in paragraphs) or "(nada que escribir)"
        rows = [[p.kind, p.text, f"{p.start_ms}–{p.end_ms}", round(p.confidence, 2), p.audit_id] for p in paragraphs]
        return masked, before, f"{after}\n\n— {served.bundle.id}, generación {served.generation}", rows

    def state(token: str) -> tuple[str, list[list[Any]]]:
        me = enter(token)
        served = service.swapper.tenants().get(me.tenant)
        line = (f"**En servicio:** `{served.bundle.id}` · generación {served.generation} · desde "
                f"{datetime.fromtimestamp(served.since):%Y-%m-%d %H:%M:%S}" if served else "**Sin adaptador en servicio**")
        swaps = [[s.generation, "sí" if s.ok else "no", round(s.load_ms), round(s.canary_ms), round(s.swap_us, 1), s.error]
                 for s in service.swapper.history if s.tenant == me.tenant]
        return line, swaps[-20:]

    def trace(token: str, audit_id: str) -> str:
        me = enter(token)
        try:
            record = service.audit.get(audit_id.strip())
            row = record.__dict__
            if row["tenant"] != me.tenant:
                raise InputError("no hay tal registro para este concejo", where=audit_id)
        except AstraError as error:
            raise gr.Error(str(error)) from None
        return json.dumps(row, indent=2, ensure_ascii=False)

    with gr.Blocks(title="ASTRA · revisión", analytics_enabled=False) as page:
        gr.Markdown("# ASTRA · revisión de actas\nLo dicho, lo que escribiría el modelo base y lo que escribe el adaptador del concejo.")
        token = gr.Textbox(label="Token", type="password", placeholder="astra_…")
        with gr.Tab("Antes y después"):
            speech = gr.Textbox(label="Intervención (transcripción)", value=EXAMPLE, lines=5)
            go = gr.Button("Redactar", variant="primary")
            masked = gr.Textbox(label="Lo que ve el modelo (sin datos personales)", lines=3, interactive=False)
            with gr.Row():
                before = gr.Textbox(label="Antes: modelo base", lines=9, interactive=False)
                after = gr.Textbox(label="Después: adaptador del concejo", lines=9, interactive=False)
            rows = gr.Dataframe(headers=["tipo", "párrafo", "audio (ms)", "confianza", "auditoría"], wrap=True, interactive=False)
            go.click(compare, [token, speech], [masked, before, after, rows])
        with gr.Tab("Adaptador en servicio"):
            refresh = gr.Button("Actualizar")
            line = gr.Markdown()
            swaps = gr.Dataframe(headers=["generación", "en servicio", "carga ms", "canario ms", "cambio µs", "error"], interactive=False)
            refresh.click(state, [token], [line, swaps])
        with gr.Tab("Rastro"):
            audit_id = gr.Textbox(label="Registro de auditoría")
            ask = gr.Button("Buscar")
            found = gr.Code(language="json", label="De la frase al milisegundo")
            ask.click(trace, [token, audit_id], [found])
    return page


def _texts(xml: str) -> list[tuple[str, str, str]]:
    try:
        return [] if xml == "<nada/>" else fragment_texts(xml)
    except AstraError:
        return [(xml, "body", "")]


def mount(app: Any, service: Service, tokens: Tokens) -> Any:
    """The page under /ui of the API's application."""
    import gradio as gr

    return gr.mount_gradio_app(app, build(service, tokens), path="/ui", allowed_paths=[], blocked_paths=[str(Path("/"))])
