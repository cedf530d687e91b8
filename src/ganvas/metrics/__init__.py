"""Metrics: honest scores, each with its interval, its extractor and a passport that says how it came about.

evaluate        `ganvas.evaluate`: which scores apply, and all of them
distributions   the formulas: FID, KID, Inception Score, precision, recall, density, coverage
translation     the whole of models that make something of what is given; questions, answers: what they are asked, and
                single scores of what they answer
paired          scores of pairs: PSNR, SSIM, MS-SSIM, a perceptual distance
scorer          scores while training runs (a watcher), which pick `best/`
passport        what a score needs to be compared with another; compare: two of them side by side
"""
