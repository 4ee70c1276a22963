// What is taken away: a film is saved as a file; a script is shown, and saved too.

import {byId} from "./dom.js";

const FILES = { film: ["film.html", "text/html"], python: ["run.py", "text/x-python"], trl: ["run_trl.py", "text/x-python"] };

export function save({ what, text }) {
  const [name, type] = FILES[what];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  const shown = byId("taken");
  shown.hidden = what === "film";
  shown.textContent = what === "film" ? "" : text;
  byId("taken-says").textContent = `Saved as ${name}.`;
}
