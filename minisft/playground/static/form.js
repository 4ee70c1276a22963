// What is learned: the settings, as the form has them; what has changed since the run began is marked.

import {byId} from "./dom.js";

const NUMBERS = ["prompt_loss_weight", "learning_rate", "max_steps", "batch_size", "seed"];
const NAMES = ["data", "rows", "start", "loss_reduction", "lr_scheduler_type", "optim", "mistake", ...NUMBERS];

export function form(changed) {
  const fields = NAMES.map((name) => [name, byId(name)]);
  let began = {};

  function read() {
    return Object.fromEntries(fields.map(([name, field]) => [name, NUMBERS.includes(name) ? Number(field.value) : field.value]));
  }

  function differs() {
    const now = read();
    return NAMES.filter((name) => name in began && began[name] !== now[name] && (name !== "rows" || now.data === "pasted rows"));
  }

  function mark() {
    const different = differs();
    for (const [name, field] of fields) field.closest(".field").classList.toggle("changed", different.includes(name));
    byId("lambda-says").textContent = read().prompt_loss_weight.toFixed(2);
    byId("rows").closest(".field").hidden = byId("data").value !== "pasted rows";
    const { wrong, right } = byId("mistake").selectedOptions[0].dataset;
    byId("mistake-says").textContent = wrong ? `✗ ${wrong}\n✓ ${right}` : "";
    const waits = "changed since the run began: takes effect with “Start again”";
    byId("changed").textContent = different.length ? `${different.length} ${waits}` : "";
    changed(different);
  }

  for (const [, field] of fields) field.addEventListener("input", mark);
  return {
    read,
    differs,
    begin: (settings) => {
      began = { ...settings };
      mark();
    },
  };
}
