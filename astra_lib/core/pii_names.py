"""Names as facts: common given names and surnames, places and institutions that must stay, and a phonetic key.

The lists were written by hand for this project. They feed the statistical recogniser's features and the synthetic
sentences it learns from; a person is never found because the name is on a list alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

GIVEN = frozenset("""
aaron abdon abdul abel abelardo abelino abigail abraham absalon achilles ada adalberto adalgisa adan adela adelaida adelina
adilson adolfo adonai adrian adriana agapito agata agnes agueda agustin agustina aida aide aidee ailin airton alain alan alba
albeiro albenis albenys alberto alcides alcira aldair aldemar aleida alejandra alejandrina alejandro alejo alex alexa
alexander alexandra alexis aleyda alfonsa alfonsina alfonso alfredo alicia alina aliria alirio alix alma alonso alonzo
altagracia alvaro amadeo amalia amanda amaranta amelia amilcar amira amparo ana anabel anabela anais ananias anastasia
anderson andrea andreina andres andrey angel angela angelica angelina angelly angelo anghelo angie anibal anita ansel anselmo
antonella antonia antonio anyela apolinar aquileo aquilino araceli arcadio arcesio argemiro ariadna ariadne ariel aristarco
aristides aristobulo arlen arlex arley armando armida arnaldo arnold arnoldo arnulfo arsenio artemio arturo asael asdrubal
astrid atanasio audon augusto aura aurelia aureliano aurelina aurelio aurora avelino ayda aydee azael azucena baldomero
baltasar barbara bartolome basilio baudilio bayron beatriz belarmino belen belisario belkis benedicta benedicto benigno
benilda benito benjamin berenice bernabe bernarda bernardo berta bertha bertilda betsabe betty bibiana bladimir blanca blas
bleidy bonifacio boris brandon braulio brayan brenda brian brigida bruno bryan byron calixto camila camilo candelaria candida
candido caridad carina carla carlos carlota carmela carmelina carmelo carmen carmenza carola carolina casiano casilda casimiro
catalina caterine catherin catherine cayetana cayetano cecilia ceferino celeste celestina celestino celia celina celmira
celmo cenaida cenon cesar cesareo cesario chantal chiara christian cindy cipriano cirila cirilo ciro clara claret claribel
clarisa claudia claudio cleber clemencia clemente clementina cleofe cleofelina cleotilde clotilde concepcion conrado
constantino constanza consuelo corina cornelia cornelio crisanta crisanto cristian cristiano cristina cristobal cruzana
custodio dabeiba dagoberto dahiana daira daissy daisy dalia dalila dalmiro damaris damaso damian danelly daniel daniela
danilo danna dany darcy dario darling darly david dayan dayana dayanna dayra debora deiby deicy deison deisy delcy delfin
delfina delia delio delsi demetrio denis deny derly desiderio deyanira deybi diafanor diana didier diego dilan dilia dilma
dionisia dionisio diosdado dioselina dolly dolores domingo domitila donaldo dora doralba doralice doriela doris duban dubier
dumar dunia duvan duvier dylan eber ebert eblin edelberto edelmira eder edgar edgardo edid edier edilberto edilia edilma
edilson edinson edison edith edixon edna eduardo eduin eduvigis edwar edward edwin edy efigenia efrain efren egidia egidio
eider einer eladia eladio elba elcida elcy eleana eleazar elena eleonora eleuterio elia eliana elias eliberto elicenia elida
eliecer eligio elina eliodoro elisa elisabet elisabeth elisaura elisenda eliseo elizabet elizabeth elkin ellen elmer elodia
eloina eloisa eloy elsa elsy elva elver elvia elvira elvis emanuel emerita emerson emeterio emigdio emilce emilia emiliano
emilio emma emmanuel enid eniht enoc enrique epifanio erasmo eriberto eric erica erick erika erley erlinda erminia ernestina
ernestino ernesto esau esmeralda esneda esneider esneyder esperanza esteban estefania estela ester esther estiven estrella
etelvina eucaris euclides eudoro eudosia eufemia eugenia eugenio eulalia eulalio eulices eulogia eulogio eumelia eunice
euridice eusebio eustaquio eutimio eva evangelina evaristo evelio evelyn everardo evert ezequiel ezequiela fabian fabio
fabiola fabricio faider fanny fanor farid faride fatima faustino fausto federico felicia feliciano felicitas felipe felisa
felix feliza ferley fermin fermina fernanda fernando ferney fidel fidelina fidelino filemon filiberto filomena flaminio
flavia flavio floralba florencia florentino floresmila floresmiro florinda fortunato francelina francia francisca francisco
francy franklin franky franz freddy frederick fredis fredy froilan froilana fulgencio gabriel gabriela gaspar geiner gelasio
genaro genny genoveva georgina geraldin geraldine gerardina gerardo german gerson gertrudis getulio gilbert gilberto gildardo
gilma gimena gina ginna giovanna giovanni giovanny gisela gladis gladys glenda glenis gloria gonzalina gonzalo graciela
gregorio greis greisy greta gricelda griselda guadalupe guido guillermina guillermo guiomar gumercindo gustavo haidee haiver
hamilton haminton hanna harby harol harold harrison harvey hasbleidy haydee heber hebert hector heidy heiner heladia heladio
helena heliberto heliodoro hellen helmer hely henrry henry heraclio herberto heriberto herlinda herman hermann hermelinda
hermes herminia herminio hermogenes hernan hernando hersilia higinio hilario hilarion hilary hilda hildebrando hipolito
holman honorio hoover horacio hortensia huber hubert hugo humberta humberto ibeth idalia idaly idelfonso ifigenia ignacia
ignacio ildebrando ildefonso iliana imelda indalecio indira ines ingrid inocencia inocencio irene irina iris irma isaac
isabel isabela isabella isaias isaura isidora isidoro isidro isis isleny ismael israel ivan ivanna iveth ivo ivonne jacinta
jacinto jackson jacob jacobo jacqueline jader jaider jaime jair jairo jaison jakeline jamer james jamilton janet janeth jani
jarol jason javier javiera jaxon jazmin jazmine jean jeannette jeferson jefferson jefry jeidy jeison jenifer jennifer jenny
jeny jeremias jeronima jeronimo jerson jersson jesica jessica jesus jeyson jhair jhoan jhoana jhojan jhon jhonatan jhonny
jhony jimena jimmi jimmy jineth joan joana joanna joaquin joaquina joel joelis johan johana johanna john johnatan johnny
johny jonas jonathan jordan jorge jorgina jose josefa josefina joselin joselito josias josselyn josue jovany jovita joyce
juan juana juanita judith judy julia julian juliana julie julieta juliette julio julissa junior justina justiniana justiniano
justino justo juvenal juvencio karen karime karina karla karol karoll katerine katherine kathya katia katiuska katty kelly
kenneth kenny kerly kevin keyla kimberly kleber krystian lady laila laudelino laura laurentino lauriano lauro lazaro leandra
leandro leidi leidy leila lelia lenin lenis leny leocadia leocadio leon leonardo leoncia leoncio leonel leonidas leonilde
leonor leopoldina leopoldo leovigildo leslie lesly lesvia leticia levis leyder leydi leyla liam libardo libia licinio lida
lidia ligia lila lili lilia lilian liliana lilly lina linda linney lisandro lisbeth liseth lisette livia lizeth loida lola
loren lorena lorenza lorenzo lourdes lucas lucelly lucero lucia luciana luciano lucila lucio lucrecia lucrecio lucy ludivia
ludwig ludy luigi luis luisa luisana lukas luz luzdary luzmila lyda mabel macarena macedonio magali magaly magda magdalena
magnolia maicol maida maikol maira malcolm malena manuel manuela mara marbel marbelly marcela marceliano marcelina marcelino
marcelo marco marcos margaret margarita margot margoth maria marialejandra mariana marianela mariangel mariano maribel
maribeth maricel maricela maricruz mariela marilu mariluz marilyn marina marinela mario marisela marisol maritza marleidy
marlen marlene marleni marlenny marleny marley marlin marlio marlon marly marta martha martin martina martiniano marvin mary
maryluz maryori maryury mateo mathias matias matilda matilde mauricio mauro maxi maximiliano maximino maximo maycol mayerlin
mayerly mayra medardo melania melba melchor melisa melissa melquisedec melva mercedes merceditas mercy merly meyer micaela
michael michell miguel miguelina miladis milady milagros milciades milena miler miller milton mirella mireya miriam mirian
mirley mirna misael moises monica montserrat myriam nabor nadia naida nallely nancy napoleon narcisa narciso narda nasly
natali natalia nathalia nathaly nayibe neftali neider neila neiva nela nelcy nelida nelly nelson nelsy nemesio nepomuceno
nery nestor neyla nicanor nicasio nicolas nicolasa nicole nidia nidya nieves nila nils nilsa nilson nilton noe noelia noemi
nohelia nohemi nohemy nohora nora norberta norberto norbey norela norma norvey nubia nubiola nuria nuris nury obdulia obdulio
obed octaviano octavio odilia odilio ofelia olegario olga olinda oliva oliverio olivia omaira omar ondina onofre oralia orfa
orfilia oriana orlanda orlando orley ormando orosman oscar osiris osman osvaldo oswaldo otilia otilio otoniel otto otton
oveida ovidio pablo paloma pamela paola pascual pastora patricia patricio paula paulina paulino paulo pedro pelagia perla
petra petrona piedad pilar pio placido policarpo polonia pompilio ponciano porfidio porfirio praxedes primitivo prudencia
quintiliano quintin rafael rafaela raimundo rainiero ramiro ramon ramona raquel raquelina raul raymundo rebeca regina reina
reinaldo remigio rene resfa reynaldo ricardo richard rigo rigoberto rita roberta robertina roberto robin robinson rocio
rodman rodolfo rodrigo rogelio roger rogerio roland rolando roman romelia romina romulo ronal ronald ronny roosevelt roque
rosa rosalba rosalbina rosalia rosalina rosalino rosana rosario rosaura roselia rosemary rosemberg rosenda rosendo rosina
rosmery rosmira rover roxana rubby rubelia rubelio ruben rubi rubiel rubiela rudy rufina rufino rufo ruperta ruperto rut ruth
ryan sabas sabina sabrina sady salome salomon salvador samanta samir samira sammy samuel sandra sandro santiago santos sara
saray saturia saturnino saul saulo sebastian segismundo segundo selene seneida serafin serafina sergio servando severino
severo shaira shakira sharon sheila shirley sigifredo silfredo silvana silverio silvia silvio simeon simon simona sindy
sirley sixto socorro sofia sol solanda solangel soledad soley solfina sonia soraya stefania stefany stella stephanie steven
stiven sulay sulma suly susan susana tadeo tamara tania tarcisio tatiana telesforo teodolinda teodomiro teodora teodoro
teodosio teofila teofilo teresa teresita tiana tiberio timoteo tito tobias tomas tomasa toribio tranquilino trinidad tulia
tulio ubaldo ubeimar uberney uldarico ulises umberto urbano uriel ursula ursulina valdemar valentin valentina valeria valerie
valerio vanesa vanessa vanina venancio vianney vicenta vicente victor victoria victoriano viky vilma vinicio viola violeta
virgelina virgilio virginia virginio vitelio viterbo viviana vladimir vladimiro walberto waldina waldir walter walther wanda
weimar wenceslao wendi wendy wilber wilberto wildeman wilfran wilfredo wilfrido wilinton william willian willington wilman
wilmar wilmer wilson wilton winston wolfgang ximena xiomara yadira yaira yaled yamid yamile yamilet yamileth yamir yaneth
yanira yaqueline yazmin yeferson yefry yeimi yeimy yein yeison yenny yeny yerson yesenia yesica yesid yesika yiceth yina
yineth yohan yohana yohanna yolanda yoli yolima yonatan yonny yorladis yorman yovanny yudy yuleidy yuli yulian yuliana
yulieth yuly yurani yurany yuri yury yusti zacarias zaida zaira zareth zenaida zeneida zenon zoe zoila zolanda zoraida zully
zulma zunilda
""".split())

SURNAMES = frozenset("""
abadia abaunza abella abello abreu acero acevedo acosta acuna acuria adames agamez agredo aguado agudelo aguiar aguilar
aguilera aguinaga aguirre aguirrezabal ahumada alarcon alava alban albarracin albornoz albujar alcala alcantara alcaraz
alcivar alcocer aldana alegria aleman alfaro alfonso aliaga aljure almanza almeida almeyda almonacid alomia alonso altamirano
altuve alvarado alvarez alvear alvira alzate amado amador amariles amaris amaya amezquita anaya anchico andica andrade
angarita angulo ante antolinez antury anzola aparicio aponte apraez aragon arana aranda arango araos araque araujo arbelaez
arbelo arboleda arce arcila arciniegas arcos ardila ardines arellano arenas arevalo argaez argote argoti arguello arias
aristimuno aristizabal ariza armenta armesto armijos arnedo arredondo arrieta arroyave arroyo arteaga artunduaga arzuaga
asprilla astudillo atehortua atencia avella avellaneda avendano avila ayala ayerbe ayovi aza azuero babativa bacca badillo
baena baez bahamon bahamonde bahena balaguera balanta balcazar baldion ballen ballesteros banegas banguero banol baquero
barahona baraya barbosa barcenas barcia barco bardales bareno barona barragan barrantes barrera barrero barreto barrientos
barrios barros bastidas bautista bayer bayona becerra becerril bedoya bejarano belalcazar bello beltran benavides benitez
benjumea berdugo bermeo bermudez bernal bernate berrio berrocal betancourt betancur betin blanco blandon bocanegra bohorquez
bolano bolanos bolivar bonilla bonnet borda borja borrero botello botero brand bravo briceno briones brito buenano buendia
bueno buesaquillo buitrago buitron burbano burgos buritica bustamante bustillo bustos cabal caballero cabello cabrales
cabrera caceres cadavid cadena caicedo cajamarca cajiao calambas calderon calero calle calvache calvo camacho camargo camayo
campaz campillo campo campos canas canchala canizales cano canon cantero cantillo cantor capera caraballo carbajal carbonell
cardenas cardona cardozo carmona caro carpio carranza carrascal carrasco carrasquero carrasquilla carreno carrera carrero
carrillo carrion carvajal carvajalino casallas casanova casas cascante castaneda castano castellanos castiblanco castilla
castillo castrillon castro catano causil cavadia ceballos cedeno cediel celis centeno cepeda cerchiaro cerda cerdeira cerezo
cerquera cervantes cespedes chacon chala chalan chamorro chaparro charry chaux chavarria chaverra chaves chavez chica chilito
chiriboga cifuentes cisneros clavijo cobo cobos coello cogollo colina collazos colmenares colorado concha conde consuegra
contreras copete coral cordero cordoba coronado coronel corral corrales correa corredor cortazar cortes cossio costa coy
cristancho cruz cuadrado cuadros cuartas cubides cubillos cuellar cuenca cuero cuervo cuesta cueto cuevas culma cumbal dagua
damian davila daza debia delgadillo delgado devia diago diaz dominguez donado doncel dorado doria duarte ducuara duenas
dueñas duque duran durango dussan echavarria echeverri echeverry egas elejalde elias encinales enciso enriquez erazo
escalante escamilla escandon escarraga escarria escobar escorcia escudero esguerra eslava espana espejo espinal espinel
espinosa espitia estacio estepa estrada estudillo estupinan fajardo falla farfan farias fernandez ferreira ferrer ferro
fiallos fierro figueredo figueroa fique fisco flautero flores florez fonnegra fonseca fontalvo forero fory franco fuentes
fuquen gaitan galarza galeano galindez galindo gallardo gallego gallo gallon galvez galvis gamba gamboa gamez gaona garavito
garay garces garcia garnica garrido garzon gasca gavilanes gaviria gil giraldo giron godoy gomez gongora gonzalez gordillo
gordo goyes grajales granada granados grisales grueso guaca guacheta gualdron gualteros guapacha guarin guarnizo guatame
guayara guerra guerrero guevara guiral guisao gutierrez guzman henao henriquez herazo heredia hermosa hernandez herran
herreno herrera hidalgo higuera higuita hincapie hinestroza holguin hormaza hortua hoyos huertas hurtado ibanez ibarguen
ibarra idarraga idrobo iglesias illera imbachi infante insignares insuasty iriarte isaza izquierdo jacome jaimes jaramillo
jarrin jerez jimenez jimeno jojoa jordan joya juajibioy juca julio jurado labrador lagos laguna laiton lamprea lancheros
landazuri landinez lara larrahondo larrea lasprilla lasso lastra latorre laverde lazaro lazo leal ledesma legarda leguizamon
leiva lema lemos lemus leon lerma lesmes leyton leyva lezama lievano linares liscano lizarazo lizcano llano llanos llinas
loaiza lobato lobo logrono lombana londono longas lopera lopez lora losada lozada lozano lucumi lugo luna luque macea machado
macias madrigal madrinan maduro maestre mahecha malagon malaver maldonado mallarino mancera mancheno mancilla mancipe
manjarres manosalva manrique mantilla manzano maquilon mariaca marimon marin marino marmolejo marquez marquinez marroquin
martelo martinez marulanda masmela massieu matallana matamoros mateus matiz maturana matute maya mayorga mazo mazuera
medellin medina medrano mejia melendez melo mena mendez mendieta mendivelso mendoza meneses mera mercado merchan merino mesa
mestre meza micolta mier millan mina minota miranda mogollon mojica molano molina moncada moncayo monroy monsalve montana
montanez montano montealegre montenegro montero monterrosa montes montoya mora morales moran moreno morera morillo moros
moscoso mosquera mosso motta moya mozo mujica mulato munar munera munevar munoz murcia murgueitio muriel murillo nader nagles
naranjo narvaez naspiran nates nava navarrete navarro navas navia negret negrete negron nieto nino noguera norena noriega
novoa nunez obando obregon ocampo ocasal ochoa ojeda olarte olaya olivares oliveros olmedo olmos ome oquendo ordaz ordonez
orduz orejuela orellana orjuela orobio oropeza orozco orrego ortega ortegon ortiz osorio osorno ospina ospino ossa otalora
otalvaro otero ovalle oviedo oyola pabon pacheco pachon padilla padron paez palacino palacio palacios palencia palma
palomeque palomino panesso pantoja parada paramo pardo paredes pareja parra parrado pasos pastrana pataquiva patarroyo
paternina patino pava paz pedraza pedroza pedrozo pelaez pena penagos penaloza penaranda penuela perafan perdomo perea
pereira perez perilla perlaza perotti pertuz pestana petro piamba picon piedrahita pimentel pimienta pinchao pineda pineros
pinilla pino pinto pinzon piraquive piza pizarro plata plazas polanco polania polo poloche pomares ponce porras portela
portilla portocarrero posada posso potes poveda pozo prada prado preciado prieto procel puello puente puentes puerta puertas
puerto pulgarin pulido quesada quevedo quiceno quijano quimbayo quinones quintana quintero quiroga quiros racines rada
ramirez ramos rangel rave realpe rebolledo recalde redondo reina rendon rengifo renteria renza restrepo retamoso retrepo rey
reyes riano riascos ribero ricaurte rico rincon riofrio rios rivas rivera riveros rivillas roa robayo robledo robles
rocafuerte rocha rodallega rodas rodriguez rojas roldan roman romero roncancio rondon rosales rosas rosero rozo ruales
rubiano rubio rueda rugeles ruiz saa saavedra sabogal sacristan saenz salamanca salas salazar salcedo salcido saldana
saldarriaga salgado salguero salinas samboni samper samudio sanabria sanchez sandoval sandoya sanin sanjuan sanmiguel
santacruz santafe santamaria santana santander santos sanz sarabia sarasti sarmiento sarria sastoque sepulveda serna serpa
serrano serrato sierra sigua siguenza silva simanca simbaqueba sinisterra socha solano solarte soler solis solorzano sosa
sotelo soto sotomayor suarez suaza sylva tabares taborda tafur tamayo tangarife tapia tapias tapiero tascon tejada tejeiro
tellez tello tenjo tenorio teran terranova tibaduiza tibocha tigreros timana tinoco tique tirado tobar tobon toledo toloza
tordecilla toro torrado torrente torres torrijos tovar trejos triana trivino trochez troncoso trujillo tuiran turriago ulloa
umana upegui urbano urbina urdaneta uribe urrea urrego urrutia ursola usma usme usuga vaca valbuena valderrama valderruten
valdes valdivieso valencia valens valenzuela valero valle vallecilla vallejo vanegas varela vargas varon vasco vasquez vega
velandia velarde velasco velasquez velez veloz veloza venegas vera verdugo vergara vernaza vesga viafara viana vidal vidales
viedma viera villa villabona villada villafane villalba villalobos villamarin villamil villamizar villanueva villareal
villarraga villarreal villate villavicencio villegas villota viloria vinasco vintimilla virviescas vivas viveros vizcaino
yanez yara yate yela yepes yumbay yusti zabala zabaleta zafra zambrano zamora zamorano zapata zarate zea zorro zubieta zuleta
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
        "comisario comisaria inspector inspectora rector rectora tesorero tesorera auditor auditora magister embajador embajadora canciller asambleista asambleistas legislador legisladora legisladores legisladoras profesional contratista supervisor "
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
