"""Sentences the name recogniser learns from, written for this project.

Slots: {P} a person in any form, {F} full, {S} surname, {G} given name, {I} surname first, {L} place, {O} organisation,
{T} a place or institution named after somebody, {N} a figure, {W} an ordinary word, {C} one that also is a name.
"""

NEWS = tuple(
    """
{P} dijo ayer que la medida no tendrá efecto antes de {N} días.
El presidente de {L}, {P}, viajará mañana a {L}.
El ministro de Exteriores, {P}, se reunió en {L} con su colega {P}.
Según {P}, la empresa perdió {N} millones en el primer semestre.
"No hay otra salida", afirmó {P} en una rueda de prensa.
"Vamos a ganar", dijo {P}.
{P} y {P} llegaron a un acuerdo tras varias horas de reunión.
{P}, {P} y {P} fueron los más votados.
El portavoz de {O}, {P}, negó que haya conversaciones.
El entrenador {P} confirmó que {P} no jugará el domingo ante el {L}.
{P} marcó el segundo gol en el minuto {N} tras un pase de {P}.
{P} ({L}) venció a {P} ({L}) por 6-4 y 6-3.
1. {P} ({L}) {N} puntos. 2. {P} ({L}), a {N} segundos.
Alineación: {S}; {S}, {S}, {S}; {S}, {S}; y {S} ({S}, m.{N}).
Árbitro: {S} {S}. Mostró tarjeta amarilla a {S} y {S}.
La novela de {P} fue traducida a {N} idiomas.
El escritor {P} nació en {L} y vive desde hace años en {L}.
La película, dirigida por {P} y protagonizada por {P}, se estrena el viernes.
La actriz {P} recibió el premio de manos de {P}.
El juez {P} ordenó la detención de {P}, acusado de fraude.
La fiscalía pidió {N} años de cárcel para {P}.
El abogado de {S}, {P}, anunció que recurrirá la sentencia.
{P} fue elegido secretario general de {O}.
La viuda de {P} asistió al acto.
El gobierno de {S} aprobó la reforma.
El partido de {S} obtuvo {N} escaños.
{S} respondió que no piensa dimitir.
{S} señaló además que los datos son provisionales.
Para {S}, el resultado es injusto.
A {S} le preguntaron por el acuerdo con {O}.
Los abogados {P} y {P} presentaron el recurso.
El general {P} tomó posesión del cargo.
El ex presidente {P} no quiso hacer declaraciones.
El secretario general de {O}, {P}, pidió calma.
El director de {O}, {P}, presentó el informe en {L}.
El alcalde de {L}, {P}, inauguró la exposición.
La consejera {P} explicó el proyecto.
El diputado {P} preguntó al ministro {S} por el gasto.
El candidato {P} ganó en {L}.
El líder de {O}, {P}, visitó {L} el lunes.
Por su parte, {P} consideró que se trata de un error.
En opinión de {P}, el proyecto llega tarde.
En declaraciones a {O}, {P} aseguró que seguirá en el cargo.
{P}, de {N} años, natural de {L}, murió en el accidente.
Los fallecidos son {P}, de {N} años, y {P}, de {N}.
{P}, presidente de {O}, y {P}, su segundo, firmaron el convenio.
{P}, que llegó tarde, no habló con nadie.
La obra de {P} se expone en {L} hasta el {N} de mayo.
El pintor {P} expone en {L}.
El concierto de {P} empieza a las {N}.
El médico {P} operó al jugador.
El profesor {P}, de {O}, publicó el estudio.
Con {P} al frente, el equipo mejoró.
Junto a {P} estaban {P} y el cantante {P}.
Fuentes cercanas a {S} confirmaron la noticia.
Las palabras de {S} causaron malestar en {O}.
El encuentro entre {S} y {S} duró {N} minutos.
El caso {S} llegó al Supremo.
El plan {S} no convence a los sindicatos.
La familia {S} agradeció el apoyo.
El hijo de {P} estudia en {L}.
{S} ({N}), {S} ({N}), {S} ({N}), {S} (2) y {S} ({N}).
{L} (13+12): {S}; {S} (4 2p), {S} (2), {S} (1), {S} ({N}) -siete inicial-; {S} (ps) y {S}.
{N} - {L}: {S} ({N}), {S} (12), {S} (9) -cinco inicial-, {S} ({N}), {S}.
Goles: 0-1, m.{N}: {S}. 1-1, m.{N}: {S}. 1-2, m.{N}: {S}, de penalti.
Tarjetas amarillas a {S} ({L}), {S} y {S} ({L}).
{S} ({S}, m.{N}), {S} ({S}, m.{N}).
El gobierno de {P} no ha respondido.
La casa de {P} en {L} fue vendida.
Los hombres de {S} defendieron bien.
{S}, por su parte, se lamentó.
según {S}, todo quedó en un susto
{S} agregó que eso no es cierto, añadió {S}
", subrayó {P} ante los legisladores.
", dijo a {O} {P}.
", explicó {S}.
", añadió {S}, quien sostuvo lo contrario.
La juez {P} dijo hoy que llamará a declarar a {P}.
El entrenador del {L}, {P}, habló del partido.
{P}, por parte de {O}, y {P}, por {O}.
Lo pidió {G}, la hermana de {P}.
La presencia de {S} en {L} sorprendió a {O}.
En el caso de {S}, la decisión fue distinta.
Con la expulsión de {S} el equipo se hundió.
Recuerdo un relato de {S} que habla de {L}.
Los ingresos de {S} crecieron un {N} por ciento.
la portería de {S} y el cabezazo de {S}
Un brindis por {S} y por {P}.
La buena relación de {P} con {S} ayudó.
{S} ha descrito la situación con detalle.
{S}, en declaraciones a la prensa, lo negó.
{S} tiene clara su postura y {S} también.
En manos de {S} quedó el balón, que despejó {S}.
", escribió {S} en su carta.
Según las teorías de {S}, el tiempo no existe.
El fichaje de {P} por el {L} está hecho.
La obra de {S} y la de {S} se parecen.
Tanto {S} como {P} y {S} estuvieron de acuerdo.
Donde {S} puso un punto, {S} puso una coma.
El mismo {S} dijo el pasado lunes que no.
{S} y {S} se reparten los votos; {S} queda fuera.
{L}, 12 may ({O}).- {P} afirmó hoy que no habrá cambios.
{L}, 25 mar ({O}). El presidente {S} recibió a {P}.
Firmado: {P}
Por {P}
{P} / {L}
Texto: {P}. Fotografía: {P}.
¿Qué piensa {P} de todo esto?
Eso le dijo {G} a su hermano {G}.
{G} tiene {N} años y vive con su madre.
Querida {G}: te escribo desde {L}.
{G} y {G} se casaron en {L}.
La pequeña {G} volvió al colegio.
El rey {G} y la reina {G} llegaron a {L}.
El papa {G} pidió por la paz.
El equipo de {S} empató ante el {L}.
Gana {S} la primera etapa, por delante de {S} y {S}.
Datos del paciente. Nombre: {G}. Apellidos: {S}. Domicilio: calle {W}, {N}.
Nombre: {G}. Apellidos: {S}. NHC: {N}.
Nombre: {F}. Edad: {N} años. Sexo: H.
Médico: {F} NºCol: {N}.
Médico: {F}. NºCol: 28 28 {N}.
Remitido por: Dr. {F}, Servicio de Urología, Hospital General de {L}.
Remitido por: {F}. Correo electrónico: correo@servicio.example
Dra. {F}. Unidad de Medicina Interna. {L}, España.
Responsable clínico: Dr. {F}. Calle {W}, {N}. {L}.
Correspondencia: {F}. Hospital de {L}.
Vocales: {F}, {F} y {F}.
Asistentes: {F}; {F}; {F}.
Compareció {F}, mayor de edad.
""".strip().splitlines()
)

