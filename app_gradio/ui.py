"""The reviewer's page: what was said, what the base model would write, what the adapter writes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from astra_lib.core.errors import AstraError, GateError, MissingError, ServiceError
from astra_lib.core.records import Block
from astra_lib.formatter import Context, build_prompt
from astra_lib.minutes import fragment_texts
from astra_lib.word.canonical import NOTHING

from .auth import Principal, Tokens
from .service import ServedParagraph, Service

EXAMPLE = (
    "gracias señor presidente, mire, yo quiero decir que en el barrio la luz lleva tres meses mala, "
    "que ya radicamos la queja dos veces y que la empresa no responde, entonces pido que la citen "
    "para el jueves"
)
KINDS = {
    "heading": "título",
    "body": "párrafo",
    "bullet": "viñeta",
    "table": "fila de tabla",
    "list": "lista",
    "signature": "firma",
}
DOUBTFUL = 0.5  # a confidence below it asks the reviewer for a second look
SHOWN_SWAPS = 20
ANSWER_TIMEOUT_S = 600
Table = list[list[Any]]


class ReviewPage:
    """What the page's buttons do. Each call takes the token, as the API does, and says faults in Spanish."""

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self.service, self.tokens = service, tokens

    def compare(
        self, token: str, speech: str, start_s: float | None, end_s: float | None
    ) -> tuple[str, str, str, str, Table]:
        """Masked speech, the base's text, the adapter's text, a line about the adapter, a row a paragraph."""
        me = self._enter(token)
        start_s, end_s = _checked_input(speech, start_s, end_s)
        service = self.service
        try:
            _, placeholders = service.privacy(me.tenant)
            masked = service.mask(me.tenant, speech, spoken=True)
            service.swapper.served(me.tenant)
            limit = service.settings.serve.max_new_tokens
            base = service.batcher.submit(build_prompt(masked, Context()), None, limit)
            block = Block(start_s, end_s, None, speech)
            paragraphs, served = service.process(me.tenant, "revision", [block])
            base_text = _bare_text(base.result(timeout=ANSWER_TIMEOUT_S).text)
            before = placeholders.unmask(base_text)
        except AstraError as error:
            raise _fault(reviewer_message(error), "No se pudo") from None
        after = "\n\n".join(p.text for p in paragraphs)
        line = f"Adaptador `{served.bundle.id}`, generación {served.generation}" + _doubt(paragraphs)
        rows = [_row(paragraph) for paragraph in paragraphs]
        return masked, before or "(nada)", after or "(nada que escribir en el acta)", line, rows

    def serving(self, token: str) -> tuple[str, Table]:
        """A line about the adapter in service, and a row for each of the last swaps."""
        me = self._enter(token)
        served = self.service.swapper.tenants().get(me.tenant)
        swaps = [
            [
                swap.generation,
                "sí" if swap.ok else "no, sigue el anterior",
                f"{swap.load_ms / 1000:.1f} s",
                f"{swap.canary_ms / 1000:.1f} s",
                swap.error,
            ]
            for swap in self.service.swapper.history
            if swap.tenant == me.tenant
        ]
        if served is None:
            return "**Sin adaptador en servicio**", swaps[-SHOWN_SWAPS:]
        since = f"{datetime.fromtimestamp(served.since):%Y-%m-%d %H:%M:%S}"
        line = f"**En servicio:** `{served.bundle.id}` · generación {served.generation} · desde {since}"
        return line, swaps[-SHOWN_SWAPS:]

    def trace(self, token: str, audit_id: str) -> tuple[str, str]:
        """A summary of one audit record, and the record as JSON."""
        me = self._enter(token)
        try:
            record = self.service.audit.get((audit_id or "").strip())
            if record.tenant != me.tenant:
                raise MissingError("no such audit record", where=audit_id)
        except AstraError as error:
            raise _fault(reviewer_message(error), "No se pudo") from None
        summary = (
            f"Sesión **{record.session_id}**, {span(record.start_ms, record.end_ms)} de la grabación"
            f" · confianza {percent(record.confidence)}"
            f" · adaptador `{record.adapter_id}`, generación {record.generation}"
        )
        return summary, json.dumps(record.__dict__, indent=2, ensure_ascii=False)

    def _enter(self, token: str) -> Principal:
        principal = self.tokens.principal((token or "").strip())
        if principal is None:
            raise _fault(
                "El token falta o no es válido. Pídalo a quien administra ASTRA.", "No se puede entrar"
            )
        return principal


def build(service: Service, tokens: Tokens) -> Any:
    """A Gradio `Blocks` to be mounted beside the API."""
    import gradio as gr

    review = ReviewPage(service, tokens)
    with gr.Blocks(title="ASTRA · revisión", analytics_enabled=False) as page:
        gr.Markdown(
            "# ASTRA · revisión de actas\n"
            "Lo dicho, lo que escribiría el modelo base y lo que escribe el adaptador del concejo."
        )
        token = gr.Textbox(label="Token", type="password", placeholder="astra_…", elem_id="token")
        with gr.Tab("Antes y después"):
            _comparison_tab(review, token)
        with gr.Tab("Adaptador en servicio"):
            _serving_tab(review, token)
        with gr.Tab("Rastro"):
            _trace_tab(review, token)
    return page


