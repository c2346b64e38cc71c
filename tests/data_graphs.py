"""Small graphs that read every kind of data, for the tests of what `--data` understands."""

from __future__ import annotations

SCENES = """\
composer: 1
name: scenes
about: photographs from label maps and instance maps
params: {height: 16, image_width: 32, classes: 35}
inputs:
  scene:
    label: label_map(classes, height, image_width, load=20)
    inst: ids(height, image_width)
    image: image(3, height, image_width)
networks:
  G: {chain: ["conv(3, activation='tanh')"]}
values:
  sem: concat(one_hot(label, classes), edges(inst))
  fake: G(sem)
phases:
  fit:
    update: G
    minimize: {l1: "l1(fake, image)"}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {epochs: 1, batch: 2}
show: label, inst, fake, image
"""

STUFF = (
    SCENES.replace("name: scenes", "name: stuff")
    .replace("image_width, load=20)", "image_width, load=20, ignore=255)")
    .replace("one_hot(label, classes)", "one_hot(label, classes + 1)")
    .replace("classes: 35", "classes: 182")
)

DOMAINS = """\
composer: 1
name: domains
about: a generator with a label, and another picture of the same domain
params: {size: 16, domains: 3}
inputs:
  source:
    x: image(3, size, size, load=20)
    y: label(domains)
  reference:
    x_ref: image(3, size, size, load=20)
    x_ref2: image(3, size, size, load=20, another="y_ref")
    y_ref: label(domains)
networks:
  G:
    inputs: picture, like, y
    values:
      code: spread(one_hot(y, domains), size, size)
    output: conv(concat(picture, like, code), 3)
values:
  fake: G(x, x_ref, y_ref)
  fake2: G(x, x_ref2, y_ref)
  back: G(x, x, y)
phases:
  fit:
    update: G
    minimize: {same: "l1(fake, fake2)", back: "l1(back, x)"}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {epochs: 1, batch: 2}
show: x, fake, x_ref, x_ref2
"""

FACES = """\
composer: 1
name: faces
about: pictures with attributes
params: {size: 16, count: 2}
inputs:
  faces:
    x: image(3, size, size)
    y: attributes(count)
networks:
  G:
    inputs: picture, code
    values:
      planes: spread(code, size, size)
    output: conv(concat(picture, planes), 3)
values:
  fake: G(x, y)
phases:
  fit:
    update: G
    minimize: {same: "l1(fake, x)"}
optimizers: {default: {adam: {lr: 1e-3}}}
training: {epochs: 1, batch: 2}
show: x, fake
"""
