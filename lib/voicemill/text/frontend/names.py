"""Names of people, saints and streets, which tell what a numeral or `St.` beside them stands for."""

from __future__ import annotations

from voicemill.text.frontend.units import word_list

GIVEN_NAMES = frozenset(
    word_list(
        "aaron abraham adam alan albert alexander alfred allen andrew anthony antonio arthur barry benjamin bernard "
        "bill billy bob bobby brad bradley brandon brian bruce bryan cal calvin carl carlos cecil charles charlie "
        "chester chris christopher clarence claude clifford clyde colin craig curtis dale dan daniel danny darrell "
        "david davis dean dennis derek don donald douglas dwight earl eddie edgar edmund edward edwin elmer eric "
        "ernest eugene everett floyd francis frank franklin fred frederick gary gene geoffrey george gerald gilbert "
        "glenn gordon graham greg gregory guy harold harry harvey hector henry herbert herman homer howard hubert hugh "
        "isaac jack jackson jacob james jason jay jeff jeffrey jeremy jerome jerry jesse jim jimmy joe joel john "
        "johnny jon jonathan jose joseph joshua juan julian justin keith ken kenneth kevin kyle larry lawrence lee leo "
        "leon leonard leroy lester lewis lloyd loudon louis luis luther malcolm manuel marcus mario mark marshall "
        "martin marvin matthew maurice max melvin michael miguel mike milton mitchell morris nathan nathaniel neil "
        "nelson nicholas nick norman oliver oscar otis patrick paul perry peter phil philip phillip rafael ralph "
        "randall randolph randy ray raymond reginald ricardo richard rick robert rodney roger roland ronald ronnie roy "
        "rupert russell sam sammy samuel scott sean sebastian seth sidney simon stanley stephen steve steven stewart "
        "stuart ted terry theodore thomas thurston tim timothy todd tom tommy tony travis troy tyler vernon victor "
        "vincent virgil wade walter warren wayne wesley wilbur willard william willie winston woodrow zachary"
    )
)
"""Frequent ones of men, lower case; women seldom bear a numeral."""
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
