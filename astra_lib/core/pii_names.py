"""Names as facts: common given names and surnames, places and institutions that must stay, and a phonetic key.

The lists were written by hand for this project. They feed the statistical recogniser's features and the synthetic
sentences it learns from; a person is never found because the name is on a list alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

GIVEN = frozenset("""
aaron abel abelardo abigail abraham absalon ada adalberto adan adela adelaida adolfo adrian adriana agapito agata agueda
agustin agustina aida aidee ailin alain alan alba alberto albeiro alcides alcira aldemar alejandra alejandrina alejandro
alejo alex alexa alexander alexandra alexis alfonsina alfonso alfredo alicia aliria alirio alma alonso alonzo alvaro
amadeo amalia amanda amaranta amelia amparo ana anabel anais anastasia andrea andres angel angela angelica angelina
angie anibal anita antonia antonio anyela apolinar araceli arcadio arcesio argemiro ariadna ariel aristides aristobulo
armando arnoldo arnulfo arturo astrid augusto aura aurelia aurelio aureliano aurora azucena baldomero baltasar barbara
bartolome basilio beatriz belarmino belen belisario belkis benedicto benigno benito benjamin berenice bernabe bernarda
bernardo berta bertha betsabe betty blanca bladimir boris braulio brayan brenda brigida bruno byron camila camilo
candelaria candida carina carla carlos carlota carmela carmelo carmen carmenza carola carolina casimiro catalina
catherine cayetano cecilia celeste celestino celia celina celmira cenaida cesar cesareo chiara cipriano ciro clara
clarisa claudia claudio clemencia clemente clementina cleotilde clotilde concepcion constantino constanza consuelo
cornelio cristian cristiano cristina cristobal cruzana custodio dagoberto daisy dalia damaris damian daniel daniela
danilo dario david dayana debora deisy delfina delfin delia demetrio denis desiderio diana diego dilia dionisio dolly
dolores domingo domitila donaldo dora doralba doris duban duvan edelmira edgar edgardo edilberto edilma edilson edinson
edison edith edna eduardo eduvigis edwin efrain efren egidio eider elcy eleazar elena eleonora elias elisa elisabeth
elisenda eliseo eliecer elizabeth elkin elmer eloisa eloy elsa elvia elvira elvis emerson emigdio emilce emilia
emiliano emilio emma emmanuel enrique erasmo eric erica erick erika erminia ernestina ernesto esmeralda esneda
esperanza esteban estefania estela ester esther estrella etelvina eucaris eudoro eugenia eugenio eulalia eulogio
eunice eusebio eutimio eva evangelina evaristo evelio evelyn ezequiel fabian fabio fabiola fabricio fanny fatima faustino
fausto federico felicia feliciano felicitas felipe felisa felix fermin fernanda fernando fidel fidelina filomena flavia
flavio florencia florentino floresmiro florinda fortunato francia francisca francisco francy franklin freddy frederick
fredy froilan gabriel gabriela gaspar genaro genoveva gerardo german geraldine gertrudis gilberto gilma gildardo gimena
gina ginna giovanni giovanny gisela gladis gladys glenda gloria gonzalo graciela gregorio greta griselda guadalupe
guillermina guillermo gustavo haidee hamilton harold harvey haydee hector helena heladio heliodoro henry herberto
heriberto hermelinda hermes herminia herminio hernan hernando hilario hilda hildebrando hipolito horacio hortensia hugo
humberto ignacia ignacio ildefonso iliana imelda ines ingrid inocencia irene irina iris irma isaac isabel isabela isabella
isaias isidora isidro isis ismael israel isaura ivan ivonne iveth jacinta jacinto jacobo jacqueline jaider jaime jair
jairo janeth javier jazmin jeferson jefferson jeison jenifer jennifer jenny jeremias jeronimo jesica jessica jesus jhoan
jhon jhonatan jhonny jimena jimmy joan joana joaquin joaquina joel johan johana johanna john johnny jonas jonathan jordan
jorge jose josefa josefina joselin joselito josue juan juana judith julia julian juliana julieta julio junior justiniano
justino justo juvenal karen karina karla karol katerine katherine kathya kelly kevin laila lady laura lauro lazaro leandra
leandro leidy leila leocadia leon leonardo leoncio leonel leonidas leonilde leonor leopoldo lesly leticia libardo libia
licinio lida lidia ligia lila lili lilia liliana lina linda lisandro lizeth lola lorena lorenza lorenzo lourdes lucas
lucelly lucero lucia luciana luciano lucila lucrecia ludivia luis luisa luisana lukas luz lyda mabel macarena magali
magda magdalena magnolia maicol maira malena manuel manuela mara marcela marceliano marcelina marcelino marcelo marco
marcos margarita margot maria mariana marianela mariano maribel maricela maricruz mariela marilu marilyn marina mario
marisol maritza marleny marlen marlene marlon marta martha martin martina mary maryluz mateo matias matilde mauricio
maximiliano maximino maximo mayerly mayra melba melchor melania melisa melissa melquisedec mercedes michael miguel
miguelina milady milagros milena milton mireya mirian miriam misael moises monica montserrat myriam nabor nancy narcisa
narciso natalia nathalia nayibe nelida nelly nelson nemesio nepomuceno nestor nicanor nicolas nicole nidia nieves nilson
noelia noe noemi nohelia nohemi nohora nora norberto norbey norma nubia nuria nury obdulia obdulio octavio odilia ofelia
olga oliva olivia oliverio omaira omar ondina orfa oriana orlando ormando orosman oscar oswaldo otilia otoniel ovidio
pablo paloma pamela paola pascual pastora patricia patricio paula paulina paulino pedro pelagia perla petra petrona
piedad pilar pio placido policarpo polonia porfirio primitivo prudencia quintin rafael rafaela raimundo ramiro ramon
ramona raquel raul rebeca regina reinaldo reina rene reynaldo ricardo rigoberto rita roberta roberto robinson rocio
rodolfo rodrigo rogelio roger rogerio rolando roman romelia romina romulo ronald roque rosa rosalba rosalia rosalina
rosana rosario rosaura rosemary rosenda rosendo roxana ruben rubiela rubi rudy rufina rufino ruperto ruth sabina sabrina
salome salomon salvador samanta samir samuel sandra santiago santos sara saray saturnino saul sebastian segundo selene
serafin serafina sergio severino severo shirley sigifredo silvana silverio silvia silvio simon simona sixto socorro
sofia sol soledad sonia soraya stefany stella susana tamara tania tarcisio tatiana telesforo teodolinda teodora teodoro
teofilo teresa teresita tiberio timoteo tito tobias tomas tomasa toribio trinidad tulia tulio ubaldo ulises uriel urbano
ursula valentin valentina valeria valerio vanesa vanessa vicenta vicente victor victoria victoriano vilma viola violeta
virgelina virgilio virginia viviana vladimir walter wendy wilfredo wilfrido william willian wilmar wilmer wilson
wilton ximena yadira yaneth yamid yamile yamileth yazmin yeison yenny yesenia yesica yesid yohana yolanda yuliana yulieth
yuly yurany zacarias zaida zenaida zenon zoila zoraida zulma
""".split())

SURNAMES = frozenset("""
abadia abella abello abreu acero acevedo acosta acuna adames agamez agredo aguado agudelo aguiar aguilar aguilera aguirre
ahumada alarcon alava alban albarracin albornoz alcala alcantara alcaraz aldana alegria aleman alfaro alfonso aljure almanza
almeida almonacid alonso altamirano alvarado alvarez alvear alzate amado amador amaya amezquita anaya andrade angarita
angulo ante antolinez antury aparicio apraez aragon arana aranda arango araque araujo arbelaez arboleda arce arciniegas
arcos ardila arenas arevalo argote argoti arguello arias aristizabal ariza armenta arrieta arredondo arroyave arroyo
arteaga artunduaga atehortua avella avellaneda avendano avila ayala aza azuero bacca badillo baena baez bahamon
bahamonde balaguera balanta ballen ballesteros banguero banol baquero barahona barbosa barco bardales barona barragan barrantes
barrera barreto barrero barrientos barrios barros bastidas bautista bayona becerra bedoya bejarano belalcazar bello
beltran benavides benitez benjumea berdugo bermeo bermudez bernal berrio berrocal betancourt betancur blanco blandon
bocanegra bohorquez bolanos bolivar bonilla borda borja borrero botero bravo briceno briones brito buendia bueno
buitrago burbano burgos bustamante bustillo bustos caballero cabal cabrales cabrera caceres cadavid cadena caicedo
calderon calero calle calvache calvo camacho camargo camayo campo campos canas cano canon cantillo cantor caraballo
carbajal carbonell cardenas cardona cardozo carmona caro carpio carranza carrasco carrascal carrasquilla carreno carrera
carrero carrillo carrion carvajal casallas casanova casas castaneda castano castellanos castiblanco castilla castillo
castrillon castro catano causil ceballos cediel celis cepeda cerda cerdeira cerezo cerquera cervantes cespedes chacon
chala chamorro chaparro charry chaux chaverra chaves chavez chica chilito cifuentes cisneros clavijo cobo cobos colmenares
collazos colorado conde contreras coral cordero cordoba coronado coronel corrales correa corredor cortazar cortes cossio
costa coy cristancho cruz cuadrado cuadros cuartas cubides cubillos cuellar cuenca cuero cuervo cuesta cuevas cumbal
daza davila debia delgado devia diaz dominguez donado doncel dorado duarte dueñas duenas duque duran durango echavarria
echeverri echeverry elias enciso enriquez erazo escalante escamilla escandon escarraga escobar escorcia escudero
espana espejo espinal espinel espinosa espitia estacio estepa estrada estupinan fajardo falla farfan fernandez ferrer
ferreira ferro fierro figueroa figueredo fisco flores florez fonnegra fonseca forero fory franco fuentes gaitan galarza
galeano galindo gallardo gallego gallo gallon galvez galvis gamba gamboa gamez garavito garay garces garcia garnica garrido
garzon gaviria gil giraldo giron gomez gonzalez gordillo gordo grajales granada granados grisales grueso guaca gualteros
gualdron guapacha guarin guarnizo guerra guerrero guevara guisao gutierrez guzman henao henriquez heredia hermosa hernandez
herran herrera herreno higuera higuita hincapie holguin hormaza hortua hoyos hurtado ibanez ibarra ibarguen idarraga
idrobo iglesias illera infante insuasty insignares iriarte isaza izquierdo jaimes jaramillo jerez jimenez jojoa jordan
joya juajibioy julio jurado labrador laguna lagos lamprea lancheros landazuri landinez lara larrahondo larrea lasso
lastra latorre laverde lazaro leal ledesma leguizamon leiva lemos lema lemus leon lerma leyton leyva lievano linares lizarazo
lizcano llanos llano llinas loaiza lobo lombana londono longas lopera lopez lora losada lozada lozano lucumi lugo luna
luque macias machado maestre mahecha malagon maldonado mallarino mancera mancilla manjarres manrique mantilla manzano
manosalva maquilon marin marino marmolejo marquez marroquin martelo martinez marulanda massieu mateus maturana matiz
mayorga maya mazo mazuera medellin medina mejia melendez melo mena mendez mendieta mendivelso mendoza meneses mera
mercado merchan merino mesa meza micolta mier millan mina miranda mogollon mojica molano molina monroy monsalve montana
montanez montealegre montenegro montero montes montoya mora morales moran moreno morera moscoso mosquera mosso motta moya mozo
mujica mulato munar munera munevar munoz murcia murgueitio murillo nader naranjo narvaez naspiran nates nava navarrete
navarro navas navia negret negrete nieto nino noguera norena noriega novoa nunez obando obregon ocampo ocasal ochoa
ojeda olarte olaya olivares oliveros olmos ome ordonez ordaz orejuela orjuela orozco orrego ortega ortegon ortiz osorio
ospina osorno ossa otalora otalvaro otero oviedo oyola pabon pacheco pachon padilla padron paez palacio palacios
palencia palma palomeque palomino panesso pantoja paramo pardo paredes parra parrado pasos pastrana patino paternina paz
pedraza pedroza pena penagos penaloza penuela perafan perdomo perea pereira perez perilla pertuz pestana piedrahita
pimentel pimienta pinchao pineda pineros pino pinto pinzon piza pizarro plata plazas polania polanco polo ponce porras
portela portilla posada posso potes poveda prada prado preciado prieto puello puente puentes puerta puertas puerto pulgarin
pulido quesada quevedo quiceno quijano quimbayo quinones quintana quintero quiroga quiros rada ramirez ramos rangel
realpe rebolledo recalde redondo rendon renteria renza restrepo retrepo rey reyes reina riascos ribero rico rincon rios
riano rivas rivera riveros roa robayo robledo robles rocha rodallega rodas rodriguez rojas roldan roman romero roncancio
rondon rosales rosas rosero rubiano rubio rueda rugeles ruiz ruales saavedra saenz sabogal salas salamanca salazar
salcedo salcido saldana saldarriaga salgado salinas salguero samboni samper samudio sanabria sanchez sandoval sanin
sanjuan santacruz santamaria santana santander santos sanz sarabia sarmiento sarria sastoque sepulveda serna serrano
serrato sierra sigua siguenza silva simbaqueba solano solarte soler solis soto sotelo sotomayor suarez suaza sylva taborda
tabares tafur tamayo tangarife tapia tapias tapiero tascon tejada tellez tenorio tello tigreros timana tinoco tique
tobar tobon toledo toloza toro torrado torrente torres torrijos tovar trejos triana trivino trochez troncoso trujillo
turriago ulloa umana upegui urbano uribe urbina urdaneta urrea urrego urrutia ursola usma usuga vaca valbuena valderrama
valdes valderruten valencia valens valenzuela valero valdivieso valle vallecilla vallejo vanegas varela vargas varon vasco
vasquez vega velandia velasco velasquez velez venegas vera verdugo vergara vesga viafara vidal viana viedma villa
villada villafane villalba villalobos villamil villamizar villanueva villarraga villarreal villegas villota viveros
vivas yanez yara yate yela yepes yusti zabala zabaleta zambrano zamora zamorano zapata zarate zorro zubieta zuleta
zuluaga zuniga
""".split())

# common in Spain and in the names of its regions
_PENINSULA_GIVEN = """
aina ainhoa aitor aleix alvar ander andoni anton antxon arnau asier bernat biel blai brais breogan carles celso cosme elena enric eneko ernest
esteve eudald ferran fermi francesc gabino gaizka garbine gerard gorka gotzon guifre guillem gutier ibai idoia igone iker imanol inaki inigo
irati itziar iratxe jaume joan jon jordi jose josep josu joseba jesus juanjo juanma juli julen karmele kepa koldo leire lluis llorenc loyola luismi maite manel
marc marti maixabel merce meritxell mikel miquel montse nacho narcis nerea nuno nuria oier oriol pep pepe pepa paco paca pau perico pere pello quico quim
quique ramiro ricard roque roser salva santi sebas sergi tono toni txema unai uxue vicent xabi xabier xavi xavier xoan xose xurxo yago yolanda zigor
maruja manolo manolito chema chus curro fede fefa fina goyo kiko lalo lolo loli lucho marisa mariló merche moncho nando nano patxi pili poli quino rafa ramoncho
rodri suso tere tino tito toño trini vito charo chelo concha conchita conchi encarna encarnacion inma inmaculada lupe mayte nieves paz rosi sagrario visitacion
""".split()
_PENINSULA_SURNAMES = """
abad abascal aguirresarobe aizpurua alcaide aldecoa aldama almagro alonsotegui altuna amoros ampudia anguita ansotegui aragones aramburu aranburu aranguren
arteta arrese arregui arribas artigas arzak asensio asensi aspas astarloa aulestia ayesta ayuso azcarate azcona azkuna azpeitia balbuena barandiaran barbera barrena
barrenechea basagoiti baltasar belloch benet berasategui bergara bermejo berzosa bilbao boix bosch bofill bonet bono borbon borrell boyer brufau bru burgui busquets
caballe calatrava calvet camps canals candela canizares canellas capdevila carballo carbonero carulla casado casals casanovas cascos castells castroviejo cebrian centelles chillida
clos colom colomer comas corcuera costas crespo cuesta cubells cunillera dalmau domenech donoso dueso echanove echegaray eguiguren egea elorza escribano escriva esteban estevez
etxebarria etxeberria exposito fabregat fabregas feijoo feliu ferrandiz ferrandis fidalgo figueras folch font fontan fraga frutos fuster gabilondo galan gallardon galera
garaikoetxea garmendia garralda garrigues gasol gasset gaudi gimenez giner goicoechea goiri goikoetxea goni gorostiaga goyeneche goyo graells guardans guerra guindos guinart gurpegui
gurruchaga hierro hinojosa huarte hurtado ibarretxe ibarrondo ichaso igartiburu illescas imaz insausti iniesta iribar irigoyen irureta iturralde izagirre jauregui joaquin jover juaristi
junquera laboa laforet landa larranaga larrazabal lasa lasarte lizarraga llamazares llopis llorente lluch lopetegui lorca lorente luengo luis madariaga maeztu maragall maravall marcos
marias marquina martorell masana mateo mateos matutes maura mayor mayol mellado mendizabal mendiluce merino milla mingote miro molas molins moll molto moix montilla moratinos moratalla
morientes moscardo mugica muguruza nadal narbona nart nebot neira nadales oliver olazabal olivella ordeig oreja oriol otegi otxoa pages palau palomares pascual pastor pau pazos pedrosa
pellicer pena pera perales peris piera pi pique pla planas pons porta portabella portillo poveda prat puig puigcerver pujol pujols quiroga rahola raja rato recarte recio redondo
retegui reverter revilla ribas ribera ribo riera rivero robert roca roig roldan romeva roures rovira royo rubalcaba rull sabater saenz sagasta sagnier sala salvador sampedro
sanchis sancho sangil sanguino sanahuja sarasola saura savater segarra segura sempere senillosa serra serrat setien sirera solbes soldevila solchaga solis soriano sotillo subirats suner
tamames tapies tarradellas tejero terradas terol tierno tomas torrens torrente tusell ubeda ugarte unanue unamuno unzue uranga urbieta urdaci urkullu urkiaga urquijo urrutikoetxea usabiaga
valdano vallejo valls valverde vazquez vendrell verdaguer verges vicente vidal vidaurre vila vilallonga vilanova viladecans vilches villaronga villaverde vives xirau yague ybarra yrigoyen
zabaleta zabalza zaldua zalduegui zamacois zapatero zaplana zaragoza zarra zarraluqui zubeldia zubiri zubizarreta zubillaga zulaica zulueta zumalacarregui zurbano zurita
cardenas quispe mamani choque condori huaman flores rojas ferreyra peralta quiroz gonzaga salinas toledo bachelet frei lagos alessandri allende montalva menem alfonsin kirchner delarua cavallo
perón videla sarney cardoso collor batista da-silva banzer quiroga fujimori belaunde humala ibarra bucaram noboa gutierrez batlle sanguinetti lacalle stroessner wasmosy zedillo echeverria portillo
souza silva santos oliveira pereira costa ferreira rodrigues almeida nascimento lima carvalho gomes ribeiro martins alves barros pinto moreira cunha teixeira coelho lopes mendes nunes
""".split()
GIVEN |= frozenset(word for word in _PENINSULA_GIVEN if word.isascii())
SURNAMES |= frozenset(word for word in _PENINSULA_SURNAMES if word.isascii() and "-" not in word)

# names a Spanish newspaper also prints; only features and training sentences use them
FOREIGN_GIVEN = frozenset("""
adam ahmed aleksander alessandro ali amir anders andrew andrei anna anne anthony antoine arnold arthur ashraf barry
bernard bernhard bill bob boris brian bruce carl carlo charles chen chris christian christine christoph claude colin
craig dan daniele dennis didier dieter dimitri donald douglas edmund edward emile emil erik ernst eva fabrizio francesco
francois frank franz fred gary gennady georg george georges gerald gerhard gianni giorgio giulio giuseppe gordon graham
greg guido gunther guy hans harry hassan heinz helmut henri herbert herman hiroshi hussein ibrahim igor ivanka jack
jacques james jan jane jason jean jeff jens jeremy jerry jim jimmy joe johann joseph joschka jozef jurgen kai karl kate
keith ken klaus kim klara kofi kurt larry lars laurent lawrence lee len lionel louis luca ludwig madeleine marc
marcel mark martine massimo matthew max mehdi mehmet michel mike mikhail milan mohamed mohammed muhammad mustafa neil
nick nikolai nikita noam norman olaf oleg oliver omar otto paolo pascal patrick paul pavel peter phil philip pierre piet
pietro ralph ray renato richard rick rob robert robin roger roland ron ronald rudolf rupert ryan saddam sam samantha
sandro scott sean sergei sidney silvio simone slobodan stan stefan stephen steve steven sven susan takashi ted terry
theo thomas tim tobias tom tommy tony ulrich umberto vaclav victor viktor vittorio vladislav vojislav walter warren
wayne werner wim wolfgang xavier yasser yitzhak yuri yves zoran mary emily kathleen hillary margaret elizabeth sarah
""".split())
FOREIGN_SURNAMES = frozenset("""
abbott abdullah adams agassi albright allen anderson arafat armstrong ashcroft assad aznar bachelet baker barak barroso
beckham becker bennett berger bergman berlusconi bernstein blair boateng bohr bolt bouteflika bradley brandt brecht
briand brown bruguera buchanan bush butler cameron campbell carter castorini chaplin cheney chen chirac chomsky churchill
clarke clinton cohen collins cooper cox craxi cronenberg curie dalema davies davidson davis delors denktash depardieu
diderot disney dixon dostoievski dubois duhalde dupont eastwood edwards einstein eisenhower engels evans faulkner federer
fischer fisher ford foster franklin freeman friedman fujimori gates gibson godard goldberg gonzales gorbachov gore gould
graham grass graf greenspan griffin gross gruber haider hamilton harris hawking heidegger heinz hemingway henderson
hewitt hill hingis hitchcock hoffman hollande honecker howard hughes huxley ivanov jackson jansen jefferson jenkins
jensen johnson jones jospin kafka kant karpov kasparov kelly kennedy keynes khatami king kissinger klein koch kohl
kosovan kostunica kovacs kruger kubrick kuerten kuznetsov lafontaine laurent lebed lenin leroy levy lewis lincoln
lopes lynch macdonald macmillan malcolm mandela mann marshall martin marx mccain mcdonald mendelsohn merkel meyer
miller milosevic mitchell mitterrand monroe moore morgan morris mozart mubarak muller murdoch murphy nelson netanyahu
newman newton nguyen nielsen nixon novak obama oconnor olsen owen palmer papandreou parker patterson pavlov pereira
peres perry persson petrov phillips piaget picasso pinochet pinter popov powell primakov prodi putin rabin rasmussen
reagan reed rice richards richardson ricciardi roberts robertson robinson rocard romano roosevelt rossi roth rousseau
russell safin sampras sartre schmidt schneider schroder schroeder schumacher schwartz scott shakespeare sharon shaw
shevardnadze simpson sinatra smirnov smith sokolov solana spielberg stalin steiner stewart stone strauss suharto sullivan
takahashi tanaka taylor thatcher thompson thomson tito tolstoi trump truman tsipras turner ulrich vandenberg vieira
vogel volkov wagner wahid walker wallace walsh watson weber weiss welles white williams wilson winter wolf wood wright
yamamoto yeltsin young zeman zhang zhou zidane zimmermann
""".split())

# places, institutions, bodies: words that carry the name of something that is not a person
PLACES = frozenset("""
afganistan africa albania alemania alicante almeria america andalucia antioquia aragon arabia arauca argelia argentina
armenia asia asturias atlantico australia austria badajoz baleares baranquilla barcelona barranquilla belgica belgrado berlin
bilbao bogota bolivia bosnia boyaca brasil bruselas bucaramanga buenaventura bulgaria burgos caceres cadiz caldas cali
canada canarias cantabria caqueta caracas cartagena casanare castellon cataluna catalunya cauca cesar chechenia chile china chinchina
choco colombia corcega corea cordoba croacia cuba cucuta cundinamarca dinamarca ecuador egipto eslovaquia eslovenia
espana estocolmo estonia etiopia europa euskadi extremadura filipinas finlandia florencia francia galicia ginebra girona
gijon granada grecia guadalajara guadiana guainia guajira guatemala guaviare guipuzcoa haiti helsinki holanda honduras
hongkong huelva huesca huila hungria ibague india indonesia inglaterra irak iran irlanda israel italia jaen jamaica japon
jerusalen jordania kenia kosovo kuwait lerida leticia letonia libano libia lima lisboa lituania liverpool londres lugo
luxemburgo macedonia madrid magdalena malaga manizales manchester marruecos marsella medellin melilla merida meta mexico
miami milan mitu mocoa moldavia monaco montenegro monteria montevideo moscu murcia namibia napoles narino navarra neiva
nicaragua nigeria noruega oaxaca orense ottawa oviedo pakistan palencia palestina palmira pamplona panama paraguay paris
pasto pereira peru polonia pontevedra popayan portugal praga putumayo quindio quibdo quito riohacha risaralda rumania
rusia salamanca salzburgo santander sarajevo segovia senegal serbia sevilla sidney singapur sincelejo siria somalia soria
sucre sudafrica sudan suecia suiza tailandia tarragona tenerife teruel tokio toledo tolima tunez tunja turquia ucrania
uganda uruguay valladolid valledupar vallecas vaupes venezuela vichada vietnam vigo villavicencio villamaria vitoria viena vizcaya
washington yemen yopal yugoslavia zamora zaragoza zimbabue
""".split())
INSTITUTION_HEADS = frozenset("""
academia acueducto aeropuerto agencia alcaldia alameda aldea archivo asamblea asociacion ateneo autopista avenida ayuntamiento
banco barrio base basilica biblioteca bosque cabildo calle camara camino canal cancha capilla carcel carrera casa castillo
catedral cementerio central centro cerro circuito ciudad ciudadela clinica club colegio coliseo comfamiliar comisaria comision
compania complejo comuna comunidad concejo condado conjunto consejo consorcio contraloria convento cooperativa cordillera
corporacion corregimiento cuartel cuenca cuesta departamento distrito ecoparque edificio ejercito embalse embajada emisora empresa
ermita escenario escuela ese estacion estadio estado estatua facultad federacion finca fiscalia foro fuente fundacion galeria glorieta
gobernacion gobierno grupo hacienda hogar hospital hotel humedal iglesia instituto institucion invias isla jardin juzgado
laboratorio lago laguna liceo liga linea llano loma loteo malecon manzana mar mercado ministerio mirador monasterio monumento
municipio museo nacion orquesta pais palacio parque parroquia partido paseo paso patronato peaje peninsula personeria planta
playa plaza plazoleta plan policia poligono polideportivo politecnico portal premio procuraduria programa provincia proyecto pueblo puente
puerto puesto quebrada region registraduria republica reserva resguardo restaurante revista rio rotonda sala salon sanatorio santuario sector
sede sendero senado sena seminario servicio sindicato sociedad subestacion teatro templo terminal termales tribunal
tunel unidad union universidad urbanizacion urgencias valle vereda via viaducto villa volcan zona zoologico
barcaza barco barcos buque buques canton cantones condecoracion geoparque isla islas laguna muelle nevado paramo provincias rios volcanes
""".split())
SAINTS = frozenset({"san", "santa", "santo", "sta", "sto"})
PARTICLES = frozenset("de del la las los y e da do dos van von der den di du le el al bin ben san".split())

# what follows is a place, whoever it was called after
GEOGRAPHIC = frozenset("""
aldea barrio caserio canton cantones cerro ciudad comuna corregimiento cuenca departamento isla islas laguna municipio nevado parroquia provincia provincias
quebrada region rio rios sector urbanizacion valle vereda veredas volcan volcanes zona
""".split())

# addressed or named right before a person; the value says what the person is to the council
ROLES = {
    **dict.fromkeys("concejal concejala concejales concejalas edil edila edilesa cabildante exconcejal exconcejala".split(), "CONCEJAL"),
    **dict.fromkeys(
        "secretario secretaria subsecretario subsecretaria alcalde alcaldesa exalcalde exalcaldesa gobernador gobernadora "
        "gerente subgerente director directora subdirector subdirectora personero personera contralor contralora procurador "
        "procuradora fiscal defensor defensora ministro ministra viceministro exministro ingeniero ingeniera arquitecto arquitecta "
        "doctor doctora dr dra abogado abogada economista coordinador coordinadora jefe jefa asesor asesora funcionario "
        "funcionaria coronel capitan mayor teniente general intendente comandante sargento patrullero patrullera subintendente "
        "comisario comisaria inspector inspectora rector rectora tesorero tesorera auditor auditora magister embajador embajadora canciller asambleista asambleistas profesional contratista supervisor "
        "supervisora juez jueza magistrado magistrada notario notaria senador senadora representante diputado diputada "
        "delegado delegada presidente presidenta vicepresidente vicepresidenta expresidente enfermera enfermero contador "
        "contadora psicologo psicologa trabajadora veterinario veterinaria".split(), "FUNCIONARIO"),
    **dict.fromkeys(
        "senor senora senorita sr sra srta don dona ciudadano ciudadana lider lideresa profesor profesora profe docente padre "
        "monsenor sacerdote parroco pastor hermana hermano vecino vecina joven comerciante usuario usuaria habitante veedor veedora "
        "companero companera estudiante campesino campesina vocera vocero periodista artista maestro maestra poeta "
        "senores amigo amiga invitado invitada nino nina menor paciente victima esposa esposo hijo hija madre tio tia abuelo abuela "
        "apellido nombre llamado llamada".split(), "CIUDADANO"),
}


@lru_cache(maxsize=200_000)
def fold(word: str) -> str:
    """Lower case without accents ("Peñón" -> "penon"); the length may change, so never use it for offsets."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c)).lower()


