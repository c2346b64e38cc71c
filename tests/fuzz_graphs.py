"""Graphs for the fuzz tests beside the bundled ones: what those do not use of the language, and hybrids."""

from __future__ import annotations

WIRED = """\
composer: 1
name: wired
params:
  size: 16
  width: 4
  taps: [0, 2]
  penalty: 10
index:
  m: [latent, reference]
  l: =taps
inputs:
  source:
    x: image(3, size, size, flip=0.5)
    y: label(4)
  reference:
    x_ref: image(3, size, size, pairing="uniform")
    y_ref: label(4)
networks:
  G:
    inputs: image, style
    values:
      down: conv(image, width, kernel=4, stride=2, activation="relu")
      scale, shift: split(linear(style, width * 2), 2)
      same[m]: residual(down)
      up: conv_transpose(same[latent] + same[reference], width, activation="relu")
      joined: concat(up, image)
    output: conv(joined, 3, kernel=7, activation="tanh")
    init: normal(0.02)
  F: {chain: ["linear(8, activation='relu')", "repeat(2, linear(8))"]}
  E: {block: style_encoder, out: 8, width: =width, down: 2}
  D:
    chain:
      - conv(width, kernel=4, stride=2, activation="leaky_relu(0.2)")
      - repeat(2, conv(widen=2, kernel=3, norm="instance"), residual())
      - conv(1, kernel=1)
    init: kaiming
values:
  z: normal(8)
  s[latent]: F(concat(z, z))
  s[reference]: E(x_ref)
  fake[m]: G(x, s[m])
  pool: history(fake[latent], size=4)
  seen[l]: G.features(x, taps)[l]
  share: shares()
  mix: lerp(x, fake[latent], share)
  order: permutation()
lifetime:
  z: phase
phases:
  judge[m]:
    update: D
    every: 2
    first: D(x)
    minimize:
      real: adversarial(D(x), "real")
      fake: adversarial(D(fake[m]), "fake") + 0 * mean_square(take(pool, order))
      r1: penalty * gradient_penalty(D(mix), mix)
  translate[m]:
    update: {latent: "G, F, E", reference: G}
    repeat: 2
    batch: new
    when: "=iteration % 3 == 2 or epoch < 1"
    minimize:
      fool: adversarial(D(fake[m]), "fool")
      style: {loss: "0.5 * l1(E(fake[m]), stop(s[m]))", into: G}
      diversity: -linear(1, 0, over=1000) * l1(fake[m], stop(G(x, s[m])))
      still: warmup(10) / count(taps) * l1(average(G)(x, s[m]), x)
order: ["judge[m], translate[m]"]
optimizers:
  default: {adam: {lr: 1e-4, betas: [0, 0.99]}, clip_norm: 5}
  slow:
    networks: F, E
    sgd: {lr: 1e-3, momentum: 0.9}
    learning_rate: cosine(1, 0, over=1000)
    restart: 100
averages: {G: 0.999, F: {decay: 0.99, from: 10, buffers: copy}}
training: {iterations: 1000, batch: 4, epoch_iterations: 100}
translate:
  latent: {value: "fake[latent]", samples: 2}
  given:
    inputs: {code: code(8)}
    value: G(x, code)
show: x, fake[m]
presets:
  demo: {width: 2}
variants:
  plain:
    change: {"values.s[reference]": "s[latent]"}
    drop: ["phases.judge[m].minimize.r1"]
"""

HYBRID = """\
extends: cyclegan.yaml
with: [forward_only]
name: other_cycles
change:
  params.gan: wasserstein
  networks.G[s,t]:
    block: unet
    out: 3
    width: =width
    depth: 5
    init: normal(0.02)
  optimizers.default: {rmsprop: {lr: 5e-5}, clip_weights: 0.01}
add:
  params.depth_weight: 2
  values.mask[s,t]: 0.5 * fake[s,t] + 0.5
  phases.translate.minimize.smooth: depth_weight * total_variation(mask[s,t])
  phases.judge.repeat: 2
  averages.G[s,t]: 0.99
drop: [phases.translate.minimize.identity, show]
presets:
  demo: {width: 4, depth_weight: 1}
"""

SHORT = """\
extends: unit_code
name: styled
add:
  networks.S: {block: style_encoder, out: 8, width: 8, down: 2}
  networks.R: {block: adaptive_norm}
  values.style[d]: S(x[d])
  values.styled[s,t]: R(mu[s], style[t])
  phases.translate.minimize.code: l1(styled[s,t], stop(mu[s]))
change:
  phases.translate.update: E[d], G[d], S, R
  values.fake[s,t]: G[t](styled[s,t])
drop:
  - phases.translate.minimize.content
  - networks.V
"""

GRAPHS = {"wired_text": WIRED, "hybrid_text": HYBRID, "short_text": SHORT}
