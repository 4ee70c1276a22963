"""The checks of the model: of its files, under θ̂, and of a rehearsal."""

from minisft.lab.doctor import rehearsal, template, under_theta
from minisft.lab.doctor.findings import Check

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
