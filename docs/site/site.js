// The film on the start page plays once, unless the reader's system asks for less motion. Its own button stops it.
const film = document.querySelector("iframe.film");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

function play() {
  let page = null;
  try {
    page = film.contentDocument; // null where the browser keeps files apart: then the reader presses Play
  } catch (error) {
    return;
  }
  page?.getElementById("play")?.click();
}

if (film && !still) {
  if (film.contentDocument?.readyState === "complete" && film.contentDocument.getElementById("play")) play();
  else film.addEventListener("load", play, { once: true });
}

// What is wider than its column can be scrolled by the keyboard, too.
function reachable() {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .formula, .output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

addEventListener("load", () => setTimeout(reachable));
addEventListener("resize", reachable);
