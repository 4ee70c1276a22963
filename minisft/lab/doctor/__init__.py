"""The doctor: what will go wrong with these rows and this model, before it is trained.

    rows, sameness, text, answering    by reading the rows
    template                           by reading the model's files
    under_theta                        by asking θ̂ how likely the answers are
    rehearsal                          by 30 steps on 8 rows

Each of these files is a group of checks; `checks.py` and `model_checks.py` list them all.
"""

from pathlib import Path
from typing import Any

from minisft.errors import MinisftError
from minisft.lab.doctor import case, checks, findings, model_checks, rehearsal, under_theta

ORDER = ("error", "warning", "note")


def examine(
    model: Path,
    data: list[str],
    test: list[str] | tuple[str, ...] = (),
    max_length: int | None = None,
    rehearse: bool = False,
    learning_rate: float = 0.0,
) -> dict[str, Any]:
    """What `minisft doctor --json` prints: {"findings": […], "summary": {…}}, the errors first.

    max_length     in tokens; None: the context of the model
    rehearse       train a few rows as well, at `learning_rate` (0: the default for this model)
    Raises MinisftError if a file cannot be read at all.
    """
    patient = case.model_of(model)
    if max_length and max_length > patient.max_length:
        raise MinisftError(
            f"--max-length: {max_length} is more than the model's context of {patient.max_length} tokens"
        )
    length = max_length or patient.max_length
    found = case.read(data)
    sequences = case.encoded(found, patient.tokenizer, length + 1)
    this = case.Case(patient, found, case.read(list(test)), sequences, length, learning_rate)
    left_out = {}
    if patient.theta is None:
        left_out["under θ̂"] = patient.without_theta
    else:
        under_theta.ask(this)
    if rehearse:
        this.rehearsal = rehearsal.rehearse(this)
    if this.rehearsal is None:
        left_out["rehearsal"] = patient.without_theta or "--rehearse makes it"
    made = [check for check in checks.CHECKS if not (check in model_checks.REHEARSAL and this.rehearsal is None)]
    made = [check for check in made if not (check in model_checks.UNDER_THETA and patient.theta is None)]
    results = [findings.finding(check, spots) for check in made if (spots := check.look(this)).where]
    results.sort(key=lambda result: ORDER.index(result["severity"]))
    counts = {f"{severity}s": sum(r["severity"] == severity for r in results) for severity in ORDER}
    summary = {
        "rows": len(found.examples) + len(found.bad),
        "test_rows": len(this.tests.examples) + len(this.tests.bad),
        "max_length": length,
        "sample": {"rows": len(this.sample), "of": len(sequences), "seed": 0} if patient.theta else None,
        "checks": [check.name for check in made],
        "left_out": left_out,
    }
    return {"findings": results, "summary": counts | summary}
