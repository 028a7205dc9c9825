// The size of the text: everything is measured in it, so the whole window grows with it. Remembered where that is possible.

/** In percent of what the system says. */
export const SIZES = [90, 100, 110, 125, 150, 175, 200] as const;

const PLACE = 'standin.text-size';

/** A window without a memory of its own keeps the size until it is closed. */
function remembered(): number {
  try {
    return Number(localStorage.getItem(PLACE));
  } catch {
    return 0;
  }
}

export class Zoom {
  #size = $state(100);

  constructor() {
    const before = remembered();
    this.#take(SIZES.find((size) => size === before) ?? 100);
  }

  get size(): number {
    return this.#size;
  }

  larger(): void {
    this.#keep(SIZES.find((size) => size > this.#size) ?? this.#size);
  }

  smaller(): void {
    this.#keep(SIZES.findLast((size) => size < this.#size) ?? this.#size);
  }

  reset(): void {
    this.#keep(100);
  }

  /** One of the sizes that there are. */
  set(size: number): void {
    this.#keep(SIZES.find((known) => known === size) ?? this.#size);
  }

  #take(size: number): void {
    this.#size = size;
    document.documentElement.style.fontSize = `${size}%`;
  }

  #keep(size: number): void {
    this.#take(size);
    try {
      localStorage.setItem(PLACE, String(size));
    } catch {
      // It holds for as long as the window is open.
    }
  }
}
