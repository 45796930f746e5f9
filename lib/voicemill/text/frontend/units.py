"""Names of units, currencies, months and weekdays, as data for the patterns."""

from __future__ import annotations

MONTHS = (
    "january february march april may june july august september october november december"
).split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MAGNITUDES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "mn": "million",
    "M": "million",
    "b": "billion",
    "bn": "billion",
    "B": "billion",
    "tn": "trillion",
    "T": "trillion",
    "thousand": "thousand",
    "hundred": "hundred",
    "million": "million",
    "billion": "billion",
    "trillion": "trillion",
}
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "\u20ac": ("euro", "euros", "cent", "cents"),
    "\u00a3": ("pound", "pounds", "penny", "pence"),
    "\u00a5": ("yen", "yen", "sen", "sen"),
    "\u20b9": ("rupee", "rupees", "paisa", "paise"),
    "\u20a9": ("won", "won", "jeon", "jeon"),
    "\u20bd": ("ruble", "rubles", "kopek", "kopeks"),
    "\u20bf": ("bitcoin", "bitcoins", "satoshi", "satoshis"),
    "\u20ba": ("lira", "lira", "kurus", "kurus"),
}
"""Sign -> one, several, and the hundredth part."""
CURRENCY_CODES = {
    "USD": ("u s dollar", "u s dollars"),
    "EUR": ("euro", "euros"),
    "GBP": ("pound", "pounds"),
    "JPY": ("yen", "yen"),
    "CHF": ("swiss franc", "swiss francs"),
    "CAD": ("canadian dollar", "canadian dollars"),
    "AUD": ("australian dollar", "australian dollars"),
    "INR": ("rupee", "rupees"),
}


def _regular(names: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {symbol: (name, name + "s") for symbol, name in names.items()}


UNITS: dict[str, tuple[str, str]] = {
    **_regular(
        {
            "mm": "millimeter", "cm": "centimeter", "dm": "decimeter", "m": "meter", "km": "kilometer",
            "nm": "nanometer", "\u00b5m": "micrometer", "\u03bcm": "micrometer",
            "mg": "milligram", "g": "gram", "kg": "kilogram", "t": "ton", "\u00b5g": "microgram", "\u03bcg": "microgram",
            "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "dl": "deciliter", "l": "liter", "L": "liter",
            "mi": "mile", "yd": "yard", "yds": "yard", "oz": "ounce", "lb": "pound", "lbs": "pound", "pt": "pint",
            "qt": "quart", "gal": "gallon", "tbsp": "tablespoon", "tsp": "teaspoon", "ha": "hectare", "ac": "acre",
            "ms": "millisecond", "s": "second", "sec": "second", "secs": "second", "min": "minute", "mins": "minute",
            "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year", "yrs": "year", "wk": "week", "wks": "week",
            "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "V": "volt", "kV": "kilovolt",
            "mA": "milliampere", "kJ": "kilojoule", "J": "joule", "cal": "calorie", "kcal": "kilocalorie",
            "Pa": "pascal", "hPa": "hectopascal", "kPa": "kilopascal", "dB": "decibel",
            "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "PB": "petabyte",
            "Kb": "kilobit", "Mb": "megabit", "Gb": "gigabit", "px": "pixel", "kWh": "kilowatt hour",
            "MWh": "megawatt hour", "GWh": "gigawatt hour",
        }
    ),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "ft": ("foot", "feet"),
    "in.": ("inch", "inches"),
    "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mpg": ("mile per gallon", "miles per gallon"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "bpm": ("beat per minute", "beats per minute"),
    "fps": ("frame per second", "frames per second"),
    "psi": ("pound per square inch", "pounds per square inch"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Mbit/s": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "kbit/s": ("kilobit per second", "kilobits per second"),
    "km\u00b2": ("square kilometer", "square kilometers"),
    "m\u00b2": ("square meter", "square meters"),
    "cm\u00b2": ("square centimeter", "square centimeters"),
    "mm\u00b2": ("square millimeter", "square millimeters"),
    "m\u00b3": ("cubic meter", "cubic meters"),
    "cm\u00b3": ("cubic centimeter", "cubic centimeters"),
    "sq ft": ("square foot", "square feet"),
    "sq. ft": ("square foot", "square feet"),
    "sq mi": ("square mile", "square miles"),
    "cu ft": ("cubic foot", "cubic feet"),
    "fl oz": ("fluid ounce", "fluid ounces"),
    "\u00b0C": ("degree celsius", "degrees celsius"),
    "\u00b0 C": ("degree celsius", "degrees celsius"),
    "\u00b0F": ("degree fahrenheit", "degrees fahrenheit"),
    "\u00b0 F": ("degree fahrenheit", "degrees fahrenheit"),
    "\u00b0": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "\u2030": ("per mille", "per mille"),
    "\u00a2": ("cent", "cents"),
}
"""Symbol after a number -> its name in the singular and the plural."""