COUNCIL = tuple(
    """
El honorable concejal {P} manifestó que el proyecto carece de estudios.
La concejala {P} preguntó por el estado de las obras del barrio {L}.
El concejal {S} recalcó que la administración no ha respondido.
Seguidamente, intervino la honorable concejala {F}, quien agradeció la presencia de los funcionarios.
Acto seguido, el presidente concedió el uso de la palabra al concejal {F}.
La secretaria general, {F}, dio lectura al orden del día.
El secretario de Hacienda, doctor {F}, presentó la ejecución presupuestal con corte a junio.
La doctora {P} explicó que el contrato se firmó por ${N} millones.
El ingeniero {P} expuso el avance de la obra, que va en el {N} %.
El señor {F}, identificado con cédula de ciudadanía {N}, solicitó la palabra.
La señora {F}, residente en el barrio {L}, denunció el mal estado de la vía.
El ciudadano {F} pidió que se revise el alumbrado.
Intervino {F}, presidenta de la junta de acción comunal.
Don {G} y doña {G} llevan {N} años esperando la escritura.
Firmado: {F}, presidente; {F}, secretaria general.
{F} Presidente
{F} Secretaria General
Presidente: {F}. Vicepresidente: {F}.
Llamado a lista: {I} presente, {I} presente, {I} ausente.
{I}: presente
{I}
{I} votó sí.
Votaron afirmativamente los concejales {S}, {S} y {S}; negativamente, {S}.
Contestaron a lista {F}, {F}, {F} y {F}.
Se excusó de asistir el concejal {F} por motivos de salud.
Citados: {F}, gerente de {O}; {F}, secretaria de Planeación.
La gerente de {O}, {F}, respondió el cuestionario.
El personero municipal {F} advirtió sobre los plazos.
Le dio la razón a {S}, pero pidió más datos.
En el mismo sentido se pronunció {S}.
Respondiendo a {S}, el funcionario aclaró que ya hay contratista.
Ponente: {F}.
Proposición presentada por {F} y {F}.
Aclaró que la supervisora del contrato es {F}.
Recordó que {F} radicó el derecho de petición hace {N} meses.
La moción del concejal {S} fue aprobada por unanimidad.
El concejal {F}, del partido {O}, dejó constancia de su voto.
Terminada la intervención del doctor {P}, se abrió el debate.
Moción de orden del concejal {S}.
Agradeció a {P} y a {P} por su labor.
El capitán {P}, comandante de estación, presentó las cifras.
La rectora {F} solicitó {N} docentes para la {T}.
Quien lideró la visita fue {P}, acompañado de la veedora {P}.
Delegó en {F} la asistencia a la mesa técnica.
""".strip().splitlines()
)

