# Solutions of 12_lora: one section an exercise.

# %% lora_backward
# 1. Two linear maps, one after the other: u = x Aᵀ, then y = s u Bᵀ. Go back through B first. No W anywhere.
# 2. du = s dy B;  dB = s dyᵀ u;  dA = duᵀ x;  dx = du A
# 3. du = s * dy @ B
def lora_backward(p, g, cache, dy):
    x, A, B = cache, p.lora_A.weight, p.lora_B.weight
    s = p.lora_alpha / len(A)
    u = x @ A.T
    du = s * dy @ B
    g.lora_B.weight += s * dy.T @ u
    g.lora_A.weight += du.T @ x
    return du @ A


# %% merge
# 1. What does y = x Wᵀ + s (x Aᵀ) Bᵀ look like with x taken out?
# 2. W + s B A, s = α / r
# 3. s = alpha / len(A)
def merge(W, A, B, alpha):
    s = alpha / len(A)  # A is (r, in)
    return W + s * B @ A


# %% adapt
# 1. A map with adapter costs r (in + out) numbers: four blocks, seven maps in each. Which of them do you need?
# 2. r = 10,000 // Σ (in + out); q_proj decides only where attention looks; the MLP changes what is written.
# 3. target_modules = ["up_proj"]  # in = 128, out = 336, four blocks: how large may r be?
def adapt():
    return [f"layers.3.mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")], 7
