"""A graph that is right, and typical mistakes in it: what was meant, what was written, what is said."""

from __future__ import annotations

RIGHT = """\
composer: 1
name: mine
params:
  size: 32
  width: 8
  l1_weight: 100
  gan: bce
  betas[a]: 0.5
index:
  d: [a, b]
  s,t: [[a, b], [b, a]]
inputs:
  domain[d]:
    x[d]: image(3, size, size, load=36)
networks:
  G[s,t]: {block: unet, out: 3, width: =width, depth: 5, norm: batch, init: normal(0.02)}
  D[d]:
    block: patch_discriminator
    width: =width
    layers: 2
  E:
    chain:
      - conv(width, kernel=4, stride=2, activation="leaky_relu(0.2)")
      - repeat(2, residual())
values:
  fake[s,t]: G[s,t](x[s])
  back[s,t]: G[t,s](fake[s,t])
  code[d]: E(x[d])
  noise[d]: normal_like(code[d])
  pool[s,t]: history(fake[s,t], size=50)
lifetime:
  fake[s,t]: iteration
phases:
  judge:
    update: D[d]
    minimize:
      real: adversarial(D[d](x[d]), "real", mode=gan)
      fake: adversarial(D[t](pool[s,t]), "fake", mode=gan)
  translate:
    update: G[s,t], E
    minimize:
      fool: adversarial(D[t](fake[s,t]), "fool", mode=gan)
      cycle: l1_weight * l1(back[s,t], x[s])
      code: l2(code[d], noise[d])
optimizers:
  default: {adam: {lr: 2e-4, betas: [0.5, 0.999]}}
averages: {E: 0.999}
training: {epochs: 200, batch: 1, learning_rate: "constant_then_linear(100, 100)"}
translate:
  a2b: {value: "fake[a,b]"}
show: x[a], fake[a,b]
presets:
  demo: {width: 4}
variants:
  least:
    change:
      params.gan: least_squares
"""