SPOKEN = tuple(
    """
bueno presidente muchas gracias yo quiero decirle al concejal {P} que eso ya lo habíamos hablado
gracias {G} mire yo creo que {S} tiene razón en lo de los recursos
entonces como decía {P} la plata no alcanza para los {N} barrios
tiene la palabra el honorable concejal {P}
tiene la palabra {P} adelante
el contrato lo firmó {P} y lo supervisa {P}
a juicio de {P} la mayor amenaza es otra
consideró {P} que eso no alcanza
preguntó {P} por los casos y reclamó {P} un estudio
se ofreció {P} a coordinar
con mucho gusto doctor {P} siga usted
señora secretaria sírvase llamar a lista {I} presente {I} presente
{S} presente {S} presente {S} ausente
yo le pregunto doctora {P} cuándo van a arreglar eso
eh o sea lo que dijo {G} es cierto nosotros fuimos con {G} a mirar la cancha
mi nombre es {F} vivo en el barrio {L} y mi celular es tres uno cero
buenas tardes soy {F} presidenta de la junta del barrio {L}
concejal {S} le ruego silencio por favor
la compañera {P} nos mostró las fotos de la vía
a mí me contó don {G} que allá no pasa el carro de la basura
es que el señor {P} lleva desde el {N} esperando
presidente para una moción gracias {S}
le doy la bienvenida a {F} que nos acompaña hoy
ingeniero {S} usted nos dijo que en {N} meses estaba listo
y eso lo sabe {G} y lo sabe todo el mundo
perdón {G} me equivoqué es el artículo {N}
continúa en el uso de la palabra {F}
cómo vota {P} vota sí cómo vota {P} vota no
yo hablé con {P} de la secretaría y con {P} el ingeniero
que pena con {S} pero no estoy de acuerdo
""".strip().splitlines()
)

