// The curves over t: −J per token on y and on x, exact match and stop rate; earlier runs are thin lines with a label.

import {digits, el, percent, svg} from "./dom.js";
import {labels} from "./record.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 160, 46, 12, 10, 24];
const CHARTS = [
  { title: "−J per token, in nats", top: 0, tick: digits, lines: [["loss_y", "on y", "line-y"], ["loss_x", "on x", "line-x"]] },
  {
    title: "held-out answers",
    top: 1,
    tick: percent,
    lines: [["exact_match", "exact match", "line-exact"], ["stop_rate", "stop rate", "line-stop"]],
  },
];

function ticks(top) {
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20].find((size) => top / size <= 4.5) ?? top / 4;
  const count = Math.floor(top / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toFixed(4)));
}

function chart({ title, top, tick, lines }, host) {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "chart", preserveAspectRatio: "xMinYMid" });
  const key = el("p", { class: "key" });
  host.append(el("h3", {}, title), key, picture);

  return (runs, current, t) => {
    const series = runs.map((run) => lines.map(([name]) => run.series(name)));
    const high = top || Math.max(0.5, ...series.flat(2).map(([, value]) => value)) * 1.05;
    const end = Math.max(1, ...runs.map((run) => Math.max(run.last, run.begin.total)));
    const x = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / end;
    const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * Math.min(value, high)) / high;
    const parts = ticks(high).flatMap((value) => [
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, class: "tick end" }, top ? percent(value) : String(value)),
    ]);
    parts.push(svg("text", { x: LEFT, y: HEIGHT - 7, class: "tick" }, "t = 0"));
    parts.push(svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 7, class: "tick end" }, String(end)));
    const names = labels(runs);
    const said = [];
    runs.forEach((run, number) => {
      const now = run === current;
      series[number].forEach((points, k) => {
        if (!points.length) return;
        const shown = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
        parts.push(svg("polyline", { points: shown, class: `${lines[k][2]} ${now ? "now" : "earlier"}` }));
      });
      const [step, value] = series[number][0].at(-1) ?? [];
      if (!now && step !== undefined) {
        const place = { x: Math.min(x(step), WIDTH - RIGHT) - 2, y: y(value) - 4, class: "tick end" };
        parts.push(svg("text", place, names[number]));
      }
    });
    parts.push(svg("line", { x1: x(t), x2: x(t), y1: TOP, y2: HEIGHT - BOTTOM, class: "mark" }));
    key.replaceChildren(
      ...lines.map(([name, label, look], k) => {
        const point = series[runs.indexOf(current)]?.[k].filter(([step]) => step <= t).at(-1);
        if (point) parts.push(svg("circle", { cx: x(point[0]), cy: y(point[1]), r: 4, class: look }));
        said.push(`${label} ${point ? tick(point[1]) : "–"}`);
        return el("span", { class: `entry ${look}` }, label, " ", el("b", {}, point ? tick(point[1], 3) : "–"));
      }),
    );
    picture.replaceChildren(...parts);
    picture.setAttribute("aria-label", `${title} at t = ${t}: ${said.join(", ")}`);
  };
}

export function curves(host) {
  const draws = CHARTS.map((description) => {
    const place = host.appendChild(el("div"));
    return chart(description, place);
  });
  return ({ runs, current, t }) => draws.forEach((draw) => draw(runs, current, t));
}
