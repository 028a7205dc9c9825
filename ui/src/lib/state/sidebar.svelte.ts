// How wide the list of repositories is, in CSS pixels. Remembered where that is possible.

export const NARROWEST = 180;
export const WIDEST = 320;
/** Where nobody has moved it. */
const USUAL = 220;

const PLACE = 'standin.sidebar';

function remembered(): number {
  try {
    return Number(localStorage.getItem(PLACE));
  } catch {
    return 0;
  }
}

export class SidebarWidth {
  #width = $state(USUAL);

  constructor() {
    const before = remembered();
    if (before >= NARROWEST && before <= WIDEST) this.#take(before);
  }

  get width(): number {
    return this.#width;
  }

  set(width: number): void {
    this.#take(Math.min(WIDEST, Math.max(NARROWEST, Math.round(width))));
    try {
      localStorage.setItem(PLACE, String(this.#width));
    } catch {
      // It holds for as long as the window is open.
    }
  }

  /** As wide as it is by itself. */
  reset(): void {
    this.#width = USUAL;
    document.documentElement.style.removeProperty('--sidebar');
    try {
      localStorage.removeItem(PLACE);
    } catch {
      // Nothing was remembered.
    }
  }

  #take(width: number): void {
    this.#width = width;
    document.documentElement.style.setProperty('--sidebar', `${width}px`);
  }
}
