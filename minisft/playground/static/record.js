// What is known of one run: the events of record.py, by their step. Page and film read it alike.

const NAMES = {
  data: "", start: "", prompt_loss_weight: "λ = ", loss_reduction: "", learning_rate: "η = ",
  lr_scheduler_type: "", max_steps: "steps ", batch_size: "batch ", optim: "", seed: "seed ", mistake: "mistake: ",
};

export class Vocabulary {
  constructor() {
    this.texts = new Map();
    this.examples = new Map();
  }

  learn(event) {
    for (const [id, text] of Object.entries(event.texts ?? {})) this.texts.set(Number(id), text);
    for (const [number, example] of Object.entries(event.examples ?? {})) this.examples.set(Number(number), example);
  }

  text(id) {
    return this.texts.get(id) ?? `#${id}`;
  }
}

export class Record {
  constructor(begin, words) {
    this.begin = begin;
    this.words = words;
    this.tokens = new Map();
    this.answers = new Map();
    this.slow = new Map();
    this.metrics = new Map();
    this.path = { points: [] };
    this.last = 0;
  }

  add(event) {
    this.words.learn(event);
    if (event.event === "path") this.path = event;
    else if (["tokens", "answers", "slow"].includes(event.event)) this[event.event].set(event.t, event);
    if (event.metrics && "loss" in event.metrics) this.metrics.set(event.metrics.step, event.metrics);
    if (event.t > this.last && event.event !== "asked") this.last = event.t;
  }

  steps(kind) {
    return [...this[kind].keys()].sort((a, b) => a - b);
  }

  // The newest event of a kind that is not later than t.
  at(kind, t) {
    let best = null;
    for (const [step, event] of this[kind]) if (step <= t && (!best || step > best.t)) best = event;
    return best;
  }

  // The first step from which an answer stays right until t; null if it is wrong at t.
  flipped(question, t) {
    let since = null;
    for (const step of this.steps("answers").filter((s) => s <= t)) {
      const [, exact] = this.answers.get(step).answers[question];
      since = exact ? since ?? step : null;
    }
    return since;
  }

  series(name) {
    const kind = name.startsWith("loss") ? "tokens" : "answers";
    return this.steps(kind).map((t) => [t, this[kind].get(t)[name]]).filter(([, value]) => value !== undefined);
  }
}

export function settingsOf(run) {
  return { data: run.begin.data, start: run.begin.start, mistake: run.begin.mistake, ...run.begin.settings };
}

// What tells runs apart: those settings that are not the same in all of them; of a lone run, λ.
export function labels(runs) {
  const all = runs.map(settingsOf);
  const apart = Object.keys(NAMES).filter((name) => all.some((one) => one[name] !== all[0][name]));
  return all.map((one) => (apart.length ? apart : ["prompt_loss_weight"]).map((name) => NAMES[name] + one[name]).join(", "));
}
