"""The language of one sentence, which the aligner asks for before it trusts an alignment."""

import pytest

from astra_lib.text import guess_language

# written for this test, a sentence a line or two
SENTENCES = {
    "es": """
La sesión de hoy se abre con el llamado a lista de los concejales y con la lectura del orden del día
que propone la mesa

Señor presidente, yo quiero dejar constancia de que mi voto es negativo porque no conocemos el
estudio de impacto sobre el río

Los vecinos de la vereda esperan desde hace dos años que la administración arregle el puente y
limpie la quebrada antes del invierno

Acto seguido la secretaria informa que hay quórum decisorio y que llegaron tres comunicaciones para
conocimiento de la corporación en pleno

Nosotros pedimos que se revise el contrato del acueducto, que se publiquen las cifras y que venga el
gerente a la próxima sesión

El presupuesto crece doce por ciento, pero la inversión en escuelas baja, y eso no lo explica nadie
en los documentos entregados ayer

Muchas gracias a todos, se levanta la sesión siendo las once de la mañana y se convoca para el
próximo martes a primera hora

Pregunto cuántas luminarias faltan por cambiar, cuánto cuesta cada una y quién responde por las que
se dañaron en el barrio alto
""",
    "en": """
The meeting is called to order and the clerk reads the roll of the members who are present in the
room this morning

I would like to say that my vote is no, because we have not seen the study about what this does to
the river

People who live along the valley road have been waiting two years for someone from the city to come
and repair that bridge

Our budget grows twelve percent this year while spending for schools goes down, and nobody explains
why in the papers we got yesterday

How many street lights still need replacing, what does each one cost, and who pays when they break
again next winter in our district

Thank you all very much, we are adjourned at eleven and will meet again next Tuesday at nine in this
same hall

Okay so let's go back to item four, I think there was a question from the back about parking near
the market square

She moved that the report be accepted as written; it was seconded and carried without debate by
eleven votes to three that evening
""",
    "pt": """
A sessão de hoje começa com a chamada dos vereadores e com a leitura da ordem do dia que a mesa
propõe ao plenário

Senhor presidente, eu quero registrar que o meu voto é contrário porque não conhecemos o estudo de
impacto sobre o rio da cidade

Os moradores da zona rural esperam há dois anos que a prefeitura conserte a ponte e limpe o córrego
antes das chuvas de verão

Em seguida a secretária informa que há quórum e que chegaram três comunicações para conhecimento dos
membros desta casa legislativa no dia anterior

Nós pedimos que se revise o contrato da água, que os números sejam publicados e que o diretor venha
à próxima reunião

O orçamento cresce doze por cento, mas o investimento nas escolas diminui, e ninguém explica isso
nos documentos entregues ontem à comissão

Muito obrigado a todos, está encerrada a sessão às onze horas da manhã e fica convocada a próxima
para terça-feira bem cedo

Pergunto quantas luminárias ainda faltam trocar, quanto custa cada uma e quem responde pelas que
quebraram no bairro alto no mês passado
""",
    "fr": """
La séance est ouverte à neuf heures et le secrétaire procède à l'appel des conseillers qui sont
présents dans la salle ce matin

Monsieur le président, je veux dire que mon vote est négatif parce que nous ne connaissons pas
l'étude d'impact sur la rivière

Les habitants de la vallée attendent depuis deux ans que la mairie répare le pont et nettoie le
ruisseau avant l'hiver prochain

Ensuite la secrétaire annonce que le quorum est atteint et que trois lettres sont arrivées pour
information de tous les membres du conseil

Nous demandons que le contrat de l'eau soit revu, que les chiffres soient publiés et que le
directeur vienne à la prochaine réunion

Le budget augmente de douze pour cent, mais l'investissement dans les écoles baisse, et personne ne
l'explique dans les documents remis hier

Merci beaucoup à tous, la séance est levée à onze heures et la prochaine aura lieu mardi matin dans
cette même salle

Je demande combien de lampadaires restent à changer, combien coûte chacun et qui paie pour ceux qui
sont tombés en panne ce mois
""",
}
EACH = [(code, " ".join(said.split())) for code, text in SENTENCES.items() for said in text.split("\n\n")]


@pytest.mark.parametrize(("code", "said"), EACH)
def test_one_sentence_is_enough(code, said):
    assert guess_language(said) == code


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("La sesión se abre con el llamado a lista de los concejales", "too short to say"),
        (
            "RÍOS WILMAR: presente. TORO ADRIANA: presente. PEÑA IVÁN: presente. MURCIA YOLANDA: presente. "
            "URREA CAMILO: presente. OSPINA MARCELA: presente. QUICENO HERNÁN: presente. "
            "HENAO GLORIA: presente.",
            "a roll call is names",
        ),
        ("a o e y u " * 10, "letters"),
        (
            "Die Sitzung ist eröffnet und die Sekretärin liest die Namen der Mitglieder, die heute im Saal "
            "anwesend sind, und danach die Tagesordnung vor",
            "German is none of the four",
        ),
        ("", "nothing said"),
        ("7 8 9 " * 40, "figures"),
    ],
)
def test_no_answer_is_better_than_a_wrong_one(said, why):
    assert guess_language(said) is None, why
