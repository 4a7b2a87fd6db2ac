// How late and how costly live motion was lately.

/** Delays that are remembered: ten seconds of display frames. */
const REMEMBERED = 600;
const SHARE = 0.95;

/** Times in seconds. */
export class Measures {
  #known = [];
  #shown = [];
  #work = [];

  /** A frame was known so many seconds after its sound. */
  known(seconds) {
    keep(this.#known, seconds);
  }

  /** A face was moved so many seconds after the sound of its frame. */
  shown(seconds) {
    keep(this.#shown, seconds);
  }

  /** The network worked so long on so many seconds of sound. */
  worked(seconds, sound) {
    keep(this.#work, [seconds, sound]);
  }

  /** {known, shown, load}; null for what has not been measured. */
  get summary() {
    const sum = (place) => this.#work.reduce((total, one) => total + one[place], 0);
    return { known: highest(this.#known), shown: highest(this.#shown), load: this.#work.length ? sum(0) / sum(1) : null };
  }
}

function keep(list, value) {
  list.push(value);
  if (list.length > REMEMBERED) list.shift();
}

/** What `SHARE` of the values do not exceed. */
function highest(values) {
  return values.length ? [...values].sort((a, b) => a - b)[Math.ceil(SHARE * values.length) - 1] : null;
}
