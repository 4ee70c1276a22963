// The film strip: log Pr over t (rows) and the tokens of one y (columns). A click goes back to that θ_t.

import {SCALE, shade} from "./colour.js";
import {el, percent, seen, svg} from "./dom.js";

const EDGE = 34; // for the name of the last token
const [WIDTH, LEFT, HEAD, ROOM] = [640, 40, 58, 132];

export function strip(host, goTo) {
  const choice = el("select", { id: "pair", change: () => draw(state, true) });
  const picture = svg("svg", { role: "img", class: "strip" });
  host.append(
    el("p", { class: "choice" }, el("label", { for: "pair" }, "pair"), choice),
    picture,
    el("p", { class: "scale" }, "never ", ...SCALE.map(swatch), " certain"),
  );
  let state = null;
  let drawn = { run: null, count: 0 };
  let cells = null;
  let mark = null;

  function swatch(value) {
    const box = el("span", { class: "swatch" }, percent(Math.exp(value)));
    const { fill, ink } = shade(value);
    box.style.backgroundColor = fill;
    box.style.color = ink;
    return box;
  }

  function options(run) {
    choice.replaceChildren(
      ...run.begin.pairs.map((pair, i) => el("option", { value: i }, `${pair.question} ${pair.expected}`)),
    );
  }

  function draw(next, anew = false) {
    state = next;
    const { current: run, t } = state;
    if (drawn.run !== run) options(run);
    const pair = Number(choice.value) || 0;
    const steps = run.steps("tokens");
    const end = Math.max(run.last, run.begin.total, 1);
    const ids = run.begin.pairs[pair].ids;
    const wide = (WIDTH - LEFT - EDGE) / ids.length;
    const y = (step) => HEAD + (ROOM * step) / (end + 1);
    if (anew || drawn.run !== run || drawn.end !== end || steps.length < drawn.count) {
      picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEAD + ROOM + 10}`);
      cells = svg("g", { class: "cells" });
      mark = svg("path", { class: "mark-row" });
      const heads = ids.map((id, i) => {
        const place = `translate(${LEFT + (i + 0.5) * wide + 4} ${HEAD - 6}) rotate(-50)`;
        return svg("text", { transform: place, class: "head" }, seen(run.words.text(id)).slice(0, 10));
      });
      const sides = [0, end].map((step) => svg("text", { x: LEFT - 6, y: y(step) + 6, class: "tick end" }, String(step)));
      picture.replaceChildren(...heads, ...sides, cells, mark);
      drawn = { run, end, count: 0 };
    }
    for (const [k, step] of [...steps.entries()].slice(drawn.count)) {
      const below = steps[k + 1] ?? step + 1;
      const high = Math.max(0.8, y(Math.min(below, end + 1)) - y(step)) + 0.4;
      const row = svg("g", { click: () => goTo(step) });
      run.tokens.get(step).pairs[pair].forEach(([value], i) => {
        const place = { x: LEFT + i * wide, y: y(step), width: wide + 0.3, height: high, fill: shade(value).fill };
        row.append(svg("rect", place));
      });
      row.append(svg("title", {}, `t = ${step}`));
      cells.append(row);
    }
    drawn.count = steps.length;
    mark.setAttribute("d", `M ${LEFT - 12} ${y(t) + 1} l -9 -5 v 10 z M ${LEFT} ${y(t) + 1} H ${WIDTH - EDGE}`);
    const worst = run.at("tokens", t)?.pairs[pair];
    const said = worst ? Math.exp(Math.min(...worst.map(([value]) => value))) : 0;
    picture.setAttribute("aria-label", `log Pr of each token of y over t; at t = ${t} the least likely has ${percent(said)}`);
  }

  return (next) => draw(next);
}
