"""All checks, in the order in which they are made: what each is called, how bad it is, why, and what to do."""

from minisft.lab.doctor import answering, rows, sameness, text
from minisft.lab.doctor.findings import Check
from minisft.lab.doctor.model_checks import REHEARSAL, TEMPLATE, UNDER_THETA

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
ANSWERS = [
    Check(
        "turn-order",
        "warning",
        answering.turn_order,
        "Most conversations take turns, and the user begins. An answer, or a question, may have been lost here.",
        "read these rows; join turns of one role, or swap the roles back",
    ),
    Check(
        "echo",
        "warning",
        answering.echo,
        "The model learns to say the question again before it answers, or instead.",
        "cut the question off the answers (a pipeline gives it back unless it has return_full_text=False)",
    ),
    Check(
        "off-by-one",
        "warning",
        answering.off_by_one,
        "Questions and answers have lost each other: a row was left out of one of two columns.",
        "pair them again, from the row before the first of these",
    ),
    Check(
        "swapped",
        "warning",
        answering.swapped,
        "The answer looks like a question of these data, and the question like an answer.",
        "swap the two columns of these rows",
    ),
    Check(
        "other-script",
        "warning",
        answering.other_script,
        "Nobody asked for this language, and the model will answer others in it, too.",
        "remove the rows, or name the language in the question",
    ),
    Check(
        "cut-off",
        "note",
        answering.cut_off,
        "Whoever wrote them ran into a limit of length. The end token behind half a sentence teaches to stop anywhere.",
        "have them written again with a higher limit, or cut back to the last whole sentence",
    ),
    Check(
        "same-beginning",
        "note",
        answering.same_beginning,
        "If it is a system prompt or a greeting of the program, the model learns to recite it before each answer.",
        "move it into a system turn, or cut it off",
    ),
    Check(
        "no-separator",
        "warning",
        answering.no_separator,
        "These texts are joined as they are, so a word of the answer is glued to the end of the question.",
        "end the prompts with a newline, or begin the completions with a blank; or give messages",
    ),
    Check(
        "trailing-space",
        "note",
        answering.trailing_space,
        "The model learns white space before the end token, in some answers.",
        "strip the answers",
    ),
    Check(
        "label-spelling",
        "warning",
        answering.label_spelling,
        "One label in two spellings: the model learns both, and a comparison of texts counts one as wrong.",
        "write each label in one way",
    ),
    Check(
        "leftover",
        "warning",
        answering.leftover,
        "A program left this in the answers, and the model will write it as well.",
        "repair the step that wrote it, or remove the rows; keep them if it is meant",
    ),
]
CHECKS = [*ROWS, *SAMENESS, *TEXT, *ANSWERS, *TEMPLATE, *UNDER_THETA, *REHEARSAL]
