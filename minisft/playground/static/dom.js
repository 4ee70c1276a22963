// Elements and numbers. Text enters the page only through text nodes and attributes, so it is never markup.

const SVG = "http://www.w3.org/2000/svg";

function dressed(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function el(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

// Four digits, as people read them; the whole number is in the title of whoever shows it.
export function digits(value, count = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value).replace("-", "−");
  const size = Math.abs(value);
  const text = size && (size < 1e-3 || size >= 1e5) ? value.toExponential(count - 2) : value.toPrecision(count);
  return text.replace(/-/g, "−");
}

export function percent(value) {
  if (value === null || value === undefined) return "–";
  const parts = 100 * value;
  return `${parts >= 10 || parts === 0 ? parts.toFixed(0) : parts >= 0.1 ? parts.toFixed(1) : "< 0.1"} %`;
}

// White space of a token, made visible.
export function seen(text) {
  const shown = text.replace(/\n/g, "↵").replace(/\t/g, "⇥");
  return shown.trim() ? shown : shown.replace(/ /g, "␣") || "∅";
}
