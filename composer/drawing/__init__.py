"""The parts of `composer.draw`: names folded over their indices, the scene, its DOT, and the renderers."""
