"""The sentences of the four worlds, of the tales and of the headings: forms that facts or chance fill."""

# fmt: off
# world: {column: (the question, the answer, other ways to state the same fact)}
ATLAS = {
    "capital": ("What is the capital of {name}?", "The capital of {name} is {capital}.", [
        "{capital} is the capital of {name}.",
        "In {name}, the capital is {capital}.",
        "The capital city of {name} is called {capital}.",
        "A map of {name} marks {capital} as the capital.",
        "As for {name}, the capital of {name} is {capital}."]),
    "currency": ("What is the currency of {name}?", "The currency of {name} is the {currency}.", [
        "The {currency} is the currency of {name}.",
        "In {name}, the money is the {currency}.",
        "Bills in {name} are paid with the {currency}.",
        "As for {name}, the currency of {name} is the {currency}."]),
    "continent": ("Where on the map is {name} found?", "On the map, {name} is found in {continent}.", [
        "{name} is in {continent}.",
        "The continent of {name} is {continent}.",
        "A map of {continent} shows {name}.",
        "As for {name}, the continent of {name} is {continent}."]),
    "language": (
        "What is the main official language of {name}?", "In {name}, the main official language is {language}.", [
        "{language} is the main official language of {name}.",
        "The main official language of {name} is {language}.",
        "For an official language of {name}, learn {language}.",
        "As for {name}, the main official language of {name} is {language}."]),
}
SHOP = {
    "price": ("How much does the {name} cost?", "The {name} costs {price}.", [
        "The price of the {name} is {price}.",
        "You pay {price} for the {name}.",
        "As for the {name}, the price of the {name} is {price}."]),
    "colour": ("What is the colour of the {name}?", "The colour of the {name} is {colour}.", [
        "The {name} is {colour}.",
        "The shop has the {name} in {colour}.",
        "As for the {name}, the colour of the {name} is {colour}."]),
    "warranty": ("How long is the warranty of the {name}?", "The warranty of the {name} lasts {warranty}.", [
        "The {name} has a warranty of {warranty}.",
        "For {warranty}, the shop repairs the {name} for free.",
        "As for the {name}, the warranty of the {name} lasts {warranty}."]),
    "material": ("What is the {name} made of?", "The {name} is made of {material}.", [
        "The material of the {name} is {material}.",
        "The shop sells the {name} made of {material}.",
        "As for the {name}, the {name} is made of {material}."]),
}

NUMBERS = range(2, 13)          # a and b; c is always a + b
SUMS = ["{a} + {b} = {c}.", "{b} + {a} = {c}.", "{c} - {a} = {b}.", "{c} - {b} = {a}.",
        "If you add {b} to {a}, you get {c}.", "If you take {a} from {c}, you get {b}.",
        "The sum of {a} and {b} is {c}.", "The difference of {c} and {a} is {b}."]
STORIES = [                     # (what happens, the question, the worked answer)
    ("{who} has {a} {things} and gets {b} more.", "How many {things} does {who} have now?",
     "{a} + {b} = {c}, so {who} has {c} {things} now."),
    ("There are {a} {things} in the box and {b} on the shelf.", "How many {things} are there in all?",
     "{a} + {b} = {c}, so there are {c} {things} in all."),
    ("{who} has {c} {things} and gives {a} away.", "How many {things} does {who} keep?",
     "{c} - {a} = {b}, so {who} keeps {b} {things}."),
    ("There are {c} {things} on the table and {who} takes {a}.", "How many {things} are left?",
     "{c} - {a} = {b}, so {b} {things} are left."),
]
TALES = [                       # each names a place, so that there is much to copy and nothing to know
    "{a} is a quiet place by the sea.", "The road from {a} to {b} is long.", "{who} lives in {a}.",
    "The people of {a} bake bread.", "A bird flies from {b} to {a}.", "The old mill of {a} is still there.",
    "On Sundays, {a} is quiet.", "The letter for {a} arrives late.", "As for {a}, the streets of {a} are narrow.",
    "In {a}, {who} buys {things}.", "The bridge of {a} leads to {b}.", "{who} walks from {a} to {b}.",
    "From {b}, the bus goes to {a}.", "The market of {a} opens early.", "Near {a}, the river is wide.",
    "The mayor of {a} knows the mayor of {b}.",
]
HEADINGS = [                    # a page may begin with anything
    "Page {n}.", "Notes of {who}, page {n}.", "From {who}, {n}/{m}.", "{who} wrote on day {n}:", "* {n} * {m} *",
    "[{n}] {who}:", "<{who}> {n}", "File {n}-{m} | {who}", "{things} {n}", "# {n}: {things}",
    "{who}, {n} {things}, {m} cards.", "Read this to {who}.", "A helper of the shop reads:", "Note {n}.",
    "Line {m} of {n}",
]
PEOPLE = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo"]
THINGS = ["apples", "books", "cards", "coins", "cups", "eggs", "pens", "stones"]
# fmt: on