def _comparison_tab(review: ReviewPage, token: Any) -> None:
    import gradio as gr

    speech = gr.Textbox(label="Intervención (transcripción)", value=EXAMPLE, lines=4, elem_id="speech")
    with gr.Row():
        start = gr.Number(label="Inicio en la grabación (s)", value=0, minimum=0)
        end = gr.Number(label="Fin en la grabación (s)", value=20, minimum=0)
    write = gr.Button("Redactar", variant="primary", elem_id="go")
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
    masked = gr.Textbox(label="Lo que ve el modelo (sin datos personales)", lines=3, interactive=False)
    write.click(review.compare, [token, speech, start, end], [masked, before, after, line, rows])


def _serving_tab(review: ReviewPage, token: Any) -> None:
    import gradio as gr

    refresh = gr.Button("Actualizar")
    line = gr.Markdown()
    swaps = gr.Dataframe(
        headers=["generación", "quedó en servicio", "carga", "prueba", "error"],
        interactive=False,
        label="Cambios",
    )
    refresh.click(review.serving, [token], [line, swaps])


def _trace_tab(review: ReviewPage, token: Any) -> None:
    import gradio as gr

    audit_id = gr.Textbox(label="Registro (última columna de la tabla)")
    look_up = gr.Button("Buscar")
    summary = gr.Markdown()
    record = gr.Code(language="json", label="De la frase al milisegundo")
    look_up.click(review.trace, [token, audit_id], [summary, record])


def mount(app: Any, service: Service, tokens: Tokens) -> Any:
    """The page under /ui of the API's application."""
    import gradio as gr

    page = build(service, tokens)
    return gr.mount_gradio_app(app, page, path="/ui", allowed_paths=[], blocked_paths=[str(Path("/"))])


def reviewer_message(error: AstraError) -> str:
    """What happened and what to do, in Spanish, for a reader who does not run servers."""
    if isinstance(error, MissingError):
        if "roster" in error.what:
            return (
                "Falta la lista de concejales de este concejo: sin ella no se protegen los nombres. "
                "Avise a quien administra ASTRA."
            )
        if "adapter" in error.what:
            return "Este concejo todavía no tiene un adaptador en servicio. Avise a quien administra ASTRA."
        return "No hay tal registro en este concejo. Copie el número completo de la tabla."
    if isinstance(error, GateError):
        return (
            "Lo que escribió el modelo no tiene forma de acta y no se muestra. "
            "Redacte de nuevo, o divida la intervención."
        )
    if isinstance(error, ServiceError):
        return (
            "Una parte del sistema no responde ahora. No se perdió nada: inténtelo de nuevo en unos minutos."
        )
    if "characters" in error.what:
        return "La intervención es demasiado larga. Divídala en partes de un minuto."
    return f"No se puede usar: {error.what}."


def span(start_ms: int, end_ms: int) -> str:
    """`0:14:05,2 – 0:14:52,0`: hours, minutes, seconds with a tenth."""
    return f"{_clock(start_ms)} – {_clock(end_ms)}"


def percent(share: float) -> str:
    """`87 %`, with the blank that Spanish wants."""
    return f"{share:.0%}".replace("%", " %")


def _clock(ms: int) -> str:
    seconds, tenth = divmod(round(ms / 100), 10)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{tenth}"


def _checked_input(speech: str, start_s: float | None, end_s: float | None) -> tuple[float, float]:
    """The two times, once there is speech and they are in order."""
    if not (speech or "").strip():
        raise _fault("Escriba o pegue primero lo que se dijo.", "Falta la intervención")
    if start_s is None or end_s is None or not 0 <= start_s < end_s:
        raise _fault(
            "El fin debe ser mayor que el inicio, los dos en segundos de la grabación.",
            "Revise los segundos",
        )
    return start_s, end_s


def _fault(message: str, title: str) -> Exception:
    import gradio as gr

    return gr.Error(message, title=title)


def _bare_text(xml: str) -> str:
    """The text of the base's answer; as it is where it does not parse, for the base was never taught to."""
    if xml == NOTHING:
        return ""
    try:
        return "\n\n".join(text for text, _, _ in fragment_texts(xml))
    except AstraError:
        return xml


def _row(paragraph: ServedParagraph) -> list[Any]:
    unknown = ", ".join(paragraph.unresolved)
    return [
        paragraph.text,
        KINDS.get(paragraph.kind, paragraph.kind),
        span(paragraph.start_ms, paragraph.end_ms),
        percent(paragraph.confidence),
        f"No se sabe quién es {unknown}" if unknown else "",
        paragraph.audit_id,
    ]


def _doubt(paragraphs: list[ServedParagraph]) -> str:
    """What the line about the adapter adds when the model was not sure of a paragraph."""
    least = min((p.confidence for p in paragraphs), default=1.0)
    if least >= DOUBTFUL:
        return ""
    return f" · **El modelo duda** (confianza {percent(least)}): escuche la grabación antes de aceptar."
