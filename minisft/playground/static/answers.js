// The held-out answers at θ_t, and since when each is right.

import {el} from "./dom.js";

export function answers(host) {
  const caption = el("caption", {}, "held-out answers");
  const head = ["question", "expected answer", "ŷ", "right since"].map((name) => el("th", { scope: "col" }, name));
  const body = el("tbody");
  const note = el("p", { class: "hint" });
  host.append(
    el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "held-out answers, scrollable" },
      el("table", {}, caption, el("thead", {}, el("tr", {}, ...head)), body)),
    note,
  );
  let shown = [];
  return ({ current: run, t }) => {
    const event = run.at("answers", t);
    if (shown[0] === run && shown[1] === event) return;
    shown = [run, event];
    const questions = run.begin.questions;
    const rows = questions.map(([question, expected], i) => {
      const [predicted, exact] = event?.answers[i] ?? ["", false];
      const since = run.flipped(i, t);
      const mark = exact ? `✓ t = ${since}` : "✗";
      return el("tr", { class: exact ? "right" : "wrong" },
        el("td", {}, question), el("td", {}, expected), el("td", { class: "predicted" }, predicted.trim()), el("td", {}, mark));
    });
    head[2].textContent = `ŷ at t = ${event?.t ?? t}`;
    body.replaceChildren(...rows);
    const kind = run.begin.held_out ? "not in the training data" : "the pasted rows themselves";
    const right = event ? event.answers.filter(([, exact]) => exact).length : 0;
    note.textContent = event
      ? `${right} of ${questions.length} right at t = ${event.t}; the questions are ${kind}.`
      : "No questions to ask.";
  };
}
