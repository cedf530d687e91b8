"""Data: any source becomes typed batches, in an order that depends on (seed, epoch) and on nothing else.

sources         what a SOURCE is: a built-in name, a folder, an archive, an array file, an array
containers      folders and archives of files, read where they are
decode          image files as pixels, however hostile
layout          what folders mean: labels, splits, domains, drawers
dataset_json    labels in a file beside images, as StyleGAN's tools write it
readers         how a source becomes named columns: the base of all kinds, and their options
images, points, photos, pairs, unpaired, waves
                the kinds: each a batch type with its reader. A new kind is one more such file
batches         all of them: the typed batches that a recipe's losses receive
columns, rows   what is read: items, as values of spaces and labels
cache, manifest prepared once into memory-mapped files, one a column, and what is written down about them
dataset         prepared data, their splits, and batches of them
shards, shard_files, shard_pictures, sharding
                shards of samples that stay where they are: WebDataset, Parquet, Arrow; and how they are written
order           in which order training reads a split
opening         `open_data`, and `reopen` for what a run was trained on
stream          the endless stream of batches that training reads
"""
