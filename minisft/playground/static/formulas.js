// The parts of one step, in order: title, formula, and the name of the library's lines in `lines.py`.

export const PARTS = [
  ["batch", "The batch, and what counts", "wᵢ = mᵢ / Σm (token_mean),   m = 1 on y, λ on x", "weights"],
  ["logits", "The logits of one row", "z = W norm(x_L)   →   π = exp(z) / Σ_v exp(z_v)", "pi"],
  ["objective", "What the row adds to J", "J = Σᵢ wᵢ log π(yᵢ)", "objective"],
  ["dz", "Which way is up", "∂J/∂z = w (onehot(y) − π)", "dz"],
  ["gradient", "Back through every tensor", "L = −J,   ‖∇L‖² = Σ over tensors ‖∂L/∂tensor‖²", "sign"],
  ["update", "The update of one number", "", "update"],
  ["effect", "What the step did", "log Pr(y|x) = Σᵢ log Pr(yᵢ|x, y_<ᵢ)", null],
];

const WEIGHTS = {
  token_mean: "w = m / Σm,   m = 1 on y, λ on x",
  sum: "w = m,   m = 1 on y, λ on x",
  sequence_mean: "w = m / (S Σm of the sequence),   m = 1 on y, λ on x",
};

const UPDATES = {
  adamw: "θ ← θ − η m̂ / (√v̂ + ε)",
  sgd: "θ ← θ − η ∇L",
};

export function formula(part, settings, written) {
  if (part === "batch") return WEIGHTS[settings.loss_reduction];
  if (part === "update") return UPDATES[settings.optim];
  return written;
}
