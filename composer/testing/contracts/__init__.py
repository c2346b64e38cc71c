"""What `composer.testing.laws` is made of: random cases of blocks, and the laws, by subject."""
