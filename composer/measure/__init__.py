"""Numbers for a paper: what a trained program's pictures are worth, and under which protocol that was found.

pairs         L1, PSNR, SSIM of a picture and its truth
sets          Frechet and kernel distances of two sets of features
extractors    networks that turn pictures into features, from a file that the user names
perceptual    LPIPS
subject       what is measured: which pictures go in, which ones are the truth
measuring     all of it over a subject
report        the table and the JSON file
validation    the same during training, and the best checkpoint
"""
