// The numbers of each part of a step. Every function returns the elements to show.

import {shade} from "./colour.js";
import {digits, el, percent, seen, svg} from "./dom.js";

const CELL = 9;

function table(head, rows, name) {
  return el("table", { "aria-label": name },
    el("thead", {}, el("tr", {}, ...head.map((cell) => el("th", { scope: "col" }, cell)))),
    el("tbody", {}, ...rows.map(([look, ...cells]) => el("tr", { class: look }, ...cells.map((cell) => el("td", {}, cell))))));
}

function sum(label, ours, metric, name) {
  return el("p", { class: "sum" }, label, " = ", el("b", {}, digits(ours, 5)), el("span", { class: "metric" }, ` metrics.jsonl: ${name} `, el("b", {}, digits(metric, 5))));
}

// [{id, isY, weight, logProb, row}] of every row of the batch, sequence by sequence; the first token is given.
function predicted(event, run) {
  let row = 0;
  return event.batch.map(({ example, weights, log_prob: values }) => {
    const [ids, isY] = run.words.examples.get(example);
    let next = 0;
    return ids.slice(1).map((id, i) => {
      const weight = weights[isY[i + 1]];
      return { id, isY: isY[i + 1] === 1, weight, logProb: weight ? values[next++] : null, row: row++ };
    });
  });
}

export function batch(event, run, choose) {
  const sequences = predicted(event, run);
  const longest = Math.max(...sequences.map((tokens) => tokens.length));
  const picture = svg("svg", {
    viewBox: `0 0 ${longest * CELL} ${sequences.length * CELL}`,
    class: "batch",
    role: "img",
    "aria-label": `${sequences.length} sequences; the tokens that count are filled`,
  });
  sequences.forEach((tokens, s) =>
    tokens.forEach(({ id, weight, logProb, row }, i) => {
      const look = { x: i * CELL + 0.5, y: s * CELL + 0.5, width: CELL - 1, height: CELL - 1 };
      if (weight) look.fill = shade(logProb).fill;
      look.class = `${weight ? "counts" : "given"}${row === event.row.row ? " chosen" : ""}`;
      if (choose && weight) look.click = () => choose(row);
      picture.append(svg("rect", look, svg("title", {}, seen(run.words.text(id)))));
    }),
  );
  const text = el("p", { class: "spelled", "aria-label": "the sequence of the chosen row" });
  const [first] = run.words.examples.get(event.batch[event.row.sequence].example);
  text.append(el("span", { class: "given" }, seen(run.words.text(first[0]))));
  for (const { id, weight, isY, logProb, row } of sequences[event.row.sequence]) {
    const look = `${weight ? "counts" : "given"} ${isY ? "of-y" : "of-x"} ${row === event.row.row ? "chosen" : ""}`;
    const piece = choose && weight
      ? el("button", { type: "button", class: look, click: () => choose(row) }, seen(run.words.text(id)))
      : el("span", { class: look }, seen(run.words.text(id)));
    if (weight) {
      const { fill, ink } = shade(logProb);
      piece.style.backgroundColor = fill;
      piece.style.color = ink;
    }
    text.append(piece);
  }
  const [x, y] = event.batch[event.row.sequence].weights;
  return [
    el("p", {}, `${sequences.length} sequences. Filled: a predicted token that counts, coloured by log π. Hollow: weight 0, never computed further.`),
    picture,
    text,
    el("p", {}, "Here w = ", el("b", {}, digits(y)), " on a token of y and ", el("b", {}, digits(x)), " on one of x; all w add up to ", el("b", {}, digits(event.sums.weights))),
    sum("tokens that count", event.sums.num_target_tokens, event.metrics.num_target_tokens, "num_target_tokens"),
  ];
}

function candidates(event, run, columns) {
  const { target, candidates: shown, rest } = event.row;
  const head = ["token", ...columns.map(([name]) => name)];
  const rows = shown.map(([id, ...values]) => [id === target ? "target" : "", el("code", {}, seen(run.words.text(id))), ...columns.map(([, k, say]) => say(values[k]))]);
  const [count, pi, dz] = rest;
  rows.push(["rest", `${count} others`, ...columns.map(([, k, say]) => (k ? say([null, pi, dz][k]) : ""))]);
  return table(head, rows, "tokens of the chosen row");
}

export function logits(event, run) {
  const { position, sequence, log_sum_exp: total, target } = event.row;
  return [
    el("p", {}, `Sequence ${sequence + 1}, token ${position}: the target is `, el("code", {}, seen(run.words.text(target))), `; log Σ exp z = ${digits(total)}`),
    candidates(event, run, [["z", 0, digits], ["π", 1, percent]]),
  ];
}

export function objective(event, run) {
  const { weight, log_prob: value, contribution, target } = event.row;
  return [
    el("p", {}, "w log π(", el("code", {}, seen(run.words.text(target))), `) = ${digits(weight)} × ${digits(value)} = `, el("b", {}, digits(contribution))),
    sum("−Σ w log π over the batch", event.sums.loss, event.metrics.loss, "loss"),
  ];
}

export function dz(event, run) {
  return [
    el("p", {}, "The target is pushed up, everything else down by its probability; the column adds up to 0."),
    candidates(event, run, [["π", 1, percent], ["∂J/∂z", 2, digits]]),
  ];
}

export function gradient(event, run) {
  const most = Math.max(...event.tensors.map(([norm]) => norm));
  const rows = event.tensors.map(([norm, moved], i) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${(100 * norm) / (most || 1)}%`;
    const name = run.begin.tensors[i].replace(/^model\./, "").replace(/\.weight$/, "");
    return el("li", {}, el("span", { class: "tensor" }, name), el("span", { class: "track" }, bar), el("span", { class: "value" }, `${digits(norm, 3)} → ${digits(moved, 3)}`));
  });
  return [
    el("p", {}, "‖∂L/∂tensor‖ → ‖change of the tensor‖"),
    el("ol", { class: "norms", tabindex: "0", "aria-label": "norm of the gradient by tensor" }, ...rows),
    sum("√ of the sum of squares", event.sums.grad_norm, event.metrics.grad_norm, "grad_norm"),
  ];
}

export function update(event) {
  const u = event.update;
  const place = `${u.name.replace(/^model\./, "")}[${u.index.join(", ")}]`;
  const rows = [["", "∂L/∂θ, after clipping", digits(u.gradient)]];
  if ("m" in u) rows.push(["", "m → m̂", `${digits(u.m)} → ${digits(u.m_hat)}`], ["", "v → v̂", `${digits(u.v)} → ${digits(u.v_hat)}`]);
  rows.push(["", "η", digits(u.learning_rate)], ["target", "θ before → after", `${digits(u.before, 6)} → ${digits(u.after, 6)}`]);
  const clipped = u.clip < 1 ? `‖∇L‖ is more than the limit, so all of ∇L is scaled by ${digits(u.clip)}.` : "∇L is not clipped.";
  return [el("p", {}, "The number with the largest gradient: ", el("code", {}, place), `. ${clipped}`), table(["symbol", "number"], rows, "the update of one number")];
}

export function effect(event, run) {
  const rows = run.begin.pairs.map((pair, i) => {
    const [before, after] = event.pairs[i];
    return [after > before ? "up" : "down", `${pair.question} ${pair.expected}`, digits(before), digits(after), `× ${digits(Math.exp(after - before), 3)}`];
  });
  return [
    el("p", {}, "log Pr(y|x) of the watched pairs. The last column: how many times likelier y is now."),
    table(["pair", "before", "after", "Pr(y|x)"], rows, "watched pairs before and after the step"),
  ];
}