NEGATIVE = tuple(
    """
El Concejo de {L} aprobó el Acuerdo {N} por unanimidad.
La Secretaría de Hacienda trasladó ${N} millones al programa de alumbrado.
{O} anunció ayer una inversión de {N} millones en {L}.
La bolsa de {L} cerró con una baja del {N} por ciento.
El partido entre el {L} y el {O} se jugará en {L}.
El Tribunal Superior de {L} rechazó el recurso de {O}.
El {O} ganó por 3-1 al {O} en {L}.
La temperatura en {L} llegará a {N} grados.
Las obras de la {T} empezarán en enero.
La vía que va de la {T} al {T} está cerrada.
Los estudiantes de la {T} visitaron {L}.
La {T} y el {T} recibirán dotación.
Preguntó por el estado de la {T} y por los recursos de {O}.
En el {T} se reunieron los vecinos.
la sede de la {T} está sin agua desde hace {N} días
eso queda por la {T} bajando hacia el {T}
el problema es en el {T} y en {L}
{L}, 25 may ({O}).- Las exportaciones crecieron un {N} por ciento.
{L} ({L}), 3 abr ({O}).
Viajó de {L} a {L} en tren.
El río {L} se desbordó cerca de {L}.
La Unión Europea y {L} firmaron el tratado de {L}.
El Ministerio de Educación publicó la Resolución {N} de 2019.
Según el artículo {N} de la Ley {N}, el plazo vence en diciembre.
La Constitución Política, en su artículo {N}, dice otra cosa.
Orden del día: 1. Llamado a lista. 2. Himno. 3. Proposiciones y varios.
ORDEN DEL DÍA. Verificación del quórum. Aprobación del acta anterior.
Se levanta la sesión siendo las {N} de la tarde.
Gracias, señor Presidente. Buenos días a todos los honorables concejales.
El honorable Concejo decretó un receso de {N} minutos.
Señora Secretaria, sírvase leer el siguiente punto.
El señor Presidente declaró abierta la sesión.
La Administración Municipal respondió que el contrato está suspendido.
El Plan de Desarrollo y el Plan de Ordenamiento Territorial no coinciden.
El Sistema General de Participaciones giró {N} millones.
La Contraloría, la Procuraduría y la Fiscalía fueron informadas.
Fuentes de {O} desmintieron el acuerdo con {O}.
Las acciones de {O} subieron un {N} por ciento; las de {O}, un {N}.
Bueno, entonces vamos con el punto quinto.
bueno entonces vamos con el punto quinto del orden del día
gracias presidente bueno pues el {W} ya está
gracias señora presidenta claro que el {W} necesita {W}
sí presidente bueno antes de seguir con el {W}
muchas gracias presidente buenos días a todos
no señor secretario eso no quedó en el acta
doctora bueno entonces quedamos en que hay {W}
como concejal que soy defiendo el {W}
señores concejales antes de votar miren el {W}
señor presidente segundo el {W}
claro que sí presidente es que la plata no alcanza
eh o sea yo creo que eso hay que mirarlo con mucho cuidado
la verdad es que en {L} eso no pasa porque allá sí hay recursos
mire presidente a mí me parece que el {W} y la {W} no son lo mismo
la {W} del {W} está muy mal y nadie responde por el {W}
entonces el {W} y el {W} quedaron sin presupuesto
Además del {W}, preocupa el {W} de la comuna.
Indicó que el {W} requiere {W} y {W}.
Destacó la {W} de la {W} en {L}.
Agradeció el acompañamiento de {O} y de {O}.
Solicitó a {O} un informe sobre el {W}.
Hubo {N} heridos en {L}, {N} en {L} y {N} en {L}.
Finales: {L} 3, {L} 1; {L} 2, {L} 2.
Este Viernes Santo habrá misa en la Catedral.
El próximo lunes, Día de la Mujer, no habrá sesión.
Paciente varón de {N} años con dolor abdominal y fiebre.
Se realiza ecografía que muestra una lesión de {N} mm.
Antecedentes: hipertensión arterial, diabetes mellitus tipo 2.
Servicio de Urología. Hospital Universitario de {L}. C/ {W}, {N}. {L}. España.
Domicilio: Avenida de {L}, {N}. Localidad: {L}.
El Acueducto, la Terminal y el Aeropuerto serán intervenidos.
Madre solo hay una, dice el refrán.
Ninguno de los Estados miembros votó en contra.
Corte Suprema, Consejo de Estado y Congreso de la República.
Windows, Internet y Google cambiaron el mercado.
El Mundial, la Copa América y la Liga de Campeones se jugarán en {L}.
En Navidad y en Semana Santa aumenta el consumo.
El castellano, el inglés y el francés son lenguas oficiales.
Los {W} de {L} protestaron frente a {O}.
{C} de hablar de eso quiero ver el {W} de la {W}.
{C}, yo quiero decir otra cosa sobre el {W}.
{C} presidente, continuamos con el punto {N}.
No, {C}, eso no es así, el {W} ya está {C}.
y el {C} y la {C} y el {W} de la {C} están en el {W}
{C} eso lo vimos en la {C} del {W} y en el {C}
por {C} se entiende el {W} que paga la {C}
hay {C} {W} y {C} {W} que no tienen {W}
Hay {N} {C} y {N} {C} en la {W}.
El {C} de la {W} y la {C} del {W} se revisan cada {C}.
entonces {C} mire el {W} está en {C} y la {W} en {C}
a las {C} de la mañana el {W} ya estaba {C}
con buena {C} y con {C} se hace el {W}
pasa a {C} debate y se vota el {C}
La {C} {C} tiene {N} metros y la {W} {N}.
{C}, el plan de {W}. {C}, la {W}.
si paga {C} del treinta se le descuenta el {N} por ciento
Denle {C} a la {W}, que es lo {C} que hay.
ya tenemos el visto {C} del {W}
Proyecto de Acuerdo {N} "por medio del cual se adopta la {W}".
""".strip().splitlines()
)

