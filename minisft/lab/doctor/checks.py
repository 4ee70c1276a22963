"""All checks, in the order in which they are made: what each is called, how bad it is, why, and what to do."""

from minisft.lab.doctor import rehearsal, rows, sameness, template, text, under_theta
from minisft.lab.doctor.findings import Check

ROWS = [
    Check(
        "bad-row",
        "error",
        rows.bad_row,
        "A row that cannot be read is not trained; other trainers stop at it, or learn what they make of it.",
        "mend or remove the rows, or skip them with --on-bad-row skip",
    ),
    Check(
        "ignored-key",
        "warning",
        rows.ignored_key,
        "Nobody reads these keys, so what they say is not trained.",
        "rename the key to one that is read (data/README.md lists them), or remove it",
    ),
    Check(
        "empty-answer",
        "warning",
        rows.empty_answer,
        "The model learns to end at once, without an answer.",
        "remove the rows, unless silence is the right answer",
    ),
    Check(
        "no-target",
        "error",
        rows.no_target,
        "No token of such a row counts: all of its weights are 0, or it has one token only, which is given.",
        "remove the rows, or give an answer a weight",
    ),
    Check(
        "too-long",
        "warning",
        rows.too_long,
        "Their end is cut off, and with it the end token: from such rows a model does not learn to stop.",
        "shorten or split the rows, raise --max-length, or drop them with --on-too-long drop",
        "end-token-cut-off",
    ),
    Check(
        "prompt-fills-context",
        "error",
        rows.prompt_fills_context,
        "The prompt alone fills the context, so nothing of the answer is left to learn.",
        "shorten the prompts, raise --max-length, or drop the rows with --on-too-long drop",
    ),
]
SAMENESS = [
    Check(
        "duplicate",
        "warning",
        sameness.duplicate,
        "An equal row counts twice: the model learns it by heart sooner than the others.",
        "keep one of each, unless the frequencies are meant",
    ),
    Check(
        "near-duplicate",
        "note",
        sameness.near_duplicate,
        "Nearly equal rows teach little that is new, and one of them in the test set would be a leak.",
        "keep one of each, unless the small difference matters",
    ),
    Check(
        "conflict",
        "warning",
        sameness.conflict,
        "One question with several answers teaches their frequencies; the loss cannot fall below their entropy.",
        "correct the answers, or keep them if several are right",
    ),
    Check(
        "leak",
        "error",
        sameness.leak,
        "The model is asked in the test what it was told in training, so the test says nothing about new questions.",
        "remove these rows from training or from the test",
        "test-rows-in-training",
    ),
    Check(
        "imbalance",
        "note",
        sameness.imbalance,
        "One answer in over half of the rows: always giving it already looks good.",
        "compare exact match with this share, or balance the rows",
    ),
]
TEXT = [
    Check(
        "special-text",
        "warning",
        text.special_text,
        "Here special tokens in a text are letters, and learned letter by letter; other trainers make tokens of them.",
        "remove the markup, and give messages: the template writes it",
    ),
    Check(
        "end-in-text",
        "warning",
        text.end_in_text,
        "The end token is added to every answer. Spelled in the text it comes twice, or is learned letter by letter.",
        "remove it from the text",
        "end-token-as-text",
    ),
    Check(
        "leading-space",
        "warning",
        text.leading_space,
        "The answer's first token then has a blank or a newline in it, which the prompt in use may already end with.",
        "strip the answers",
    ),
    Check(
        "unicode",
        "warning",
        text.unicode,
        "Such characters have other tokens than the same text in pre-training, and the model will write them as well.",
        "repair the encoding (read the source as UTF-8), and normalise the texts to NFC",
    ),
    Check(
        "role-text",
        "warning",
        text.role_text,
        "The model learns to speak for the user as well, and to go on with the conversation alone.",
        "split the row into messages, or cut the answer off before it",
    ),
]
TEMPLATE = [
    Check(
        "no-template",
        "note",
        template.no_template,
        "The model has no chat template of its own; ChatML is written here, and other trainers refuse.",
        "give the model the template that it will be asked with, as chat_template.jinja",
        "template-missing",
    ),
    Check(
        "two-templates",
        "error",
        template.two_templates,
        "The files disagree about the template, and programs differ in which of them they read.",
        "delete one of the two",
        "other-template",
    ),
    Check(
        "end-not-trained",
        "error",
        template.end_not_trained,
        "The turn's end token is not trained, so the model never learns to stop.",
        "write the end token in the template right after the answer, inside of {% generation %}",
        "end-token-masked",
    ),
    Check(
        "end-not-stopping",
        "error",
        template.end_not_stopping,
        "The model learns to end with this token, but transformers and others do not stop there.",
        'add the id to "eos_token_id" in that file',
        "end-not-stopping",
    ),
    Check(
        "pad-is-end",
        "warning",
        template.pad_is_end,
        "A trainer that masks padding by its id masks the end token as well, and the model never learns to stop.",
        "give pad_token a token of its own, or use a trainer that masks padding by length (TRL does, as minisft does)",
        "pad-is-end",
    ),
    Check(
        "double-bos",
        "error",
        template.double_bos,
        "Who renders the template to text and then encodes it gets BOS twice, in training or in use.",
        "encode rendered text with add_special_tokens=False, or let only one of the two write BOS",
        "double-bos",
    ),
    Check(
        "no-bos",
        "warning",
        template.no_bos,
        "Texts begin without the token that the model has seen at every beginning.",
        "begin the template with {{ bos_token }}, unless the model was trained without it",
    ),
    Check(
        "template-differs",
        "error",
        template.template_differs,
        "The model is asked with other tokens than it was trained on.",
        "use a template that writes the same before an answer and when it asks for one",
        "other-template",
    ),
    Check(
        "unused-rows",
        "note",
        template.unused_rows,
        "The vocabulary of the model is larger than that of its tokenizer; no text trains these rows.",
        "nothing, unless tokens were to be added: then add them to the tokenizer",
    ),
]
UNDER_THETA = [
    Check(
        "surprising",
        "warning",
        under_theta.surprising,
        "The model finds these answers far less likely than the others, as it does wrong labels and noise.",
        "read these rows",
    ),
    Check(
        "known",
        "note",
        under_theta.known,
        "The model already gives these answers, so there is nothing left to learn from them.",
        "check that --model is the model from which you want to start",
    ),
    Check(
        "starts-badly",
        "note",
        under_theta.starts_badly,
        "The first token of the answers carries most of the loss: the format surprises the model, not the content.",
        "compare how your answers begin with how the model answers by itself (minisft generate)",
    ),
]
REHEARSAL = [
    Check(
        "does-not-overfit",
        "error",
        rehearsal.does_not_overfit,
        "A healthy run learns a few rows by heart. This one does not: the labels, the mask or the model are at fault.",
        "look at the targets of a row with minisft inspect, and at the model with minisft gradcheck",
    ),
    Check(
        "does-not-stop",
        "error",
        rehearsal.does_not_stop,
        "Asked again what it has just learned, the model does not end its answers.",
        "see end-not-trained, end-not-stopping and too-long",
        "end-token-masked",
    ),
    Check(
        "rate-too-high",
        "warning",
        rehearsal.rate_too_high,
        "A tenth of this learning rate, or a hundredth, learns the rows; this one does not.",
        "train with a lower --learning-rate",
        "learning-rate-too-high",
    ),
    Check(
        "rate-too-low",
        "warning",
        rehearsal.rate_too_low,
        "Ten times this learning rate, or a hundred times, learns the rows; this one hardly begins.",
        "train with a higher --learning-rate, or longer",
    ),
]
CHECKS = [*ROWS, *SAMENESS, *TEXT, *TEMPLATE, *UNDER_THETA, *REHEARSAL]
