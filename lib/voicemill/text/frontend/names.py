"""Names of people, saints and streets, which tell what a numeral or `St.` beside them stands for."""

from __future__ import annotations

from voicemill.text.frontend.units import word_list

GIVEN_NAMES = frozenset(
    word_list(
        "aaron abraham adam alan albert alexander alfred alice allen amanda amy andrea andrew angela ann anna anne "
        "anthony antonio arthur barbara barry benjamin bernard betty beverly bill billy bob bobby brad bradley "
        "brandon brenda brian bruce bryan cal calvin carl carlos carol carolyn catherine cecil charles charlie "
        "cheryl chester chris christina christine christopher clarence claude clifford clyde colin craig curtis "
        "cynthia dale dan daniel danny darrell david davis dean deborah debra denise dennis derek diana diane don "
        "donald donna doris dorothy douglas dwight earl eddie edgar edmund edward edwin elizabeth ellen elmer emily "
        "emma eric ernest eugene evelyn everett floyd frances francis frank franklin fred frederick gary gene "
        "geoffrey george gerald gilbert glenn gloria gordon grace graham greg gregory guy hannah harold harry harvey "
        "heather hector helen henry herbert herman homer howard hubert hugh irene isaac jack jackson jacob james "
        "jane janet janice jason jay jean jeff jeffrey jennifer jeremy jerome jerry jesse jessica jim jimmy joan joe "
        "joel john johnny jon jonathan jose joseph joshua joyce juan judith judy julia julian julie justin karen "
        "katherine kathleen kathryn keith kelly ken kenneth kevin kyle larry laura lauren lawrence lee leo leon "
        "leonard leroy lester lewis linda lisa lloyd lois loudon louis louise luis luther malcolm manuel marcus "
        "margaret maria marie marilyn mario mark marshall martha martin marvin mary matthew maurice max megan "
        "melissa melvin michael michelle miguel mike mildred milton mitchell morris nancy nathan nathaniel neil "
        "nelson nicholas nick nicole norma norman oliver olivia oscar otis pamela patricia patrick paul paula perry "
        "peter phil philip phillip phyllis rachel rafael ralph randall randolph randy ray raymond rebecca reginald "
        "ricardo richard rick robert robin rodney roger roland ronald ronnie rose roy rupert russell ruth sam sammy "
        "samuel sandra sara sarah scott sean sebastian seth sharon shirley sidney simon sophia stanley stephanie "
        "stephen steve steven stewart stuart susan ted teresa terry theodore theresa thomas thurston tim timothy "
        "tina todd tom tommy tony travis troy tyler vernon victor vincent virgil virginia wade walter warren wayne "
        "wendy wesley wilbur willard william willie winston woodrow zachary"
    )
)
"""Frequent ones, lower case."""
BEFORE_SAINTS = frozenset(
    word_list(
        "rue gare quai pont porte faubourg basilique avenue place boulevard via port fort mont mount bay lake cape "
        "sault ile isle east west north south new hotel church cathedral chapel abbey bury chalfont lytham convent "
        "college feast patron"
    )
)
"""Words after which `St.` is a saint, though a name follows them: `Port St. Lucie`."""

SAINTS = frozenset(
    word_list(
        "paul louis peter john james george mary michael clair claire lucie helens vincent denis giles edmunds annes "
        "alban albans ives andrew andrews patrick nicholas thomas joseph francis augustine petersburg moritz tropez "
        "lawrence cloud germain kitts martin barts croix lucia pancras asaph david davids helier bernard elmo regis "
        "pierre jean laurent marie anthony catherine stephen mark luke matthew barnabas bartholomew gallen etienne "
        "maarten anne agnes brigid christopher columba cuthbert dominic dunstan edward elizabeth helena helen hilda "
        "ignatius jerome jude kilda leonard margaret neot nicks oswald philip simon swithin teresa theresa ursula "
        "valentine wilfrid lazare malo tropez"
    )
)
"""After `St.`, lower case."""
STREET_NAMES = frozenset(
    word_list(
        "main wall elm oak high market church park king queen bridge mill broad front state spring maple pine cedar "
        "washington first second third fourth fifth walnut chestnut water union center centre north south east west "
        "bourbon canal fleet baker oxford regent bond downing beale hill lake river school station green grove"
    )
)
"""Before `St.`, which is a street there, lower case."""
AFTER_STREETS = frozenset(
    word_list(
        "journal bridge station school church cafe theatre theater market gallery hospital bakery deli bank pier park "
        "garage elementary baptist methodist presbyterian hotel apartments building books grill press records blues "
        "festival corridor district exit entrance side crossing"
    )
)
"""After a street, of which they are the names: `Wall St. Journal`, lower case."""
