"""Data: any source becomes typed batches, in an order that depends on (seed, epoch) and on nothing else.

sources         what a SOURCE is: a built-in name, a folder, an archive, an array file, an array
containers      folders and archives of files, read where they are
decode          image files as pixels, however hostile
cache, manifest prepared once into memory-mapped files, and what is written down about them
dataset         prepared data, their splits, and batches of them
batches         the typed batches that a recipe's losses receive
stream          the endless stream of batches that training reads
"""
