// The page: what comes from the run is drawn, what is pressed goes to the run.

import {answers} from "./answers.js";
import {connect} from "./connection.js";
import {curves} from "./curves.js";
import {byId, digits, el} from "./dom.js";
import {form} from "./form.js";
import {norms, plane} from "./plane.js";
import {Record, Vocabulary, settingsOf} from "./record.js";
import {slowView} from "./slow.js";
import {strip} from "./strip.js";
import {save} from "./take.js";
import {tokenRow} from "./tokens.js";

const EARLIER = 5;
const METRICS = ["loss", "objective", "num_target_tokens", "grad_norm", "learning_rate", "mean_token_accuracy", "prompt_loss", "completion_loss"];
const state = { runs: [], current: null, t: 0, made: 0, running: false, asked: null, apart: null };
const words = new Vocabulary();
const send = connect(receive, (source) => {
  alertUser(source.readyState === EventSource.CLOSED ? "The server has ended; start minisft playground again." : "The connection was lost; trying again.");
});
const views = [curves(byId("curves")), strip(byId("strip"), look), answers(byId("answers")), plane(byId("plane")), norms(byId("norms")),
  slowView(byId("slow"), (row) => send("slow", { t: state.slow, row }))];
const drawAsked = tokenRow(byId("asked-tokens"), words, "tokens of y");
const settings = form(() => {});
const PICTURE = 50; // milliseconds from one picture to the next: a step sends several events
let due = false;
let drawn = 0;

function alertUser(text) {
  byId("alert").textContent = text;
}

function redraw() {
  if (due) return;
  due = true;
  const paint = () => {
    [due, drawn] = [false, performance.now()];
    draw();
  };
  setTimeout(() => requestAnimationFrame(paint), Math.max(0, drawn + PICTURE - performance.now()));
}

function draw() {
  const { current, t, made, running } = state;
  if (!current) return;
  const looking = t !== made ? ` · looking back; the run is at ${made}` : "";
  const status = byId("status");
  status.setAttribute("aria-live", running ? "off" : "polite");
  status.textContent = `t = ${t} · ${running ? "running" : "paused"}${looking}`;
  const back = byId("back");
  back.max = made;
  back.value = t;
  byId("train").disabled = running;
  byId("pause").disabled = !running;
  byId("apart").disabled = running || t === 0;
  byId("apart").textContent = t ? `Take step ${t} apart` : "Take this step apart";
  for (const view of views) view({ ...state, kept: false });
  drawMetrics(current.metrics.get(t));
  drawReply();
}

function drawMetrics(row) {
  const shown = row ? METRICS.filter((name) => name in row) : [];
  byId("metrics").replaceChildren(
    ...shown.flatMap((name) => [el("dt", {}, name), el("dd", { title: row[name], "data-value": row[name], id: `metric-${name}` }, digits(row[name], 5))]),
  );
}

function drawReply() {
  const { asked } = state;
  if (!asked) return;
  byId("reply-hat").textContent = asked.hat.predicted.trim() || "(nothing)";
  byId("reply-now").replaceChildren(asked.now.predicted.trim() || "(nothing)", asked.expected && asked.now.exact ? el("b", { class: "yes" }, " ✓") : "");
  byId("of-what").textContent = `log Pr(yᵢ | x, y_<ᵢ) of ${asked.expected ? "the expected answer" : "ŷ under θ_t"}`;
  drawAsked(asked.ids, asked.tokens);
}

function receive(event) {
  const kind = event.event;
  words.learn(event);
  if (kind === "page") send("set", settings.read());
  else if (kind === "begin") begin(event);
  else if (kind === "refused") refused(event);
  else if (kind === "taken") save(event);
  else if (kind === "asked") state.asked = event;
  else if (kind === "running") Object.assign(state, { running: true, t: state.made });
  else if (kind === "paused") stopped(event);
  else if (state.current) {
    if (kind === "slow") state.slow = event.t;
    state.current.add(event);
    const following = state.running || state.t === state.made;
    if (["tokens", "passed"].includes(kind) && event.t >= state.made) {
      state.made = event.t;
      if (following) state.t = event.t;
    }
  }
  redraw();
}

function stopped({ t, look: back }) {
  Object.assign(state, { running: false, made: t, t: back ?? t });
  if (state.apart === t) send("slow", { t });
  state.apart = null;
}

function refused({ what, why }) {
  alertUser(why);
  state.apart = null;
  if (["set", "train"].includes(what)) Object.assign(state, { running: false, made: state.current?.last ?? 0 });
  state.t = Math.min(state.t, state.made);
}

function begin(event) {
  const { current } = state;
  state.runs = [...state.runs.filter((run) => run !== current || run.last > 0)].slice(-EARLIER);
  state.current = new Record(event, words);
  state.runs.push(state.current);
  words.examples.clear();
  Object.assign(state, { t: 0, made: 0, running: false });
  settings.begin({ ...settingsOf(state.current), rows: settings.read().rows });
  const first = event.pairs[0];
  if (current?.begin.data !== event.data && first) {
    byId("question").value = first.question;
    byId("expected").value = first.expected;
    ask();
  } else if (byId("question").value) ask();
}

function ask() {
  alertUser("");
  send("ask", { question: byId("question").value, expected: byId("expected").value, t: state.running ? null : state.t });
}

function look(t) {
  if (!state.current) return;
  state.t = Math.max(0, Math.min(t, state.made));
  send("look", { t: state.t });
  redraw();
}

async function train() {
  alertUser("");
  const over = state.made === 0 ? settings.differs().length : state.made >= state.current.begin.total;
  Object.assign(state, { running: true, t: over ? 0 : state.made, made: over ? 0 : state.made });
  draw();
  if (over) await send("set", settings.read());
  await send("train");
}

async function startAgain() {
  alertUser("");
  await send("set", settings.read());
}

async function oneStep() {
  alertUser("");
  if (state.t < state.made && !state.running) return look(state.t + 1);
  if (state.made === 0 && settings.differs().length) await startAgain();
  state.apart = state.made + 1; // once it is made
  await send("step");
}

byId("train").addEventListener("click", train);
byId("pause").addEventListener("click", () => send("pause"));
byId("one").addEventListener("click", oneStep);
byId("again").addEventListener("click", startAgain);
byId("apart").addEventListener("click", () => send("slow", { t: state.t }));
byId("back").addEventListener("input", ({ target }) => {
  state.t = Number(target.value);
  redraw();
});
byId("back").addEventListener("change", ({ target }) => look(Number(target.value)));
byId("data").addEventListener("change", () => state.made === 0 && byId("data").value !== "pasted rows" && startAgain());
byId("question").addEventListener("input", () => {
  // the answer that came with the first question is not the answer to another one
  if (byId("expected").value === state.current?.begin.pairs[0]?.expected) byId("expected").value = "";
});
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
for (const what of ["film", "python", "trl"]) {
  byId(`take-${what}`).addEventListener("click", () => {
    byId("taken-says").textContent = what === "film" ? "Writing the film …" : "";
    send("take", { what });
  });
}
const watch = () => send("watch", { on: byId("watch").checked && !document.hidden });
byId("watch").addEventListener("change", watch);
document.addEventListener("visibilitychange", watch);
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, button, [tabindex]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = { " ": () => (state.running ? send("pause") : train()), ArrowRight: oneStep, ArrowLeft: () => look(state.t - 1) };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
