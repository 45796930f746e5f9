"""The scanner's pattern: every written form with digits or signs, the most specific first.

A form may have several readings; the likely one comes first. Preparation lets the aligner choose among them. Every
repetition is bounded or unambiguous, so that scanning is linear in the length of the text.
"""

from __future__ import annotations

from voicemill.text.frontend import (
    addresses,
    chat,
    dates,
    money,
    notations,
    numerals,
    places,
    quantities,
    ranges,
    symbols,
)
from voicemill.text.frontend.forms import Form, Neighbours, Reading
from voicemill.text.frontend.units import word_list

_FORMS: dict[str, Form] = (
    addresses.FORMS
    | dates.FORMS
    | money.FORMS
    | quantities.FORMS
    | numerals.FORMS
    | notations.FORMS
    | ranges.FORMS
    | places.FORMS
    | symbols.FORMS
    | chat.FORMS
)
_ORDER = word_list(
    "long_digits book url email host_port site file suffix drive path shortcut flag with handle language star zip_code "
    "isbn phone iso_date hyphen_date dotted_date slash_date month_days month_day day_month calendar_range slang verses "
    "weekdays working_days clock_range lap clock dotted_clock timetable hour decade duration stones per_amount "
    "short_year years era month_year plural_product airliners mixed_range aperture episode plan broadcast "
    "size_range old_ordinal millions age_group caliber stone_alone tablespoons old_money pounds_shillings money "
    "money_code heat pence per feet_product feet_inches feet feet_alone inches product_unit unit_range "
    "fraction_inches fraction_unit mixed marked_out_of short_date fraction division unit ordinal major_version "
    "version letter_decimal ratio hexadecimal scientific times countdown degree double_equals minus product range "
    "roman_ordinal roman_range letter_range bearing party state_dotted state_name state formula_group formula "
    "element grade ion zone chat team code mixed_code square number "
)
PATTERN = "|".join(f"(?P<{name}>{_FORMS[name].pattern})" for name in _ORDER)


def readings(form: str, text: str, neighbours: Neighbours) -> list[Reading]:
    """Readings of one written form, the likely one first.

    Args:
        form: name of the group that matched.
        text: the match.
        neighbours: the text around it.
    """
    return _FORMS[form].read(text, neighbours)
