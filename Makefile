# make install | demo | lint | test | quick | walks | bench | bench-long | soak | load | space | weights | folds | evaluate-open | experiments.  A fresh machine needs only Python 3.11 or 3.12 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Folder with speech/, capture/, noise/ and encoder/: only training and the figures on held-out voices need it.
SOURCE ?= ../shared
WORK ?= runs/open
SERVE ?= 1
# Workers that share the tests; whatever opens a browser stays with one of them.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS)
export VTK_DEFAULT_OPENGL_WINDOW := vtkEGLRenderWindow

.PHONY: install install-test graphics browser compiled demo test quick walks lint bench bench-long soak load space screenshots weights folds evaluate-open experiments clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt "setuptools>=77"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

install-test: $(VENV)/.tested

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[test]"
	touch $@

# Rendering needs a software OpenGL; where the machine has none and we may install it, we do.
graphics:
	@$(PYTHON) tools/system_packages.py libegl1 libgl1 libgl1-mesa-dri libx11-6

browser:
	@$(PYTHON) tools/system_packages.py libegl1 libgl1 libgl1-mesa-dri libx11-6 chromium

# eslint, which only the checks of the page's JavaScript need.
node_modules/.installed: package.json package-lock.json
	@$(PYTHON) tools/system_packages.py nodejs:node npm:npm
	@command -v npm > /dev/null || { echo "npm is missing, which brings the checks of the page's JavaScript; install Node.js 18.18 or newer with npm and try again." >&2; exit 1; }
	npm ci --loglevel=error --no-audit --no-fund
	touch $@

demo: install graphics
	mkdir -p out
	$(BIN)/python -m memorytalker animate assets/speech/woman_farming.wav -o out/demo.mp4
	@if [ "$(SERVE)" != "0" ]; then $(BIN)/python app.py; fi

lint: install-test node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/mypy memorytalker app.py
	npm run --silent lint

# Tests start many processes, which need not each compile the package where Python is told to keep no bytecode.
compiled: install-test
	@$(BIN)/python -m compileall -q memorytalker tools

# Everything that a change must pass. With CI=true a test that is skipped has failed.
test: install-test browser node_modules/.installed compiled
	$(BIN)/ruff check .
	$(PYTEST)

# All but the slow end-to-end tests of the page.
quick: install-test browser node_modules/.installed compiled
	$(PYTEST) -m "not walk"

walks: install-test browser compiled
	$(PYTEST) -m walk

bench: install-test browser
	$(BIN)/python -m tools.bench --json runs/bench.json $(addprefix --film ,$(wildcard $(SOURCE)/capture/film))
	$(BIN)/python -m tools.page.timing
	$(BIN)/python -m tools.web.timing

# An hour of speech, ten minutes of video and a batch; an hour of live sound and twenty listeners; an hour by itself.
bench-long: install-test
	$(BIN)/python -m tools.long_sound
	$(BIN)/python -m tools.live.hour

# 2,000 broken files of every kind; the same command goes on where it was broken off.
soak: install-test
	$(BIN)/python -m tools.soak

# Twenty visitors at once through the real page, and then everything that its server may lack.
load: install-test
	$(BIN)/python -m tools.load

# The page in a container like a Space's, which is made in runs/space; as root on a Debian it is a Debian of its own.
space: install-test
	$(BIN)/python -m tools.space

# The images of the page in README; tools/page/screenshots.py --all FOLDER shows every tab in both themes.
screenshots: install-test browser
	$(BIN)/python -m tools.page.screenshots

weights: install-test
	$(BIN)/python -m memorytalker train weights $(SOURCE) --work $(WORK) --out weights/open

# The weights once more for each person of the recipe's folds, with that person left out; evaluate-open judges by them.
folds: install-test
	$(BIN)/python -m memorytalker train folds $(SOURCE) --work $(WORK) --out weights/left_out

evaluate-open: install-test
	$(BIN)/python -m memorytalker evaluate $(SOURCE) --work $(WORK)

# What is there already is not made again.
experiments: install-test
	$(BIN)/python -m memorytalker train corpus $(SOURCE) --work $(WORK)
	$(BIN)/python -m memorytalker experiments run $(WORK)/corpus --root $(SOURCE) --encoder $(SOURCE)/encoder --out $(WORK)/experiments
	$(BIN)/python -m memorytalker experiments report $(WORK)/experiments --folder $(WORK)/corpus --root $(SOURCE) --weights open

clean:
	rm -rf $(VENV) node_modules out runs
