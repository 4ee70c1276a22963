// The film: a slider over t, a play button, and the views of the page for every run in the file.

import {answers} from "./answers.js";
import {curves} from "./curves.js";
import {byId, el} from "./dom.js";
import {pairs} from "./pairs.js";
import {norms, plane} from "./plane.js";
import {Record, Vocabulary, labels} from "./record.js";
import {slowView} from "./slow.js";
import {strip} from "./strip.js";

const BEAT = 120; // milliseconds from one step to the next while it plays

function readRun(events) {
  const words = new Vocabulary();
  const told = events.find(({ event }) => event === "told");
  words.learn(told);
  const run = new Record(events.find(({ event }) => event === "begin"), words);
  for (const event of events) run.add(event);
  return run;
}

// All views of one run, in a column.
function column(host, run, name, goTo) {
  const panel = (title, look) => {
    const place = el("div");
    host.append(el("section", { class: `panel ${look}`, "aria-label": title }, el("h2", {}, title), place));
    return place;
  };
  if (name) host.append(el("h2", { class: "run-name" }, name));
  const views = [
    pairs(panel("Watched pairs", "pairs")),
    strip(panel("The film strip: θ_t from top to bottom", "strip-panel"), goTo),
    answers(panel("Questions it was not taught", "table")),
    plane(panel("Where θ is", "where")),
    norms(panel("How far each tensor has gone", "where")),
    slowView(panel("One step, slowly", "slowly"), null),
  ];
  return (t) => views.forEach((view) => view({ runs: [run], current: run, t, kept: true }));
}

const runs = JSON.parse(byId("film").textContent).runs.map(readRun);
const names = labels(runs);
const slider = byId("step");
const times = [...new Set(runs.flatMap((run) => run.steps("tokens")))].sort((a, b) => a - b);
const drawCurves = curves(byId("curves"));
let columns = [];
let playing = null;

const now = () => times[Number(slider.value)];

function draw() {
  const t = now();
  byId("status").textContent = `t = ${t}`;
  slider.setAttribute("aria-valuetext", `t = ${t}`);
  drawCurves({ runs, current: runs[chosen()[0]], t });
  for (const show of columns) show(t);
}

function chosen() {
  const value = byId("which").value;
  return value === "all" ? runs.map((_, i) => i) : [Number(value) || 0];
}

function build() {
  const host = byId("columns");
  host.replaceChildren();
  const some = chosen();
  host.classList.toggle("side-by-side", some.length > 1);
  columns = some.map((i) => {
    const place = el("div", { class: "column" });
    host.append(place);
    return column(place, runs[i], runs.length > 1 ? names[i] : "", goTo);
  });
  draw();
}

function goTo(t) {
  slider.value = String(times.indexOf(t));
  draw();
}

function stop() {
  clearInterval(playing);
  playing = null;
  byId("play").textContent = "Play";
}

function play() {
  if (playing) return stop();
  if (Number(slider.value) === times.length - 1) slider.value = "0";
  byId("play").textContent = "Pause";
  playing = setInterval(() => {
    slider.value = String(Number(slider.value) + 1);
    draw();
    if (Number(slider.value) === times.length - 1) stop();
  }, BEAT);
}

slider.max = String(times.length - 1);
slider.addEventListener("input", draw);
byId("play").addEventListener("click", play);
if (runs.length > 1) {
  const options = names.map((name, i) => el("option", { value: i }, name));
  byId("which").replaceChildren(...options, el("option", { value: "all" }, "side by side"));
  byId("which").closest(".which").hidden = false;
  byId("which").addEventListener("change", build);
}
const { begin } = runs[0];
const slip = begin.mistake && begin.mistake !== "none" ? `, with the mistake ${begin.mistake}` : "";
byId("about").textContent = `${begin.examples_learned} examples, ${begin.total} steps of ${begin.settings.batch_size}, ${begin.settings.optim}, learning rate ${begin.settings.learning_rate}${slip}, ${begin.parameters.toLocaleString("en")} parameters.`;
build();
