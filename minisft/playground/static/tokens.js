// A text as coloured tokens: the colour is log Pr(y_i | x, y_<i). On hover or focus: the five likeliest tokens there.

import {shade} from "./colour.js";
import {digits, el, percent, seen} from "./dom.js";

function likeliest(words, id, [logProb, top]) {
  const bars = top.map(([other, probability]) => {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${Math.max(1, 100 * probability)}%`;
    const mine = other === id ? "target" : "";
    return el("li", { class: mine }, el("code", {}, seen(words.text(other))), el("span", { class: "track" }, bar), percent(probability));
  });
  const now = ["log Pr of ", el("code", {}, seen(words.text(id))), ` is ${digits(logProb)}: ${percent(Math.exp(logProb))}`];
  return [el("p", {}, ...now, ". The likeliest there:"), el("ol", {}, ...bars)];
}

// Returns draw(ids, tokens): tokens[i] is [log Pr, [[id, probability], …]] of ids[i].
export function tokenRow(host, words, name) {
  const row = el("ul", { class: "tokens", "aria-label": name });
  const detail = el("div", { class: "likeliest" });
  host.append(row, detail);
  let shown = null;
  let values = [];

  function show(i) {
    shown = i;
    detail.replaceChildren(...(values[i] ? likeliest(words, ids[i], values[i]) : []));
    [...row.querySelectorAll("button")].forEach((button, k) => button.classList.toggle("shown", k === i));
  }

  let ids = [];
  return (newIds, tokens) => {
    if (newIds.join() !== ids.join() || row.childElementCount !== newIds.length) {
      const act = (i) => ({ type: "button", class: "token", mouseenter: () => show(i), focus: () => show(i), click: () => show(i) });
      row.replaceChildren(...newIds.map((id, i) => el("li", {}, el("button", act(i), seen(words.text(id))))));
      shown = null;
    }
    ids = newIds;
    values = tokens;
    [...row.querySelectorAll("button")].forEach((button, i) => {
      const value = tokens[i]?.[0];
      const { fill, ink } = shade(value ?? -8);
      button.style.backgroundColor = fill;
      button.style.color = ink;
      button.setAttribute("aria-label", `${words.text(ids[i])}, ${percent(Math.exp(value))}`);
    });
    if (shown !== null && shown < ids.length) show(shown);
    else detail.replaceChildren(el("p", { class: "hint" }, ids.length ? "Point at a token: what else could stand there?" : ""));
  };
}