_PHONETIC = [(re.compile(p), r) for p, r in (
    ("qu(?=[ei])", "k"), ("gu(?=[ei])", "g"), ("g(?=[ei])", "j"), ("sch|sh", "c"), ("ch", "x"), ("c(?=[ei])", "s"), ("[cq]", "k"),
    ("ph", "f"), ("[zs]+", "s"), ("x", "x"), ("h", ""), ("w", "gu"), ("v", "b"), ("ll", "y"), ("i(?=[aeou])", "y"),
    ("y$", "i"), ("j", "j"), ("m(?=[bp])", "n"), ("gue", "ge"), (r"(.)\1+", r"\1"), ("[dts]$", ""), ("n(?=s)", ""),
)]


@lru_cache(maxsize=100_000)
def phonetic(word: str) -> str:
    """How a Spanish word sounds to a recogniser: b=v, s=z=c, ll=y, silent h, weak finals gone ("Venabides" = "benavidez")."""
    key = fold(word)
    for pattern, replacement in _PHONETIC:
        key = pattern.sub(replacement, key)
    return key


_ENCLITIC = re.compile(r"(?<=[aeiounrdsáéíóú])(?:(?:me|te|se|nos|os)?(?:lo|la|le)s?|me|te|se|nos)$")
_DIMINUTIVE = re.compile(r"(?:qu|gu|c|z)?(?:it|ic|cit|cic|ecit)([oa])s?$")
_COUNTING = re.compile(r"(?:(?:veinti|treinti|diec[ií])\w+|\w+cient[oa]s|diez|quinient[oa]s|cien|ciento|mil|millon(?:es|ario)?|\w+avos?|\w{3,}(?:mente|[ií]sim[oa]s?|ismo|istas?|ci[oó]n|ciones))$")
# never a name by themselves
FUNCTION_WORDS = frozenset("""
un una unos unas uno este esta esto estos estas ese esa eso esos esas aquel aquella aquello aquellos aquellas mi mis tu tus su sus nuestro nuestra nuestros nuestras me te se nos le les lo yo
usted ustedes ella ellos ellas nosotros quien quienes que cual cuales cuyo cuya donde cuando como cuanto cuanta cuantos cuantas porque pues si no ni o u y e pero sino aunque mientras segun sin
sobre tras ante bajo con contra desde hacia hasta para por a en entre durante mediante muy mas menos tan tanto tanta tantos tantas todo toda todos todas otro otra otros otras mismo misma mismos
mismas cada algun alguna algunos algunas ningun ninguna nadie nada algo alguien ya aun todavia siempre nunca jamas tambien tampoco ahora hoy ayer manana luego despues antes entonces aqui ahi alli alla
asi bien mal mejor peor casi solo apenas quiza quizas tal vez ser es son era eran fue fueron sea sean siendo sido estar esta estan estaba estaban estuvo hay habia hubo haber ha han he hemos haya hace hacen
hizo hacer tiene tienen tenia tener tengo tenemos puede pueden podia poder va van voy vamos iba ir dice dicen dijo decir digo sabe ver debe deben deben treinta cuarenta cincuenta sesenta setenta ochenta noventa
millon millones mil pesos dos tres cuatro cinco seis siete ocho nueve once doce trece catorce quince veinte cero
primero primera segundo segunda tercero tercera tercer primer ultimo ultima cuarto quinto sexta septimo octavo decimo
""".split()) - {"segundo", "sexta"}
_PREFIX = re.compile(r"(?:pro|pre|re|geo|anti|sub|des|bio|auto|micro|super|sobre|inter|multi|mini|contra|extra|tele|hidro|agro|eco|socio|video|foto|ciber|infra)(?=\w{4})")
# words of a Colombian council that the dictionary lacks
COUNCIL_WORDS = frozenset("""
volqueta volquetas comparendo comparendos taxista taxistas predial sisben busetas buseta chiva chivas jeep jeeps mototaxi mototaxis mototaxista mototaxistas andenes sardinel sardineles
cebra cebras separador bolardo bolardos resalto resaltos alcantarilla box culvert bocatoma bocatomas acueducto veredal veredales corregimental barrial barriales comunal comunales edil ediles
ediles personero personera contralor cabildante cabildantes exconcejal exalcalde concejala concejalas interadministrativo interventoria interventor interventora cofinanciar cofinanciacion estampilla
estampillas sobretasa sobretasas avaluo avaluos catastral plusvalia regalias vigencias reservas adicion adiciones pignorar refrendar parametrizar priorizar socializar socializacion empalme
tutela tutelas veeduria veedurias veedor veedores ponente ponentes plenaria plenarias proposicion quorum orden interpelacion replica habitacional priorizados caracterizacion caracterizar georreferenciar
georreferenciacion peatonalizacion semaforizacion luminaria luminarias led leds fotomulta fotomultas ciclovia ciclorruta ciclorrutas parqueadero parqueaderos celda grua gruas patio tamal tamales
arepa arepas tinto panela panelera paneleros trapiche trapiches cafetero cafeteros cafetera caficultor caficultores roya broca fique guadua guadual guaduales samán saman samanes ceiba ceibas chamba
quebrada quebradas ladera laderas derrumbe jarillon jarillones gavion gaviones bateas placa-huella placahuella afirmado recebo triturado tuberia colector colectores interceptor interceptores ptar ptap
recicladores reciclador recicladora recicladoras chatarreria cacharreria miscelanea tienda fritanga chaza chazas ventero venteros ventera vendedora jornalero jornaleros mayordomo celador celadora celaduria
guarda guardas bachiller normalista gestora cultora biblioteca ludoteca ludotecas comparsa comparsas verbena verbenas cabalgata pesebre novena tilapia tilapias trucha truchas cachama cachamas bocachico
sabaleta sabaletas embalse piscicultor piscicultores pescador lancha lanchas drone dron drones app wifi internet online link links email whatsapp facebook software hardware router celular celulares computador
computadores tablet tablets diapositiva diapositivas powerpoint excel pdf example punto arroba com gov org www antes ojala profe profes deme esfero avivatos alevino alevinos carrotanque carrotanques resistografo tecnomecanica tecnomecanico barranquero barranqueros
""".split())
_UNSHARP = str.maketrans("áéíóú", "aeiou")


