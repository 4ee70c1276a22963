// Where θ is: the path in the plane through θ̂ and θ_t, and how far each tensor has gone.

import {digits, el, svg} from "./dom.js";

const [WIDTH, HEIGHT, EDGE] = [400, 200, 26];

export function plane(host) {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "chart" });
  const note = el("p", { class: "hint" });
  host.append(picture, note);
  return ({ current: run, t }) => {
    const points = run.path.points;
    const [far, up, down] = [1, 2, 2].map((k, i) => (i === 2 ? Math.min : Math.max)(0, ...points.map((point) => point[k])));
    const scale = Math.min((WIDTH - 2 * EDGE) / (far || 1), (HEIGHT - 2 * EDGE) / (up - down || 1));
    const x = (a) => EDGE + a * scale;
    const y = (b) => HEIGHT / 2 + ((up + down) / 2 - b) * scale;
    const past = points.filter(([step]) => step <= t);
    const line = (some, look) =>
      svg("polyline", { points: some.map(([, a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" "), class: look });
    const [, a, b] = past.at(-1) ?? [0, 0, 0];
    const parts = [line(points, "path-all"), line(past, "path-past")];
    parts.push(...past.map(([, pa, pb]) => svg("circle", { cx: x(pa), cy: y(pb), r: 2.5, class: "path-dot" })));
    parts.push(svg("circle", { cx: x(0), cy: y(0), r: 5, class: "theta-hat" }));
    parts.push(svg("text", { x: x(0) - 4, y: y(0) - 10, class: "name-hat" }, run.begin.start === "random" ? "random θ" : "θ̂"));
    if (far) {
      parts.push(svg("circle", { cx: x(a), cy: y(b), r: 6, class: "theta-t" }));
      parts.push(svg("text", { x: x(a), y: y(b) - 11, class: x(a) > WIDTH / 2 ? "name-t end" : "name-t" }, `θ_t, t = ${t}`));
    }
    picture.replaceChildren(...parts);
    const away = run.at("tokens", t)?.away[0] ?? 0;
    picture.setAttribute("aria-label", `the path of θ; at t = ${t} its distance from the start is ${digits(away)}`);
    note.textContent = `‖θ_t − θ̂‖ = ${digits(away)}, among ${run.begin.parameters.toLocaleString("en")} numbers. Same scale on both axes.`;
  };
}

function briefly(name) {
  return name.replace(/^model\./, "").replace(/\.weight$/, "").replace("self_attn.", "").replace("mlp.", "");
}

export function norms(host) {
  const list = el("ol", { class: "norms", tabindex: "0", "aria-label": "distance from the start by tensor" });
  host.append(list);
  let rows = [];
  let shown = null;
  return ({ current: run, t }) => {
    if (shown !== run) {
      rows = run.begin.tensors.map((name) => {
        const bar = el("span", { class: "bar" });
        const value = el("span", { class: "value" });
        list.append(el("li", {}, el("span", { class: "tensor" }, briefly(name)), el("span", { class: "track" }, bar), value));
        return [bar, value];
      });
      list.replaceChildren(...[...list.children].slice(-rows.length));
      shown = run;
    }
    const away = run.at("tokens", t)?.away.slice(1) ?? [];
    const most = Math.max(...[...run.tokens.values()].flatMap((event) => event.away.slice(1)), 1e-12);
    rows.forEach(([bar, value], i) => {
      bar.style.width = `${(100 * (away[i] ?? 0)) / most}%`;
      value.textContent = digits(away[i] ?? 0, 3);
    });
  };
}
