// One step, slowly: each part with its formula, the library's lines, and the numbers of this step.

import {el} from "./dom.js";
import {PARTS, formula} from "./formulas.js";
import {batch, dz, effect, gradient, logits, objective, update} from "./slow_parts.js";

const NUMBERS = { batch, logits, objective, dz, gradient, update, effect };

// choose(row) asks for another row of the batch; null where that cannot be had, as in a film.
export function slowView(host, choose) {
  const title = el("p", { class: "hint" }, "Make a step, and it is taken apart here.");
  const list = el("ol", { class: "slow" });
  host.append(title, list);
  let shown = null;

  return ({ current: run, t, kept }) => {
    const event = kept ? run.at("slow", t) ?? run.slow.get(run.steps("slow")[0]) : run.slow.get(t);
    if (event === shown) return;
    shown = event;
    if (!event) {
      title.textContent = t ? `Step ${t}: press “Take step ${t} apart”.` : "Make a step, and it is taken apart here.";
      list.replaceChildren();
      return;
    }
    title.replaceChildren("Step ", el("b", {}, String(event.t)), `: from θ_${event.t - 1} to θ_${event.t}.`,
      kept && event.t !== t ? ` The kept step nearest before t = ${t}.` : "");
    list.replaceChildren(
      ...PARTS.map(([name, heading, written, lines]) => {
        const code = run.begin.lines[lines];
        return el("li", { class: `part-${name}` },
          el("div", { class: "says" },
            el("h3", {}, heading),
            el("p", { class: "formula" }, formula(name, run.begin.settings, written)),
            code ? el("figure", {}, el("figcaption", {}, code.where), el("pre", {}, el("code", {}, code.code))) : null),
          el("div", { class: "numbers" }, ...NUMBERS[name](event, run, choose)));
      }),
    );
  };
}