@lru_cache(maxsize=200_000)
def is_spanish_word(word: str) -> bool:
    """Is it a Spanish word form: in simplemma's dictionary, a numeral, a verb with pronouns ("perdónenme"), a diminutive?"""
    import simplemma

    lower = word.lower()
    if simplemma.is_known(lower, lang="es") or lower.isdigit() or _COUNTING.match(lower):
        return True
    key = fold(lower)
    if key in COUNCIL_WORDS:
        return True
    if key in GIVEN or key in SURNAMES:
        return False
    for plural in ("s", "es"):
        if lower.endswith(plural) and len(lower) > 5 and simplemma.is_known(lower.removesuffix(plural), lang="es"):
            return True
    if (prefix := _PREFIX.match(lower)) and simplemma.is_known(lower[prefix.end() :], lang="es"):
        return True
    if match := _ENCLITIC.search(lower):
        verb = lower[: match.start()]
        if len(verb) > 2 and (simplemma.is_known(verb.translate(_UNSHARP), lang="es") or verb.endswith(("ar", "er", "ir", "ando", "endo", "éndo", "ándo"))):
            return True
    if match := _DIMINUTIVE.search(key):
        stem = lower[: match.start()]
        endings = ("", match[1], "e", "c" + match[1], "g" + match[1], "z", "ón")
        return len(stem) > 2 and any(simplemma.is_known(stem + e, lang="es") for e in endings)
    return False
