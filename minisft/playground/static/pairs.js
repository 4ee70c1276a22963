// The watched pairs: what is asked, what θ_t answers, and the tokens of the right answer, coloured.

import {el} from "./dom.js";
import {tokenRow} from "./tokens.js";

export function pairs(host) {
  let shown = null;
  let draws = [];

  function build(run) {
    shown = run;
    host.replaceChildren();
    draws = run.begin.pairs.map((pair) => {
      const reply = el("p", { class: "predicted" });
      const row = el("div");
      host.append(el("div", { class: "pair" }, el("p", { class: "asked" }, pair.question), reply, row));
      return [reply, tokenRow(row, run.words, `tokens of y: ${pair.expected}`)];
    });
  }

  return ({ current: run, t }) => {
    if (run !== shown) build(run);
    const told = run.at("answers", t);
    const seen = run.at("tokens", t);
    draws.forEach(([reply, draw], i) => {
      const question = run.begin.questions.findIndex(([text]) => text === run.begin.pairs[i].question);
      const [predicted, exact] = told?.answers[question] ?? ["", false];
      reply.replaceChildren(el("span", { class: "symbol" }, `ŷ at t = ${told?.t ?? t}: `), predicted.trim() || "…", exact ? el("b", { class: "yes" }, " ✓") : "");
      draw(run.begin.pairs[i].ids, seen?.pairs[i] ?? []);
    });
  };
}