THINGS = tuple(
    """
Plaza|Parque|Institución Educativa|Colegio|Escuela|Hospital|Clínica|Barrio|barrio|Vereda|Calle|Avenida|Estadio|Coliseo|Teatro|Biblioteca|Puente|
Universidad|Aeropuerto|Edificio|Urbanización|Glorieta|Monumento a|Fundación|Liceo|Jardín Infantil|Centro Cultural|Casa de la Cultura|Premio|Copa|
plaza|parque|institución educativa|colegio|escuela|hospital|vereda|calle|avenida|estadio|coliseo|teatro|biblioteca|puente|iglesia de|parroquia|
Centro de Salud|Polideportivo|Conjunto Residencial|Sector|Ciudadela|Comuna|Villa|Torre|Museo|Sala|Palacio
""".replace("\n", "").split("|")
)

ORGANISATIONS = tuple(
    """
Ministerio de Hacienda|Banco Central|Banco Mundial|Unión Europea|Naciones Unidas|Partido Popular|Partido Socialista|Izquierda Unida|Real Sociedad|
Cruz Roja|Guardia Civil|Policía Nacional|Tribunal Supremo|Consejo de Europa|Congreso de los Diputados|Telefónica|Iberia|Repsol|Renfe|Seat|Endesa|
Iberdrola|Microsoft|Toyota|Siemens|Bancolombia|Avianca|Ecopetrol|Cámara de Comercio|Comité de Cafeteros|Aguas del Valle|Empresas Públicas|
Empresa de Energía|Secretaría de Planeación|Secretaría de Educación|Instituto de Valorización|Junta de Acción Comunal|Contraloría General|
Universidad Nacional|Universidad Autónoma|Caja de Ahorros|Atlético|Deportivo|Sporting|Real Madrid|Barça|Betis|Athletic|Espanyol|Valencia CF|
Fondo Monetario Internacional|Comisión Europea|Ejército de Liberación|Alianza Atlántica|Casa Blanca|Cámara Baja|Senado|Asamblea Nacional|
Concejo Municipal|Gobernación|Alcaldía|Personería|Defensoría del Pueblo|Registraduría|Bomberos|Defensa Civil|Cuerpo de Bomberos|Centro Democrático|
Alianza Verde|Cambio Radical|Movimiento Ciudadano|Coalición Cívica|Nueva Fuerza|El País|El Tiempo|La República|Radio Nacional|Televisión Española|
Organización Mundial de la Salud|Comisiones Obreras|Unión General de Trabajadores|Comunidad de Madrid|Generalitat|Junta de Andalucía|Diputación
""".replace("\n", "").split("|")
)

INITIALS = tuple(
    "EFE PSOE PP PNV CiU ONU OTAN EEUU UE IU ETA CCOO UGT FMI OMS UNESCO EFECOM BBVA BSCH RTVE FIFA UEFA NBA ICBF SENA DANE CAR EPS IPS POT SGP "
    "CDP NIT RUT IVA PIB JAC AFP AP FARC ELN GATT OPEP".split()
)

FILLERS = tuple(
    """
alumbrado puente presupuesto acueducto transporte mercado hospital colegio contrato informe convenio parque sendero andén semáforo ruido agua basura salud
vivienda cultura deporte turismo empleo seguridad movilidad quebrada ladera erosión muro cancha escuela biblioteca comedor subsidio tarifa impuesto predial
licencia obra vía calle carretera bus taxi moto bicicleta peatón comerciante vendedor plaza feria café cosecha campesino finca ganado árbol bosque humedal
aire energía gas internet cámara policía convivencia familia niñez vejez juventud mujer mayor docente estudiante universidad investigación tecnología
emergencia riesgo incendio bombero lluvia deslizamiento sequía verano invierno diálogo debate proposición control político gestión veeduría ciudadanía
participación democracia elección mesa comisión plenaria ponencia concepto jurídico demanda fallo sentencia tutela petición respuesta cronograma meta indicador
""".split()
)
