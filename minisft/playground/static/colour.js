// The colour of log Pr(y_i | x, y_<i): from paper (never) to the dark green of y (certain). Lightness alone says it too, so
// it can be read in grey. Ink on it is black or white, whichever is easier to read.

const STOPS = [
  [-8, [247, 243, 234]],
  [-4, [214, 229, 208]],
  [-1.5, [134, 187, 142]],
  [-0.5, [66, 138, 86]],
  [0, [15, 77, 43]],
];

function mixed(value) {
  const at = Math.min(0, Math.max(STOPS[0][0], value));
  const i = Math.max(1, STOPS.findIndex(([stop]) => at <= stop));
  const [[a, from], [b, to]] = [STOPS[i - 1], STOPS[i]];
  return from.map((channel, k) => Math.round(channel + ((to[k] - channel) * (at - a)) / (b - a)));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function shade(logProb) {
  const rgb = mixed(logProb);
  const light = luminance(rgb);
  return { fill: `rgb(${rgb.join(",")})`, ink: (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff" };
}

export const SCALE = STOPS.map(([value]) => value);
